#include "base/log.hpp"

#include <limits>
#include <thread>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "base/text.hpp"
#include "base/unique_fd.hpp"

using namespace railhead;

namespace {

// A pipe of two pages, and who reads it: with one, poll(2) calls it full from the first byte on.
struct Pipe {
  Pipe() {
    int ends[2];
    REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
    reader = UniqueFd(ends[0]);
    writer = UniqueFd(ends[1]);
    REQUIRE(fcntl(writer.get(), F_SETPIPE_SZ, kSize) == kSize);
  }
  // All that is in it now.
  std::string read_all() {
    REQUIRE(fcntl(reader.get(), F_SETFL, O_NONBLOCK) == 0);  // the reader's own file description
    std::string text;
    char buffer[4096];
    for (ssize_t size; (size = read(reader.get(), buffer, sizeof(buffer))) > 0;) {
      text.append(buffer, static_cast<size_t>(size));
    }
    return text;
  }
  static constexpr int kSize = 8192;
  UniqueFd reader;
  UniqueFd writer;
};

// What comes behind the time stamps.
std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (const auto line : split(text, '\n')) {
    if (!line.empty()) lines.emplace_back(line.substr(line.find(' ') + 1));
  }
  return lines;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("A log line quotes what could be misread") {
  CHECK(format_log_line(Logger::Format::text, LogLevel::info, "pool served",
                        {{"pool", "rdma/vf"}, {"why", "a \"b\"\n"}, {"devices", 8}}) ==
        R"(level=info msg="pool served" pool=rdma/vf why="a \"b\"\n" devices=8)");
  CHECK(format_log_line(Logger::Format::json, LogLevel::error, "x", {{"k", "\x01"}}) ==
        R"("level":"error","msg":"x","k":"\u0001")");
}

TEST_CASE("In JSON numbers and booleans have no quotes, and what looks like one has") {
  const auto line = format_log_line(Logger::Format::json, LogLevel::info, "x",
                                    {{"count", 8U},
                                     {"negative", -1L},
                                     {"share", 0.25},
                                     {"ready", true},
                                     {"name", "8"},
                                     {"word", "true"},
                                     {"letter", 'a'},
                                     {"nothing", std::numeric_limits<double>::quiet_NaN()},
                                     {"endless", std::numeric_limits<double>::infinity()}});
  const auto json = nlohmann::json::parse("{" + line + "}");
  CHECK(json["count"] == 8);
  CHECK(json["negative"] == -1);
  CHECK(json["share"] == 0.25);
  CHECK(json["ready"] == true);
  CHECK(json["name"].is_string());
  CHECK(json["word"].is_string());
  CHECK(json["letter"] == "a");
  CHECK(json["nothing"].is_string());
  CHECK(json["endless"].is_string());
}

TEST_CASE("A JSON log line is JSON, whatever bytes a name has") {
  const std::string name = "ens\xff\xc3";
  const auto line = format_log_line(Logger::Format::json, LogLevel::info, name, {{"netdev", name}});
  const auto json = nlohmann::json::parse("{" + line + "}");
  CHECK(json["netdev"] == "ens\xef\xbf\xbd\xef\xbf\xbd");
  CHECK(json["msg"] == json["netdev"]);
}

TEST_CASE("Who logs does not wait for a reader that has stopped; what was lost is counted") {
  Pipe pipe;
  Logger log(pipe.writer.get(), LogLevel::info);
  constexpr size_t kLogged = 500;  // far more than the pipe takes
  for (size_t i = 0; i < kLogged; ++i) log.info("line", {{"number", i}});
  CHECK((fcntl(pipe.writer.get(), F_GETFL) & O_NONBLOCK) == 0);  // as whoever shares it left it

  const auto kept = lines_of(pipe.read_all());
  REQUIRE(!kept.empty());
  REQUIRE(kept.size() < kLogged);
  for (size_t i = 0; i < kept.size(); ++i) {
    REQUIRE(kept[i] == fmt::format("level=info msg=\"line\" number={}", i));
  }
  log.info("again");
  log.info("and again");
  CHECK(lines_of(pipe.read_all()) ==
        Lines{fmt::format("level=warning msg=\"{} log lines were lost: nobody read them\"",
                          kLogged - kept.size()),
              "level=info msg=\"again\"", "level=info msg=\"and again\""});
}

TEST_CASE("A line longer than the pipe has room for is finished before the next one begins") {
  Pipe pipe;
  Logger log(pipe.writer.get(), LogLevel::info);
  const std::string text(20'000, 'x');
  log.info("long", {{"text", text}});
  log.info("lost");
  std::string read = pipe.read_all();
  CHECK(read.size() == Pipe::kSize);
  log.info("lost too");
  read += pipe.read_all();
  CHECK(read.size() == size_t{2} * Pipe::kSize);
  log.info("after it");
  read += pipe.read_all();
  CHECK(lines_of(read) == Lines{"level=info msg=\"long\" text=" + text,
                                "level=warning msg=\"2 log lines were lost: nobody read them\"",
                                "level=info msg=\"after it\""});
}

TEST_CASE("A pipe that nobody reads any more raises no signal") {
  Pipe pipe;
  Logger log(pipe.writer.get(), LogLevel::info);
  pipe.reader = UniqueFd();
  log.info("SIGPIPE would end this program");
  SUCCEED();
}

TEST_CASE("Lines of several threads, and of copies, stay whole") {
  int ends[2];
  REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  constexpr size_t kThreads = 4, kLines = 100;  // less than 64 KiB, what a pipe takes
  {
    const Logger log(writer.get(), LogLevel::info);
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < kThreads; ++i) {
      threads.emplace_back([copy = log, i]() mutable {
        for (size_t line = 0; line < kLines; ++line) copy.info("x", {{"thread", i}});
      });
    }
  }
  writer = UniqueFd();
  std::string text;
  char buffer[4096];
  for (ssize_t size; (size = read(reader.get(), buffer, sizeof(buffer))) > 0;) {
    text.append(buffer, static_cast<size_t>(size));
  }
  const auto lines = lines_of(text);
  CHECK(lines.size() == kThreads * kLines);
  for (const auto& line : lines) REQUIRE(line.starts_with("level=info msg=\"x\" thread="));
}
