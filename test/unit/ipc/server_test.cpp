// The server over real sockets, its loop on a thread of its own.
#include "plugin/ipc/server.hpp"

#include <atomic>
#include <thread>

#include <catch2/catch_test_macros.hpp>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipc/client.hpp"
#include "ipc/message.hpp"
#include "ipc/question.hpp"
#include "ipc/socket.hpp"
#include "test/support/must.hpp"
#include "test/support/temporary_folder.hpp"

using namespace railhead;
using namespace railhead::ipc;
using railhead::test::must;
using railhead::test::TemporaryFolder;
using namespace std::chrono_literals;

namespace {

const OwnerAnswer kHeld{.state = OwnerState::held, .pod_namespace = "ml", .pod_name = "other"};

// Knows one answer, and of some questions another or none.
class Fixture {
 public:
  explicit Fixture(const Server::Limits& limits = {})
      : server(
            *loop, clock, folder.path() + "/agent.sock",
            [this](std::string_view text, const Server::Reply& reply) { answer(text, reply); }, log,
            limits) {
    must(server.listen());
    thread_ = std::thread([this] { loop->run(); });
  }
  ~Fixture() { end(); }
  void end() {
    if (!thread_.joinable()) return;
    loop->stop();
    thread_.join();
    server.stop();
  }

  [[nodiscard]] Result<OwnerAnswer> ask(const std::string& device,
                                        std::chrono::milliseconds limit = 10s) const {
    return ask_owner(path(), {.device = device}, limit);
  }
  [[nodiscard]] UniqueFd connect() const {
    const auto address = must(to_address(path()));
    UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
    return fd;
  }
  [[nodiscard]] std::string path() const { return folder.path() + "/agent.sock"; }
  // Answers the questions of which nothing was said.
  void answer_late() {
    for (const auto& reply : late) {
      reply(encode(kHeld));
      reply("again");
    }
  }

  TemporaryFolder folder;
  UniqueFd log_file{::open("/dev/null", O_WRONLY | O_CLOEXEC)};
  Logger log{log_file.get(), LogLevel::info};
  SystemClock clock;
  std::unique_ptr<Loop> loop = must(Loop::open(clock));
  std::vector<Server::Reply> late;  // of the loop's thread
  std::atomic<int> waiting = 0;     // as many
  Server server;

 private:
  void answer(std::string_view text, const Server::Reply& reply) {
    const auto question = decode_question(text);
    if (!question) return reply(encode(question.error()));
    const auto& device = std::get<OwnerQuestion>(*question).device;
    if (device == "late") {
      late.push_back(reply);
      ++waiting;
      return;
    }
    if (device == "long") return reply(std::string(kMaxTextBytes, 'x'));
    if (device == "longer") return reply(std::string(kMaxTextBytes + 1, 'x'));
    reply(encode(kHeld));
  }

