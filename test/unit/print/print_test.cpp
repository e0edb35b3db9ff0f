#include <algorithm>

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include "plugin/print/inventory.hpp"
#include "plugin/print/svg_layout.hpp"
#include "plugin/print/topology.hpp"
#include "test/support/golden.hpp"
#include "test/support/must.hpp"
#include "test/support/node_builder.hpp"
#include "test/support/sysfs_tree.hpp"
#include "test/support/temporary_folder.hpp"

namespace railhead::test {
namespace {

// A GPU and a PF with two VFs below a switch, the second VF's RDMA device in a pod; a NIC without
// carrier on the other NUMA node.
struct PrintedNode {
  NodeBuilder builder;
  print::Details details;

  PrintedNode() {
    const auto below = builder.pcie_switch("pci0000:10", 0);
    builder.gpu("0000:13:00.0", below);
    auto& pf = builder.pf("0000:14:00.0", below, 2);
    pf.netdevs.push_back(netdev("ens1np0", 4));
    pf.rdma.push_back(rdma("mlx5_0", 0));
    pf.eswitch_mode = "legacy";
    pf.iommu_group = 7;
    auto& nic = builder.pf("0000:81:00.0", NodeBuilder::bridge("pci0000:80", 1));
    nic.netdevs.push_back(netdev("<ens&2>", 5));
    nic.netdevs.back().carrier = false;
    nic.netdevs.back().global_address = true;
    nic.driver = "";
    nic.iommu_group = 8;
    details.gids[{"mlx5_0", 1}] = {
        {0, "fe80:0000:0000:0000:0a42:a1ff:fe03:0001", "IB/RoCE v1", "ens1np0"},
        {3, "0000:0000:0000:0000:0000:ffff:0a09:0001", "RoCE v2", "ens1np0"}};
    details.iommu_groups[7] = {
        7, {{0, 0x14, 0, 0}, {0, 0x15, 0, 0}}, {{0, 0x14, 0, 0}, {0, 0x15, 0, 0}}};
    details.iommu_groups[8] = {8, {{0, 0x81, 0, 0}}, {}};
    details.warnings = {"GIDs of mlx5_9: no"};
  }
  [[nodiscard]] device::Inventory inventory() const {
    auto functions = builder.inventory().functions();
    for (auto& function : functions) {
      if (function.vf_index == 0U) function.vdpa = device::VdpaDevice{"vdpa0", "vhost_vdpa"};
      if (function.vf_index != 1) continue;
      function.rdma.push_back(rdma("mlx5_2", 2));
      function.rdma.back().in_host_namespace = false;
      function.rdma.back().ports.clear();
    }
    return {std::move(functions), host::RdmaNetnsMode::exclusive, {"0000:99:00.0 is left out: no"}};
  }

