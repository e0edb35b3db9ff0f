// What a container gets of each kind of device: from sysfs through select() to Allocate.
#include <filesystem>

#include <nlohmann/json.hpp>

#include "device/allocation.hpp"
#include "plugin/pool/ask.hpp"
#include "test/unit/pool/node.hpp"

namespace railhead::test {
namespace {

using Json = nlohmann::json;
using Paths = std::vector<std::pair<std::string, std::string>>;  // host, container

constexpr auto kDevice = "0000:5e:00.0";

struct KindNode : Node {
  grant::Places places{folder.path() + "/sys", folder.path() + "/run", folder.path() + "/dp"};

  Result<grant::Grant> try_allocate(const std::string& config,
                                    const std::vector<std::string>& ids) {
    return try_allocate(select_json(config).pools.at(0), ids);
  }
  [[nodiscard]] Result<grant::Grant> try_allocate(const pool::Pool& pool,
                                                  const std::vector<std::string>& ids) const {
    const auto ask = pool::ask_for(pool, ids, places);
    return ask ? grant::give(*ask, places) : pass(ask);
  }
  grant::Grant allocate(const std::string& config, const std::vector<std::string>& ids) {
    return must(try_allocate(config, ids));
  }
};

std::string resource(const std::string& selectors, const std::string& more = "") {
  return fmt::format(R"({{"resourceList":[{{"resourceName":"x","selectors":{}{}}}]}})", selectors,
                     more);
}

Paths paths(const grant::Grant& allocation) {
  Paths paths;
  for (const auto& node : allocation.device_nodes()) {
    paths.emplace_back(node.host_path, node.container_path);
  }
  return paths;
}

Paths same(const std::vector<std::string>& both) {
  Paths paths;
  for (const auto& one : both) paths.emplace_back(one, one);
  return paths;
}

Json info(const grant::Grant& allocation, const std::string& id) {
  return Json::parse(allocation.envs.at("PCIDEVICE_EXAMPLE_COM_X_INFO")).at(id);
}

}  // namespace

TEST_CASE("a vfio function gives the container node and its group's") {
  KindNode node;
  node.tree.add({.address = kDevice, .driver = "vfio-pci", .iommu_group = 42});
  node.tree.add({.address = "0000:5e:00.1", .driver = "vfio-pci", .iommu_group = 43});
  const auto allocation =
      node.allocate(resource(R"({"drivers":["vfio-pci"]})"), {kDevice, "0000:5e:00.1"});
  CHECK(paths(allocation) == same({"/dev/vfio/vfio", "/dev/vfio/42", "/dev/vfio/43"}));
  CHECK(info(allocation, kDevice)["vfio"] ==
        Json::parse(R"({"mount":"/dev/vfio/vfio","dev-mount":"/dev/vfio/42"})"));
}

TEST_CASE("without an IOMMU the group's node keeps the name that programs look for") {
  KindNode node;
  node.tree.add({.address = kDevice, .driver = "vfio-pci", .iommu_group = 3});
  node.tree.write("kernel/iommu_groups/3/name", "vfio-noiommu");
  const auto allocation = node.allocate(resource(R"({"drivers":["vfio-pci"]})"), {kDevice});
  CHECK(paths(allocation) ==
        Paths{{"/dev/vfio/vfio", "/dev/vfio/vfio"}, {"/dev/vfio/noiommu-3", "/dev/vfio/3"}});
  CHECK(info(allocation, kDevice)["vfio"]["dev-mount"] == "/dev/vfio/3");
}

TEST_CASE("a vfio function without an IOMMU group is an error that says so") {
  KindNode node;
  node.tree.add({.address = kDevice, .driver = "vfio-pci"});
  const auto allocation = node.try_allocate(resource(R"({"drivers":["vfio-pci"]})"), {kDevice});
  REQUIRE(is(allocation, ErrorCode::unavailable));
  CHECK(allocation.error().message.find("no IOMMU group") != std::string::npos);
}

TEST_CASE("a variant driver's function gives VFIO's nodes, and iommufd's where it has its own") {
  KindNode node;
  node.tree.add({.address = kDevice, .driver = "mlx5_vfio_pci", .iommu_group = 7});
  const auto config = resource(R"({"drivers":["mlx5_vfio_pci"]})");
  CHECK(paths(node.allocate(config, {kDevice})) == same({"/dev/vfio/vfio", "/dev/vfio/7"}));
  const auto own = node.tree.folder(kDevice) + "/vfio-dev/vfio3/";
  node.tree.write(own + "name", "");  // without VFIO_DEVICE_CDEV
  CHECK(paths(node.allocate(config, {kDevice})) == same({"/dev/vfio/vfio", "/dev/vfio/7"}));
  node.tree.write(own + "dev", "509:3");
  const auto allocation = node.allocate(config, {kDevice});
  CHECK(paths(allocation) ==
        same({"/dev/vfio/vfio", "/dev/vfio/7", "/dev/vfio/devices/vfio3", "/dev/iommu"}));
  CHECK(info(allocation, kDevice)["vfio"]["cdev-mount"] == "/dev/vfio/devices/vfio3");
}

TEST_CASE("a uio function gives its uio device, the one it has now") {
  for (const auto* driver : {"igb_uio", "uio_pci_generic"}) {
    KindNode node;
    node.tree.add({.address = kDevice, .driver = driver});
    const auto config = resource(fmt::format(R"({{"drivers":["{}"]}})", driver));
    CHECK(is(node.try_allocate(config, {kDevice}), ErrorCode::unavailable));
    node.tree.write(node.tree.folder(kDevice) + "/uio/uio7/dev", "240:7");
    const auto allocation = node.allocate(config, {kDevice});
    CHECK(paths(allocation) == same({"/dev/uio7"}));
    CHECK(info(allocation, kDevice)["uio"] == Json::parse(R"({"mount":"/dev/uio7"})"));
  }
}

TEST_CASE("a vhost vDPA device gives its node, and devinfo of its own type") {
  KindNode node;
  node.tree.add_vdpa(Node::vf(0), "vdpa0", "vhost_vdpa", 5);
  const auto config = resource(R"({"vdpaType":"vhost"})");
  const auto allocation = node.allocate(config, {Node::vf(0)});
  CHECK(paths(allocation) == same({"/dev/vhost-vdpa-5"}));
  CHECK(info(allocation, Node::vf(0))["vdpa"] == Json::parse(R"({"mount":"/dev/vhost-vdpa-5"})"));
  const auto path = node.places.devinfo + "/example.com-x-0000:3b:01.0-device.json";
  CHECK(Json::parse(must(host::read_file(path))) ==
        Json::parse(R"({"type":"vdpa","version":"1.1.0","vdpa":{"parent-device":"vdpa0",
          "driver":"vhost","path":"/dev/vhost-vdpa-5","pci-address":"0000:3b:01.0",
          "pf-pci-address":"0000:3b:00.0"},"railhead":{"rail":0,"plane":0}})"));
  const auto selection = node.select_json(config);
  std::filesystem::remove(node.tree.folder(Node::vf(0)) + "/vdpa0/vhost-vdpa-5");
  CHECK(is(node.try_allocate(selection.pools.at(0), {Node::vf(0)}), ErrorCode::unavailable));
}

