#include "plugin/pool/select.hpp"

#include <algorithm>

#include <catch2/catch_test_macros.hpp>

#include "test/support/must.hpp"
#include "test/support/still_host.hpp"
#include "test/support/sysfs_tree.hpp"
#include "test/support/temporary_folder.hpp"

namespace railhead::test {
namespace {

// A PF "p0" with four VFs, 15b3, on NUMA node 1, and a tree to add to.
struct Node {
  TemporaryFolder folder;
  SysfsTree tree{folder.path() + "/sys"};
  StillHost still{folder.path()};

  Node() {
    tree.add({.address = "0000:3b:00.0",
              .numa_node = 1,
              .total_vfs = 8,
              .netdevs = {{.name = "p0"}},
              .rdma = {{.name = "mlx5_0", .number = 0}}});
    for (unsigned i = 0; i < 4; ++i) {
      tree.add_vf("0000:3b:00.0", i,
                  {.address = vf(i),
                   .device_id = "101e",
                   .numa_node = 1,
                   .netdevs = {{.name = fmt::format("p0v{}", i)}},
                   .rdma = {{.name = fmt::format("mlx5_{}", i + 1), .number = i + 1}}});
    }
  }
  static std::string vf(unsigned index) { return fmt::format("0000:3b:01.{}", index); }

