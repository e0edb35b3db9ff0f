// What pods have is offered to nobody else, and is theirs for as long as they live.
#include "test/unit/app/agent_node.hpp"

namespace railhead::test {

TEST_CASE("two resources that swap their PFs by a reload give no device that a pod has") {
  const auto swapped = [](const char* a, const char* b) {
    return fmt::format(R"({{"resourceList":[
        {{"resourceName":"a","resourcePrefix":"rdma","selectors":{{"pfNames":["{}"],"isRdma":true}}}},
        {{"resourceName":"b","resourcePrefix":"rdma","selectors":{{"pfNames":["{}"],"isRdma":true}}}}]}})",
                       a, b);
  };
  AgentNode node(swapped("p0", "p1"));
  node.start();
  REQUIRE(node.run_until_healthy("rdma/a", 4));
  REQUIRE(node.run_until_healthy("rdma/b", 4));
  const auto held = mlx5_vf(0, 1);
  node.allocate("rdma/a", held);

  node.write_config(swapped("p1", "p0"));
  REQUIRE(node.run_until([&] { return node.seen("rdma/b").devices.contains(held.to_string()); }));
  REQUIRE(node.run_until([&] { return node.seen("rdma/a").devices.size() == 5; }));
  CHECK_FALSE(node.is_healthy("rdma/b", held));
  CHECK(node.is_healthy("rdma/a", held));  // for the pod that has it
  CHECK(node.run_until([&] {
    return node.sickness_of(held) == "held by default/pod as rdma/a; free when that ends";
  }));
  const auto given = node.while_turning([&] {
    return node.kubelet.allocate("other", "main", "rdma/b", std::vector{held.to_string()});
  });
  CHECK_FALSE(given);

  SECTION("which is free when the pod ends") {
    node.kubelet.remove_pod("pod");
    CHECK(node.run_until([&] { return node.is_healthy("rdma/b", held); }));
    CHECK(node.run_until([&] { return node.seen("rdma/a").devices.size() == 4; }));
  }
  SECTION("over a restart of the agent too") {
    node.stop();
    node.start();
    REQUIRE(node.run_until([&] { return node.seen("rdma/a").devices.size() == 5; }));
    CHECK_FALSE(node.is_healthy("rdma/b", held));
  }
  SECTION("over a boot too, as long as kubelet says nothing") {
    node.boot();
    node.kubelet.stop();
    node.stand_by();
    must(node.agent->serve());
    REQUIRE(node.run_until([&] { return node.pool_of(held) == "rdma/b"; }));
    CHECK(node.sickness_of(held) == "held by a pod as rdma/a; free when that ends");
  }
}

TEST_CASE("a resource that is configured no more stays registered until its last pod ends") {
  AgentNode node;
  node.start();
  REQUIRE(node.run_until_healthy("rdma/vf", 4));
  const auto held = mlx5_vf(1, 2);
  node.allocate("rdma/vf", held);
  node.write_config(R"({"resourceList":[]})");
  REQUIRE(node.run_until([&] { return node.seen("rdma/vf").devices.size() == 1; }));
  CHECK(node.is_healthy("rdma/vf", held));

  node.stop();
  node.start();
  REQUIRE(node.run_until([&] {
    return node.seen("rdma/vf").healthy() == 1 && node.seen("rdma/vf").devices.size() == 1;
  }));
  CHECK(node.is_healthy("rdma/vf", held));
  node.kubelet.remove_pod("pod");
  CHECK(node.run_until([&] { return node.agent->state().pools.empty(); }));
}

namespace {

// A pod has the device as `own`; the resource `other` selects it now.
void check_kept(AgentNode& node, const PciAddress& held, const std::string& own,
                const std::string& other) {
  const auto reason = fmt::format("held by default/pod as {}; free when that ends", own);
  REQUIRE(node.run_until([&] {
    return node.seen(other).devices.contains(held.to_string()) && node.is_healthy(own, held) &&
           node.sickness_of(held) == reason;
  }));
  CHECK_FALSE(node.is_healthy(other, held));
  const auto given = node.while_turning(
      [&] { return node.kubelet.allocate("other", "main", other, std::vector{held.to_string()}); });
  CHECK_FALSE(given);
  node.kubelet.remove_pod("pod");
  CHECK(node.run_until([&] { return node.is_healthy(other, held); }));
  CHECK(node.run_until([&] { return !node.seen(own).devices.contains(held.to_string()); }));
}

}  // namespace

TEST_CASE("a PF that is renamed takes no VF from its pod, whatever resource has that name") {
  AgentNode node(R"({"resourceList":[
      {"resourceName":"a","resourcePrefix":"rdma","selectors":{"pfNames":["p1"],"isRdma":true}},
      {"resourceName":"b","resourcePrefix":"rdma","selectors":{"pfNames":["q1"],"isRdma":true}}]})");
  node.start();
  REQUIRE(node.run_until_healthy("rdma/a", 4));
  const auto held = mlx5_vf(1, 2);
  node.allocate("rdma/a", held);
  fs::rename(node.entry(mlx5_pf(1)) + "/net/p1", node.entry(mlx5_pf(1)) + "/net/q1");
  node.events.happen("net change");
  CHECK(node.run_until_healthy("rdma/b", 3));
  check_kept(node, held, "rdma/a", "rdma/b");
}

TEST_CASE("a device whose driver becomes vfio-pci, or is so no more, stays its pod's") {
  AgentNode node(R"({"resourceList":[
      {"resourceName":"net","resourcePrefix":"rdma",
       "selectors":{"pfNames":["p1"],"drivers":["mlx5_core"],"isRdma":true}},
      {"resourceName":"vfio","resourcePrefix":"rdma",
       "selectors":{"pfNames":["p1"],"drivers":["vfio-pci"]}}]})");
  const auto held = mlx5_vf(1, 2);
  const auto entry = node.entry(held);
  // As vfio-pci leaves a function: without netdev and RDMA device.
  const auto bind = [&](const std::string& driver) {
    const bool vfio = driver == "vfio-pci";
    const auto away = node.folder.path() + "/away";
    fs::create_directories(away);
    for (const auto* part : {"/net", "/infiniband", "/infiniband_verbs", "/infiniband_mad"}) {
      fs::rename((vfio ? entry : away) + part, (vfio ? away : entry) + part);
    }
    auto uevent = must(host::read_file(entry + "/uevent"));
    uevent.replace(0, uevent.find('\n'), "DRIVER=" + driver);
    node.tree.write(entry + "/uevent", uevent);
    fs::remove(entry + "/driver");
    fs::create_symlink("../../../bus/pci/drivers/" + driver, entry + "/driver");
  };
  SECTION("from a netdev's driver") {
    node.start();
    REQUIRE(node.run_until_healthy("rdma/net", 4));
    node.allocate("rdma/net", held);
    bind("vfio-pci");
    node.events.happen("pci bind");
    check_kept(node, held, "rdma/net", "rdma/vfio");
  }
  SECTION("to a netdev's driver") {
    bind("vfio-pci");
    node.start();
    REQUIRE(node.run_until_healthy("rdma/vfio", 1));
    node.allocate("rdma/vfio", held);
    bind("mlx5_core");
    node.events.happen("pci bind");
    check_kept(node, held, "rdma/vfio", "rdma/net");
  }
}

}  // namespace railhead::test