TEST_CASE("a virtio vDPA device gives no node") {
  KindNode node;
  node.tree.add_vdpa(Node::vf(0), "vdpa0", "virtio_vdpa");
  CHECK(node.allocate(resource(R"({"vdpaType":"virtio"})"), {Node::vf(0)}).device_nodes().empty());
  const auto path = node.places.devinfo + "/example.com-x-0000:3b:01.0-device.json";
  const auto devinfo = Json::parse(must(host::read_file(path)));
  CHECK(devinfo["vdpa"]["driver"] == "virtio");
  CHECK_FALSE(devinfo["vdpa"].contains("path"));
}

TEST_CASE("a plain function and an accelerator of a host driver give no node") {
  KindNode node;
  node.tree.add({.address = kDevice, .pci_class = "120000", .driver = "qat"});
  CHECK(node.allocate(resource("{}"), {Node::vf(0)}).device_nodes().empty());
  CHECK(node.allocate(resource("{}", R"(,"deviceType":"accelerator")"), {kDevice})
            .device_nodes()
            .empty());
}

TEST_CASE("a sub-function gives its RDMA devices' nodes, and leaves no record of its PF") {
  KindNode node;
  node.tree.add({.address = kDevice, .netdevs = {{.name = "p1"}}});
  node.tree.add_sub_function(
      kDevice,
      {.name = "mlx5_core.sf.4", .number = 88, .rdma = {{.name = "mlx5_20", .number = 20}}});
  const auto allocation = node.allocate(
      resource(R"({"auxTypes":["sf"],"isRdma":true})", R"(,"deviceType":"auxNetDevice")"),
      {"mlx5_core.sf.4"});
  CHECK(paths(allocation) == same({"/dev/infiniband/uverbs20", "/dev/infiniband/umad20",
                                   "/dev/infiniband/issm20", "/dev/infiniband/rdma_cm"}));
  CHECK(allocation.envs.at("PCIDEVICE_EXAMPLE_COM_X") == "mlx5_core.sf.4");
  CHECK(info(allocation, "mlx5_core.sf.4")["rdma"]["rdma_dev"] == "mlx5_20");
  CHECK(must(device::list_allocations(node.places.run)).empty());
}

TEST_CASE("an RDMA device without umad, as EFA's, is given with what it has") {
  KindNode node;
  std::filesystem::remove_all(node.tree.folder(Node::vf(0)) + "/infiniband_mad");
  const auto selection = node.select_json(
      R"({"configList":[{"resourceName":"x","rdmaHcaMax":2,"devices":["p0v0"]}]})");
  const auto allocation = must(node.try_allocate(selection.pools.at(0), {"1"}));
  CHECK(paths(allocation) == same({"/dev/infiniband/uverbs1", "/dev/infiniband/rdma_cm"}));
}

