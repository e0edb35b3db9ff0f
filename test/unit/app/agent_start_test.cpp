// What an agent knows when it begins to serve: after another one, and after a boot.
#include <catch2/generators/catch_generators.hpp>

#include "plugin/pool/remembered.hpp"
#include "test/support/kubelet/checkpoint.hpp"
#include "test/unit/app/agent_node.hpp"

namespace railhead::test {

TEST_CASE("a standby knows the node, writes nothing, and serves at once when it may") {
  AgentNode node(kRails);
  node.options.use_cdi = true;
  node.options.cdi.folder = node.folder.path() + "/cdi";
  node.stand_by();
  REQUIRE(node.run_until([&] { return node.agent->state().snapshot != nullptr; }));
  CHECK(node.run_until([&] { return !node.loop->due(); }));
  CHECK_FALSE(node.agent->state().serving);
  CHECK(node.agent->state().troubles.empty());
  for (const auto* folder : {"/run", "/state", "/cdi", "/devinfo"}) {
    CHECK_FALSE(fs::exists(node.folder.path() + folder));
  }
  CHECK(node.kubelet.state().resources.empty());

  const auto scans = node.kernel.asked_ports().size();
  must(node.agent->serve());
  CHECK(node.run_until_healthy("rdma/rail1", 4));
  CHECK(node.kernel.asked_ports().size() == scans);  // nothing had to be read again
}

TEST_CASE("a standby that begins to serve knows what the agent before it kept meanwhile") {
  AgentNode node(kRails);
  node.stand_by();
  REQUIRE(node.run_until([&] { return node.agent->state().snapshot && !node.loop->due(); }));
  const auto run = node.folder.path() + "/run";
  const auto held = mlx5_vf(1, 2);
  fs::create_directories(run);
  must(pool::write_rails(node.options.state_dir, {{"rdma/rail", {mlx5_pf(1), mlx5_pf(0)}}}));
  must(pool::write_own_resources(node.options.state_dir, {"rdma/rail0", "rdma/mid"}));
  must(device::write_allocation(run, {"rdma/rail0", held, {}, {}}));
  must(node.agent->serve());
  REQUIRE(node.run_until_healthy("rdma/rail1", 4));
  CHECK(node.pool_of(held) == "rdma/rail0");
  CHECK(node.pool_of(mlx5_vf(0, 0)) == "rdma/rail1");
  CHECK(must(pool::read_own_resources(node.options.state_dir)).contains("rdma/mid"));
}

TEST_CASE("what kubelet told a standby is not taken for all there is when it begins to serve") {
  AgentNode node(kOnePool);
  node.stand_by();
  REQUIRE(node.run_until([&] { return node.agent->state().holdings->complete(); }));
  node.kubelet.stop();
  must(node.agent->serve());
  CHECK_FALSE(node.agent->state().holdings->complete());
  node.kubelet.start();
  CHECK(node.run_until([&] { return node.agent->state().holdings->complete(); }));
}

TEST_CASE("no member of a shared pool is taken for another's while a pod has a share of all") {
  AgentNode node(R"({"configList":[{"resourceName":"hca","rdmaHcaMax":9,
                                    "selectors":{"ifNames":["p1v0","p1v1"]}}]})");
  node.start();
  REQUIRE(node.run_until_healthy("rdma/hca", 9));
  must(node.kubelet.allocate("pod", "main", "rdma/hca", {"2"}));
  node.stop();
  node.kubelet.stop();
  // As k8s-rdma-shared-dev-plugin answered: without variables.
  auto state = node.kubelet.state();
  for (auto& allocation : state.allocations) allocation.response.clear_envs();
  std::ofstream(node.options.kubelet_dir + "/device-plugins/kubelet_internal_checkpoint")
      << checkpoint_of(state);
  node.start();
  for (const auto& holding : node.agent->state().holdings->all()) {
    CHECK(holding.device != "");
  }
  CHECK(node.sickness_of(mlx5_vf(1, 0)) == "");
  CHECK(node.sickness_of(mlx5_vf(1, 1)) == "");
}

TEST_CASE("after a boot a pod's device is healthy from the first list on, and it may run again") {
  const bool configured = GENERATE(true, false);
  AgentNode node;
  node.start();
  REQUIRE(node.run_until_healthy("rdma/vf", 4));
  const auto held = mlx5_vf(1, 2);
  node.allocate("rdma/vf", held);
  if (!configured) {
    node.write_config(R"({"resourceList":[]})");
    REQUIRE(node.run_until_healthy("rdma/vf", 1));
  }
  node.boot();
  node.kubelet.restart();
  const int registrations = node.seen("rdma/vf").registrations;
  node.start();
  REQUIRE(node.run_until([&] { return node.is_healthy("rdma/vf", held); }));
  REQUIRE(node.run_until([&] { return node.agent->state().holdings->complete(); }));
  CHECK(node.seen("rdma/vf").registrations == registrations + 1);
  CHECK(node.seen("rdma/vf").told_unhealthy.empty());
  must(node.kubelet.admit_again("pod"));
  CHECK(node.while_turning([&] { return node.kubelet.start_container("pod", "main"); }));
}

