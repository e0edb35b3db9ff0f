#include "plugin/pool/allocate.hpp"

#include <filesystem>

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

#include "device/allocation.hpp"
#include "test/support/must.hpp"
#include "test/support/still_host.hpp"
#include "test/support/sysfs_tree.hpp"
#include "test/support/temporary_folder.hpp"

namespace railhead::test {
namespace {

using Json = nlohmann::json;

// A pool example.com/vf-1 of two RDMA devices of which the second is in a pod, and one without.
struct Allocating {
  TemporaryFolder folder;
  SysfsTree tree{folder.path() + "/sys"};
  pool::Places places{folder.path() + "/sys", folder.path() + "/run", folder.path() + "/a/dp"};
  pool::Pool pool;

  Allocating() {
    tree.add({.address = "0000:3b:00.2", .rdma = {{.name = "mlx5_4", .number = 4}}});
    tree.add({.address = "0000:3b:00.3",
              .rdma = {{.name = "mlx5_5", .number = 5, .in_host_namespace = false}}});
    tree.add({.address = "0000:3b:00.4"});
    pool.resource.prefix = "example.com";
    pool.resource.name = "vf-1";
    pool.resource.additional_info = {{"*", {{"k", "all"}, {"z", "1"}}},
                                     {"0000:3b:00.3", {{"k", "own"}}}};
    for (const uint8_t function : {uint8_t{2}, uint8_t{3}}) {
      add_member({0, 0x3b, 0, function}).rdma = true;
    }
    add_member({0, 0x3b, 0, 4});
  }
  pool::Member& add_member(const PciAddress& address) {
    auto& member = pool.members.emplace_back();
    member.id = address.to_string();
    member.address = address;
    return member;
  }
  [[nodiscard]] std::string devinfo(const std::string& id) const {
    return fmt::format("{}/example.com-vf-1-{}-device.json", places.devinfo, id);
  }
};

unsigned mode_of(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? status.st_mode & 07777U : 0;
}

std::vector<std::string> host_paths(const pool::Allocation& allocation) {
  std::vector<std::string> paths;
  for (const auto& node : allocation.device_nodes()) paths.push_back(node.host_path);
  return paths;
}

}  // namespace

TEST_CASE("a container gets each device's nodes, and rdma_cm once") {
  Allocating node;
  const auto allocation =
      must(pool::allocate(node.pool, {"0000:3b:00.3", "0000:3b:00.2"}, node.places));
  CHECK(host_paths(allocation) ==
        std::vector<std::string>{"/dev/infiniband/uverbs4", "/dev/infiniband/umad4",
                                 "/dev/infiniband/issm4", "/dev/infiniband/rdma_cm",
                                 "/dev/infiniband/uverbs5", "/dev/infiniband/umad5",
                                 "/dev/infiniband/issm5"});
}

TEST_CASE("rdma_cm is not named where the kernel has none") {
  Allocating node;
  std::filesystem::remove_all(node.places.sysfs + "/class/misc/rdma_cm");
  const auto allocation = must(pool::allocate(node.pool, {"0000:3b:00.2"}, node.places));
  CHECK(allocation.device_nodes().back().host_path == "/dev/infiniband/issm4");
}

TEST_CASE("the ids stand in PCI order, whatever order kubelet gave") {
  Allocating node;
  const auto allocation = must(
      pool::allocate(node.pool, {"0000:3b:00.4", "0000:3b:00.3", "0000:3b:00.2"}, node.places));
  CHECK(allocation.envs.at("PCIDEVICE_EXAMPLE_COM_VF-1") ==
        "0000:3b:00.2,0000:3b:00.3,0000:3b:00.4");
}

TEST_CASE("the INFO variable tells nodes, RDMA device and additional info of each id") {
  Allocating node;
  const auto allocation =
      must(pool::allocate(node.pool, {"0000:3b:00.3", "0000:3b:00.4"}, node.places));
  CHECK(allocation.envs.at("PCIDEVICE_EXAMPLE_COM_VF-1_INFO") ==
        R"({"0000:3b:00.3":{"extra":{"k":"own","z":"1"},"generic":{"deviceID":"0000:3b:00.3"},)"
        R"("rdma":{"issm":"/dev/infiniband/issm5","rdma_cm":"/dev/infiniband/rdma_cm",)"
        R"("rdma_dev":"mlx5_5","umad":"/dev/infiniband/umad5",)"
        R"("uverbs":"/dev/infiniband/uverbs5"}},)"
        R"("0000:3b:00.4":{"extra":{"k":"all","z":"1"},"generic":{"deviceID":"0000:3b:00.4"}}})");
}

TEST_CASE("nodes are those of now, not of the scan") {
  Allocating node;
  const auto folder = node.tree.folder("0000:3b:00.2") + "/infiniband_verbs";
  std::filesystem::rename(folder + "/uverbs4", folder + "/uverbs11");
  const auto allocation = must(pool::allocate(node.pool, {"0000:3b:00.2"}, node.places));
  CHECK(allocation.device_nodes().front().host_path == "/dev/infiniband/uverbs11");
}

TEST_CASE("each device has a devinfo file that all may read") {
  Allocating node;
  must(pool::allocate(node.pool, {"0000:3b:00.2", "0000:3b:00.4"}, node.places));
  const auto rdma = Json::parse(must(host::read_file(node.devinfo("0000:3b:00.2"))));
  CHECK(rdma == Json::parse(R"({"type":"pci","version":"1.1.0",
    "pci":{"pci-address":"0000:3b:00.2","rdma-device":"mlx5_4"}})"));
  const auto plain = Json::parse(must(host::read_file(node.devinfo("0000:3b:00.4"))));
  CHECK_FALSE(plain["pci"].contains("rdma-device"));
  CHECK(mode_of(node.devinfo("0000:3b:00.2")) == 0644);
  CHECK(mode_of(node.places.devinfo) == 0755);
}

TEST_CASE("what was given is left for the CNI binary to compare with") {
  Allocating node;
  must(pool::allocate(node.pool, {"0000:3b:00.2"}, node.places));
  const auto record = must(device::read_allocation(node.places.run, {0, 0x3b, 0, 2}));
  REQUIRE(record);
  CHECK(record->resource == "example.com/vf-1");
  CHECK(record->char_devices.size() == 3);
  CHECK(record->char_devices.at(0).dev == "231:196");
}

TEST_CASE("that a device was given without RDMA is left too, in place of what was given before") {
  Allocating node;
  must(pool::allocate(node.pool, {"0000:3b:00.2"}, node.places));
  node.pool.members.at(0).rdma = false;
  must(pool::allocate(node.pool, {"0000:3b:00.2"}, node.places));
  const auto record = must(device::read_allocation(node.places.run, {0, 0x3b, 0, 2}));
  REQUIRE(record);
  CHECK(record->char_devices.empty());
}

TEST_CASE("an id of another pool is an error that names it and the resource") {
  Allocating node;
  const auto allocation = pool::allocate(node.pool, {"0000:3b:00.7"}, node.places);
  REQUIRE(is(allocation, ErrorCode::not_found));
  CHECK(allocation.error().message.find("device 0000:3b:00.7 is not one of the 3 devices of "
                                        "example.com/vf-1") != std::string::npos);
}

TEST_CASE("a device that went away, or lost its RDMA device, is an error that says so") {
  Allocating node;
  std::filesystem::remove_all(node.tree.folder("0000:3b:00.2") + "/infiniband_verbs");
  std::filesystem::remove_all(node.tree.folder("0000:3b:00.2") + "/infiniband_mad");
  CHECK(is(pool::allocate(node.pool, {"0000:3b:00.2"}, node.places), ErrorCode::unavailable));
  std::filesystem::remove(node.places.sysfs + "/bus/pci/devices/0000:3b:00.3");
  const auto gone = pool::allocate(node.pool, {"0000:3b:00.3"}, node.places);
  REQUIRE(is(gone, ErrorCode::not_found));
  CHECK(gone.error().message == "device 0000:3b:00.3 is gone from this node");
}

TEST_CASE("an empty request gets an empty answer") {
  Allocating node;
  CHECK(must(pool::allocate(node.pool, {}, node.places)) == pool::Allocation{});
}

TEST_CASE("the devinfo file moves with a device that becomes another resource's") {
  Allocating node;
  must(pool::allocate(node.pool, {"0000:3b:00.2"}, node.places));
  const auto before = node.devinfo("0000:3b:00.2");
  node.pool.resource.name = "other";
  must(pool::allocate(node.pool, {"0000:3b:00.2"}, node.places));
  CHECK_FALSE(std::filesystem::exists(before));
  CHECK(
      std::filesystem::exists(node.places.devinfo + "/example.com-other-0000:3b:00.2-device.json"));
}

TEST_CASE("devinfo tells a VF's PF, its representor and vhost-net") {
  Allocating node;
  auto& member = node.pool.members.at(2);
  member.pf = PciAddress{0, 0x3b, 0, 0};
  member.representor = "p0_2";
  member.vhost_net = true;
  const auto allocation = must(pool::allocate(node.pool, {"0000:3b:00.4"}, node.places));
  CHECK(host_paths(allocation) == std::vector<std::string>{"/dev/vhost-net", "/dev/net/tun"});
  CHECK(Json::parse(must(host::read_file(node.devinfo("0000:3b:00.4")))) ==
        Json::parse(R"({"type":"pci","version":"1.1.0","pci":{"pci-address":"0000:3b:00.4",
          "vhost-net":"/dev/vhost-net","pf-pci-address":"0000:3b:00.0",
          "representor-device":"p0_2"}})"));
  CHECK(
      Json::parse(allocation.envs.at("PCIDEVICE_EXAMPLE_COM_VF-1_INFO"))["0000:3b:00.4"]["vhost"] ==
      Json::parse(R"({"net-mount":"/dev/vhost-net","tun-mount":"/dev/net/tun"})"));
}