  std::thread thread_;
};

void send_text(const UniqueFd& fd, std::string_view text) {
  REQUIRE(send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(text.size()));
}

// Everything until the server closes.
std::string read_all(const UniqueFd& fd) {
  std::string text;
  char buffer[4096];
  for (;;) {
    pollfd one{fd.get(), POLLIN, 0};
    if (poll(&one, 1, 10'000) != 1) return text + "(timeout)";
    const ssize_t got = recv(fd.get(), buffer, sizeof(buffer), 0);
    if (got <= 0) return text;
    text.append(buffer, static_cast<size_t>(got));
  }
}

std::string question(const std::string& device) {
  return must(to_message(encode(OwnerQuestion{.device = device})));
}
const std::string kAnswer = must(to_message(encode(kHeld)));

// The error that is sent back.
std::string refusal_of(const std::string& answer) {
  const auto text = must(text_of(answer));
  REQUIRE(text);
  const auto decoded = decode_owner_answer(*text);
  REQUIRE_FALSE(decoded);
  return decoded.error().message;
}

bool exists(const std::string& path) {
  struct stat info {};
  return lstat(path.c_str(), &info) == 0;
}

}  // namespace

TEST_CASE("Questions are answered, one after the other and at once") {
  const Fixture fixture;
  for (int i = 0; i < 3; ++i) CHECK(must(fixture.ask("d")) == kHeld);
  std::vector<std::thread> askers;
  std::atomic<int> answered = 0;
  for (int i = 0; i < 100; ++i) {
    askers.emplace_back([&] { answered += fixture.ask("d", 30s) == kHeld; });
  }
  for (auto& asker : askers) asker.join();
  CHECK(answered == 100);
}

TEST_CASE("A question that comes byte by byte is answered when it is whole") {
  const Fixture fixture;
  const auto fd = fixture.connect();
  for (const char byte : question("d")) send_text(fd, std::string(1, byte));
  CHECK(read_all(fd) == kAnswer);
}

TEST_CASE("A peer that goes away in the middle of its question, wherever, harms nobody") {
  const Fixture fixture;
  const auto message = question("d");
  for (size_t size = 0; size <= message.size(); ++size) {
    const auto fd = fixture.connect();
    send_text(fd, std::string_view(message).substr(0, size));
  }
  CHECK(must(fixture.ask("d")) == kHeld);
}

TEST_CASE("What is no question is told so, and its connection ends") {
  const Fixture fixture;
  const auto answer_to = [&](std::string_view bytes) {
    const auto fd = fixture.connect();
    send_text(fd, bytes);
    return refusal_of(read_all(fd));
  };
  CHECK(answer_to(std::string("\0\1\0\1", 4)) == "a message of 65537 bytes: expected 1 to 65536");
  CHECK(answer_to("GET / HTTP/1.1\r\n\r\n").starts_with("a message of 1195725856 bytes"));
  CHECK(answer_to(std::string(4, '\0')) == "a message of 0 bytes: expected 1 to 65536");
  CHECK(answer_to(question("d") + "x").starts_with("1 bytes after a message"));
  CHECK(answer_to(must(to_message(R"({"schema":1,"verb":"owner"})"))) == "device: missing");
  CHECK(answer_to(must(to_message(std::string(kMaxTextBytes, '[')))) ==
        "nested more than 1000 deep");
}

TEST_CASE("An answer of 64 KiB is sent whole; one that is too long is an error") {
  const Fixture fixture;
  const auto fd = fixture.connect();
  send_text(fd, question("long"));
  CHECK(read_all(fd).size() == kMaxMessageBytes);
  const auto answer = fixture.ask("longer");
  CHECK(is(answer, ErrorCode::unavailable));
}

TEST_CASE("An answer may come later, and others have theirs meanwhile") {
  Fixture fixture;
  const auto fd = fixture.connect();
  send_text(fd, question("late"));
  REQUIRE(wait_until(fixture.clock, 10s, 1ms, [&] { return fixture.waiting == 1; }));
  CHECK(must(fixture.ask("d")) == kHeld);
  fixture.loop->post([&] { fixture.answer_late(); });
  CHECK(read_all(fd) == kAnswer);
}

TEST_CASE("An answer that comes when its asker, or the server, has gone is thrown away") {
  Fixture fixture({.connection_time = 50ms});
  const auto fd = fixture.connect();
  send_text(fd, question("late"));
  CHECK(read_all(fd).empty());
  fixture.loop->post([&] { fixture.answer_late(); });
  CHECK(must(fixture.ask("d")) == kHeld);
  const auto last = fixture.connect();
  send_text(last, question("late"));
  REQUIRE(wait_until(fixture.clock, 10s, 1ms, [&] { return fixture.waiting == 2; }));
  fixture.end();
  fixture.answer_late();
  CHECK(read_all(last).empty());
}

TEST_CASE("A peer that says nothing, or not all, loses its connection") {
  const Fixture fixture({.connection_time = 100ms});
  const auto silent = fixture.connect();
  const auto slow = fixture.connect();
  send_text(slow, "\0\0");
  CHECK(read_all(silent).empty());
  CHECK(read_all(slow).empty());
}

TEST_CASE("At the limit the one that has been silent for longest gives its place to the next") {
  const Fixture fixture({.connections = 2, .connection_time = 1h});
  const auto first = fixture.connect();
  const auto second = fixture.connect();
  CHECK(must(fixture.ask("d")) == kHeld);
  CHECK(read_all(first).empty());
  send_text(second, question("d"));
  CHECK(read_all(second) == kAnswer);
}

TEST_CASE("At the limit the next waits for those that have put their question") {
  Fixture fixture({.connections = 1, .connection_time = 1h});
  const auto first = fixture.connect();
  send_text(first, question("late"));
  REQUIRE(wait_until(fixture.clock, 10s, 1ms, [&] { return fixture.waiting == 1; }));
  const auto next = fixture.connect();
  send_text(next, question("d"));
  CHECK(is(fixture.ask("d", 50ms), ErrorCode::timeout));
  fixture.loop->post([&] { fixture.answer_late(); });
  CHECK(read_all(first) == kAnswer);
  CHECK(read_all(next) == kAnswer);
}

TEST_CASE("The socket is its owner's only, and gone when the server is") {
  Fixture fixture;
  struct stat info {};
  REQUIRE(lstat(fixture.path().c_str(), &info) == 0);
  CHECK((info.st_mode & 07777) == 0600);
  CHECK_FALSE(exists(fixture.path() + ".new"));
  fixture.end();
  CHECK_FALSE(exists(fixture.path()));
  CHECK(is(fixture.ask("d"), ErrorCode::not_found));
}

TEST_CASE("What a killed agent left is replaced") {
  const TemporaryFolder folder;
  const auto path = folder.path() + "/agent.sock";
  for (const auto& left : {path, path + ".new"}) {
    const UniqueFd dead(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto address = must(to_address(left));
    REQUIRE(bind(dead.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
  }
  SystemClock clock;
  Logger log(STDERR_FILENO, LogLevel::error);
  const auto loop = must(Loop::open(clock));
  Server server(
      *loop, clock, path, [](auto, const auto&) {}, log);
  must(server.listen());
  CHECK_FALSE(exists(path + ".new"));
}

TEST_CASE("The socket of the next agent is not removed by the one before it") {
  Fixture former;
  SystemClock clock;
  const auto loop = must(Loop::open(clock));
  Server next(
      *loop, clock, former.path(), [](auto, const auto&) {}, former.log);
  must(next.listen());
  former.end();
  CHECK(exists(former.path()));
  next.stop();
  CHECK_FALSE(exists(former.path()));
}

TEST_CASE("A place where no socket can be is an error") {
  SystemClock clock;
  Logger log(STDERR_FILENO, LogLevel::error);
  const auto loop = must(Loop::open(clock));
  const auto error_at = [&](const std::string& path) {
    Server server(
        *loop, clock, path, [](auto, const auto&) {}, log);
    const auto listening = server.listen();
    REQUIRE_FALSE(listening);
    return listening.error();
  };
  const TemporaryFolder folder;
  CHECK(error_at('/' + std::string(107, 'x')).code == ErrorCode::invalid_argument);
  CHECK(error_at(folder.path() + "/none/agent.sock").os_errno == ENOENT);
  const auto taken = folder.path() + "/folder";
  REQUIRE(mkdir(taken.c_str(), 0700) == 0);
  CHECK(error_at(taken).code != ErrorCode::invalid_argument);
}
