// Whose the device is: the agent is asked where it serves.
#include "ipc/owner.hpp"

#include <thread>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <sys/socket.h>

#include "base/unique_fd.hpp"
#include "ipc/message.hpp"
#include "ipc/socket.hpp"
#include "test/support/must.hpp"
#include "test/unit/cni/node.hpp"

using namespace railhead;
using namespace railhead::test;
using Catch::Matchers::ContainsSubstring;

namespace {

// An agent that answers one question.
class Agent {
 public:
  Agent(Node& node, const ipc::OwnerAnswer& answer) {
    must(host::make_directories(node.fake.host.roots.run, 0700));
    const auto address = must(ipc::to_address(ipc::socket_in(node.fake.host.roots.run)));
    REQUIRE(bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) ==
            0);
    REQUIRE(listen(listener_.get(), 1) == 0);
    thread_ = std::thread([this, bytes = must(ipc::to_message(ipc::encode(answer)))] {
      const UniqueFd connection(accept(listener_.get(), nullptr, nullptr));
      std::string received;
      char byte = 0;
      while (recv(connection.get(), &byte, 1, 0) == 1) {
        received.push_back(byte);
        if (const auto text = ipc::text_of(received); text && *text) break;
      }
      send(connection.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    });
  }
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;
  ~Agent() {
    shutdown(listener_.get(), SHUT_RDWR);  // where nobody asked
    thread_.join();
  }

 private:
  UniqueFd listener_{socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  std::thread thread_;
};

ipc::OwnerAnswer held_by(const std::string& pod) {
  ipc::OwnerAnswer answer;
  answer.state = ipc::OwnerState::held;
  answer.pod_namespace = "ns";
  answer.pod_name = pod;
  answer.resource = "rdma/vf";
  answer.source = "podresources";
  return answer;
}

}  // namespace

TEST_CASE("Another pod's device is refused with its owner, before any change") {
  Node node;
  node.conf["type"] = "railhead";
  const Agent agent(node, held_by("other"));
  const auto error = error_of(node.run("ADD"));
  CHECK(error.code == 11);
  CHECK(error.message ==
        "0000:11:00.0 was given to ns/other as rdma/vf; it is attached to no other pod");
  CHECK(node.fake.operations.empty());
  CHECK(node.records().empty());
}

TEST_CASE("Its own device a pod gets, and one that nobody has") {
  Node node;
  node.conf["type"] = "railhead";
  const Agent agent(node, GENERATE(held_by("trainer-0"), ipc::OwnerAnswer{}));
  CHECK(node.run("ADD").exit_code == 0);
}

TEST_CASE("In another program's place another pod's device is warned of, and refused where asked") {
  Node node;
  SECTION("not asked") {
    const Agent agent(node, held_by("other"));
    CHECK(node.run("ADD").exit_code == 0);
    CHECK_THAT(node.log(), ContainsSubstring("another pod's device is attached") &&
                               ContainsSubstring("owner=ns/other"));
  }
  SECTION("required") {
    node.conf["ownership"] = "require";
    const Agent agent(node, held_by("other"));
    CHECK(error_of(node.run("ADD")).code == 11);
  }
  SECTION("off") {
    node.conf["ownership"] = "off";
    const Agent agent(node, held_by("other"));
    CHECK(node.run("ADD").exit_code == 0);
    CHECK(node.log().find("another pod's") == std::string::npos);
  }
}

TEST_CASE("Where no agent serves nobody is asked, unless that is required") {
  Node node;
  node.conf["type"] = "railhead";
  SECTION("not required") { CHECK(node.run("ADD").exit_code == 0); }
  SECTION("required") {
    node.conf["ownership"] = "require";
    const auto error = error_of(node.run("ADD"));
    CHECK(error.code == 11);
    CHECK_THAT(error.message, ContainsSubstring("ownership: require"));
    CHECK(node.records().empty());
  }
}

TEST_CASE("A word that ownership does not have is refused") {
  Node node;
  node.conf["ownership"] = "maybe";
  const auto error = error_of(node.run("ADD"));
  CHECK(error.code == 7);
  CHECK(error.message == "invalid ownership value: maybe: value must be 'require' or 'off'");
}
