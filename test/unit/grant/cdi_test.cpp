#include "plugin/grant/cdi.hpp"

#include <filesystem>
#include <set>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <nlohmann/json.hpp>

#include "device/scan.hpp"
#include "host/files.hpp"
#include "plugin/grant/modes.hpp"
#include "test/support/must.hpp"
#include "test/support/still_host.hpp"
#include "test/support/sysfs_tree.hpp"
#include "test/support/temporary_folder.hpp"

namespace railhead::test {
namespace {

using Json = nlohmann::json;
using Names = std::set<std::string>;

grant::DeviceNode node(const std::string& path) { return {path, path}; }

grant::ResourceName resource(const std::string& prefix, const std::string& name) {
  return {prefix, name};
}

struct Folder {
  TemporaryFolder root;
  std::string path = root.path() + "/cdi";
  std::string dev = root.path() + "/dev";

  // Of the host, 0640.
  void add_node(const std::string& name) const {
    must(host::make_directories(dev + "/infiniband", 0755));
    must(host::write_file_atomically(dev + name, "", 0640));
  }
  [[nodiscard]] Names names() const {
    Names names;
    if (!std::filesystem::exists(path)) return names;
    for (const auto& entry : std::filesystem::directory_iterator(path)) {
      names.insert(entry.path().filename());
    }
    return names;
  }
  [[nodiscard]] Json spec(const std::string& name) const {
    return Json::parse(must(host::read_file(path + '/' + name)));
  }
};

grant::CdiSpec::TimePoint at(int seconds) {
  return grant::CdiSpec::TimePoint(std::chrono::seconds(seconds));
}
// The devices of these tests were read then.
std::map<std::string, grant::CdiSpec::TimePoint> read_at(int seconds) {
  return {{"a", at(seconds)}, {"b", at(seconds)}};
}

}  // namespace

TEST_CASE("each resource has a CDI kind and an annotation of its own") {
  CHECK(grant::cdi_kind(resource("rdma", "vf")) == "rdma/vf");
  CHECK(grant::cdi_kind(resource("3com.com", "10g")) == "railhead-3com.com/railhead-10g");
  CHECK(grant::cdi_annotation_key(resource("rdma", "vf")) == "cdi.k8s.io/railhead_rdma_vf");
  const auto long_key = grant::cdi_annotation_key(resource(std::string(60, 'a'), "vf"));
  CHECK(long_key.size() <= std::string("cdi.k8s.io/").size() + 63);
  CHECK(long_key != grant::cdi_annotation_key(resource(std::string(60, 'a'), "vf2")));
}

TEST_CASE("a spec names each device with its nodes, and none without") {
  Folder folder;
  grant::CdiSpec spec(folder.path, resource("rdma", "vf"), folder.dev);
  must(spec.set(
      {{"0000:3b:00.2", {node("/dev/infiniband/uverbs0"), {"/dev/vfio/noiommu-7", "/dev/vfio/7"}}},
       {"0000:3b:00.3", {}}},
      {}));
  const Json expected = Json::parse(R"({
    "cdiVersion": "0.5.0", "kind": "rdma/vf", "devices": [
      {"name": "0000:3b:00.2", "containerEdits": {"deviceNodes": [
        {"path": "/dev/infiniband/uverbs0", "permissions": "rw", "fileMode": 438},
        {"path": "/dev/vfio/7", "hostPath": "/dev/vfio/noiommu-7", "permissions": "rw",
         "fileMode": 384}]}}]})");
  CHECK(folder.spec("railhead-rdma_vf.json") == expected);
  CHECK(folder.names() == Names{"railhead-rdma_vf.json"});
}

TEST_CASE(
    "a node has the host node's mode, which udev may change, also while nothing else changes") {
  Folder folder;
  folder.add_node("/infiniband/umad0");
  grant::CdiSpec spec(folder.path, resource("rdma", "vf"), folder.dev);
  const auto mode = [&] {
    return folder
        .spec("railhead-rdma_vf.json")["devices"][0]["containerEdits"]["deviceNodes"][0]["fileMode"]
        .get<unsigned>();
  };
  must(spec.set({{"a", {node("/dev/infiniband/umad0")}}}, read_at(1)));
  CHECK(mode() == 0640);
  std::filesystem::permissions(folder.dev + "/infiniband/umad0", std::filesystem::perms(0666));
  must(spec.update({{"a", {node("/dev/infiniband/umad0")}}}, at(2)));
  CHECK(mode() == 0666);
}

