// The client before peers that do what the agent does, and what it never would.
#include "ipc/client.hpp"

#include <functional>
#include <future>
#include <thread>

#include <catch2/catch_test_macros.hpp>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/unique_fd.hpp"
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

const OwnerQuestion kQuestion{"0000:3b:00.2", "ml", "trainer-0"};
const OwnerAnswer kHeld{.state = OwnerState::held, .pod_namespace = "ml", .pod_name = "other"};

// Accepts one connection, and does with it what the test says.
class Peer {
 public:
  using Work = std::function<void(int connection)>;

  explicit Peer(Work work) : path(folder_.path() + "/agent.sock") {
    const auto address = must(to_address(path));
    REQUIRE(bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) ==
            0);
    REQUIRE(listen(listener_.get(), 1) == 0);
    thread_ = std::thread([this, work = std::move(work)] {
      const UniqueFd connection(accept(listener_.get(), nullptr, nullptr));
      work(connection.get());
    });
  }
  ~Peer() { thread_.join(); }

 private:
  TemporaryFolder folder_;
  UniqueFd listener_{socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  std::thread thread_;

 public:
  const std::string path;
};

std::string read_question(int fd) {
  std::string received;
  char byte = 0;
  while (recv(fd, &byte, 1, 0) == 1) {
    received.push_back(byte);
    if (const auto text = text_of(received); text && *text) return std::string(**text);
  }
  return "";
}
void write_bytes(int fd, std::string_view bytes) {
  send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
}

// Reads the question, and answers with these bytes.
Peer::Work answer_with(std::string bytes) {
  return [bytes = std::move(bytes)](int fd) {
    (void)read_question(fd);
    write_bytes(fd, bytes);
  };
}

}  // namespace

TEST_CASE("The agent is asked, and its answer is had") {
  std::promise<std::string> question;
  const Peer peer([&](int fd) {
    question.set_value(read_question(fd));
    write_bytes(fd, must(to_message(encode(kHeld))));
  });
  CHECK(must(ask_owner(peer.path, kQuestion, 10s)) == kHeld);
  CHECK(must(decode_question(question.get_future().get())) == Question(kQuestion));
}

TEST_CASE("The agent is asked for a pod's devices, and what is no answer to that is an error") {
  const ResolveQuestion question{"ml", "trainer-0", "1f3c"};
  const ResolveAnswer known{
      ResolveState::known, {{"main", "rdma/vf", {"0000:3b:00.2"}}}, "podresources"};
  std::promise<std::string> asked;
  const Peer peer([&](int fd) {
    asked.set_value(read_question(fd));
    write_bytes(fd, must(to_message(encode(known))));
  });
  CHECK(must(ask_resolve(peer.path, question, 10s)) == known);
  CHECK(must(decode_question(asked.get_future().get())) == Question(question));
  {
    const Peer held(answer_with(must(to_message(encode(kHeld)))));
    CHECK(is(ask_resolve(held.path, question, 10s), ErrorCode::decode));
  }
  // As an agent answers that knows no such verb.
  const Peer older(answer_with(must(to_message(encode(Error{ErrorCode::decode, 0, "verb: …"})))));
  const auto answer = ask_resolve(older.path, question, 10s);
  REQUIRE(is(answer, ErrorCode::unavailable));
  CHECK(answer.error().message == "agent at " + older.path + ": verb: …");
}

TEST_CASE("An answer that comes byte by byte is had, and one of 64 KiB") {
  auto large = kHeld;
  large.container = std::string(kMaxTextBytes - 100, 'c');
  for (const auto& answer : {kHeld, large}) {
    const Peer peer([&](int fd) {
      (void)read_question(fd);
      const auto message = must(to_message(encode(answer)));
      if (message.size() > 1000) return write_bytes(fd, message);
      for (const char byte : message) write_bytes(fd, std::string(1, byte));
    });
    CHECK(must(ask_owner(peer.path, kQuestion, 10s)) == answer);
  }
}