TEST_CASE("a pool that is no network device's leaves no devinfo") {
  Allocating node;
  node.pool.resource.type = config::DeviceType::accelerator;
  must(pool::allocate(node.pool, {"0000:3b:00.4"}, node.places));
  CHECK_FALSE(std::filesystem::exists(node.devinfo("0000:3b:00.4")));
}

TEST_CASE("stale devinfo goes with its device; that of others and of devices here stays") {
  Allocating node;
  StillHost still(node.folder.path());
  must(pool::allocate(node.pool, {"0000:3b:00.2", "0000:3b:00.4"}, node.places));
  const auto foreign = node.places.devinfo + "/foreign-0000:3b:00.4-device.json";
  node.tree.write(foreign, "{}");
  CHECK(must(pool::remove_stale_devinfo(must(device::scan(still.host)), node.places)).empty());
  std::filesystem::remove(node.places.sysfs + "/bus/pci/devices/0000:3b:00.4");
  const std::vector<PciAddress> gone = {{0, 0x3b, 0, 4}};
  const auto inventory = must(device::scan(still.host));
  CHECK(must(pool::remove_stale_devinfo(inventory, node.places)) == gone);
  CHECK(must(pool::remove_stale_devinfo(inventory, node.places)).empty());
  CHECK_FALSE(std::filesystem::exists(node.devinfo("0000:3b:00.4")));
  CHECK(std::filesystem::exists(node.devinfo("0000:3b:00.2")));
  CHECK(std::filesystem::exists(foreign));
}

TEST_CASE("without any allocation there is no devinfo to remove") {
  Allocating node;
  StillHost still(node.folder.path());
  CHECK(must(pool::remove_stale_devinfo(must(device::scan(still.host)), node.places)).empty());
}

}  // namespace railhead::test
