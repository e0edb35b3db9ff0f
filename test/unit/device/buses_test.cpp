// What a scan finds on other buses, and what it reads only when it is asked.
#include <filesystem>

#include <catch2/catch_test_macros.hpp>

#include "device/scan.hpp"
#include "device/sub_functions.hpp"
#include "test/support/must.hpp"
#include "test/support/still_host.hpp"
#include "test/support/sysfs_tree.hpp"
#include "test/support/temporary_folder.hpp"

namespace railhead::test {
namespace {

constexpr PciAddress kPf = {0, 0x3b, 0, 0};

struct Node {
  TemporaryFolder folder;
  SysfsTree tree{folder.path() + "/sys"};
  StillHost still{folder.path()};

  Node() { tree.add({.address = kPf.to_string(), .rdma = {{.name = "mlx5_0"}}}); }
  [[nodiscard]] device::Inventory scan(const device::ScanOptions& options = {}) const {
    return must(device::scan(still.host, options));
  }
  [[nodiscard]] device::PciFunction pf(const device::ScanOptions& options = {}) const {
    const auto inventory = scan(options);
    const auto* found = inventory.find(kPf);
    REQUIRE(found);
    return *found;
  }
};

}  // namespace

TEST_CASE("a PF's sub-functions are found by number, each with netdevs and RDMA devices") {
  Node node;
  node.tree.add_sub_function(kPf.to_string(), {.name = "mlx5_core.sf.12", .number = 7});
  node.tree.add_sub_function(kPf.to_string(), {.name = "mlx5_core.sf.3",
                                               .number = 88,
                                               .driver = "",
                                               .netdevs = {{.name = "en3f0s88"}},
                                               .rdma = {{.name = "mlx5_2", .number = 2}}});
  const auto pf = node.pf({.sub_functions = true});
  REQUIRE(pf.sub_functions.size() == 2);
  CHECK(pf.sub_functions[0].name == "mlx5_core.sf.12");
  CHECK(pf.sub_functions[0].number == 7);
  CHECK(pf.sub_functions[0].driver == "mlx5_core.sf");
  const auto& second = pf.sub_functions[1];
  CHECK(second.driver.empty());
  CHECK(second.netdevs.at(0).name == "en3f0s88");
  CHECK(second.rdma.at(0).name == "mlx5_2");
  CHECK(second.rdma.at(0).char_devices.size() == 3);
  CHECK(node.pf().sub_functions.empty());
}

TEST_CASE("other auxiliary devices are no sub-functions") {
  CHECK(device::is_sub_function("mlx5_core.sf.4"));
  for (const auto* other : {"mlx5_core.eth.4", "mlx5_core.sf", "mlx5_core.sf.x", "irdma.sf.1.2",
                            "0000:3b:00.2", "sf", ""}) {
    INFO(other);
    CHECK_FALSE(device::is_sub_function(other));
  }
}

TEST_CASE("a function's vDPA device is the first by name; a simulator's has no function") {
  Node node;
  CHECK_FALSE(node.pf().vdpa);
  node.tree.add_vdpa(kPf.to_string(), "vdpa1", "virtio_vdpa");
  node.tree.add_vdpa(kPf.to_string(), "vdpa0", "");
  const auto bus = node.folder.path() + "/sys/bus/vdpa/devices";
  std::filesystem::create_directories(node.folder.path() + "/sys/devices/vdpasim_net/sim0");
  std::filesystem::create_symlink("../../../devices/vdpasim_net/sim0", bus + "/sim0");
  CHECK(node.pf().vdpa == device::VdpaDevice{"vdpa0", ""});
  CHECK(node.scan().warnings().empty());
}

TEST_CASE("accelerators, ACPI indexes, partition keys and profiles are read only when asked for") {
  Node node;
  const PciAddress accelerator = {0, 0x5e, 0, 0};
  node.tree.add({.address = accelerator.to_string(), .pci_class = "120000"});
  node.tree.write(node.tree.folder(kPf.to_string()) + "/acpi_index", "5");
  node.tree.write(node.tree.folder(kPf.to_string()) + "/infiniband/mlx5_0/ports/1/pkeys/0",
                  "0xffff");
  node.still.devlink.apps = {{kPf.to_string(), "GTP"}};
  CHECK_FALSE(node.scan().find(accelerator));
  CHECK(node.scan({.accelerators = true}).find(accelerator));
  const auto asked = node.pf({.acpi_indexes = true, .p_keys = true, .firmware_apps = true});
  CHECK(asked.acpi_index == "5");
  CHECK(asked.p_key == "0xffff");
  CHECK(asked.firmware_app == "GTP");
  const auto not_asked = node.pf();
  CHECK_FALSE(not_asked.acpi_index);
  CHECK_FALSE(not_asked.p_key);
  CHECK_FALSE(not_asked.firmware_app);
}

TEST_CASE("a function responds unless its configuration reads as all ones") {
  Node node;
  CHECK(node.pf().responds);  // no such file: nothing is known against it
  const auto config = node.tree.folder(kPf.to_string()) + "/config";
  node.tree.write(config, "\xb3\x15\x1d\x10 and more");
  CHECK(node.pf().responds);
  node.tree.write(config, "\xff\xff\xff\xff and more");
  CHECK_FALSE(node.pf().responds);
}

TEST_CASE("a vfio function knows who makes its group unviable") {
  Node node;
  const PciAddress vfio = {0, 0x5e, 0, 0};
  node.tree.add({.address = vfio.to_string(), .driver = "vfio-pci", .iommu_group = 9});
  CHECK(node.scan().find(vfio)->iommu_blocked_by.empty());
  node.tree.add({.address = "0000:5e:00.1", .iommu_group = 9});
  CHECK(node.scan().find(vfio)->iommu_blocked_by == std::vector<PciAddress>{{0, 0x5e, 0, 1}});
}

}  // namespace railhead::test