TEST_CASE("Where nobody listens there is no agent") {
  const TemporaryFolder folder;
  const auto path = folder.path() + "/agent.sock";
  CHECK(is(ask_owner(path, kQuestion, 1s), ErrorCode::not_found));
  CHECK(is(ask_owner(folder.path() + "/none/agent.sock", kQuestion, 1s), ErrorCode::not_found));
  {
    const UniqueFd dead(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto address = must(to_address(path));
    REQUIRE(bind(dead.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
  }
  const auto asked = ask_owner(path, kQuestion, 1s);
  REQUIRE(is(asked, ErrorCode::not_found));
  CHECK(asked.error().message == "agent at " + path + ": no agent listens");
}

TEST_CASE("An agent that takes no connection, or says nothing, costs the limit and no more") {
  SECTION("its queue is full") {
    const TemporaryFolder folder;
    const auto path = folder.path() + "/agent.sock";
    const UniqueFd listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto address = must(to_address(path));
    const auto* at = reinterpret_cast<const sockaddr*>(&address);
    REQUIRE(bind(listener.get(), at, sizeof(address)) == 0);
    REQUIRE(listen(listener.get(), 0) == 0);
    const UniqueFd waiting(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    REQUIRE(connect(waiting.get(), at, sizeof(address)) == 0);
    CHECK(is(ask_owner(path, kQuestion, 50ms), ErrorCode::timeout));
    CHECK(is(ask_owner(path, kQuestion, 0ms), ErrorCode::timeout));
  }
  SECTION("it never answers, or stops half way") {
    for (const auto size : {size_t{0}, size_t{2}, size_t{9}}) {
      std::promise<void> asked;
      const Peer peer([&](int fd) {
        write_bytes(fd, must(to_message(encode(kHeld))).substr(0, size));
        asked.get_future().wait();
      });
      const auto answer = ask_owner(peer.path, kQuestion, 50ms);
      asked.set_value();
      REQUIRE(is(answer, ErrorCode::timeout));
      CHECK(answer.error().message == "agent at " + peer.path + ": no answer within 50 ms");
    }
  }
  SECTION("it sends a byte now and then") {
    const Peer peer([&](int fd) {
      for (const char byte : must(to_message(encode(kHeld)))) {
        write_bytes(fd, std::string(1, byte));
        pollfd hung_up{fd, POLLRDHUP, 0};
        if (poll(&hung_up, 1, 20) != 0) return;
      }
    });
    CHECK(is(ask_owner(peer.path, kQuestion, 100ms), ErrorCode::timeout));
  }
}

TEST_CASE("An agent that ends before its answer is whole is unavailable, wherever it ends") {
  const auto message = must(to_message(encode(kHeld)));
  for (size_t size = 0; size < message.size(); ++size) {
    const Peer peer(answer_with(message.substr(0, size)));
    CHECK(is(ask_owner(peer.path, kQuestion, 10s), ErrorCode::unavailable));
  }
  SECTION("also where it does not read the question") {
    const Peer peer([](int) {});
    CHECK(is(ask_owner(peer.path, kQuestion, 10s), ErrorCode::unavailable));
  }
}

TEST_CASE("What is no answer is an error") {
  for (const auto& bytes : {
           must(to_message("garbage")),
           must(to_message(R"({"schema":1,"state":7})")),
           must(to_message(encode(kHeld))) + "x",
           std::string("\0\0\0\0", 4),
           std::string("\x7f\xff\xff\xff", 4),
           std::string("HTTP/1.1 400 Bad Request\r\n\r\n"),
       }) {
    const Peer peer(answer_with(bytes));
    CHECK(is(ask_owner(peer.path, kQuestion, 10s), ErrorCode::decode));
  }
  const Peer peer(answer_with(must(to_message(encode(Error{ErrorCode::decode, 0, "why"})))));
  CHECK(is(ask_owner(peer.path, kQuestion, 10s), ErrorCode::unavailable));
}

TEST_CASE("What cannot be asked is an error before anybody is asked") {
  CHECK(is(ask_owner('/' + std::string(107, 'x'), kQuestion, 1s), ErrorCode::invalid_argument));
  CHECK(is(ask_owner("", kQuestion, 1s), ErrorCode::invalid_argument));
  CHECK(is(ask_owner("/s", {.device = std::string(kMaxTextBytes, 'x')}, 1s),
           ErrorCode::invalid_argument));
}

TEST_CASE("Root is trusted, and who runs as oneself; nobody else is") {
  CHECK(is_trusted(0, 0));
  CHECK(is_trusted(0, 1000));
  CHECK(is_trusted(1000, 1000));
  CHECK_FALSE(is_trusted(1000, 0));
  CHECK_FALSE(is_trusted(1001, 1000));
  CHECK_FALSE(is_trusted(static_cast<uid_t>(-1), 0));
  int ends[2];
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  const UniqueFd one(ends[0]);
  const UniqueFd other(ends[1]);
  CHECK(check_peer(one.get()));
  const UniqueFd none(dup(STDERR_FILENO));
  CHECK_FALSE(check_peer(none.get()));
}