TEST_CASE("a node that is not seen has the mode that it comes into being with") {
  const Folder folder;
  for (const auto* path :
       {"/dev/infiniband/uverbs12", "/dev/infiniband/rdma_cm", "/dev/vfio/vfio", "/dev/net/tun"}) {
    CHECK(grant::node_mode(folder.dev, path) == 0666);
  }
  for (const auto* path :
       {"/dev/infiniband/umad3", "/dev/infiniband/issm3", "/dev/vfio/42", "/dev/vfio/noiommu-7",
        "/dev/uio0", "/dev/vhost-vdpa-1", "/dev/vhost-net", "elsewhere"}) {
    CHECK(grant::node_mode(folder.dev, path) == 0600);
  }
}

TEST_CASE("nodes that changed are in the spec afterwards, beside the other devices") {
  Folder folder;
  grant::CdiSpec spec(folder.path, resource("rdma", "vf"), folder.dev);
  must(
      spec.set({{"a", {node("/dev/infiniband/uverbs0")}}, {"b", {node("/dev/infiniband/uverbs1")}}},
               read_at(1)));
  must(spec.update({{"a", {node("/dev/infiniband/uverbs9")}}}, at(2)));
  const auto devices = folder.spec("railhead-rdma_vf.json")["devices"];
  REQUIRE(devices.size() == 2);
  CHECK(devices[0]["containerEdits"]["deviceNodes"][0]["path"] == "/dev/infiniband/uverbs9");
  CHECK(devices[1]["containerEdits"]["deviceNodes"][0]["path"] == "/dev/infiniband/uverbs1");
}

TEST_CASE("of two readings of a device the later counts, whichever is written first") {
  Folder folder;
  grant::CdiSpec spec(folder.path, resource("rdma", "vf"), folder.dev);
  const auto path = [&] {
    return folder
        .spec("railhead-rdma_vf.json")["devices"][0]["containerEdits"]["deviceNodes"][0]["path"]
        .get<std::string>();
  };
  must(spec.update({{"a", {node("/dev/infiniband/uverbs9")}}}, at(2)));
  must(spec.set({{"a", {node("/dev/infiniband/uverbs0")}}}, read_at(1)));
  CHECK(path() == "/dev/infiniband/uverbs9");
  must(spec.update({{"a", {node("/dev/infiniband/uverbs1")}}}, at(1)));
  CHECK(path() == "/dev/infiniband/uverbs9");
  must(spec.set({{"a", {node("/dev/infiniband/uverbs2")}}}, read_at(3)));
  CHECK(path() == "/dev/infiniband/uverbs2");
  must(spec.set({}, read_at(4)));
  CHECK(folder.names().empty());
}

TEST_CASE("a pool without devices that have nodes has no spec") {
  Folder folder;
  grant::CdiSpec spec(folder.path, resource("rdma", "vf"), folder.dev);
  must(spec.set({{"a", {node("/dev/infiniband/uverbs0")}}}, read_at(1)));
  must(spec.set({}, read_at(2)));
  CHECK(folder.names().empty());
}

TEST_CASE("the same devices of the same readings are not looked at again") {
  Folder folder;
  folder.add_node("/infiniband/umad0");
  grant::CdiSpec spec(folder.path, resource("rdma", "vf"), folder.dev);
  const auto file = folder.path + "/railhead-rdma_vf.json";
  const auto set = [&](int read) {
    must(spec.set({{"a", {node("/dev/infiniband/umad0")}}}, read_at(read)));
    return must(host::read_file(file)).find("416") != std::string::npos;  // 0640
  };
  CHECK(set(1));
  std::filesystem::permissions(folder.dev + "/infiniband/umad0", std::filesystem::perms(0600));
  CHECK(set(1));
  CHECK_FALSE(set(2));
  must(spec.update({{"a", {node("/dev/infiniband/umad9")}}}, at(1)));  // begun before that reading
  CHECK(must(host::read_file(file)).find("umad9") == std::string::npos);
}

