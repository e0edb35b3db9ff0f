#include "test/unit/pool/node.hpp"

namespace railhead::test {

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
    "functions without driver, or with the default route, are not offered, and it is said why") {
  Node node;
  node.tree.add({.address = "0000:5e:00.0", .driver = ""});
  node.tree.add({.address = "0000:5e:00.2", .netdevs = {{.name = "lan"}}});
  host::Link lan;
  lan.index = 3;
  lan.name = "lan";
  lan.parent_device = "0000:5e:00.2";
  node.still.links.all = {lan};
  node.still.links.defaults = {{.out_index = 3}};
  const auto selection = node.select({"{}"});
  CHECK(selection.pools.at(0).members.size() == 4);
  CHECK(reason(selection, "0000:5e:00.0") == "no driver is bound to it");
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
