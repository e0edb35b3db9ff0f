#include "plugin/pool/ask.hpp"

#include "test/unit/pool/node.hpp"

namespace railhead::test {
namespace {

Result<grant::Ask> ask_for(const Node& node, const pool::Pool& pool,
                           const std::vector<std::string>& ids) {
  return pool::ask_for(pool, ids, {.sysfs = node.folder.path() + "/sys"});
}

std::vector<std::string> ids_of(const grant::Ask& ask) {
  std::vector<std::string> ids;
  for (const auto& device : ask.devices) ids.push_back(device.id);
  return ids;
}

}  // namespace

TEST_CASE("devices are asked for in PCI order, whatever order kubelet gave, with what is wanted") {
  Node node;
  const auto pool = node.select({R"({"isRdma":true,"needVhostNet":true})"}).pools.at(0);
  const auto ask = must(ask_for(node, pool, {Node::vf(3), Node::vf(0), Node::vf(1)}));
  CHECK(ids_of(ask) == std::vector{Node::vf(0), Node::vf(1), Node::vf(3)});
  CHECK(ask.resource == grant::ResourceName{"example.com", "r0"});
  CHECK(ask.devices.front() == pool.members.front());
  CHECK(ask.devices.front().rdma);
  CHECK(ask.devices.front().vhost_net);
  CHECK(ask.devices.front().pf == PciAddress{0, 0x3b, 0, 0});
  CHECK_FALSE(ask.some_are_enough);
  CHECK_FALSE(ask.nccl);
  CHECK(pool::wanted_of(pool).size() == 4);
  CHECK(must(ask_for(node, pool, {})).devices.empty());
}

TEST_CASE("an id of another pool is an error that names it and the resource") {
  Node node;
  const auto pool = node.select({R"({"pfNames":["p0#0-2"]})"}).pools.at(0);
  const auto ask = ask_for(node, pool, {Node::vf(3)});
  REQUIRE(is(ask, ErrorCode::not_found));
  CHECK(ask.error().message.find("device 0000:3b:01.3 is not one of the 3 devices of "
                                 "example.com/r0") != std::string::npos);
}

TEST_CASE("an id of a device that is on the node no more is an error that says what to do") {
  Node node;
  const auto exclusive = node.select({R"({"pfNames":["p0"]})"}).pools.at(0);
  const auto shares =
      node.select_json("pools: [{resourceName: x, kind: shared, perDevice: 3, selectors: {}}]")
          .pools.at(0);
  const auto why = [&](const pool::Pool& pool, const std::string& id) {
    const auto ask = ask_for(node, pool, {Node::vf(0), id});
    REQUIRE(is(ask, ErrorCode::not_found));
    return ask.error().message;
  };
  CHECK(why(exclusive, "0000:3b:01.7") ==
        "device 0000:3b:01.7 does not exist on this node any more, although kubelet still counts "
        "it as given: delete the pod, or make the device (the VF) again");
  CHECK(why(exclusive, "mlx5_core.sf.9").find("mlx5_core.sf.9 does not exist") !=
        std::string::npos);
  const auto ask = ask_for(node, shares, {"0000:3b:01.7::2"});
  REQUIRE(is(ask, ErrorCode::not_found));
  CHECK(ask.error().message.find("device 0000:3b:01.7 does not exist") == 0);
  CHECK(why(exclusive, "7").find("device 7 is not one of the 4 devices") == 0);
  CHECK(why(exclusive, "GPU-1").find("device GPU-1 is not one of the 4 devices") == 0);
}

TEST_CASE("of additional info, only what concerns the devices is passed on") {
  Node node;
  const auto pool = node.select_json(R"({"resourceList":[{"resourceName":"x","selectors":{},
      "additionalInfo":{"*":{"k":"all"},"0000:3b:01.0":{"k":"0"},"0000:3b:01.1":{"k":"1"}}}]})")
                        .pools.at(0);
  CHECK(must(ask_for(node, pool, {Node::vf(1)})).additional_info ==
        std::map<std::string, grant::Info>{{"*", {{"k", "all"}}}, {Node::vf(1), {{"k", "1"}}}});
}

