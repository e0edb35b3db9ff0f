#include "plugin/grant/grant.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

#include "device/allocation.hpp"
#include "device/scan.hpp"
#include "plugin/grant/devinfo.hpp"
#include "test/support/must.hpp"
#include "test/support/still_host.hpp"
#include "test/support/sysfs_tree.hpp"
#include "test/support/temporary_folder.hpp"

namespace railhead::test {
namespace {

using Json = nlohmann::json;

// Three devices of example.com/vf-1: two with RDMA, of which the second is in a pod, and one
// without.
struct Giving {
  TemporaryFolder folder;
  SysfsTree tree{folder.path() + "/sys"};
  grant::Places places{folder.path() + "/sys", folder.path() + "/run", folder.path() + "/a/dp"};
  std::vector<grant::Wanted> devices;
  grant::Ask ask;  // for none of them

  Giving() {
    tree.add({.address = "0000:3b:00.2", .rdma = {{.name = "mlx5_4", .number = 4}}});
    tree.add({.address = "0000:3b:00.3",
              .rdma = {{.name = "mlx5_5", .number = 5, .in_host_namespace = false}}});
    tree.add({.address = "0000:3b:00.4"});
    ask.resource = {"example.com", "vf-1"};
    ask.additional_info = {{"*", {{"k", "all"}, {"z", "1"}}}, {"0000:3b:00.3", {{"k", "own"}}}};
    ask.leaves_records = true;
    ask.leaves_devinfo = true;
    for (const uint8_t function : {uint8_t{2}, uint8_t{3}, uint8_t{4}}) {
      const PciAddress address{0, 0x3b, 0, function};
      devices.push_back(
          {.id = address.to_string(), .address = address, .rdma = function != uint8_t{4}});
    }
  }
  // Of 0000:3b:00.N, for each N.
  [[nodiscard]] Result<grant::Grant> give(const std::vector<unsigned>& functions) const {
    auto of_these = ask;
    for (const auto function : functions) of_these.devices.push_back(devices.at(function - 2));
    return grant::give(of_these, places);
  }
  [[nodiscard]] std::string devinfo(const std::string& id) const {
    return fmt::format("{}/example.com-vf-1-{}-device.json", places.devinfo, id);
  }
};

unsigned mode_of(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? status.st_mode & 07777U : 0;
}

std::vector<std::string> host_paths(const grant::Grant& allocation) {
  std::vector<std::string> paths;
  for (const auto& node : allocation.device_nodes()) paths.push_back(node.host_path);
  return paths;
}

}  // namespace

TEST_CASE("a container gets each device's nodes, and rdma_cm once") {
  Giving node;
  const auto allocation = must(node.give({3, 2}));
  CHECK(host_paths(allocation) ==
        std::vector<std::string>{"/dev/infiniband/uverbs4", "/dev/infiniband/umad4",
                                 "/dev/infiniband/issm4", "/dev/infiniband/rdma_cm",
                                 "/dev/infiniband/uverbs5", "/dev/infiniband/umad5",
                                 "/dev/infiniband/issm5"});
}

TEST_CASE("issm is given only where it is wanted, and told nowhere else") {
  Giving node;
  node.devices.at(0).issm = false;
  const auto given = must(node.give({2}));
  CHECK(host_paths(given) == std::vector<std::string>{"/dev/infiniband/uverbs4",
                                                      "/dev/infiniband/umad4",
                                                      "/dev/infiniband/rdma_cm"});
  CHECK(given.envs.at("PCIDEVICE_EXAMPLE_COM_VF-1_INFO").find("issm") == std::string::npos);
  const auto record = must(device::read_allocation(node.places.run, {0, 0x3b, 0, 2}));
  CHECK(record->char_devices.size() == 2);
}

TEST_CASE("rdma_cm is not named where the kernel has none") {
  Giving node;
  std::filesystem::remove_all(node.places.sysfs + "/class/misc/rdma_cm");
  const auto allocation = must(node.give({2}));
  CHECK(allocation.device_nodes().back().host_path == "/dev/infiniband/issm4");
}

TEST_CASE("the INFO variable tells nodes, RDMA device and additional info of each id") {
  Giving node;
  const auto allocation = must(node.give({3, 4}));
  CHECK(allocation.envs.at("PCIDEVICE_EXAMPLE_COM_VF-1_INFO") ==
        R"({"0000:3b:00.3":{"extra":{"k":"own","z":"1"},"generic":{"deviceID":"0000:3b:00.3"},)"
        R"("rdma":{"issm":"/dev/infiniband/issm5","rdma_cm":"/dev/infiniband/rdma_cm",)"
        R"("rdma_dev":"mlx5_5","umad":"/dev/infiniband/umad5",)"
        R"("uverbs":"/dev/infiniband/uverbs5"}},)"
        R"("0000:3b:00.4":{"extra":{"k":"all","z":"1"},"generic":{"deviceID":"0000:3b:00.4"}}})");
}

TEST_CASE("nodes are those of now, not of the scan") {
  Giving node;
  const auto folder = node.tree.folder("0000:3b:00.2") + "/infiniband_verbs";
  std::filesystem::rename(folder + "/uverbs4", folder + "/uverbs11");
  const auto allocation = must(node.give({2}));
  CHECK(allocation.device_nodes().front().host_path == "/dev/infiniband/uverbs11");
}

TEST_CASE("each device has a devinfo file that all may read") {
  Giving node;
  must(node.give({2, 4}));
  const auto rdma = Json::parse(must(host::read_file(node.devinfo("0000:3b:00.2"))));
  CHECK(rdma == Json::parse(R"({"type":"pci","version":"1.1.0",
    "pci":{"pci-address":"0000:3b:00.2","rdma-device":"mlx5_4"}})"));
  const auto plain = Json::parse(must(host::read_file(node.devinfo("0000:3b:00.4"))));
  CHECK_FALSE(plain["pci"].contains("rdma-device"));
  node.devices[2].rail = device::RailPlace{3, 1};
  must(node.give({4}));
  const auto railed = Json::parse(must(host::read_file(node.devinfo("0000:3b:00.4"))));
  CHECK(railed["railhead"] == Json{{"rail", 3}, {"plane", 1}});
  CHECK(mode_of(node.devinfo("0000:3b:00.2")) == 0644);
  CHECK(mode_of(node.places.devinfo) == 0755);
}

TEST_CASE("what was given is left for the CNI binary to compare with") {
  Giving node;
  must(node.give({2}));
  const auto record = must(device::read_allocation(node.places.run, {0, 0x3b, 0, 2}));
  REQUIRE(record);
  CHECK(record->resource == "example.com/vf-1");
  CHECK(record->char_devices.size() == 3);
  CHECK(record->char_devices.at(0).dev == "231:196");
}

TEST_CASE("that a device was given without RDMA is left too, in place of what was given before") {
  Giving node;
  must(node.give({2}));
  node.devices.at(0).rdma = false;
  must(node.give({2}));
  const auto record = must(device::read_allocation(node.places.run, {0, 0x3b, 0, 2}));
  REQUIRE(record);
  CHECK(record->char_devices.empty());
}

TEST_CASE("a device that went away, or lost its RDMA device, is an error that says so") {
  Giving node;
  std::filesystem::remove_all(node.tree.folder("0000:3b:00.2") + "/infiniband_verbs");
  std::filesystem::remove_all(node.tree.folder("0000:3b:00.2") + "/infiniband_mad");
  CHECK(is(node.give({2}), ErrorCode::unavailable));
  std::filesystem::remove(node.places.sysfs + "/bus/pci/devices/0000:3b:00.3");
  const auto gone = node.give({3});
  REQUIRE(is(gone, ErrorCode::not_found));
  CHECK(gone.error().message.find("device 0000:3b:00.3 does not exist on this node any more") == 0);
}

TEST_CASE("700 shared devices are given without the variable that no container could have") {
  TemporaryFolder folder("/dev/shm");
  const grant::Places places{.sysfs = folder.path()};
  grant::Ask ask{.resource = {"rdma", "hca"}, .some_are_enough = true};
  for (unsigned i = 0; i < 700; ++i) {
    const PciAddress address{0, static_cast<uint8_t>(i / 256), static_cast<uint8_t>(i / 8 % 32),
                             static_cast<uint8_t>(i % 8)};
    ask.devices.push_back({.id = address.to_string(), .address = address, .rdma = true});
    const auto device = folder.path() + "/bus/pci/devices/" + address.to_string();
    const auto verbs = fmt::format("{}/infiniband_verbs/uverbs{}", device, i);
    std::filesystem::create_directories(verbs);
    std::ofstream(verbs + "/ibdev") << "mlx5_" << i << '\n';
    for (const auto* kind : {"umad", "issm"}) {
      std::filesystem::create_directories(fmt::format("{}/infiniband_mad/{}{}", device, kind, i));
    }
  }
  const auto given = must(grant::give(ask, places));
  REQUIRE(given.left_out.size() == 1);
  CHECK(given.left_out.at(0).name == "PCIDEVICE_RDMA_HCA_INFO");
  CHECK(given.left_out.at(0).bytes > 131'072);
  CHECK(given.envs.size() == 1);
  CHECK(std::ranges::count(given.envs.at("PCIDEVICE_RDMA_HCA"), ',') == 699);
  CHECK(given.device_nodes().size() == 2100);
}

TEST_CASE("a VFIO group is left in the record too, and no node that is shared") {
  Giving node;
  node.tree.add({.address = "0000:3b:00.5", .driver = "vfio-pci", .iommu_group = 7});
  node.devices.push_back(
      {.id = "0000:3b:00.5", .address = {0, 0x3b, 0, 5}, .driver = "vfio-pci", .vhost_net = true});
  must(node.give({5, 2}));
  const auto record = must(device::read_allocation(node.places.run, {0, 0x3b, 0, 5}));
  REQUIRE(record);
  CHECK(record->other_nodes == std::vector<std::string>{"/dev/vfio/7"});
  CHECK(record->host_paths() == record->other_nodes);
  const auto rdma = must(device::read_allocation(node.places.run, {0, 0x3b, 0, 2}));
  CHECK(rdma->other_nodes.empty());
  CHECK(rdma->host_paths().size() == 3);
}

TEST_CASE("a device whose node of now is open to another pod is not given; shared nodes are") {
  Giving node;
  node.ask.taken_by = [](const std::string& path, const std::string& device) {
    CHECK(device.starts_with("0000:3b:00."));
    const bool taken = path == "/dev/infiniband/umad4" || path == "/dev/infiniband/rdma_cm";
    return taken ? std::optional<std::string>("ns/p") : std::nullopt;
  };
  const auto refused = node.give({2});
  REQUIRE(is(refused, ErrorCode::busy));
  CHECK(refused.error().message.find("device 0000:3b:00.2: /dev/infiniband/umad4 is still open to "
                                     "ns/p") == 0);
  must(node.give({3}));
  node.ask.some_are_enough = true;
  CHECK(must(node.give({2, 3})).by_device.size() == 1);
}

TEST_CASE("who asks for no device gets nothing") {
  Giving node;
  CHECK(must(node.give({})) == grant::Grant{});
}

TEST_CASE("the devinfo file moves with a device that becomes another resource's") {
  Giving node;
  must(node.give({2}));
  const auto before = node.devinfo("0000:3b:00.2");
  node.ask.resource.name = "other";
  must(node.give({2}));
  CHECK_FALSE(std::filesystem::exists(before));
  CHECK(
      std::filesystem::exists(node.places.devinfo + "/example.com-other-0000:3b:00.2-device.json"));
}

TEST_CASE("devinfo tells a VF's PF, its representor and vhost-net") {
  Giving node;
  auto& member = node.devices.at(2);
  member.pf = PciAddress{0, 0x3b, 0, 0};
  member.representor = "p0_2";
  member.vhost_net = true;
  const auto allocation = must(node.give({4}));
  CHECK(host_paths(allocation) == std::vector<std::string>{"/dev/vhost-net", "/dev/net/tun"});
  CHECK(Json::parse(must(host::read_file(node.devinfo("0000:3b:00.4")))) ==
        Json::parse(R"({"type":"pci","version":"1.1.0","pci":{"pci-address":"0000:3b:00.4",
          "vhost-net":"/dev/vhost-net","pf-pci-address":"0000:3b:00.0",
          "representor-device":"p0_2"}})"));
  CHECK(
      Json::parse(allocation.envs.at("PCIDEVICE_EXAMPLE_COM_VF-1_INFO"))["0000:3b:00.4"]["vhost"] ==
      Json::parse(R"({"net-mount":"/dev/vhost-net","tun-mount":"/dev/net/tun"})"));
}

TEST_CASE("where no devinfo, or no record at all, is asked for, there is none") {
  Giving node;
  node.ask.leaves_devinfo = false;
  must(node.give({4}));
  CHECK_FALSE(std::filesystem::exists(node.devinfo("0000:3b:00.4")));
  CHECK(must(device::list_allocations(node.places.run)).size() == 1);
  node.ask.leaves_records = false;
  node.ask.leaves_devinfo = true;
  must(node.give({2}));
  CHECK(must(device::list_allocations(node.places.run)).size() == 1);
  CHECK_FALSE(std::filesystem::exists(node.devinfo("0000:3b:00.2")));
}

TEST_CASE("where some devices are enough, one that is gone or lacks something is left out") {
  Giving node;
  node.ask.some_are_enough = true;
  std::filesystem::remove(node.places.sysfs + "/bus/pci/devices/0000:3b:00.2");
  const auto given = must(node.give({2, 3}));
  CHECK(given.envs.at("PCIDEVICE_EXAMPLE_COM_VF-1") == "0000:3b:00.3");
  CHECK(given.by_device.size() == 1);
  CHECK(is(node.give({2}), ErrorCode::not_found));
}

TEST_CASE("stale devinfo goes with its device; that of others and of devices here stays") {
  Giving node;
  StillHost still(node.folder.path());
  must(node.give({2, 4}));
  const auto foreign = node.places.devinfo + "/foreign-0000:3b:00.4-device.json";
  node.tree.write(foreign, "{}");
  CHECK(must(grant::remove_stale_devinfo(must(device::scan(still.host)), node.places)).empty());
  std::filesystem::remove(node.places.sysfs + "/bus/pci/devices/0000:3b:00.4");
  const std::vector<PciAddress> gone = {{0, 0x3b, 0, 4}};
  const auto inventory = must(device::scan(still.host));
  CHECK(must(grant::remove_stale_devinfo(inventory, node.places)) == gone);
  CHECK(must(grant::remove_stale_devinfo(inventory, node.places)).empty());
  CHECK_FALSE(std::filesystem::exists(node.devinfo("0000:3b:00.4")));
  CHECK(std::filesystem::exists(node.devinfo("0000:3b:00.2")));
  CHECK(std::filesystem::exists(foreign));
}

TEST_CASE("without any allocation there is no devinfo to remove") {
  Giving node;
  StillHost still(node.folder.path());
  CHECK(must(grant::remove_stale_devinfo(must(device::scan(still.host)), node.places)).empty());
}

}  // namespace railhead::test