  // Of one resource per argument, each the text of its selectors.
  pool::Selection select(const std::vector<std::string>& selectors) {
    std::string text;
    for (const auto& one : selectors) {
      text += fmt::format(R"({}{{"resourceName":"r{}","selectors":{}}})", text.empty() ? "" : ",",
                          &one - selectors.data(), one);
    }
    return select_json(fmt::format(R"({{"resourceList":[{}]}})", text));
  }
  pool::Selection select_json(const std::string& text) {
    const auto parsed = config::parse(text, "example.com");
    for (const auto& error : parsed.errors) FAIL(error.message);
    return pool::select(parsed.config, must(device::scan(still.host)));
  }
};

std::vector<std::string> ids(const pool::Pool& pool) {
  std::vector<std::string> ids;
  for (const auto& member : pool.members) ids.push_back(member.address.to_string());
  return ids;
}
using Ids = std::vector<std::string>;

std::string reason(const pool::Selection& selection, const std::string& address) {
  for (const auto& one : selection.left_out) {
    if (one.device.to_string() == address) return one.reason;
  }
  return "";
}

}  // namespace

TEST_CASE("without filters a pool has all VFs, and not the PF that has them") {
  Node node;
  const auto selection = node.select({"{}"});
  CHECK(ids(selection.pools.at(0)) == Ids{Node::vf(0), Node::vf(1), Node::vf(2), Node::vf(3)});
  CHECK(reason(selection, "0000:3b:00.0").find("PF with 4 VFs") != std::string::npos);
}

TEST_CASE("a PF without VFs is offered") {
  Node node;
  node.tree.add({.address = "0000:5e:00.0", .total_vfs = 8, .netdevs = {{.name = "p1"}}});
  CHECK(ids(node.select({R"({"devices":["101d"]})"}).pools.at(0)) == Ids{"0000:5e:00.0"});
}

TEST_CASE("pfNames and rootDevices take VFs by index, the PF's name without regard to case") {
  Node node;
  CHECK(ids(node.select({R"({"pfNames":["P0#0-1,3"]})"}).pools.at(0)) ==
        Ids{Node::vf(0), Node::vf(1), Node::vf(3)});
  CHECK(ids(node.select({R"({"rootDevices":["0000:3b:00.0#2"]})"}).pools.at(0)) ==
        Ids{Node::vf(2)});
  CHECK(ids(node.select({R"({"pfNames":["p0#1","p0#3"]})"}).pools.at(0)) ==
        Ids{Node::vf(1), Node::vf(3)});
}

TEST_CASE("pfNames never takes a function that is no VF") {
  Node node;
  node.tree.add({.address = "0000:5e:00.0", .netdevs = {{.name = "p1"}}});
  CHECK(node.select({R"({"pfNames":["p1"]})"}).pools.at(0).members.empty());
}

TEST_CASE("in switchdev mode the PF is called by its uplink, not by a representor") {
  Node node;
  host::Link representor;
  representor.index = 5;
  representor.name = "rep";
  representor.parent_device = "0000:3b:00.0";
  representor.phys_port_name = "pf0vf0";
  host::Link uplink = representor;
  uplink.index = 6;
  uplink.name = "up";
  uplink.phys_port_name = "p0";
  node.still.links.all = {representor, uplink};
  CHECK(node.select({R"({"pfNames":["up"]})"}).pools.at(0).members.size() == 4);
  CHECK(node.select({R"({"pfNames":["rep"]})"}).pools.at(0).members.empty());
}

TEST_CASE("vendors, devices, drivers and pciAddresses all have to match") {
  Node node;
  CHECK(node.select({R"({"vendors":["8086"]})"}).pools.at(0).members.empty());
  CHECK(node.select({R"({"vendors":["8086","15b3"],"devices":["101e"]})"})
            .pools.at(0)
            .members.size() == 4);
  CHECK(node.select({R"({"vendors":["15b3"],"drivers":["igbvf"]})"}).pools.at(0).members.empty());
  CHECK(ids(node.select({R"({"pciAddresses":["0000:3B:01.2"]})"}).pools.at(0)) == Ids{Node::vf(2)});
}

TEST_CASE("a device belongs to the first resource that takes it") {
  Node node;
  const auto selection = node.select({R"({"pfNames":["p0#1"]})", "{}", "{}"});
  CHECK(ids(selection.pools.at(0)) == Ids{Node::vf(1)});
  CHECK(ids(selection.pools.at(1)) == Ids{Node::vf(0), Node::vf(2), Node::vf(3)});
  CHECK(selection.pools.at(2).members.empty());
}

TEST_CASE("the first selector that takes a device decides whether RDMA is given") {
  Node node;
  const auto selection = node.select({R"([{"pfNames":["p0#0"]},{"isRdma":true}])"});
  const auto& members = selection.pools.at(0).members;
  REQUIRE(members.size() == 4);
  CHECK_FALSE(members[0].rdma);
  CHECK(members[1].rdma);
}

TEST_CASE("isRdma leaves out what has no RDMA device") {
  Node node;
  node.tree.add({.address = "0000:5e:00.0"});
  const auto selection = node.select({R"({"isRdma":true})"});
  CHECK(selection.pools.at(0).members.size() == 4);
}

TEST_CASE("a VF whose netdev and RDMA device are in a pod stays, with its PF's link type") {
  Node node;
  node.tree.add_vf("0000:3b:00.0", 4,
                   {.address = "0000:3b:01.4",
                    .rdma = {{.name = "mlx5_9", .number = 9, .in_host_namespace = false}}});
  const auto selection = node.select({R"({"linkTypes":["ether"],"isRdma":true})"});
  CHECK(ids(selection.pools.at(0)).back() == "0000:3b:01.4");
  CHECK(node.select({R"({"linkTypes":["infiniband"]})"}).pools.at(0).members.empty());
}

TEST_CASE("a port without netdev has the link type of its PCI class") {
  Node node;
  node.tree.add({.address = "0000:5e:00.0", .pci_class = "020700"});
  CHECK(ids(node.select({R"({"linkTypes":["infiniband"]})"}).pools.at(0)) == Ids{"0000:5e:00.0"});
}

TEST_CASE(
    "functions without driver, with a user-space driver, or with the default route are not "
    "offered, and it is said why") {
  Node node;
  node.tree.add({.address = "0000:5e:00.0", .driver = ""});
  node.tree.add({.address = "0000:5e:00.1", .driver = "vfio-pci"});
  node.tree.add({.address = "0000:5e:00.2", .netdevs = {{.name = "lan"}}});
  host::Link lan;
  lan.index = 3;
  lan.name = "lan";
  lan.parent_device = "0000:5e:00.2";
  node.still.links.all = {lan};
  node.tree.write(node.folder.path() + "/proc/net/route",
                  "lan\t00000000\t0102A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0");
  const auto selection = node.select({"{}"});
  CHECK(selection.pools.at(0).members.size() == 4);
  CHECK(reason(selection, "0000:5e:00.0") == "no driver is bound to it");
  CHECK(reason(selection, "0000:5e:00.1").find("vfio-pci") != std::string::npos);
  CHECK(reason(selection, "0000:5e:00.2").find("default route") != std::string::npos);
}

TEST_CASE("NUMA nodes are told unless excludeTopology asks otherwise") {
  Node node;
  CHECK(node.select({"{}"}).pools.at(0).members.at(0).numa_node == 1);
  const auto selection = node.select_json(
      R"({"resourceList":[{"resourceName":"x","excludeTopology":true,"selectors":{}}]})");
  CHECK_FALSE(selection.pools.at(0).members.at(0).numa_node);
}

}  // namespace railhead::test