 private:
  static device::Netdev netdev(const std::string& name, uint32_t index) {
    device::Netdev netdev;
    netdev.name = name;
    netdev.index = index;
    netdev.type = 1;
    netdev.mtu = 9000;
    netdev.address = HwAddress::parse("02:00:00:00:00:01").value();
    netdev.carrier = true;
    netdev.up = true;
    return netdev;
  }
  static device::RdmaDevice rdma(const std::string& name, unsigned number) {
    device::RdmaDevice device;
    device.name = name;
    device.node_guid.value = 0x0c42a10300000001 + uint64_t{number};
    device.link_layer = device::LinkLayer::ethernet;
    device.ports.push_back({1, 4, 5, std::nullopt});
    device.char_devices = {{device::CharKind::uverbs, fmt::format("uverbs{}", number), ""}};
    return device;
  }
};

// No two cards overlap, and each box holds what is in it.
void check_places(const print::Box& box) {
  struct Area {
    int x, y, width, height;
  };
  std::vector<Area> areas;
  for (const auto& one : box.cards) areas.push_back({one.x, one.y, one.width, one.height});
  for (const auto& one : box.boxes) areas.push_back({one.x, one.y, one.width, one.height});
  for (size_t i = 0; i < areas.size(); ++i) {
    const auto& a = areas[i];
    CHECK(a.x > box.x);
    CHECK(a.y >= box.y + print::kTitleHeight);
    CHECK(a.x + a.width < box.x + box.width);
    CHECK(a.y + a.height < box.y + box.height);
    for (size_t j = 0; j < i; ++j) {
      const auto& b = areas[j];
      CHECK((a.x >= b.x + b.width || b.x >= a.x + a.width || a.y >= b.y + b.height ||
             b.y >= a.y + a.height));
    }
  }
  for (const auto& card : box.cards) {
    CHECK(print::text_width(card.title.size() + card.note.size() + 2) <= card.width);
    for (const auto& line : card.lines) {
      CHECK(print::text_width(line.text.size()) + 2 * print::kCardPadding <= card.width);
    }
  }
  CHECK(print::text_width(box.title.size()) < box.width);
  for (const auto& one : box.boxes) check_places(one);
}

}  // namespace

TEST_CASE("an inventory is printed as a tree with GIDs, IOMMU groups, vDPA and what is in pods") {
  const PrintedNode node;
  CHECK(print::inventory_text(node.inventory(), node.details) == golden("print/inventory.txt"));
}

TEST_CASE("an inventory's JSON has the documented keys") {
  const PrintedNode node;
  CHECK(print::inventory_json(node.inventory(), node.details) == golden("print/inventory.json"));
}

TEST_CASE("a topology is printed as a matrix of all GPUs and ports") {
  const PrintedNode node;
  CHECK(print::topology_text(node.inventory(), {}) == golden("print/topology.txt"));
}

TEST_CASE("a topology's JSON has the documented keys, and tells the file it is from") {
  const PrintedNode node;
  CHECK(print::topology_json(node.inventory(), {"/etc/topo.xml", 2}) ==
        golden("print/topology.json"));
}

TEST_CASE("a topology is drawn as SVG, with names that are no markup") {
  const PrintedNode node;
  CHECK(print::topology_svg(node.inventory(), {}) == golden("print/topology.svg"));
}

TEST_CASE("of many functions that block an IOMMU group two are named") {
  PrintedNode node;
  for (uint8_t bus = 0x16; bus < 0x19; ++bus) {
    node.details.iommu_groups[7].blocking.push_back({0, bus, 0, 0});
  }
  const auto text = print::inventory_text(node.inventory(), node.details);
  CHECK(text.find("(blocked by 0000:15:00.0, 0000:16:00.0, 2 more)") != std::string::npos);
}

TEST_CASE("nothing to print is said") {
  const device::Inventory empty({}, std::nullopt, {});
  CHECK(print::inventory_text(empty, {}) == "no network functions and no GPUs\n");
  CHECK(print::topology_text(empty, {}) == "no network functions and no GPUs\n");
  CHECK(nlohmann::json::parse(print::inventory_json(empty, {}))["functions"].empty());
  CHECK(nlohmann::json::parse(print::topology_json(empty, {}))["distances"].empty());
}

TEST_CASE("in a drawing nothing overlaps and no text leaves its box") {
  for (const auto& node : {eight_gpu_node(16), ten_nic_node()}) {
    const auto inventory = node.inventory();
    const auto boxes = print::lay_out(inventory, 24, 88, 600);
    for (const auto& box : boxes) check_places(box);
    for (size_t i = 1; i < boxes.size(); ++i) {
      CHECK(boxes[i].y >= boxes[i - 1].y + boxes[i - 1].height);
    }
  }
  NodeBuilder strange;
  auto slot = strange.pcie_switch(std::string(300, 'p'));
  for (int i = 0; i < 12; ++i) slot = strange.pcie_switch(slot);
  auto& nic = strange.pf("0000:01:00.0", slot, 8);
  nic.netdevs.emplace_back().name = "\x01\xff<svg onload=x>" + std::string(300, 'n');
  const auto inventory = strange.inventory();
  for (const auto& box : print::lay_out(inventory, 24, 88, 600)) check_places(box);
  const auto svg = print::topology_svg(inventory, {std::string(4000, '/'), 1});
  CHECK(svg.find("<svg onload") == std::string::npos);
  CHECK(svg.size() < 16000);
}

TEST_CASE("details are read from sysfs, and a device that goes meanwhile is no warning") {
  const TemporaryFolder folder;
  SysfsTree tree(folder.path());
  tree.add({.address = "0000:3b:00.0", .iommu_group = 7, .rdma = {{.name = "mlx5_0"}}});
  const std::string port = tree.folder("0000:3b:00.0") + "/infiniband/mlx5_0/ports/1/";
  tree.write(port + "gids/3", "0000:0000:0000:0000:0000:ffff:0a09:0001");
  tree.write(port + "gid_attrs/types/3", "RoCE v2");
  device::PciFunction function;
  function.address = {0, 0x3b, 0, 0};
  function.iommu_group = 7;
  function.rdma.emplace_back().name = "mlx5_0";
  function.rdma.front().ports = {{1, 4, 5, std::nullopt}, {2, 4, 5, std::nullopt}};
  device::PciFunction gone = function;
  gone.address.bus = 0x99;
  gone.iommu_group = 9;
  const auto details = print::read_details({{function, gone}, std::nullopt, {}}, folder.path());
  CHECK(details.warnings.empty());
  CHECK(details.gids.at({"mlx5_0", 1}).at(0).index == 3);
  CHECK(details.iommu_groups.at(7).blocking.size() == 1);
  CHECK_FALSE(details.iommu_groups.contains(9));
}

TEST_CASE("the GID of an IPv4 address is told as that") {
  CHECK(print::ipv4_of("0000:0000:0000:0000:0000:ffff:0a09:0001") == "10.9.0.1");
  for (const auto* other :
       {"fe80:0000:0000:0000:0a42:a1ff:fe03:0001", "", "0000:0000:0000:0000:0000:ffff:0a09",
        "::ffff:10.9.0.1", "0000:0000:0000:0000:0000:ffff:0a09:000g"}) {
    CHECK_FALSE(print::ipv4_of(other));
  }
}

}  // namespace railhead::test
