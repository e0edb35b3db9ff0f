#include "test/unit/pool/node.hpp"

namespace railhead::test {
namespace {

constexpr uint8_t kDown = 1;
constexpr uint8_t kActive = 4;
constexpr uint8_t kDisabled = 3;
constexpr uint8_t kLinkUp = 5;

struct Port {
  uint8_t state = kActive;
  uint8_t physical_state = kLinkUp;
};

// The PF p0 with its port up, and what netlink tells of it.
struct PortNode : Node {
  PortNode() { set_link(true, true); }

  void set_link(bool up, bool carrier) {
    host::Link link;
    link.index = 5;
    link.name = "p0";
    link.type = 1;
    link.parent_device = "0000:3b:00.0";
    link.flags = up ? 1 : 0;  // IFF_UP
    link.carrier = carrier;
    still.links.all = {link};
  }
  void make_infiniband() {
    constexpr uint16_t kInfiniband = 32;  // ARPHRD_INFINIBAND
    still.links.all.at(0).type = kInfiniband;
    tree.write(tree.folder(vf(0)) + "/net/p0v0/type", std::to_string(kInfiniband));
  }
  // The PF's netdev is the uplink, and the first VF has a representor, which is down.
  void make_switchdev() {
    auto& uplink = still.links.all.at(0);
    uplink.phys_port_name = "p0";
    uplink.phys_switch_id = "36ac9a";
    host::Link representor = uplink;
    representor.index = 6;
    representor.name = "p0_0";
    representor.phys_port_name = "pf0vf0";
    representor.carrier = false;
    representor.flags = 0;
    still.links.all.push_back(representor);
  }
  // p0 becomes a port of it.
  void add_bond(bool has_carrier) {
    host::Link bond;
    bond.index = 9;
    bond.name = "bond0";
    bond.kind = "bond";
    bond.carrier = has_carrier;
    still.links.all.at(0).master = bond.index;
    still.links.all.push_back(bond);
  }
  void set_rdma(const std::string& name, Port port, uint64_t guid = 1,
                const std::string& protocol = "roce") {
    host::RdmaLink link;
    link.name = name;
    link.protocol = protocol;
    link.node_guid = Guid{guid};
    link.index = static_cast<uint32_t>(still.rdma.all.size());
    still.rdma.ports[name] = {{1, port.state, port.physical_state, std::nullopt}};
    still.rdma.all.push_back(link);
  }
  // The first VF, under these settings.
  pool::Member first_vf(const std::string& health = "") {
    const auto selection = select_json("pools: [{resourceName: x, selectors: {isRdma: true}" +
                                       (health.empty() ? "" : ", health: " + health) + "}]");
    return selection.pools.at(0).members.at(0);
  }
};

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("a device whose port is up has neither sickness nor concern") {
  PortNode node;
  node.set_rdma("mlx5_0", {});
  CHECK(node.first_vf("{link: require, rdma: require}").sickness.empty());
  CHECK(node.first_vf().concerns.empty());
}

TEST_CASE("a PF without carrier is a concern, a sickness where it is required, or nothing") {
  PortNode node;
  node.set_link(true, false);
  CHECK(node.first_vf().sickness.empty());
  CHECK(node.first_vf().concerns == Texts{"its PF p0 has no carrier"});
  CHECK(node.first_vf("{link: require}").sickness == "its PF p0 has no carrier");
  CHECK(node.first_vf("{link: require}").cause == pool::Cause::port);
  CHECK(node.first_vf("{link: ignore}").concerns.empty());
  node.set_link(false, false);
  CHECK(node.first_vf("{link: require}").sickness == "its PF p0 is down");
}

TEST_CASE("a RoCE VF whose netdev is down, or in a pod, is judged by its PF's RDMA port") {
  PortNode node;
  node.set_rdma("mlx5_0", {});
  node.set_rdma("mlx5_1", {kDown, kDisabled});  // the VF's own
  CHECK(node.first_vf("{rdma: require}").sickness.empty());
  node.still.rdma.all.clear();
  node.set_rdma("mlx5_0", {kDown, kLinkUp});
  CHECK(node.first_vf("{rdma: require}").sickness == "port 1 of mlx5_0 is not active");
  CHECK(node.first_vf().concerns == Texts{"port 1 of mlx5_0 is not active"});
  CHECK(node.first_vf("{rdma: ignore}").concerns.empty());
}

TEST_CASE("an InfiniBand VF has a port and a node GUID of its own") {
  PortNode node;
  node.make_infiniband();
  node.set_rdma("mlx5_0", {}, 1, "ib");
  node.set_rdma("mlx5_1", {}, 0, "ib");
  CHECK(node.first_vf("{rdma: require}").sickness.find("the node GUID of mlx5_1 is zero") == 0);
  node.still.rdma.all.clear();
  node.set_rdma("mlx5_0", {}, 1, "ib");
  node.set_rdma("mlx5_1", {kDown, kLinkUp}, 2, "ib");
  CHECK(node.first_vf("{rdma: require}").sickness == "port 1 of mlx5_1 is not active");
}

TEST_CASE("an InfiniBand port's link is its RDMA port's, IPoIB may be down") {
  PortNode node;
  node.set_link(false, false);
  node.make_infiniband();
  node.set_rdma("mlx5_0", {}, 1, "ib");
  CHECK(node.first_vf("{link: require, rdma: ignore}").sickness.empty());
  node.still.rdma.all.clear();
  node.set_rdma("mlx5_0", {kDown, kDisabled}, 1, "ib");
  CHECK(node.first_vf("{link: require, rdma: ignore}").sickness == "port 1 of mlx5_0 has no link");
}

TEST_CASE("a dual-port device with an empty cage is fit, one with two is not") {
  PortNode node;
  auto second = node.still.links.all.at(0);
  second.index = 6;
  second.name = "p0d1";
  node.still.links.all.at(0).carrier = false;
  node.still.links.all.push_back(second);
  node.set_rdma("mlx5_0", {kDown, kDisabled});
  node.still.rdma.ports.at(node.still.rdma.all.at(0).name).push_back({2, kActive, kLinkUp, "p0d1"});
  const std::string all = "{link: require, rdma: require}";
  CHECK(node.first_vf(all).sickness.empty());
  CHECK(node.first_vf(all).concerns.empty());

  node.still.links.all.at(1).carrier = false;
  CHECK(node.first_vf(all).sickness == "none of its PF's netdevs p0, p0d1 has carrier");
  node.still.rdma.ports.at(node.still.rdma.all.at(0).name).at(1).state = kDown;
  CHECK(node.first_vf("{rdma: require}").sickness == "no port of mlx5_0 is active");
}

TEST_CASE("a dual-port InfiniBand device has link when one of its ports has") {
  PortNode node;
  node.make_infiniband();
  node.set_rdma("mlx5_0", {kDown, kDisabled}, 1, "ib");
  node.still.rdma.ports.at(node.still.rdma.all.at(0).name)
      .push_back({2, kDown, kLinkUp, std::nullopt});
  CHECK(node.first_vf("{link: require, rdma: ignore}").sickness.empty());
  node.still.rdma.ports.at(node.still.rdma.all.at(0).name).at(1).physical_state = kDisabled;
  CHECK(node.first_vf("{link: require, rdma: ignore}").sickness == "no port of mlx5_0 has link");
}

TEST_CASE("in switchdev mode neither a representor's netdev nor its RDMA port is the PF's") {
  PortNode node;
  node.make_switchdev();
  node.set_rdma("mlx5_0", {});
  node.still.rdma.ports.at(node.still.rdma.all.at(0).name).at(0).netdev = "p0";
  node.still.rdma.ports.at(node.still.rdma.all.at(0).name).push_back({2, kDown, kDisabled, "p0_0"});
  CHECK(node.first_vf("{link: require, rdma: require}").sickness.empty());
  node.still.rdma.ports.at(node.still.rdma.all.at(0).name).at(0).state = kDown;
  node.still.rdma.ports.at(node.still.rdma.all.at(0).name).at(1).state = kActive;
  CHECK(node.first_vf("{rdma: require}").sickness == "port 1 of mlx5_0 is not active");
  node.still.links.all.at(0).carrier = false;
  CHECK(node.first_vf("{link: require}").sickness == "its PF p0 has no carrier");
}

TEST_CASE("in switchdev mode VFs send by all ports of their PF's bond, else by their own") {
  const auto sickness = [](bool switchdev, bool bond_has_carrier) {
    PortNode node;
    if (switchdev) node.make_switchdev();
    node.set_rdma("mlx5_0", {});
    node.add_bond(bond_has_carrier);
    node.still.links.all.at(0).carrier = false;
    return node.first_vf("{link: require}").sickness;
  };
  CHECK(sickness(true, true).empty());
  CHECK(sickness(true, false) == "its PF p0 has no carrier");
  CHECK(sickness(false, true) == "its PF p0 has no carrier");
}

TEST_CASE("a PF whose RDMA device is its bond's sends by the bond's ports") {
  PortNode node;
  node.set_rdma("mlx5_bond_0", {});
  node.tree.add({.address = "0000:5e:00.0", .rdma = {{.name = "mlx5_bond_0", .number = 20}}});
  node.still.links.all.at(0).parent_device = "0000:5e:00.0";
  node.add_bond(true);
  node.still.links.all.at(0).carrier = false;
  const auto sickness = [&] {
    const auto selection = node.select_json(
        "pools: [{resourceName: x, kind: shared, perDevice: 2, "
        "selectors: {pciAddresses: ['0000:5e:00.0'], isRdma: true}, health: {link: require}}]");
    return selection.pools.at(0).members.at(0).sickness;
  };
  CHECK(sickness() == "its netdev p0 has no carrier");
  node.still.rdma.ports.at(node.still.rdma.all.at(0).name).at(0).netdev = "bond0";
  CHECK(sickness().empty());
}

TEST_CASE("a device inside a pod is not missing") {
  PortNode node;
  node.tree.add_vf("0000:3b:00.0", 4,
                   {.address = "0000:3a:00.1",
                    .rdma = {{.name = "mlx5_9", .number = 9, .in_host_namespace = false}}});
  node.set_rdma("mlx5_0", {});
  const auto member = node.first_vf("{link: require, rdma: require}");
  CHECK(member.id == "0000:3a:00.1");
  CHECK(member.sickness.empty());
  CHECK(member.concerns.empty());
}

TEST_CASE("a device that is known to be sick is not given out, whatever its port says") {
  PortNode node;
  node.knowledge.sick["0000:3b:01.0"] = {pool::Cause::undo, "its undo is not verified"};
  CHECK(node.first_vf("{link: ignore, rdma: ignore}").sickness == "its undo is not verified");
  CHECK(node.first_vf("{link: ignore, rdma: ignore}").cause == pool::Cause::undo);
}

TEST_CASE("a PF that fell off the bus makes its VFs sick") {
  PortNode node;
  const auto config = node.tree.folder("0000:3b:00.0") + "/config";
  node.tree.write(config, "\xb3\x15\x1d\x10");
  CHECK(node.first_vf().sickness.empty());
  node.tree.write(config, "\xff\xff\xff\xff");
  CHECK(node.first_vf().sickness.find("0000:3b:00.0 does not answer on the PCI bus") == 0);
  CHECK(node.first_vf().cause == pool::Cause::pci);
}

TEST_CASE("a function of vfio-pci is sick while its IOMMU group is not viable") {
  Node node;
  node.tree.add({.address = "0000:5e:00.0", .driver = "vfio-pci", .iommu_group = 42});
  const auto sickness = [&] {
    return node.select({R"({"drivers":["vfio-pci"]})"}).pools.at(0).members.at(0).sickness;
  };
  CHECK(sickness().empty());
  node.tree.add({.address = "0000:5e:00.1", .iommu_group = 42});
  CHECK(sickness() ==
        "its IOMMU group 42 is not viable: 0000:5e:00.1 in it is bound to a host driver");
}

}  // namespace railhead::test
