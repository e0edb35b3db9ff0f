#include "plugin/grant/compare.hpp"

#include <filesystem>

#include <catch2/catch_test_macros.hpp>

#include "plugin/grant/nodes.hpp"
#include "test/support/must.hpp"
#include "test/support/sysfs_tree.hpp"
#include "test/support/temporary_folder.hpp"

namespace railhead::test {
namespace {

using Paths = std::vector<std::string>;

}  // namespace

TEST_CASE("nodes that are one device's alone are told from those that all share") {
  for (const auto* path : {"/dev/infiniband/uverbs0", "/dev/infiniband/umad12",
                           "/dev/infiniband/issm3", "/dev/vfio/42", "/dev/vfio/noiommu-7",
                           "/dev/vfio/devices/vfio3", "/dev/uio0", "/dev/vhost-vdpa-5"}) {
    CHECK(grant::is_own_node(path));
  }
  for (const auto* path :
       {"/dev/infiniband/rdma_cm", "/dev/vfio/vfio", "/dev/vhost-net", "/dev/net/tun",
        "/dev/infiniband/uverbs", "/dev/uio0x", "/dev/nvidia0", "uverbs0", ""}) {
    CHECK_FALSE(grant::is_own_node(path));
  }
}

TEST_CASE("stale are the given nodes that the devices do not have, once, and no shared one") {
  CHECK(grant::stale_nodes({"/dev/infiniband/uverbs2", "/dev/vfio/7", "/dev/infiniband/uverbs2",
                            "/dev/infiniband/uverbs10", "/dev/infiniband/rdma_cm"},
                           {"/dev/infiniband/uverbs1", "/dev/vfio/7"}) ==
        Paths{"/dev/infiniband/uverbs10", "/dev/infiniband/uverbs2"});
  CHECK(grant::stale_nodes({}, {"/dev/infiniband/uverbs1"}).empty());
  CHECK(grant::stale_nodes({"/dev/infiniband/rdma_cm"}, {}).empty());
}

TEST_CASE("a device has nodes of every kind that the kernel shows, whatever is wanted of it") {
  TemporaryFolder folder;
  SysfsTree tree(folder.path() + "/sys");
  tree.add({.address = "0000:5e:00.0", .rdma = {{.name = "mlx5_0", .number = 4}}});
  tree.add({.address = "0000:5e:00.1", .driver = "vfio-pci", .iommu_group = 7});
  tree.add({.address = "0000:5e:00.2", .driver = "vfio-pci", .iommu_group = 8});
  tree.write("kernel/iommu_groups/8/name", "vfio-noiommu");
  tree.add({.address = "0000:5e:00.3", .driver = "igb_uio"});
  tree.write(tree.folder("0000:5e:00.3") + "/uio/uio7/dev", "240:7");
  tree.add({.address = "0000:5e:00.4"});
  tree.add_vdpa("0000:5e:00.4", "vdpa0", "vhost_vdpa", 5);
  tree.add({.address = "0000:5e:00.5", .iommu_group = 9});
  tree.add({.address = "0000:5e:00.6", .driver = "mlx5_vfio_pci", .iommu_group = 10});
  tree.write(tree.folder("0000:5e:00.6") + "/vfio-dev/vfio3/dev", "509:3");
  const auto reader = must(grant::NodeReader::open({.sysfs = folder.path() + "/sys"}));
  const auto nodes = [&](unsigned function) {
    return must(reader.own_nodes({fmt::format("0000:5e:00.{}", function)}));
  };
  CHECK(nodes(0) ==
        Paths{"/dev/infiniband/uverbs4", "/dev/infiniband/umad4", "/dev/infiniband/issm4"});
  CHECK(nodes(1) == Paths{"/dev/vfio/7"});
  CHECK(nodes(2) == Paths{"/dev/vfio/noiommu-8"});
  CHECK(nodes(3) == Paths{"/dev/uio7"});
  CHECK(nodes(4) == Paths{"/dev/vhost-vdpa-5"});
  CHECK(nodes(5).empty());
  CHECK(nodes(6) == Paths{"/dev/vfio/10", "/dev/vfio/devices/vfio3"});
  CHECK(nodes(7).empty());  // gone
  CHECK(must(reader.own_nodes({"0000:5e:00.1", "0000:5e:00.3"})) ==
        Paths{"/dev/vfio/7", "/dev/uio7"});
}

}  // namespace railhead::test
