// The agent is asked who holds a device, as the CNI program asks.
#include "plugin/app/owners.hpp"

#include <algorithm>

#include <sys/stat.h>

#include "ipc/client.hpp"
#include "ipc/socket.hpp"
#include "plugin/app/questions.hpp"
#include "test/support/fake_clock.hpp"
#include "test/unit/app/agent_node.hpp"

namespace railhead::test {
namespace {

using ipc::OwnerState;

// Pods are "default/NAME".
class OwnerNode : public AgentNode {
 public:
  OwnerNode() { options.ledger.poll = 1h; }

  void start_with_pools() {
    start();
    REQUIRE(run_until_healthy("rdma/vf", 4));
    REQUIRE(run_until([&] { return agent->state().holdings->complete(); }));
  }
  [[nodiscard]] std::string socket() const { return ipc::socket_in(host.roots.run); }
  Result<ipc::OwnerAnswer> ask(const PciAddress& device, const std::string& pod) {
    return while_turning([&] {
      return ipc::ask_owner(socket(), {device.to_string(), "default", pod}, 10s);
    });
  }
  // The fake kubelet's UID of a pod is "NAMESPACE.NAME".
  Result<ipc::ResolveAnswer> devices_of(const std::string& pod, const std::string& uid = "") {
    return while_turning([&] { return ipc::ask_resolve(socket(), {"default", pod, uid}, 10s); });
  }
  // The pod "pod" has the device, and kubelet has listed it.
  void give(const PciAddress& device) {
    allocate("rdma/vf", device);
    REQUIRE(run_until([&] {
      const auto all = agent->state().holdings;
      const auto holders = all->of(device.to_string());
      return !holders.empty() && holders.front()->source == ledger::Source::podresources;
    }));
  }
};

const app::Owners::FarPairs no_far_pairs = [](const auto&) { return std::vector<ipc::FarPair>{}; };
const ipc::OwnerAnswer kHeld{OwnerState::held, "default", "pod",         "",
                             "main",           "rdma/vf", "podresources"};

}  // namespace

TEST_CASE("The owner of a device that a pod has is named, to it and to others") {
  OwnerNode node;
  node.start_with_pools();
  const auto held = mlx5_vf(1, 2);
  node.give(held);
  CHECK(must(node.ask(held, "pod")) == kHeld);
  CHECK(must(node.ask(held, "other")) == kHeld);
  CHECK(must(node.ask(mlx5_vf(1, 1), "other")).state == OwnerState::free);
  const auto page = node.metrics.text({});
  CHECK(page.find("railhead_owner_questions_total{result=\"held\"} 2\n") != std::string::npos);
  CHECK(page.find("railhead_owner_questions_total{result=\"free\"} 1\n") != std::string::npos);
}

TEST_CASE("A device that was allocated a moment ago is nobody else's") {
  OwnerNode node;
  node.start_with_pools();
  const auto held = mlx5_vf(1, 2);
  node.allocate("rdma/vf", held);
  const auto answer = must(node.ask(held, "pod"));
  CHECK(answer.state == OwnerState::held);
  CHECK_FALSE(is_of_another(answer, "default", "pod"));
}

TEST_CASE("Until kubelet has listed its pods a device that nobody is known to have is not free") {
  OwnerNode node;
  node.options.ledger.settle = 1h;
  node.start();
  CHECK(must(node.ask(mlx5_vf(1, 1), "other")).state == OwnerState::unknown);
}

TEST_CASE("A pod that has ended refuses nobody, though kubelet has not been asked since") {
  OwnerNode node;
  node.start_with_pools();
  const auto held = mlx5_vf(1, 2);
  node.give(held);
  node.kubelet.remove_pod("pod");
  CHECK_FALSE(is_of_another(must(node.ask(held, "other")), "default", "other"));
}

TEST_CASE("What kubelet said last stands while it does not answer") {
  OwnerNode node;
  node.start_with_pools();
  const auto held = mlx5_vf(1, 2);
  node.give(held);
  node.kubelet.stop();
  CHECK(must(node.ask(held, "other")) == kHeld);
}

TEST_CASE("A pod's devices are told as kubelet has them now, in PCI order") {
  OwnerNode node;
  node.start_with_pools();
  node.allocate("rdma/vf", mlx5_vf(1, 2));
  const ipc::ResolveAnswer one{
      ipc::ResolveState::known, {{"main", "rdma/vf", {mlx5_vf(1, 2).to_string()}}}, "podresources"};
  CHECK(must(node.devices_of("pod")) == one);
  CHECK(must(node.devices_of("pod", "default.pod")) == one);
  std::ignore = node.while_turning([&] {
    return must(node.kubelet.allocate("pod", "second", "rdma/vf",
                                      {mlx5_vf(1, 3).to_string(), mlx5_vf(1, 1).to_string()}));
  });
  auto both = one;
  both.containers.push_back(
      {"second", "rdma/vf", {mlx5_vf(1, 1).to_string(), mlx5_vf(1, 3).to_string()}});
  CHECK(must(node.devices_of("pod")) == both);
  CHECK(must(node.devices_of("", "default.pod")).source == "checkpoint");
  const auto page = node.metrics.text({});
  CHECK(page.find("railhead_resolve_questions_total{result=\"known\"} 4\n") != std::string::npos);
}

TEST_CASE("The next pod of a name has its own devices, not those of the one before") {
  OwnerNode node;
  node.start_with_pools();
  node.give(mlx5_vf(1, 2));
  node.kubelet.remove_pod("pod");
  CHECK(must(node.devices_of("pod")) == ipc::ResolveAnswer{});
  node.allocate("rdma/vf", mlx5_vf(1, 1));
  CHECK(must(node.devices_of("pod")).containers ==
        std::vector<ContainerDevices>{{"main", "rdma/vf", {mlx5_vf(1, 1).to_string()}}});
}

TEST_CASE("While kubelet does not answer nobody knows a pod's devices, whatever was known") {
  OwnerNode node;
  node.start_with_pools();
  node.give(mlx5_vf(1, 2));
  node.kubelet.stop();
  CHECK(must(node.devices_of("pod")) == ipc::ResolveAnswer{});
  CHECK(must(node.devices_of("pod", "default.pod")) == ipc::ResolveAnswer{});
}

TEST_CASE("A kubelet that takes the question and never answers is waited for no longer than said") {
  FakeClock clock;
  OwnerNode node;
  const auto loop = must(Loop::open(clock));
  int asked = 0;
  ledger::Ledger ledger(*loop, clock, {[&](auto) { ++asked; }, {}, {}, {}}, node.log, {}, [] {});
  host::Host with_clock{
      node.host.links,     node.host.rdma,      node.host.devlink, node.host.netns,
      node.host.functions, node.host.processes, node.host.locks,   clock,
      node.host.roots};
  fs::create_directories(node.host.roots.run);
  app::Owners owners({.resolve = 500ms}, *loop, clock, ledger, no_far_pairs, node.metrics);
  app::ClaimedDevices claimed;
  app::Networks networks({{}, node.host.roots.run}, *loop, clock, claimed, node.metrics, node.log);
  app::Questions questions(10s, *loop, with_clock, owners, networks, node.metrics, node.log);
  questions.serve();
  std::atomic<bool> done = false;
  Result<ipc::ResolveAnswer> answer = fail(ErrorCode::unavailable, "none yet");
  std::thread asking([&] {
    answer = ipc::ask_resolve(node.socket(), {"default", "pod", ""}, 10s);
    done = true;
  });
  const auto turn_until = [&](const auto& condition) {
    const auto end = steady_clock::now() + 10s;
    while (!condition() && steady_clock::now() < end) {
      epoll_event ready{};
      epoll_wait(loop->fd(), &ready, 1, 20);
      loop->turn();
    }
  };
  turn_until([&] { return asked == 1; });
  clock.advance(500ms);
  turn_until([&] { return done.load(); });
  asking.join();
  questions.stop();
  owners.stop();
  CHECK(asked == 1);
  CHECK(must(answer) == ipc::ResolveAnswer{});
}

TEST_CASE("A standby is not asked, nor an agent that has ended") {
  OwnerNode node;
  node.stand_by();
  CHECK(is(node.ask(mlx5_vf(1, 1), "other"), ErrorCode::not_found));
  must(node.agent->serve());
  CHECK(node.ask(mlx5_vf(1, 1), "other"));
  node.stop();
  struct stat info {};
  CHECK(lstat(node.socket().c_str(), &info) != 0);
}

TEST_CASE("An agent that cannot be asked is not ready, and can be as soon as nothing hinders it") {
  OwnerNode node;
  fs::create_directories(node.socket());
  node.start();
  const auto troubles = node.agent->state().troubles;
  CHECK(std::ranges::any_of(troubles, [&](const auto& trouble) {
    return trouble.starts_with("questions: " + node.socket() + ": rename: ");
  }));

  FakeClock clock;
  const auto loop = must(Loop::open(clock));
  ledger::Ledger ledger(*loop, clock, {}, node.log, {}, [] {});
  auto host = node.host;
  host::Host with_clock{host.links,     host.rdma,  host.devlink, host.netns, host.functions,
                        host.processes, host.locks, clock,        host.roots};
  app::Owners owners({}, *loop, clock, ledger, no_far_pairs, node.metrics);
  app::ClaimedDevices claimed;
  app::Networks networks({{}, node.host.roots.run}, *loop, clock, claimed, node.metrics, node.log);
  app::Questions questions(1s, *loop, with_clock, owners, networks, node.metrics, node.log);
  questions.serve();
  CHECK(questions.troubles().size() == 1);
  fs::remove(node.socket());
  clock.advance(1s);
  loop->turn();
  CHECK(questions.troubles().empty());
  struct stat info {};
  REQUIRE(lstat(node.socket().c_str(), &info) == 0);
  CHECK(S_ISSOCK(info.st_mode));
  questions.stop();
  CHECK(lstat(node.socket().c_str(), &info) != 0);
}

TEST_CASE("What cannot be understood is counted, and said to be an error") {
  OwnerNode node;
  node.start();
  const auto answer =
      node.while_turning([&] { return ipc::ask_owner(node.socket(), {.device = ""}, 10s); });
  REQUIRE(is(answer, ErrorCode::unavailable));
  CHECK(answer.error().message == "agent at " + node.socket() + ": device: missing");
  CHECK(node.metrics.text({}).find("railhead_owner_questions_total{result=\"error\"} 1\n") !=
        std::string::npos);
}

}  // namespace railhead::test