TEST_CASE("records are left of devices that CNI plugins attach, devinfo of network ones") {
  Node node;
  node.tree.add({.address = "0000:5e:00.0", .pci_class = "120000", .driver = "qat"});
  const auto ask = [&](const std::string& resources, const std::string& id) {
    return must(ask_for(node, node.select_json(resources).pools.at(0), {id}));
  };
  const auto net = ask(R"({"resourceList":[{"resourceName":"x","selectors":{}}]})", Node::vf(0));
  CHECK((net.leaves_records && net.leaves_devinfo));
  const auto other =
      ask(R"({"resourceList":[{"resourceName":"x","deviceType":"accelerator","selectors":{}}]})",
          "0000:5e:00.0");
  CHECK((other.leaves_records && !other.leaves_devinfo));
  const auto shared =
      ask(R"({"configList":[{"resourceName":"x","rdmaHcaMax":2,"devices":["p0v0"]}]})", "1");
  CHECK_FALSE(shared.leaves_records);
}

TEST_CASE("what pods have and their resource no longer offers is wanted as the kernel shows it") {
  Node node;
  const std::string sf = "mlx5_core.sf.4";
  node.tree.add_sub_function("0000:3b:00.0",
                             {.name = sf, .number = 4, .rdma = {{.name = "mlx5_9", .number = 9}}});
  node.tree.add({.address = "0000:5e:00.1", .driver = "vfio-pci", .iommu_group = 7});
  node.tree.add({.address = "0000:5e:00.2"});
  node.tree.add_vdpa("0000:5e:00.2", "vdpa0", "vhost_vdpa", 3);
  const auto config = Node::parse(
      R"({"resourceList":[{"resourceName":"x","deviceType":"auxNetDevice",
                           "selectors":{"auxTypes":["sf"],"pfNames":["nowhere"]}},
                          {"resourceName":"y","selectors":{"pfNames":["p0#0"]}}]})");
  const auto inventory = node.scan(config);
  const auto pools = pool::select(config, inventory).pools;
  const auto has = [](const char* resource, const std::string& id, const std::string& device) {
    return ledger::Holding{.device = device,
                           .pod = "ns/pod",
                           .container = {},
                           .resource = resource,
                           .id = id,
                           .nodes = {},
                           .owner = "ns/pod/main",
                           .since = {}};
  };
  const ledger::Holdings holdings(
      {has("example.com/x", sf, sf), has("example.com/y", Node::vf(0), Node::vf(0)),
       has("example.com/y", "2", "0000:5e:00.1"), has("example.com/y", "2", "0000:5e:00.2"),
       has("example.com/y", "3", ""), has("example.com/y", Node::vf(7), Node::vf(7))},
      true);
  const auto of_x = pool::wanted_of_held(pools.at(0), inventory, holdings);
  REQUIRE(of_x.size() == 1);
  CHECK(of_x[0].id == sf);
  CHECK(of_x[0].address == PciAddress{0, 0x3b, 0, 0});
  CHECK(of_x[0].rdma);
  const auto of_y = pool::wanted_of_held(pools.at(1), inventory, holdings);
  REQUIRE(of_y.size() == 2);
  CHECK(of_y[0].driver == "vfio-pci");
  CHECK_FALSE(of_y[0].rdma);
  CHECK(of_y[1].vdpa == grant::Vdpa{grant::Vdpa::Type::vhost, "vdpa0"});

  const grant::Places places{.sysfs = node.folder.path() + "/sys"};
  const auto again = [&](size_t pool, const std::string& id) {
    return pool::ask_again_for(pools.at(pool), inventory, holdings, {id}, places);
  };
  CHECK(ids_of(must(again(0, sf))) == std::vector{sf});
  CHECK_FALSE(must(again(0, sf)).leaves_records);
  CHECK(ids_of(must(again(1, "2"))) == std::vector<std::string>{"0000:5e:00.1", "0000:5e:00.2"});
  CHECK(must(again(1, Node::vf(0))).leaves_records);
  CHECK(ids_of(must(again(1, Node::vf(3)))) == std::vector{Node::vf(3)});  // nobody knows of it yet
  CHECK(is(again(1, Node::vf(7)), ErrorCode::not_found));
  CHECK(is(again(1, "3"), ErrorCode::not_found));
}

TEST_CASE("of a pool that is shared as a whole the healthy devices are asked for, if there are") {
  Node node;
  auto pool = node.select_json(R"({"configList":[{"resourceName":"x","rdmaHcaMax":9,
                                "devices":["p0v0","p0v1"]}]})")
                  .pools.at(0);
  pool.members.at(0).sickness = "its undo is not verified";
  const auto ask = must(ask_for(node, pool, {"4", "7"}));
  CHECK(ids_of(ask) == std::vector{Node::vf(1)});
  CHECK(ask.some_are_enough);
  pool.members.at(1).sickness = "its undo is not verified";
  CHECK(is(ask_for(node, pool, {"4"}), ErrorCode::unavailable));
  CHECK(must(ask_for(node, pool, {})).devices.empty());
}

}  // namespace railhead::test
