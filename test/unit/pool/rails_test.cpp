#include <filesystem>

#include "test/unit/pool/node.hpp"

namespace railhead::test {
namespace {

// Three ports of two VFs each, of which the first in PCI order stands beside the second GPU.
struct RailNode : Node {
  static constexpr auto kAtGpu1 = "0000:40:00.0";
  static constexpr auto kAtGpu0 = "0000:50:00.0";
  static constexpr auto kAtNone = "0000:60:00.0";

  RailNode() {
    for (const auto& [address, below] : {std::pair(kAtGpu1, "pci0000:02/0000:02:01.0"),
                                         std::pair(kAtGpu0, "pci0000:01/0000:01:01.0"),
                                         std::pair(kAtNone, "pci0000:03/0000:03:01.0")}) {
      const TreeFunction pf{.address = address,
                            .path = below,
                            .vendor = "8086",
                            .numa_node = 0,
                            .total_vfs = 2,
                            .rdma = {{.name = "pf", .number = 30}}};
      tree.add(pf);
      for (unsigned i = 0; i < 2; ++i) {
        auto vf = pf;
        vf.address.back() = static_cast<char>('1' + i);
        vf.total_vfs.reset();
        tree.add_vf(address, i, vf);
      }
    }
    tree.add({.address = "0000:80:00.0",
              .path = "pci0000:01/0000:01:01.0",
              .pci_class = "030200",
              .vendor = "10de",
              .numa_node = 0});
    tree.add({.address = "0000:90:00.0",
              .path = "pci0000:02/0000:02:01.0",
              .pci_class = "030200",
              .vendor = "10de",
              .numa_node = 0});
  }
  pool::Selection rails(const std::string& more = "") {
    return select_json(
        "pools: [{resourceName: rail, resourcePrefix: rdma, rails: auto, selectors: "
        "{vendors: ['8086'], isRdma: true}" +
        more + "}]");
  }
  // Looks, and remembers it for the next look.
  pool::Rails look(const std::string& more = "") { return knowledge.rails = rails(more).rails; }
  // The VFs of a port, as when nobody has made them yet.
  void take_away(const std::string& pf) const {
    std::filesystem::create_directories(folder.path() + "/sys/bus/parked/devices");
    for (const auto& vf : vfs_of(pf))
      std::filesystem::rename(entry("pci", vf), entry("parked", vf));
  }
  void bring(const std::string& pf) const {
    for (const auto& vf : vfs_of(pf))
      std::filesystem::rename(entry("parked", vf), entry("pci", vf));
  }

