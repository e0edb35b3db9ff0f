// The server over real sockets.
#include "plugin/http/server.hpp"

#include <cstring>
#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include <arpa/inet.h>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/clock.hpp"
#include "host/files.hpp"
#include "test/support/must.hpp"
#include "test/support/temporary_folder.hpp"

using namespace railhead;
using namespace railhead::http;
using railhead::test::must;
using railhead::test::TemporaryFolder;
using namespace std::chrono_literals;

namespace {

const Address kAnyPort = TcpAddress{"127.0.0.1", 0};

UniqueFd connect_to(const Address& address) {
  if (const auto* un = std::get_if<UnixAddress>(&address)) {
    sockaddr_un where{};
    where.sun_family = AF_UNIX;
    un->path.copy(where.sun_path, sizeof(where.sun_path) - 1);
    UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(connect(fd.get(), reinterpret_cast<sockaddr*>(&where), sizeof(where)) == 0);
    return fd;
  }
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_port = htons(std::get<TcpAddress>(address).port);
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(connect(fd.get(), reinterpret_cast<sockaddr*>(&where), sizeof(where)) == 0);
  return fd;
}

void send_text(const UniqueFd& fd, std::string_view text) {
  REQUIRE(send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(text.size()));
}

// Everything until the server closes; "(reset)" when it did so hard.
std::string read_all(const UniqueFd& fd) {
  std::string text;
  char buffer[4096];
  for (;;) {
    pollfd one{fd.get(), POLLIN, 0};
    if (poll(&one, 1, 10'000) != 1) return text + "(timeout)";
    const ssize_t got = recv(fd.get(), buffer, sizeof(buffer), 0);
    if (got < 0) return text + "(reset)";
    if (got == 0) return text;
    text.append(buffer, static_cast<size_t>(got));
  }
}

std::string ask(const Address& address, std::string_view request) {
  const auto fd = connect_to(address);
  send_text(fd, request);
  return read_all(fd);
}

std::string status_of(const std::string& answer) { return answer.substr(0, answer.find('\r')); }

Response hello(std::string_view path) {
  if (path == "/hello") return {200, "hello\n"};
  if (path == "/bug") throw std::runtime_error("a bug");
  if (path == "/long") return {200, std::string(4 << 20, 'x')};
  return plain(404);
}

struct Fixture {
  explicit Fixture(const Server::Limits& limits = {}, const Address& at = kAnyPort)
      : server(must(Server::start(at, hello, log, limits))), address(must(server->address())) {}
  UniqueFd log_file{::open("/dev/null", O_WRONLY | O_CLOEXEC)};
  Logger log{log_file.get(), LogLevel::info};
  std::unique_ptr<Server> server;
  Address address;
};

}  // namespace

TEST_CASE("Addresses are understood and written back as they were") {
  for (const auto* text :
       {"127.0.0.1:9478", "0.0.0.0:0", "[::1]:9478", "[::]:65535", "unix:/a/b"}) {
    CHECK(to_string(must(parse_address(text))) == text);
  }
  for (const auto* text :
       {"", "9478", ":9478", "localhost:9478", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536",
        "127.0.0.1:-1", "::1:9478", "[::1]", "[127.0.0.1]:9478", "unix:", "unix:a", "[]:1"}) {
    INFO(text);
    CHECK(is(parse_address(text), ErrorCode::invalid_argument));
  }
  CHECK_FALSE(parse_address("unix:/" + std::string(107, 'x')));
  CHECK(parse_address("unix:/" + std::string(106, 'x')));
}

TEST_CASE("A GET is answered, over TCP and over a unix socket") {
  const TemporaryFolder folder;
  const Fixture fixture(
      {}, GENERATE(0, 1) == 0 ? kAnyPort : Address(UnixAddress{folder.path() + "/http"}));
  const auto answer = ask(fixture.address, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(status_of(answer) == "HTTP/1.1 200 OK");
  CHECK(answer.ends_with("\r\n\r\nhello\n"));
  CHECK(status_of(ask(fixture.address, "GET /other HTTP/1.1\r\n\r\n")) == "HTTP/1.1 404 Not Found");
}

TEST_CASE("A HEAD is answered as a GET, without the body") {
  const Fixture fixture;
  const auto get = ask(fixture.address, "GET http://node/hello HTTP/1.1\r\nHost: node\r\n\r\n");
  const auto head = ask(fixture.address, "HEAD /hello HTTP/1.1\r\nHost: node\r\n\r\n");
  CHECK(head + "hello\n" == get);
  CHECK(ask(fixture.address, "HEAD /other HTTP/1.1\r\n\r\n").ends_with("\r\n\r\n"));
  CHECK(ask(fixture.address, "HEAD /bug HTTP/1.1\r\n\r\n").ends_with("\r\n\r\n"));
}

TEST_CASE("A request that comes byte by byte is answered when it is whole") {
  const Fixture fixture;
  const auto fd = connect_to(fixture.address);
  for (const char c : std::string("GET /hello HTTP/1.1\r\n\r\n")) send_text(fd, std::string(1, c));
  CHECK(read_all(fd).ends_with("hello\n"));
}

TEST_CASE("What is no GET is refused with its status, and the connection ends in order") {
  const Fixture fixture;
  CHECK(status_of(ask(fixture.address, "POST /hello HTTP/1.1\r\n\r\n" + std::string(3000, 'b'))) ==
        "HTTP/1.1 405 Method Not Allowed");
  CHECK(status_of(ask(fixture.address, "nonsense\r\n\r\n")) == "HTTP/1.1 400 Bad Request");
  CHECK(status_of(ask(fixture.address, "GET /hello HTTP/3\r\n\r\n")) ==
        "HTTP/1.1 505 HTTP Version Not Supported");
  CHECK_FALSE(ask(fixture.address, "nonsense\r\n\r\n").ends_with("(reset)"));
}

TEST_CASE("A head without an end is refused when it gets too long") {
  const Fixture fixture;
  const auto answer = ask(fixture.address, "GET /hello HTTP/1.1\r\nX: " + std::string(9000, 'x'));
  CHECK(status_of(answer) == "HTTP/1.1 431 Request Header Fields Too Large");
}

TEST_CASE("A bug in the handler is a status, and the server goes on") {
  const Fixture fixture;
  CHECK(status_of(ask(fixture.address, "GET /bug HTTP/1.1\r\n\r\n")) ==
        "HTTP/1.1 500 Internal Server Error");
  CHECK(status_of(ask(fixture.address, "GET /hello HTTP/1.1\r\n\r\n")) == "HTTP/1.1 200 OK");
}

TEST_CASE("A long answer reaches a peer that reads slowly, and others are served meanwhile") {
  const Fixture fixture;
  const auto slow = connect_to(fixture.address);
  send_text(slow, "GET /long HTTP/1.1\r\n\r\n");
  CHECK(status_of(ask(fixture.address, "GET /hello HTTP/1.1\r\n\r\n")) == "HTTP/1.1 200 OK");
  CHECK(read_all(slow).size() > (4u << 20));
}

TEST_CASE("One that has its answer gives its place to the next, one that says nothing after it") {
  Server::Limits limits;
  limits.connections = 4;
  const Fixture fixture(limits);
  std::vector<UniqueFd> open;
  for (int round = 0; round < 3; ++round) {
    open.clear();
    for (size_t i = 0; i < limits.connections; ++i) {  // all are read from
      open.push_back(connect_to(fixture.address));
    }
    for (const auto& fd : open) send_text(fd, "GET /hello HTTP/1.1\r\n\r\n");
    for (const auto& fd : open) {
      CHECK(read_all(fd).ends_with("hello\n"));  // answered, and not closed by us
    }
    const auto next = connect_to(fixture.address);
    send_text(next, "GET /hello HTTP/1.1\r\n\r\n");
    CHECK(read_all(next).ends_with("hello\n"));
  }
}

TEST_CASE("Connections that all take their answers keep their places, and the next one waits") {
  Server::Limits limits;
  limits.connections = 2;
  const Fixture fixture(limits);
  std::vector<UniqueFd> slow;
  for (size_t i = 0; i < limits.connections; ++i) {
    slow.push_back(connect_to(fixture.address));
    send_text(slow.back(), "GET /long HTTP/1.1\r\n\r\n");
    pollfd begun{slow.back().get(), POLLIN, 0};
    REQUIRE(poll(&begun, 1, 10'000) == 1);
  }
  const auto next = connect_to(fixture.address);
  send_text(next, "GET /hello HTTP/1.1\r\n\r\n");
  for (const auto& fd : slow) CHECK(read_all(fd).size() > (4u << 20));
  CHECK(read_all(next).ends_with("hello\n"));
}

TEST_CASE("A peer that says nothing loses its connection") {
  const Fixture fixture({.connection_time = 200ms});
  CHECK(read_all(connect_to(fixture.address)).empty());
}

TEST_CASE("At the limit the peer that has said nothing for longest gives its place to the next") {
  const Fixture fixture({.connections = 2, .connection_time = 1h});
  const auto first = connect_to(fixture.address);
  const auto second = connect_to(fixture.address);
  CHECK(status_of(ask(fixture.address, "GET /hello HTTP/1.1\r\n\r\n")) == "HTTP/1.1 200 OK");
  CHECK(read_all(first).empty());
  send_text(second, "GET /hello HTTP/1.1\r\n\r\n");
  CHECK(status_of(read_all(second)) == "HTTP/1.1 200 OK");
}

TEST_CASE("At the limit the next waits for those that are being answered") {
  const Fixture fixture({.connections = 1, .connection_time = 1h});
  const auto slow = connect_to(fixture.address);
  send_text(slow, "GET /long HTTP/1.1\r\n\r\n");
  char byte = 0;
  REQUIRE(recv(slow.get(), &byte, 1, 0) == 1);
  const auto next = connect_to(fixture.address);
  send_text(next, "GET /hello HTTP/1.1\r\n\r\n");
  CHECK(read_all(slow).size() > (4u << 20) - 1);
  ::shutdown(slow.get(), SHUT_WR);
  CHECK(status_of(read_all(next)) == "HTTP/1.1 200 OK");
}

TEST_CASE("A peer that goes away in the middle harms nobody") {
  const Fixture fixture;
  for (const auto* part : {"", "GET /he", "GET /long HTTP/1.1\r\n\r\n"}) {
    const auto fd = connect_to(fixture.address);
    send_text(fd, part);
    const linger reset{1, 0};
    setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
  }
  CHECK(status_of(ask(fixture.address, "GET /hello HTTP/1.1\r\n\r\n")) == "HTTP/1.1 200 OK");
}

TEST_CASE("A unix socket is its owner's only, and gone when the server is") {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/http";
  struct stat status {};
  {
    const Fixture fixture({}, UnixAddress{path});
    REQUIRE(stat(path.c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0600);
  }
  CHECK(stat(path.c_str(), &status) != 0);
}

TEST_CASE("The socket of a killed process is replaced; another file is not") {
  const TemporaryFolder folder;
  const UnixAddress address{folder.path() + "/http"};
  {
    sockaddr_un where{};
    where.sun_family = AF_UNIX;
    address.path.copy(where.sun_path, sizeof(where.sun_path) - 1);
    const UniqueFd dead(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(bind(dead.get(), reinterpret_cast<sockaddr*>(&where), sizeof(where)) == 0);
  }
  { const Fixture fixture({}, address); }
  std::ofstream(address.path) << "text";
  CHECK(listen_on(address).error().os_errno == EADDRINUSE);
  CHECK(must(host::read_file(address.path)) == "text");
}

TEST_CASE("A server whose address is in use takes it as soon as it is free") {
  const Address address =
      GENERATE(0, 1) == 0
          ? kAnyPort
          : Address(UnixAddress{"/tmp/railhead-http-test." + std::to_string(getpid())});
  auto first = std::make_unique<Fixture>(Server::Limits{}, address);
  const Address in_use = first->address;
  auto second = must(Server::start(in_use, hello, first->log, {.retry = 10ms}));
  CHECK(second->address().error().os_errno == EADDRINUSE);
  first->server.reset();
  SystemClock clock;
  REQUIRE(wait_until(clock, 10s, 5ms, [&] { return second->address().has_value(); }));
  CHECK(status_of(ask(in_use, "GET /hello HTTP/1.1\r\n\r\n")) == "HTTP/1.1 200 OK");
}

TEST_CASE("A server whose address is not this machine's yet takes it when it is") {
  Logger log(STDERR_FILENO, LogLevel::error);
  const auto foreign = must(Server::start(TcpAddress{"192.0.2.1", 0}, hello, log));
  CHECK(foreign->address().error().os_errno == EADDRNOTAVAIL);

  const TemporaryFolder folder;
  const UnixAddress later{folder.path() + "/later/http.sock"};
  const auto server = must(Server::start(later, hello, log, {.retry = 10ms}));
  CHECK(server->address().error().os_errno == ENOENT);
  std::filesystem::create_directory(folder.path() + "/later");
  SystemClock clock;
  REQUIRE(wait_until(clock, 10s, 5ms, [&] { return server->address().has_value(); }));
  CHECK(status_of(ask(later, "GET /hello HTTP/1.1\r\n\r\n")) == "HTTP/1.1 200 OK");
}

TEST_CASE("An address that can never be is an error at once") {
  Logger log(STDERR_FILENO, LogLevel::error);
  CHECK_FALSE(Server::start(UnixAddress{'/' + std::string(200, 'x')}, hello, log));
}
