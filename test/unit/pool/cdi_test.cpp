#include "plugin/pool/cdi.hpp"

#include <filesystem>
#include <set>

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include "host/files.hpp"
#include "test/support/must.hpp"
#include "test/support/still_host.hpp"
#include "test/support/sysfs_tree.hpp"
#include "test/support/temporary_folder.hpp"

namespace railhead::test {
namespace {

using Json = nlohmann::json;
using Names = std::set<std::string>;

pool::DeviceNode node(const std::string& path) { return {path, path}; }

config::Resource resource(const std::string& prefix, const std::string& name) {
  config::Resource resource;
  resource.prefix = prefix;
  resource.name = name;
  return resource;
}

struct Folder {
  TemporaryFolder root;
  std::string path = root.path() + "/cdi";

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

pool::CdiSpec::TimePoint at(int seconds) {
  return pool::CdiSpec::TimePoint(std::chrono::seconds(seconds));
}

}  // namespace

TEST_CASE("each resource has a CDI kind and an annotation of its own") {
  CHECK(pool::cdi_kind(resource("rdma", "vf")) == "rdma/vf");
  CHECK(pool::cdi_kind(resource("3com.com", "10g")) == "railhead-3com.com/railhead-10g");
  CHECK(pool::cdi_annotation_key(resource("rdma", "vf")) == "cdi.k8s.io/railhead_rdma_vf");
  const auto long_key = pool::cdi_annotation_key(resource(std::string(60, 'a'), "vf"));
  CHECK(long_key.size() <= std::string("cdi.k8s.io/").size() + 63);
  CHECK(long_key != pool::cdi_annotation_key(resource(std::string(60, 'a'), "vf2")));
}

TEST_CASE("a spec names each device with its nodes, and none without") {
  Folder folder;
  pool::CdiSpec spec(folder.path, resource("rdma", "vf"));
  must(spec.set(
      {{"0000:3b:00.2", {node("/dev/infiniband/uverbs0"), {"/dev/vfio/noiommu-7", "/dev/vfio/7"}}},
       {"0000:3b:00.3", {}}},
      at(1)));
  const Json expected = Json::parse(R"({
    "cdiVersion": "0.5.0", "kind": "rdma/vf", "devices": [
      {"name": "0000:3b:00.2", "containerEdits": {"deviceNodes": [
        {"path": "/dev/infiniband/uverbs0", "permissions": "rw"},
        {"path": "/dev/vfio/7", "hostPath": "/dev/vfio/noiommu-7", "permissions": "rw"}]}}]})");
  CHECK(folder.spec("railhead-rdma_vf.json") == expected);
  CHECK(folder.names() == Names{"railhead-rdma_vf.json"});
}

TEST_CASE("nodes that changed are in the spec afterwards, beside the other devices") {
  Folder folder;
  pool::CdiSpec spec(folder.path, resource("rdma", "vf"));
  must(spec.set(
      {{"a", {node("/dev/infiniband/uverbs0")}}, {"b", {node("/dev/infiniband/uverbs1")}}}, at(1)));
  must(spec.update({{"a", {node("/dev/infiniband/uverbs9")}}}, at(2)));
  const auto devices = folder.spec("railhead-rdma_vf.json")["devices"];
  REQUIRE(devices.size() == 2);
  CHECK(devices[0]["containerEdits"]["deviceNodes"][0]["path"] == "/dev/infiniband/uverbs9");
  CHECK(devices[1]["containerEdits"]["deviceNodes"][0]["path"] == "/dev/infiniband/uverbs1");
}

TEST_CASE("of two readings of a device the later counts, whichever is written first") {
  Folder folder;
  pool::CdiSpec spec(folder.path, resource("rdma", "vf"));
  const auto path = [&] {
    return folder
        .spec("railhead-rdma_vf.json")["devices"][0]["containerEdits"]["deviceNodes"][0]["path"]
        .get<std::string>();
  };
  must(spec.update({{"a", {node("/dev/infiniband/uverbs9")}}}, at(2)));
  must(spec.set({{"a", {node("/dev/infiniband/uverbs0")}}}, at(1)));
  CHECK(path() == "/dev/infiniband/uverbs9");
  must(spec.update({{"a", {node("/dev/infiniband/uverbs1")}}}, at(1)));
  CHECK(path() == "/dev/infiniband/uverbs9");
  must(spec.set({{"a", {node("/dev/infiniband/uverbs2")}}}, at(3)));
  CHECK(path() == "/dev/infiniband/uverbs2");
  must(spec.set({}, at(4)));
  CHECK(folder.names().empty());
}

TEST_CASE("a pool without devices that have nodes has no spec") {
  Folder folder;
  pool::CdiSpec spec(folder.path, resource("rdma", "vf"));
  must(spec.set({{"a", {node("/dev/infiniband/uverbs0")}}}, at(1)));
  must(spec.set({}, at(2)));
  CHECK(folder.names().empty());
}

TEST_CASE("a spec that cannot be written is an error, and is tried again") {
  Folder folder;
  must(host::write_file_atomically(folder.path, "in the way", 0644));
  pool::CdiSpec spec(folder.path, resource("rdma", "vf"));
  const auto failed = spec.set({{"a", {node("/dev/infiniband/uverbs0")}}}, at(1));
  REQUIRE_FALSE(failed);
  CHECK(failed.error().message.find(folder.path) != std::string::npos);
  std::filesystem::remove(folder.path);
  must(spec.set({{"a", {node("/dev/infiniband/uverbs0")}}}, at(1)));
  CHECK(folder.names() == Names{"railhead-rdma_vf.json"});
}

TEST_CASE("stale specs of this program go, and nobody else's") {
  Folder folder;
  must(host::make_directories(folder.path, 0755));
  for (const auto* name : {"railhead-rdma_vf.json", "railhead-rdma_old.json", "nvidia.yaml",
                           "nvidia.com-gpu.json", "railhead-notes.txt"}) {
    must(host::write_file_atomically(folder.path + '/' + name, "{}", 0644));
  }
  must(pool::remove_stale_cdi_specs(folder.path, {resource("rdma", "vf")}));
  CHECK(folder.names() ==
        Names{"railhead-rdma_vf.json", "nvidia.yaml", "nvidia.com-gpu.json", "railhead-notes.txt"});
  must(pool::remove_stale_cdi_specs(folder.path + "/missing", {}));
}

TEST_CASE("the spec has the nodes that Allocate names") {
  TemporaryFolder folder;
  SysfsTree tree(folder.path() + "/sys");
  StillHost still(folder.path());
  tree.add({.address = "0000:5e:00.0", .rdma = {{.name = "mlx5_0", .number = 4}}});
  tree.add({.address = "0000:5e:00.1", .driver = "vfio-pci", .iommu_group = 7});
  tree.add({.address = "0000:5e:00.2"});
  tree.write("class/misc/rdma_cm/dev", "10:58");
  const auto parsed = config::parse(
      R"({"resourceList":[{"resourceName":"vf","selectors":[{"isRdma":true},{}]}]})", "rdma");
  REQUIRE(parsed.errors.empty());
  const auto inventory = must(device::scan(still.host));
  const auto selection = pool::select(parsed.config, inventory);
  const pool::Places places{folder.path() + "/sys", folder.path() + "/run", folder.path() + "/dp"};
  const auto nodes = must(pool::cdi_nodes(selection.pools.at(0), inventory, places));
  const auto allocation = must(pool::allocate(
      selection.pools.at(0), {"0000:5e:00.0", "0000:5e:00.1", "0000:5e:00.2"}, places));
  REQUIRE(nodes.size() == 2);
  for (const auto& [id, of_device] : nodes) CHECK(of_device == allocation.by_device.at(id));
  CHECK(allocation.by_device.at("0000:5e:00.2").empty());
}

}  // namespace railhead::test
