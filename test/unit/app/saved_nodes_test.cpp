// What the agent knows of what containers were given: kubelet's checkpoint and Allocate's records.
#include "plugin/app/saved_nodes.hpp"

#include <filesystem>
#include <fstream>

#include <catch2/catch_test_macros.hpp>

#include "device/allocation.hpp"
#include "test/support/kubelet/checkpoint.hpp"
#include "test/support/must.hpp"
#include "test/support/temporary_folder.hpp"

namespace railhead::test {
namespace {

using Paths = std::vector<std::string>;

const std::string kVf0 = "0000:3b:00.2";
const std::string kVf1 = "0000:3b:00.3";

struct Files {
  TemporaryFolder folder;
  FakeKubeletState kubelet;
  app::SavedNodes nodes{folder.path() + "/kubelet", folder.path() + "/run"};

  // A container that has these devices, and what Allocate answered for them.
  v1beta1::ContainerAllocateResponse& has(const std::string& container,
                                          const std::vector<std::string>& ids) {
    auto& allocation = kubelet.allocations.emplace_back();
    allocation.pod = "p";
    allocation.container = container;
    allocation.resource = "rdma/vf";
    for (const auto& id : ids) allocation.devices.push_back({.id = id});
    return allocation.response;
  }
  void save() const { save(checkpoint_of(kubelet)); }
  void save(const std::string& text) const {
    std::filesystem::create_directories(folder.path() + "/kubelet/device-plugins");
    std::ofstream(folder.path() + "/kubelet/device-plugins/kubelet_internal_checkpoint") << text;
  }
  void record(const std::string& id, const std::string& uverbs, Paths other_nodes = {}) const {
    device::Allocation allocation{"rdma/vf", *PciAddress::parse(id), {}, std::move(other_nodes)};
    allocation.char_devices = {{device::CharKind::uverbs, uverbs, ""}};
    must(device::write_allocation(folder.path() + "/run", allocation));
  }
  [[nodiscard]] std::optional<grant::Given> given(const std::vector<std::string>& ids) const {
    return nodes.given("rdma/vf", ids);
  }
};

void add_node(v1beta1::ContainerAllocateResponse& answer, const std::string& path) {
  answer.add_devices()->set_host_path(path);
}

}  // namespace

TEST_CASE("what kubelet has saved counts, of the container that has exactly these devices") {
  Files files;
  auto& both = files.has("main", {kVf0, kVf1});
  add_node(both, "/dev/infiniband/uverbs4");
  add_node(both, "/dev/infiniband/uverbs5");
  (*both.mutable_envs())["PCIDEVICE_RDMA_VF"] = kVf0 + "," + kVf1;
  (*both.mutable_envs())["PCIDEVICE_RDMA_VF_INFO"] = "{}";
  files.save();
  files.record(kVf0, "uverbs9");
  CHECK(files.given({kVf1, kVf0}) ==
        grant::Given{.host_paths = {"/dev/infiniband/uverbs4", "/dev/infiniband/uverbs5"},
                     .devices = {kVf0, kVf1}});
  CHECK_FALSE(files.given({kVf1}));
  CHECK_FALSE(files.nodes.given("rdma/other", {kVf0, kVf1}));
}

TEST_CASE("the devices are those that the shortest variable names, if it names devices") {
  const auto named = [](std::map<std::string, std::string> envs) {
    return app::devices_named({.envs = std::move(envs)});
  };
  CHECK(named({{"PCIDEVICE_RDMA_A_INFO", kVf0 + ",mlx5_core.sf.4"},
               {"PCIDEVICE_RDMA_A_INFO_INFO", "{}"}}) == Paths{kVf0, "mlx5_core.sf.4"});
  CHECK(named({}).empty());
  CHECK(named({{"PCIDEVICE_RDMA_A_INFO", R"({"0000:3b:00.2":{"generic":{}},"x":1})"}}).empty());
  CHECK(named({{"PCIDEVICE_RDMA_A", ""}}).empty());
}

TEST_CASE("containers of one pod that have a device in turn are taken together") {
  Files files;
  add_node(files.has("init", {kVf0}), "/dev/infiniband/uverbs4");
  add_node(files.has("main", {kVf0}), "/dev/infiniband/uverbs5");
  files.save();
  CHECK(files.given({kVf0})->host_paths ==
        Paths{"/dev/infiniband/uverbs4", "/dev/infiniband/uverbs5"});
}

TEST_CASE("where kubelet has saved nothing, or nothing that can be read, the records count") {
  Files files;
  files.record(kVf0, "uverbs4");
  files.record(kVf1, "uverbs5", {"/dev/vfio/42"});
  const grant::Given expected{
      .host_paths = {"/dev/infiniband/uverbs4", "/dev/vfio/42", "/dev/infiniband/uverbs5"}};
  CHECK(files.given({kVf0, kVf1}) == expected);
  for (const auto* text : {"", "{}", "{\"Data\":{\"PodDeviceEntries\":null}}"}) {
    files.save(text);
    CHECK(files.given({kVf0, kVf1}) == expected);
  }
}

TEST_CASE(
    "a device that one of the devices has no record of, or a share, is not known by records") {
  Files files;
  files.record(kVf0, "uverbs4");
  CHECK_FALSE(files.given({kVf0, kVf1}));
  CHECK_FALSE(files.given({kVf0 + "::3"}));
  CHECK_FALSE(files.given({"7"}));
  CHECK_FALSE(files.given({"mlx5_core.sf.4"}));
}

TEST_CASE("a record of when the device was given as another resource does not count") {
  Files files;
  files.record(kVf0, "uverbs4");
  CHECK(files.given({kVf0}));
  CHECK_FALSE(files.nodes.given("rdma/hca", {kVf0}));
}

TEST_CASE("the nodes of CDI devices, of which kubelet knows nothing, are those of the records") {
  Files files;
  files.has("main", {kVf0}).add_cdi_devices()->set_name("rdma/vf=" + kVf0);
  files.save();
  CHECK(files.given({kVf0}) == grant::Given{.by_cdi = true});
  files.record(kVf0, "uverbs4");
  CHECK(files.given({kVf0}) ==
        grant::Given{.host_paths = {"/dev/infiniband/uverbs4"}, .by_cdi = true});
}

}  // namespace railhead::test
