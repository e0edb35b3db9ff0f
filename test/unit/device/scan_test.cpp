#include "device/scan.hpp"

#include <filesystem>
#include <fstream>

#include <catch2/catch_test_macros.hpp>

#include "test/support/must.hpp"
#include "test/support/still_host.hpp"
#include "test/support/sysfs_tree.hpp"
#include "test/support/temporary_folder.hpp"

namespace railhead::test {
namespace {

struct Node {
  TemporaryFolder folder;
  SysfsTree tree{folder.path() + "/sys"};
  StillHost still{folder.path()};

  device::Inventory scan() { return must(device::scan(still.host)); }
};

const device::PciFunction& at(const device::Inventory& inventory, std::string_view address) {
  const auto* function = inventory.find(PciAddress::parse(address).value());
  if (!function) FAIL(address << " is not in the inventory");
  return *function;
}

host::Link link(uint32_t index, std::string name, std::optional<std::string> parent) {
  host::Link link;
  link.index = index;
  link.name = std::move(name);
  link.type = 1;
  link.mtu = 9000;
  link.parent_device = std::move(parent);
  return link;
}

}  // namespace

TEST_CASE("a function's driver, ids, NUMA node, PCIe path and IOMMU group are read") {
  Node node;
  node.tree.add({.address = "0000:3b:00.0",
                 .path = "pci0000:3a/0000:3a:00.0",
                 .numa_node = 1,
                 .iommu_group = 42,
                 .netdevs = {{.name = "ens1", .type = 32}}});
  const auto inventory = node.scan();
  REQUIRE(inventory.functions().size() == 1);
  const auto& function = at(inventory, "0000:3b:00.0");
  CHECK(function.driver == "mlx5_core");
  CHECK(function.vendor == "15b3");
  CHECK(function.device_id == "101d");
  CHECK(function.pci_class == 0x020000);
  CHECK(function.numa_node == 1);
  CHECK(function.iommu_group == 42);
  CHECK(function.path == std::vector<std::string>{"pci0000:3a", "0000:3a:00.0"});
  CHECK(function.netdevs.at(0).name == "ens1");
  CHECK(function.netdevs.at(0).type == 32);
  CHECK_FALSE(function.is_vf());
  CHECK_FALSE(function.total_vfs);
}

TEST_CASE("NUMA node -1 is no node, and a function without driver has an empty one") {
  Node node;
  node.tree.add({.address = "0000:3b:00.0", .driver = "", .numa_node = -1});
  const auto inventory = node.scan();
  CHECK_FALSE(at(inventory, "0000:3b:00.0").numa_node);
  CHECK(at(inventory, "0000:3b:00.0").driver.empty());
}

TEST_CASE("VFs know their PF and index, also where the PF's list has a hole") {
  Node node;
  node.tree.add({.address = "0000:3b:00.0", .total_vfs = 4});
  node.tree.add_vf("0000:3b:00.0", 0, {.address = "0000:3b:00.1"});
  node.tree.add_vf("0000:3b:00.0", 2, {.address = "0000:3b:00.3"});
  const auto inventory = node.scan();
  const auto& pf = at(inventory, "0000:3b:00.0");
  CHECK(pf.total_vfs == 4);
  REQUIRE(pf.vfs.size() == 3);
  CHECK_FALSE(pf.vfs[1]);
  CHECK(at(inventory, "0000:3b:00.3").pf == pf.address);
  CHECK(at(inventory, "0000:3b:00.3").vf_index == 2);
  CHECK(at(inventory, "0000:3b:00.1").vf_index == 0);
}

TEST_CASE("other PCI functions are left out, GPUs are those the predicate takes") {
  Node node;
  node.tree.add({.address = "0000:01:00.0", .pci_class = "010802"});
  node.tree.add({.address = "0000:02:00.0", .pci_class = "030200", .vendor = "10de"});
  node.tree.add({.address = "0000:03:00.0", .pci_class = "00ff00", .vendor = "1234"});
  node.tree.add({.address = "0000:04:00.0", .pci_class = "120000", .vendor = "1002"});  // MI300X
  node.tree.add({.address = "0000:05:00.0", .pci_class = "038000", .vendor = "1002"});  // MI210
  node.tree.add({.address = "0000:06:00.0", .pci_class = "120000", .vendor = "8086"});
  CHECK(node.scan().functions().size() == 3);
  for (const auto* gpu : {"0000:02:00.0", "0000:04:00.0", "0000:05:00.0"}) {
    CHECK(at(node.scan(), gpu).is_gpu);
  }

  const device::ScanOptions options{{.classes = {0x00ff}, .vendors = {}}};
  const auto inventory = must(device::scan(node.still.host, options));
  REQUIRE(inventory.functions().size() == 1);
  CHECK(at(inventory, "0000:03:00.0").is_gpu);
}

TEST_CASE("a GPU has the UUID that NVIDIA's driver tells, another driver's has none") {
  Node node;
  node.tree.add({.address = "0000:02:00.0", .pci_class = "030200", .vendor = "10de"});
  node.tree.add({.address = "0000:04:00.0", .pci_class = "120000", .vendor = "1002"});
  const auto folder = node.still.host.roots.proc + "/driver/nvidia/gpus/0000:02:00.0";
  std::filesystem::create_directories(folder);
  std::ofstream(folder + "/information")
      << "Model: \t\t NVIDIA H100\nGPU UUID: \t GPU-8f9d-aaaa\nDevice Minor: \t 0\n";
  CHECK(at(node.scan(), "0000:02:00.0").gpu_uuid == "GPU-8f9d-aaaa");
  CHECK_FALSE(at(node.scan(), "0000:04:00.0").gpu_uuid);
  CHECK(node.scan().warnings().empty());
}

TEST_CASE("netdev facts come from the links dump, by parent device or by name") {
  Node node;
  node.tree.add({.address = "0000:3b:00.0", .netdevs = {{.name = "renamed"}}});
  node.tree.add({.address = "0000:3b:00.1", .netdevs = {{.name = "old_kernel"}}});
  node.still.links.all = {link(7, "ens1", "0000:3b:00.0"), link(8, "old_kernel", std::nullopt)};
  const auto inventory = node.scan();
  CHECK(at(inventory, "0000:3b:00.0").netdevs.at(0).name == "ens1");
  CHECK(at(inventory, "0000:3b:00.0").netdevs.at(0).mtu == 9000);
  CHECK(at(inventory, "0000:3b:00.1").netdevs.at(0).index == 8);
}

TEST_CASE("a link of another device with the same name gives no facts") {
  Node node;
  node.tree.add({.address = "0000:3b:00.0", .netdevs = {{.name = "eth0", .type = 32}}});
  node.still.links.all = {link(7, "eth0", "0000:99:00.0")};
  const auto inventory = node.scan();
  CHECK(at(inventory, "0000:3b:00.0").netdevs.at(0).type == 32);
  CHECK(at(inventory, "0000:3b:00.0").netdevs.at(0).index == 0);
}

TEST_CASE("a virtio NIC's netdev is found below its virtio device") {
  Node node;
  node.tree.add({.address = "0000:00:03.0", .driver = "virtio-pci"});
  node.tree.write(node.tree.folder("0000:00:03.0") + "/virtio1/net/eth0/type", "1");
  node.still.links.all = {link(7, "eth0", "virtio1")};
  const auto inventory = node.scan();
  CHECK(at(inventory, "0000:00:03.0").netdevs.at(0).name == "eth0");
  CHECK(at(inventory, "0000:00:03.0").netdevs.at(0).index == 7);  // netlink's facts, so its routes
}

TEST_CASE("default routes and global addresses mark their links and what is below these") {
  Node node;
  node.tree.add({.address = "0000:3b:00.0"});
  node.tree.add({.address = "0000:3b:00.1"});
  node.tree.add({.address = "0000:3c:00.0"});
  auto port = link(3, "ens1", "0000:3b:00.0");
  port.master = 9;
  node.still.links.all = {port, link(4, "ens2", "0000:3b:00.1"), link(5, "ens3", "0000:3c:00.0"),
                          link(9, "bond0", std::nullopt)};
  node.still.links.defaults = {{.destination = *host::IpPrefix::parse("::/0"), .out_index = 9}};
  node.still.links.of_all = {{4, *host::IpPrefix::parse("10.1.0.5/24"), 0}};
  const auto inventory = node.scan();
  const auto& routed = at(inventory, "0000:3b:00.0").netdevs.at(0);
  CHECK(routed.default_route);
  CHECK_FALSE(routed.global_address);
  const auto& addressed = at(inventory, "0000:3b:00.1").netdevs.at(0);
  CHECK_FALSE(addressed.default_route);
  CHECK(addressed.global_address);
  const auto& free = at(inventory, "0000:3c:00.0").netdevs.at(0);
  CHECK_FALSE(free.default_route);
  CHECK_FALSE(free.global_address);
}

TEST_CASE("a port of a bond knows it, with its carrier; one of a bridge has none") {
  Node node;
  node.tree.add({.address = "0000:3b:00.0"});
  node.tree.add({.address = "0000:3b:00.1"});
  auto port = link(3, "ens1", "0000:3b:00.0"), other = link(4, "ens2", "0000:3b:00.1");
  port.master = 8;
  other.master = 9;
  auto bond = link(8, "bond0", std::nullopt), bridge = link(9, "br0", std::nullopt);
  bond.kind = "bond";
  bond.carrier = bridge.carrier = true;
  bridge.kind = "bridge";
  node.still.links.all = {port, other, bond, bridge};
  const auto inventory = node.scan();
  CHECK(at(inventory, "0000:3b:00.0").netdevs.at(0).bond == device::Bond{"bond0", true});
  CHECK_FALSE(at(inventory, "0000:3b:00.1").netdevs.at(0).bond);
}

TEST_CASE("an RDMA device has its character devices, sorted by kind") {
  Node node;
  node.tree.add({.address = "0000:3b:00.0", .rdma = {{.name = "mlx5_4", .number = 4}}});
  const auto inventory = node.scan();
  const auto& rdma = at(inventory, "0000:3b:00.0").rdma;
  REQUIRE(rdma.size() == 1);
  using device::CharKind;
  CHECK(rdma[0].char_devices == std::vector<device::CharDevice>{{CharKind::uverbs, "uverbs4", ""},
                                                                {CharKind::umad, "umad4", ""},
                                                                {CharKind::issm, "issm4", ""}});
  CHECK(rdma[0].in_host_namespace);
}

TEST_CASE("RDMA netlink's answer goes before sysfs', which fills in where netlink is silent") {
  Node node;
  node.tree.add({.address = "0000:3b:00.0", .rdma = {{.name = "mlx5_4", .number = 4}}});
  node.tree.add({.address = "0000:3c:00.0",
                 .rdma = {{.name = "mlx5_5",
                           .number = 5,
                           .link_layer = "InfiniBand",
                           .node_guid = "0011:2233:4455:6677"}}});
  node.still.rdma.all = {{3, "mlx5_4", Guid{0xabc}, "roce"}};
  node.still.rdma.ports["mlx5_4"] = {{1, 4, 5, "ens1"}};
  node.still.rdma.mode = host::RdmaNetnsMode::exclusive;
  const auto inventory = node.scan();
  const auto& told = at(inventory, "0000:3b:00.0").rdma.at(0);
  CHECK(told.index == 3);
  CHECK(told.node_guid == Guid{0xabc});
  CHECK(told.link_layer == device::LinkLayer::ethernet);
  CHECK(told.ports.at(0).netdev == "ens1");
  const auto& read = at(inventory, "0000:3c:00.0").rdma.at(0);
  CHECK_FALSE(read.index);
  CHECK(read.node_guid == Guid{0x0011223344556677});
  CHECK(read.link_layer == device::LinkLayer::infiniband);
  CHECK(inventory.rdma_netns_mode() == host::RdmaNetnsMode::exclusive);
}

TEST_CASE("an RDMA device in a pod's namespace stays in the inventory") {
  Node node;
  node.tree.add({.address = "0000:3b:00.1",
                 .rdma = {{.name = "mlx5_6", .number = 6, .in_host_namespace = false}}});
  const auto inventory = node.scan();
  const auto& rdma = at(inventory, "0000:3b:00.1").rdma.at(0);
  CHECK(rdma.name == "mlx5_6");
  CHECK_FALSE(rdma.in_host_namespace);
  CHECK(rdma.char_devices.size() == 3);
}

TEST_CASE("a PF tells its eswitch mode where its netdevs do") {
  Node node;
  node.tree.add({.address = "0000:3b:00.0", .total_vfs = 4});
  node.tree.add({.address = "0000:3c:00.0", .total_vfs = 4});
  auto uplink = link(1, "ens1", "0000:3b:00.0");
  uplink.phys_port_name = "p0";
  uplink.phys_switch_id = "36ac9a0003a1420c";
  auto representor = link(2, "ens1_0", "0000:3b:00.0");
  representor.phys_port_name = "pf0vf0";
  representor.phys_switch_id = "36ac9a0003a1420c";
  node.still.links.all = {uplink, representor, link(3, "ens2", "0000:3c:00.0")};
  const auto inventory = node.scan();
  CHECK(at(inventory, "0000:3b:00.0").eswitch_mode == "switchdev");
  CHECK_FALSE(at(inventory, "0000:3c:00.0").eswitch_mode);
}

TEST_CASE("a function of which devlink does not tell the firmware stays, with a warning") {
  Node node;
  node.tree.add({.address = "0000:3b:00.0"});
  node.still.devlink.sick = "0000:3b:00.0";
  const auto inventory = must(device::scan(node.still.host, {.firmware_apps = true}));
  CHECK_FALSE(at(inventory, "0000:3b:00.0").firmware_app);
  CHECK(inventory.warnings() ==
        std::vector<std::string>{"devlink info of 0000:3b:00.0: Input/output error (EIO)"});
}

TEST_CASE("a function that cannot be read is left out with a warning, the others are not") {
  Node node;
  node.tree.add({.address = "0000:3b:00.0"});
  node.tree.add({.address = "0000:3c:00.0"});
  const auto attribute = node.tree.folder("0000:3b:00.0") + "/numa_node";
  std::filesystem::remove(attribute);
  std::filesystem::create_directory(attribute);  // to read it is an error, EISDIR
  const auto inventory = node.scan();
  REQUIRE(inventory.functions().size() == 1);
  CHECK(inventory.functions()[0].address.to_string() == "0000:3c:00.0");
  REQUIRE(inventory.warnings().size() == 1);
  CHECK(inventory.warnings()[0].starts_with("0000:3b:00.0 is left out: "));
}

TEST_CASE("an RDMA device whose ports cannot be read stays") {
  Node node;
  node.tree.add({.address = "0000:3b:00.0", .rdma = {{.name = "mlx5_4", .number = 4}}});
  node.still.rdma.all = {{3, "mlx5_4", Guid{0xabc}, "roce"}};
  node.still.rdma.silent_port = "mlx5_4";
  const auto inventory = node.scan();
  CHECK(at(inventory, "0000:3b:00.0").rdma.at(0).index == 3);
  CHECK(inventory.warnings() ==
        std::vector<std::string>{"ports of mlx5_4: port 1: Input/output error (EIO)"});
}

TEST_CASE("where RDMA netlink fails, sysfs tells of the RDMA devices") {
  Node node;
  node.tree.add({.address = "0000:3b:00.0", .rdma = {{.name = "mlx5_4", .number = 4}}});
  node.still.rdma.sick = true;
  const auto inventory = node.scan();
  CHECK(at(inventory, "0000:3b:00.0").rdma.at(0).link_layer == device::LinkLayer::ethernet);
  CHECK(inventory.warnings().size() == 2);
  CHECK_FALSE(inventory.rdma_netns_mode());
}

TEST_CASE("a node without PCI has an empty inventory") {
  const TemporaryFolder folder;
  StillHost still(folder.path());
  std::filesystem::create_directories(still.host.roots.sysfs + "/bus");
  CHECK(must(device::scan(still.host)).functions().empty());
}

TEST_CASE("a folder that is no sysfs is an error that names it, not an empty node") {
  const TemporaryFolder folder;
  StillHost still(folder.path());
  const auto inventory = device::scan(still.host);
  REQUIRE(is(inventory, ErrorCode::not_found));
  CHECK(inventory.error().message.find(still.host.roots.sysfs) != std::string::npos);
}

TEST_CASE("the mlx5-like node of 8 PFs with 127 VFs is read whole") {
  Node node;
  add_mlx5_node(node.tree, 8, 127);
  const auto inventory = node.scan();
  REQUIRE(inventory.functions().size() == 8 * 128);
  const auto* last = inventory.find(mlx5_vf(7, 126));
  REQUIRE(last);
  CHECK(last->pf == mlx5_pf(7));
  CHECK(last->vf_index == 126);
  CHECK(last->numa_node == 1);
  CHECK(last->rdma.at(0).name == "mlx5_1023");
}

}  // namespace railhead::test