TEST_CASE("a share of a pool is all of its RDMA devices that are there and healthy") {
  KindNode node;
  auto pool = node.select_json(R"({"configList":[{"resourceName":"x","rdmaHcaMax":9,
                                "devices":["p0v0","p0v1","p0v2"]}]})")
                  .pools.at(0);
  pool.members.at(1).sickness = "its undo is not verified";
  std::filesystem::remove(node.places.sysfs + "/bus/pci/devices/" + Node::vf(0));
  const auto allocation = must(node.try_allocate(pool, {"4", "7"}));
  CHECK(allocation.envs.at("PCIDEVICE_RDMA_X") == Node::vf(2));
  CHECK(paths(allocation).front().first == "/dev/infiniband/uverbs3");
  CHECK_FALSE(std::filesystem::exists(node.places.devinfo + "/rdma-x-0000:3b:01.2-device.json"));
  CHECK(must(device::list_allocations(node.places.run)).empty());
  std::filesystem::remove(node.places.sysfs + "/bus/pci/devices/" + Node::vf(2));
  CHECK(is(node.try_allocate(pool, {"4"}), ErrorCode::not_found));
}

TEST_CASE("pools give issm where that is asked for") {
  KindNode node;
  const auto gives_issm = [&](const std::string& keys) {
    const auto given = paths(node.allocate(
        fmt::format("pools: [{{resourceName: x, selectors: {{isRdma: true}}{}}}]", keys),
        {Node::vf(1)}));
    return std::ranges::find(given, "/dev/infiniband/issm2", &Paths::value_type::first) !=
           given.end();
  };
  CHECK_FALSE(gives_issm(""));
  CHECK(gives_issm(", issm: true"));
}

TEST_CASE("two shares of one device give it once") {
  KindNode node;
  const auto allocation = node.allocate(
      "pools: [{resourceName: x, kind: shared, perDevice: 3, selectors: {pfNames: [p0]}}]",
      {"0000:3b:01.1::2", "0000:3b:01.1::0"});
  CHECK(allocation.envs.at("PCIDEVICE_EXAMPLE_COM_X") == Node::vf(1));
  CHECK(paths(allocation) ==
        same({"/dev/infiniband/uverbs2", "/dev/infiniband/umad2", "/dev/infiniband/rdma_cm"}));
}

TEST_CASE("env: nccl names exactly the devices that are given, by port, and their GPUs") {
  KindNode node;
  // Two GPUs beside the first VF's host bridge, one far from both.
  for (const auto* address : {"0000:80:00.0", "0000:81:00.0"}) {
    node.tree.add({.address = address, .pci_class = "030200", .vendor = "10de"});
  }
  node.tree.add({.address = "0000:90:00.0",
                 .path = "pci0000:90",
                 .pci_class = "030200",
                 .vendor = "10de",
                 .numa_node = 0});
  const auto allocation =
      node.allocate("pools: [{resourceName: x, env: nccl, selectors: {isRdma: true}}]",
                    {Node::vf(3), Node::vf(1)});
  CHECK(allocation.envs.at("NCCL_IB_HCA") == "=mlx5_2:1,mlx5_4:1");
  CHECK(allocation.envs.at("UCX_NET_DEVICES") == "mlx5_2:1,mlx5_4:1");
  CHECK(allocation.envs.at("NVSHMEM_HCA_LIST") == "mlx5_2:1,mlx5_4:1");
  // Equally near devices share the GPUs.
  CHECK(allocation.envs.at("RAILHEAD_GPU_NIC_PAIRS") ==
        "0000:80:00.0=0000:3b:01.1,0000:81:00.0=0000:3b:01.3,0000:90:00.0=0000:3b:01.1");
}

TEST_CASE("env: nccl names every port of a device, and port 1 of one in another namespace") {
  KindNode node;
  std::filesystem::create_directories(node.tree.folder(Node::vf(0)) + "/infiniband/mlx5_1/ports/2");
  std::filesystem::remove_all(node.tree.folder(Node::vf(1)) + "/infiniband");
  const auto allocation =
      node.allocate("pools: [{resourceName: x, env: nccl, selectors: {isRdma: true}}]",
                    {Node::vf(0), Node::vf(1)});
  CHECK(allocation.envs.at("NCCL_IB_HCA") == "=mlx5_1:1,mlx5_1:2,mlx5_2:1");
  CHECK_FALSE(allocation.envs.contains("RAILHEAD_GPU_NIC_PAIRS"));
}

TEST_CASE("with one pool per rail each variable is its resource's") {
  KindNode node;
  const auto envs =
      node.allocate(
              "pools: [{resourceName: x-rail, rails: auto, env: nccl, selectors: {isRdma: true}}]",
              {Node::vf(0)})
          .envs;
  CHECK(envs.at("UCX_NET_DEVICES_EXAMPLE_COM_X_RAIL0") == "mlx5_1:1");
  CHECK_FALSE(envs.contains("UCX_NET_DEVICES"));
}

}  // namespace railhead::test
