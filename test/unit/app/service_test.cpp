// The whole program on a generated node, before a kubelet over real sockets.
#include <filesystem>
#include <fstream>
#include <memory>

#include <catch2/catch_test_macros.hpp>
#include <sys/stat.h>

#include "base/clock.hpp"
#include "ipc/client.hpp"
#include "plugin/app/commands.hpp"
#include "test/support/captured_stdout.hpp"
#include "test/support/child.hpp"
#include "test/support/kubelet/fake_kubelet.hpp"
#include "test/support/sysfs_tree.hpp"
#include "test/support/temporary_folder.hpp"

namespace railhead::test {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

// Two PFs with two VFs each.
class ServiceNode {
 public:
  ServiceNode() {
    add_mlx5_node(tree_, 2, 2);
    std::ofstream(root() + "/config.json")
        << R"({"resourceList":[{"resourceName":"vf","resourcePrefix":"rdma","selectors":{"isRdma":true}}]})";
  }
  [[nodiscard]] const std::string& root() const { return folder_.path(); }
  [[nodiscard]] std::string probe_socket(const std::string& name) const {
    return root() + '/' + name + ".sock";
  }
  // The agent of the pod ns/NAME.
  [[nodiscard]] std::unique_ptr<Child> start(const std::string& name,
                                             const std::string& listen) const {
    return std::make_unique<Child>(
        std::vector<std::string>{
            RAILHEAD_AGENT, "--log-level=error", "--config-file=" + root() + "/config.json",
            "--sysfs-root=" + root() + "/sys", "--kubelet-dir=" + root() + "/kubelet",
            "--devinfo-dir=" + root() + "/devinfo", "--run-dir=" + root() + "/run",
            "--state-dir=" + root() + "/state", "--probe-socket=" + probe_socket(name),
            "--pod-name=ns/" + name, "--listen=unix:" + listen},
        std::vector<std::string>{});
  }
  [[nodiscard]] bool wait_for_healthy(size_t count) const {
    return kubelet_.wait(30s, [&](const FakeKubeletState& state) {
      const auto found = state.resources.find("rdma/vf");
      return found != state.resources.end() && found->second.healthy() == count;
    });
  }
  // What whoever listens there says of itself; "" where nobody does.
  static std::string status(const std::string& socket) {
    app::Options options;
    options.probe_socket = socket;
    if (!fs::exists(socket)) return "";
    return captured_stdout([&] { (void)app::status(options); });
  }
  // Whether the agent that listens there is ready, and what it says.
  static std::pair<bool, std::string> readiness(const std::string& socket) {
    app::Options options;
    options.probe_socket = socket;
    options.probe = "ready";
    if (!fs::exists(socket)) return {false, ""};
    bool ready = false;
    auto text = captured_stdout([&] { ready = app::probe(options) == app::kDone; });
    return {ready, std::move(text)};
  }
  template <class Condition>
  static bool wait(Condition condition) {
    SystemClock clock;
    return wait_until(clock, 30s, 20ms, condition);
  }

 private:
  TemporaryFolder folder_;
  SysfsTree tree_{folder_.path() + "/sys"};
  FakeKubelet kubelet_{{.dir = folder_.path() + "/kubelet"}};
};

}  // namespace

TEST_CASE("A standby says who serves, and listens where the other one did when that has ended") {
  const ServiceNode node;
  const auto pages = node.root() + "/pages.sock";
  const auto first = node.start("a", pages);
  REQUIRE(node.wait_for_healthy(4));
  REQUIRE(
      node.wait([&] { return node.status(pages).starts_with("serving this node as pod ns/a "); }));
  const auto second = node.start("b", pages);
  const auto probe = node.probe_socket("b");
  REQUIRE(node.wait(
      [&] { return node.readiness(probe) == std::pair(true, std::string("standby\n")); }));
  CHECK(node.status(probe).starts_with("standby: another agent serves this node: pod ns/a (pid "));
  CHECK(node.status(pages).starts_with("serving this node as pod ns/a "));
  CHECK(first->terminate() == 0);
  CHECK(
      node.wait([&] { return node.status(pages).starts_with("serving this node as pod ns/b "); }));
  CHECK(node.wait_for_healthy(4));
}

TEST_CASE("An agent whose address comes later serves kubelet, and is ready when it listens") {
  const ServiceNode node;
  const auto pages = node.root() + "/later/pages.sock";
  const auto agent = node.start("a", pages);
  REQUIRE(node.wait_for_healthy(4));
  const auto probe = node.probe_socket("a");
  CHECK(node.wait(
      [&] { return node.readiness(probe).second.starts_with("metrics: unix:" + pages); }));
  CHECK_FALSE(node.readiness(probe).first);
  fs::create_directory(node.root() + "/later");
  CHECK(node.wait([&] { return node.readiness(probe).first; }));
  CHECK(node.status(pages).starts_with("serving this node as pod ns/a "));
}

TEST_CASE("The folders of records and of state are the agent's alone, though kubelet made them") {
  const ServiceNode node;
  for (const auto* folder : {"/run", "/state"}) {
    fs::create_directory(node.root() + folder);
    fs::permissions(node.root() + folder, fs::perms{0755});
  }
  const auto agent = node.start("a", node.root() + "/pages.sock");
  REQUIRE(node.wait_for_healthy(4));
  for (const auto* folder : {"/run", "/state"}) {
    CHECK(fs::status(node.root() + folder).permissions() == fs::perms{0700});
  }
}

TEST_CASE("Only the agent that serves is asked who holds what, and the next one from its end on") {
  const ServiceNode node;
  const auto socket = node.root() + "/run/agent.sock";
  const auto ask = [&] { return ipc::ask_owner(socket, {mlx5_vf(0, 0).to_string()}, 30s); };
  const auto first = node.start("a", node.root() + "/pages.sock");
  REQUIRE(node.wait([&] { return ask().has_value(); }));
  const auto second = node.start("b", node.root() + "/pages.sock");
  const auto probe = node.probe_socket("b");
  REQUIRE(node.wait(
      [&] { return node.readiness(probe) == std::pair(true, std::string("standby\n")); }));
  CHECK(ask());
  CHECK(first->terminate() == 0);
  CHECK(node.wait([&] { return ask().has_value(); }));
  CHECK(second->terminate() == 0);
  CHECK(is(ask(), ErrorCode::not_found));
  CHECK_FALSE(fs::exists(socket));
}

TEST_CASE("SIGTERM ends an agent while a reading hangs") {
  const ServiceNode node;
  const auto file = node.root() + "/sys/bus/pci/devices/" + mlx5_pf(0).to_string() + "/numa_node";
  fs::remove(file);
  REQUIRE(mkfifo(file.c_str(), 0600) == 0);  // whose reader waits
  const auto agent = node.start("a", node.root() + "/pages.sock");
  REQUIRE(node.wait_for_healthy(2));
  CHECK(agent->terminate() == 0);
}

}  // namespace railhead::test