TEST_CASE("a spec that cannot be written is an error, and is tried again") {
  Folder folder;
  must(host::write_file_atomically(folder.path, "in the way", 0644));
  grant::CdiSpec spec(folder.path, resource("rdma", "vf"), folder.dev);
  const auto failed = spec.set({{"a", {node("/dev/infiniband/uverbs0")}}}, read_at(1));
  REQUIRE_FALSE(failed);
  CHECK(failed.error().message.find(folder.path) != std::string::npos);
  std::filesystem::remove(folder.path);
  must(spec.set({{"a", {node("/dev/infiniband/uverbs0")}}}, read_at(1)));
  CHECK(folder.names() == Names{"railhead-rdma_vf.json"});
}

TEST_CASE("stale specs of this program go, and nobody else's") {
  Folder folder;
  must(host::make_directories(folder.path, 0755));
  for (const auto* name : {"railhead-rdma_vf.json", "railhead-rdma_old.json", "nvidia.yaml",
                           "nvidia.com-gpu.json", "railhead-notes.txt"}) {
    must(host::write_file_atomically(folder.path + '/' + name, "{}", 0644));
  }
  must(grant::remove_stale_cdi_specs(folder.path, {resource("rdma", "vf")}));
  CHECK(folder.names() ==
        Names{"railhead-rdma_vf.json", "nvidia.yaml", "nvidia.com-gpu.json", "railhead-notes.txt"});
  must(grant::remove_stale_cdi_specs(folder.path + "/missing", {}));
}

TEST_CASE("the spec has the nodes that a container gets otherwise") {
  TemporaryFolder folder;
  SysfsTree tree(folder.path() + "/sys");
  StillHost still(folder.path());
  tree.add({.address = "0000:5e:00.0", .rdma = {{.name = "mlx5_0", .number = 4}}});
  tree.add({.address = "0000:5e:00.1", .driver = "vfio-pci", .iommu_group = 7});
  tree.add({.address = "0000:5e:00.2"});
  tree.add({.address = "0000:5e:00.3", .driver = "igb_uio"});
  tree.write("bus/pci/devices/0000:5e:00.3/uio/uio12/name", "igb_uio");
  tree.add({.address = "0000:5e:00.4"});
  tree.add_vdpa("0000:5e:00.4", "vdpa0", "vhost_vdpa", 3);
  tree.add({.address = "0000:5e:00.5", .driver = "vfio-pci", .iommu_group = 8});
  tree.write("kernel/iommu_groups/8/name", "vfio-noiommu");
  tree.add_sub_function("0000:5e:00.0",
                        {.name = "mlx5_core.sf.4", .rdma = {{.name = "mlx5_1", .number = 5}}});
  tree.write("class/misc/rdma_cm/dev", "10:58");
  grant::Ask ask;
  for (uint8_t function = 0; function < 6; ++function) {
    const PciAddress address{0, 0x5e, 0, function};
    ask.devices.push_back({.id = address.to_string(), .address = address});
  }
  ask.devices[0].rdma = true;
  ask.devices[0].issm = GENERATE(true, false);
  ask.devices[1].driver = "vfio-pci";
  ask.devices[1].vhost_net = true;
  ask.devices[3].driver = "igb_uio";
  ask.devices[4].vdpa = grant::Vdpa{grant::Vdpa::Type::vhost, "vdpa0"};
  ask.devices[5].driver = "vfio-pci";
  ask.devices.push_back({.id = "mlx5_core.sf.4", .address = {0, 0x5e, 0, 0}});
  ask.devices[6].rdma = true;
  const device::ScanOptions options{.sub_functions = true};
  const grant::Places places{folder.path() + "/sys", folder.path() + "/run", folder.path() + "/dp"};
  const auto nodes = grant::cdi_nodes(ask.devices, must(device::scan(still.host, options)),
                                      grant::has_connection_manager(places));
  const auto given = must(grant::give(ask, places));
  REQUIRE(nodes.size() == 6);
  for (const auto& [id, of_device] : nodes) CHECK(of_device == given.by_device.at(id));
  CHECK(given.by_device.at("0000:5e:00.2").empty());
}

}  // namespace railhead::test
