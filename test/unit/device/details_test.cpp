#include <catch2/catch_test_macros.hpp>

#include "device/allocation.hpp"
#include "device/gids.hpp"
#include "device/iommu.hpp"
#include "test/support/must.hpp"
#include "test/support/sysfs_tree.hpp"
#include "test/support/temporary_folder.hpp"

namespace railhead::test {

TEST_CASE("the GIDs in use are read with index, type and netdev") {
  const TemporaryFolder folder;
  SysfsTree tree(folder.path());
  tree.add({.address = "0000:3b:00.0", .rdma = {{.name = "mlx5_0"}}});
  const std::string port = tree.folder("0000:3b:00.0") + "/infiniband/mlx5_0/ports/1/";
  tree.write(port + "gids/3", "0000:0000:0000:0000:0000:ffff:0a09:0001");
  tree.write(port + "gid_attrs/types/3", "RoCE v2");
  tree.write(port + "gid_attrs/ndevs/3", "ens1");
  tree.write(port + "gids/1", "fe80:0000:0000:0000:0a42:a1ff:fe03:0001");
  tree.write(port + "gids/2", "0000:0000:0000:0000:0000:0000:0000:0000");
  const auto function = must(host::Directory::open(tree.folder("0000:3b:00.0")));
  const auto gids = must(device::read_gids(function, "mlx5_0", 1));
  CHECK(gids == std::vector<device::Gid>{
                    {1, "fe80:0000:0000:0000:0a42:a1ff:fe03:0001", "", std::nullopt},
                    {3, "0000:0000:0000:0000:0000:ffff:0a09:0001", "RoCE v2", "ens1"}});
  CHECK(is(device::read_gids(function, "mlx5_0", 2), ErrorCode::not_found));
}

TEST_CASE("an IOMMU group is viable when the host's drivers leave it alone") {
  const TemporaryFolder folder;
  SysfsTree tree(folder.path());
  tree.add({.address = "0000:3b:00.1", .driver = "vfio-pci", .iommu_group = 7});
  tree.add({.address = "0000:3b:00.2", .driver = "", .iommu_group = 7});
  tree.add(
      {.address = "0000:3a:00.0", .pci_class = "060400", .driver = "pcieport", .iommu_group = 7});
  auto group = must(device::read_iommu_group(folder.path(), 7));
  CHECK(group.members.size() == 3);
  CHECK(group.viable());

  tree.add({.address = "0000:3b:00.0", .iommu_group = 7});
  group = must(device::read_iommu_group(folder.path(), 7));
  CHECK(group.blocking == std::vector<PciAddress>{{0, 0x3b, 0, 0}});
  CHECK(is(device::read_iommu_group(folder.path(), 8), ErrorCode::not_found));
}

TEST_CASE("an allocation is read back as it was written, and the later one stands") {
  const TemporaryFolder folder;
  const PciAddress vf{0, 0x3b, 0, 2};
  device::Allocation allocation{"rdma/vf", vf, {{device::CharKind::uverbs, "uverbs4", "231:196"}}};
  CHECK_FALSE(must(device::read_allocation(folder.path(), vf)));
  must(device::write_allocation(folder.path(), allocation));
  CHECK(must(device::read_allocation(folder.path(), vf)) == allocation);
  allocation.char_devices[0].name = "uverbs9";
  must(device::write_allocation(folder.path(), allocation));
  CHECK(must(device::read_allocation(folder.path(), vf)) == allocation);
}

TEST_CASE("an allocation that cannot be understood is an error, not a missing one") {
  const TemporaryFolder folder;
  const PciAddress vf{0, 0x3b, 0, 2};
  const std::string path = folder.path() + "/allocations/0000:3b:00.2.json";
  SysfsTree tree(folder.path() + "/sys");
  for (const auto* text : {"", "{", "{}", R"({"schema":2})", "[]", "null",
                           R"({"schema":1,"resource":"a/b","device":"x","char_devices":[]})"}) {
    tree.write(path, text);
    INFO(text);
    CHECK(is(device::read_allocation(folder.path(), vf), ErrorCode::decode));
  }
}

TEST_CASE("the names of drivers and character devices are told apart") {
  CHECK(device::is_userspace_driver("vfio-pci"));
  CHECK(device::is_vfio_driver("mlx5_vfio_pci"));
  CHECK(device::is_vfio_driver("nvgrace-gpu-vfio-pci"));
  CHECK_FALSE(device::is_vfio_driver("igb_uio"));
  CHECK_FALSE(device::is_userspace_driver("mlx5_core"));
  CHECK(device::parse_char_kind("umad") == device::CharKind::umad);
  CHECK_FALSE(device::parse_char_kind("umad0"));
}

}  // namespace railhead::test
