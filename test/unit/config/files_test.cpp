// Which files are a configuration, and which are refused before they are read.
#include "plugin/config/files.hpp"

#include <fstream>

#include <catch2/matchers/catch_matchers_string.hpp>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/unique_fd.hpp"
#include "test/support/must.hpp"
#include "test/support/temporary_folder.hpp"
#include "test/unit/config/parsed.hpp"

namespace railhead::test {
namespace {

using Catch::Matchers::ContainsSubstring;

void write(const std::string& path, std::string_view text) { std::ofstream(path) << text; }

// Why it is refused.
std::string refusal(const std::string& path) {
  const auto sources = config::read_sources(path);
  return is(sources, ErrorCode::invalid_argument) ? sources.error().message : "";
}

// A file of so many bytes that takes no room.
void write_sparse(const std::string& path, size_t size) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  REQUIRE(file);
  REQUIRE(::ftruncate(file.get(), static_cast<off_t>(size)) == 0);
}

void make_socket(const std::string& path) {
  const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  REQUIRE(path.size() < sizeof(address.sun_path));
  path.copy(address.sun_path, path.size());
  REQUIRE(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
}

}  // namespace

TEST_CASE("a folder's JSON and YAML files are its configuration, hidden ones are not") {
  const TemporaryFolder folder;
  const auto& path = folder.path();
  CHECK(is(config::read_sources(path), ErrorCode::not_found));
  write(path + "/b.yaml", "pools: []\n");
  write(path + "/a.json", "{}");
  write(path + "/.hidden.json", "{}");
  write(path + "/README", "no");
  const auto sources = must(config::read_sources(path));
  REQUIRE(sources.size() == 2);
  CHECK(sources[0].file == path + "/a.json");
  CHECK(sources[1].text == "pools: []\n");
  CHECK(must(config::read_sources(path + "/a.json")).at(0).text == "{}");
  CHECK(is(config::read_sources(path + "/none.json"), ErrorCode::not_found));
}

TEST_CASE("what is no file is refused by its kind, and nobody waits for it") {
  const TemporaryFolder folder;
  const auto& path = folder.path();
  REQUIRE(::mkfifo((path + "/fifo").c_str(), 0600) == 0);
  CHECK(refusal(path + "/fifo") == path + "/fifo: is a FIFO; expected a file");
  make_socket(path + "/socket");
  CHECK_THAT(refusal(path + "/socket"), ContainsSubstring("is a socket; expected a file"));
  CHECK(refusal("/dev/zero") == "/dev/zero: is a device; expected a file");
  REQUIRE(::symlink("/dev/zero", (path + "/link").c_str()) == 0);
  CHECK_THAT(refusal(path + "/link"), ContainsSubstring("is a device"));
}

TEST_CASE("a folder's files are refused by their kind too") {
  const TemporaryFolder folder;
  const auto& path = folder.path();
  write(path + "/a.json", "{}");
  REQUIRE(::mkdir((path + "/b.yaml").c_str(), 0700) == 0);
  CHECK(refusal(path) == path + "/b.yaml: is a folder; expected a file");
  REQUIRE(::rmdir((path + "/b.yaml").c_str()) == 0);
  REQUIRE(::mkfifo((path + "/b.yaml").c_str(), 0600) == 0);
  CHECK(refusal(path) == path + "/b.yaml: is a FIFO; expected a file");
}

TEST_CASE("a file that is too large is refused by its size, and so are a folder's files together") {
  const TemporaryFolder folder;
  const auto& path = folder.path();
  write_sparse(path + "/0.json", config::kMaxSize);
  CHECK(must(config::read_sources(path + "/0.json")).at(0).text.size() == config::kMaxSize);
  write_sparse(path + "/large", size_t{1} << 40);
  CHECK(refusal(path + "/large") == path + "/large: 1099511627776 bytes; expected at most 1048576");
  for (const auto* name : {"/1.json", "/2.json", "/3.json"}) {
    write_sparse(path + name, config::kMaxSize);
  }
  CHECK(must(config::read_sources(path)).size() == 4);
  write(path + "/4.json", " ");
  CHECK(refusal(path) == path + ": its files have more than 4194304 bytes together");
}

TEST_CASE("a file whose size is not told, as in proc, is read") {
  CHECK_FALSE(must(config::read_sources("/proc/self/status")).at(0).text.empty());
}

}  // namespace railhead::test