 private:
  static std::vector<std::string> vfs_of(const std::string& pf) {
    const auto device = pf.substr(0, pf.size() - 1);
    return {device + '1', device + '2'};
  }
  [[nodiscard]] std::string entry(const std::string& bus, const std::string& address) const {
    return folder.path() + "/sys/bus/" + bus + "/devices/" + address;
  }
};

const PciAddress kPf40{0, 0x40, 0, 0};
const PciAddress kPf50{0, 0x50, 0, 0};
const PciAddress kPf60{0, 0x60, 0, 0};

pool::Rails order(std::vector<PciAddress> ports) { return {{"rdma/rail", std::move(ports)}}; }

}  // namespace

TEST_CASE(
    "the node's rails are numbered over all its resources, by the GPUs, and keep their numbers") {
  RailNode node;
  const auto rails = [&](const std::string& more = "") {
    const auto selection = node.select_json(
        "pools: [{resourceName: a, resourcePrefix: rdma, selectors: {rootDevices: "
        "['0000:40:00.0'], "
        "isRdma: true}}, {resourceName: b, resourcePrefix: rdma, selectors: {vendors: ['8086'], "
        "isRdma: true}}]" +
        more);
    return node.knowledge.rail_map = selection.rail_map;
  };
  const device::RailMap all = {{*PciAddress::parse(RailNode::kAtGpu0)},
                               {*PciAddress::parse(RailNode::kAtGpu1)},
                               {*PciAddress::parse(RailNode::kAtNone)}};
  node.take_away(RailNode::kAtGpu0);
  CHECK(rails() == device::RailMap{all[2], all[1]});  // the first GPU has one of its own, too
  node.bring(RailNode::kAtGpu0);
  CHECK(rails() == all);  // no container has any
  node.take_away(RailNode::kAtGpu0);
  CHECK(rails() == all);
  node.knowledge.rail_map = {all[1], all[2]};
  node.knowledge.allocated = {{"rdma/b", "0000:60:00.1"}};
  node.bring(RailNode::kAtGpu0);
  CHECK(rails() == device::RailMap{all[1], all[2], all[0]});
  CHECK(rails("\nrailMap: [['0000:60:00.0', '0000:40:00.0'], '0000:50:00.0']") ==
        device::RailMap{{kPf60, kPf40}, {kPf50}});
}

TEST_CASE("rails are numbered as their GPUs, those without one last") {
  RailNode node;
  const auto selection = node.rails();
  REQUIRE(selection.pools.size() == 3);
  CHECK(selection.pools[0].resource.full_name() == "rdma/rail0");
  CHECK_FALSE(selection.pools[0].resource.rails_auto);
  CHECK(ids(selection.pools[0]) == Ids{"0000:50:00.1", "0000:50:00.2"});
  CHECK(ids(selection.pools[1]) == Ids{"0000:40:00.1", "0000:40:00.2"});
  CHECK(ids(selection.pools[2]) == Ids{"0000:60:00.1", "0000:60:00.2"});  // near no GPU
}

TEST_CASE("a rail keeps its number while its port is away, and an empty pool stays") {
  RailNode node;
  node.knowledge.rails = node.rails().rails;
  for (const auto* address : {"0000:50:00.0", "0000:50:00.1", "0000:50:00.2"}) {
    std::filesystem::remove(node.folder.path() + "/sys/bus/pci/devices/" + address);
  }
  const auto selection = node.rails();
  REQUIRE(selection.pools.size() == 3);
  CHECK(selection.pools[0].members.empty());
  CHECK(ids(selection.pools[1]) == Ids{"0000:40:00.1", "0000:40:00.2"});
  CHECK(selection.rails == node.knowledge.rails);
}

TEST_CASE("each device knows the rail of its port") {
  RailNode node;
  const auto selection = node.rails();
  for (const auto& pool : selection.pools) {
    for (const auto& member : pool.members) {
      REQUIRE(member.rail);
      CHECK(member.rail == device::place_of(selection.rail_map, *member.pf));
    }
  }
  CHECK(selection.pools[0].members.at(0).rail == device::RailPlace{0, 0});
}

TEST_CASE("ports that come one by one are numbered as if they had come at once") {
  RailNode node;
  for (const auto* pf : {RailNode::kAtGpu1, RailNode::kAtGpu0, RailNode::kAtNone}) {
    node.take_away(pf);
  }
  node.bring(RailNode::kAtNone);
  CHECK(node.look() == order({kPf60}));
  node.bring(RailNode::kAtGpu0);
  CHECK(node.look() == order({kPf50, kPf60}));
  node.bring(RailNode::kAtGpu1);
  CHECK(node.look() == order({kPf50, kPf40, kPf60}));
}

TEST_CASE("once a container was given a device of a rail, ports that come are numbered behind") {
  RailNode node;
  node.take_away(RailNode::kAtGpu0);
  node.take_away(RailNode::kAtGpu1);
  node.look();
  node.knowledge.allocated = {{"rdma/rail", "0000:60:00.1"}};
  node.bring(RailNode::kAtGpu1);
  CHECK(node.look() == order({kPf60, kPf40}));
  node.bring(RailNode::kAtGpu0);
  CHECK(node.look() == order({kPf60, kPf40, kPf50}));
}

TEST_CASE("a device of another resource says nothing about a resource's rails") {
  RailNode node;
  node.take_away(RailNode::kAtGpu0);
  node.look();
  node.knowledge.allocated = {{"rdma/other", "0000:60:00.1"}};
  node.bring(RailNode::kAtGpu0);
  CHECK(node.look() == order({kPf50, kPf40, kPf60}));
}

TEST_CASE(
    "rails whose devices are shared are never numbered anew, for nobody records who has them") {
  RailNode node;
  const auto shared = ", kind: shared, perDevice: 2";
  node.knowledge.rails = order({kPf60, kPf40});
  CHECK(node.look(shared) == order({kPf60, kPf40, kPf50}));
}

TEST_CASE("with one pool per rail the NCCL variables carry the resource's name") {
  RailNode node;
  const auto selection = node.rails(", env: nccl");
  CHECK(selection.pools.at(1).nccl_names_carry_resource);
  const std::vector<PciAddress> gpus = {{0, 0x80, 0, 0}, {0, 0x90, 0, 0}};
  CHECK(selection.pools.at(0).gpus == gpus);
  CHECK(selection.pools.at(0).members.at(0).to_gpus ==
        std::vector{device::PcieDistance::pix, device::PcieDistance::node});
  const auto one =
      node.select_json("pools: [{resourceName: x, env: nccl, selectors: {isRdma: true}}]");
  CHECK_FALSE(one.pools.at(0).nccl_names_carry_resource);
  CHECK(node.rails().pools.at(0).gpus.empty());
}

}  // namespace railhead::test