TEST_CASE("a pod that kubelet admits again before its devices are there fails for good") {
  AgentNode node;
  node.start();
  REQUIRE(node.run_until_healthy("rdma/vf", 4));
  const auto held = mlx5_vf(1, 2);
  node.allocate("rdma/vf", held);
  node.boot();
  node.kubelet.restart();
  const auto why = [&] { return node.kubelet.admit_again("pod").error().message; };
  SECTION("the resource") {
    CHECK(why() == "no healthy devices present; cannot allocate unhealthy devices rdma/vf");
  }
  SECTION("the device") {
    node.remove(held);
    node.start();
    REQUIRE(node.run_until_healthy("rdma/vf", 3));
    CHECK(why() ==
          "previously allocated devices are no longer healthy; cannot allocate unhealthy devices "
          "rdma/vf");
  }
  CHECK(node.kubelet.state().allocations.empty());
}

TEST_CASE("an older kubelet starts a pod again after a boot: not where its nodes are others' now") {
  AgentNode node(kTwoPools, KubeletVersion::v1_20);
  node.start();
  REQUIRE(node.run_until_healthy("rdma/vf", 4));
  const auto held = mlx5_vf(1, 2);
  node.allocate("rdma/vf", held);
  node.boot();
  node.kubelet.restart();
  must(node.kubelet.admit_again("pod"));  // it asks nobody
  const bool others = GENERATE(true, false);
  if (others) node.renumber(held, 8, 98);
  node.start();
  REQUIRE(node.run_until_healthy("rdma/vf", 4));
  const auto started =
      node.while_turning([&] { return node.kubelet.start_container("pod", "main"); });
  CHECK(started.has_value() != others);
  if (!started) {
    const auto& why = started.error().message;
    CHECK(why.find("/dev/infiniband/uverbs8") != std::string::npos);
    CHECK(why.find("delete the pod") != std::string::npos);
  }
}

TEST_CASE("nodes that pods were given are not open after a boot, until their containers start") {
  AgentNode node;
  node.start();
  REQUIRE(node.run_until_healthy("rdma/vf", 4));
  const auto held = mlx5_vf(1, 2);
  const auto other = mlx5_vf(1, 3);
  node.allocate("rdma/vf", held);
  const auto swap_nodes = [&] {
    node.renumber(held, 8, 98);
    node.renumber(other, 9, 8);
    node.renumber(held, 98, 9);
  };
  const auto is_open = [&] {
    return node.sickness_of(other) ==
           "/dev/infiniband/uverbs8 is still open to default/pod; free when that ends";
  };
  SECTION("within a boot they are") {
    node.stop();
    swap_nodes();
    node.start();
    CHECK(node.run_until(is_open));
  }
  SECTION("after it they are not, for the next agent neither") {
    node.boot();
    node.kubelet.restart();
    swap_nodes();
    for (int agents = 0; agents < 2; ++agents) {
      node.start();
      REQUIRE(node.run_until_healthy("rdma/vf", 4));
      REQUIRE(node.run_until([&] { return node.agent->state().holdings->complete(); }));
      CHECK(node.is_healthy("rdma/vf", other));
      CHECK(node.seen("rdma/vf").told_unhealthy.empty());
      if (agents == 0) node.stop();
    }
  }
  SECTION("but nobody is given one: an older kubelet starts containers while no agent is there") {
    node.boot();
    node.kubelet.restart();
    swap_nodes();
    node.start();
    REQUIRE(node.run_until_healthy("rdma/vf", 4));
    const auto given = node.while_turning(
        [&] { return node.kubelet.allocate("q", "main", "rdma/vf", {other.to_string()}); });
    REQUIRE_FALSE(given);
    CHECK(given.error().message.find("/dev/infiniband/uverbs8") != std::string::npos);
    // Nor does it have to be: there are others.
    const auto chosen =
        node.while_turning([&] { return must(node.kubelet.allocate("s", "main", "rdma/vf", 2)); });
    CHECK(std::ranges::find(chosen.devices, other.to_string(), &FakeDevice::id) ==
          chosen.devices.end());
    node.kubelet.remove_pod("pod");
    CHECK(node.run_until([&] {
      return node
          .while_turning(
              [&] { return node.kubelet.allocate("q", "main", "rdma/vf", {other.to_string()}); })
          .has_value();
    }));
  }
  SECTION("a container that starts with them has them open again") {
    node.boot();
    node.kubelet.restart();
    node.start();
    REQUIRE(node.run_until_healthy("rdma/vf", 4));
    must(node.kubelet.admit_again("pod"));
    REQUIRE(node.while_turning([&] { return node.kubelet.start_container("pod", "main"); }));
    if (GENERATE(false, true)) {  // which the next agent knows too
      node.stop();
      node.start();
    }
    swap_nodes();
    node.events.happen("infiniband_verbs add");
    CHECK(node.run_until(is_open));
  }
}

}  // namespace railhead::test
