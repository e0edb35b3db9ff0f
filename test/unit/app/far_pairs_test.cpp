// Pods whose devices are not those that are nearest to their GPUs.
#include "plugin/app/far_pairs.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <fmt/format.h>

#include "test/support/node_builder.hpp"

namespace railhead::test {
namespace {

using Catch::Matchers::ContainsSubstring;
using DeviceIds = std::vector<std::string>;

// GPU 0000:X1:00.0 beside the VFs 0000:X2:00.N of its own PF, X = 1 to 8.
struct Server {
  device::Inventory inventory = eight_gpu_node(3).inventory();
  pool::Pool vfs;

  Server() {
    vfs.resource.prefix = "rdma";
    vfs.resource.name = "vf";
    for (const auto& function : inventory.functions()) {
      if (function.pf) add(vfs, function);
    }
  }
  static void add(pool::Pool& pool, const device::PciFunction& function) {
    pool::Member member;
    member.id = function.address.to_string();
    member.address = function.address;
    pool.members.push_back(member);
  }
  [[nodiscard]] std::vector<ipc::FarPair> far(
      const std::vector<ContainerDevices>& containers) const {
    return app::far_pairs(containers, {{"rdma/vf", &vfs}}, inventory);
  }
  [[nodiscard]] DeviceIds far_devices(const std::vector<ContainerDevices>& containers) const {
    DeviceIds devices;
    for (const auto& pair : far(containers)) devices.push_back(pair.device);
    return devices;
  }
};

ContainerDevices gpus(const DeviceIds& ids, const std::string& container = "main") {
  return {container, "example.com/gpu", ids};
}
ContainerDevices nics(const DeviceIds& ids, const std::string& container = "main") {
  return {container, "rdma/vf", ids};
}

}  // namespace

TEST_CASE("A device beside each GPU is near, whatever the order of the ids") {
  const Server node;
  CHECK(node.far({gpus({"0000:11:00.0", "0000:81:00.0"}), nics({"0000:82:00.1", "0000:12:00.2"})})
            .empty());
}

TEST_CASE("A device at another switch is far, and both paths and the nearer port are told") {
  const Server node;
  const auto far = node.far({gpus({"0000:11:00.0"}), nics({"0000:82:00.1"})});
  REQUIRE(far.size() == 1);
  CHECK(far[0].container == "main");
  CHECK(far[0].device == "0000:82:00.1");
  CHECK_THAT(far[0].text, ContainsSubstring("GPU 0000:11:00.0 and 0000:82:00.1 are SYS apart"));
  CHECK_THAT(far[0].text, ContainsSubstring("/0000:11:00.0 and ") &&
                              ContainsSubstring("/0000:82:00.0)") &&
                              ContainsSubstring("with a device of 0000:12:00.0 it would be PIX"));
}

TEST_CASE("Of several devices only those are told that are further away than they need be") {
  const Server node;
  CHECK(node.far_devices({gpus({"0000:11:00.0", "0000:21:00.0"}),
                          nics({"0000:12:00.1", "0000:32:00.1"})}) == DeviceIds{"0000:32:00.1"});
}

TEST_CASE("Each container's devices are for its own GPUs") {
  const Server node;
  // Crossed: each container has the other's.
  CHECK(node.far_devices({gpus({"0000:11:00.0"}, "a"), nics({"0000:82:00.1"}, "a"),
                          gpus({"0000:81:00.0"}, "b"), nics({"0000:12:00.1"}, "b")}) ==
        DeviceIds{"0000:82:00.1", "0000:12:00.1"});
  CHECK(node.far({gpus({"0000:11:00.0"}, "a"), nics({"0000:82:00.1"}, "b")}).empty());
}

TEST_CASE("Fewer devices than GPUs, or more, are near if one each is") {
  const Server node;
  DeviceIds all;
  for (const auto* number : {"1", "2", "3", "4", "5", "6", "7", "8"}) {
    all.push_back(fmt::format("0000:{}1:00.0", number));
  }
  CHECK(node.far({gpus(all), nics({"0000:52:00.1"})}).empty());
  CHECK(node.far({gpus({"0000:11:00.0"}), nics({"0000:12:00.1", "0000:82:00.1"})}).empty());
  // Two of one port serve one GPU.
  CHECK(node.far({gpus({"0000:11:00.0", "0000:81:00.0"}), nics({"0000:12:00.1", "0000:12:00.2"})})
            .empty());
}

TEST_CASE("GPUs that are not known, and resources of other plugins, make nothing far") {
  const Server node;
  CHECK(node.far({gpus({"MIG-5", "0", "0000:99:00.0"}), nics({"0000:82:00.1"})}).empty());
  CHECK(node.far({gpus({"0000:11:00.0"}), {"main", "other/nic", {"0000:82:00.1"}}}).empty());
  CHECK(node.far({}).empty());
}

TEST_CASE("What a resource does not have is not missed: its only port is the nearest") {
  Server node;
  std::erase_if(node.vfs.members, [](const auto& member) { return member.address.bus != 0x82; });
  CHECK(node.far({gpus({"0000:11:00.0"}), nics({"0000:82:00.1"})}).empty());
}

TEST_CASE("Shares of a device are that device") {
  const Server node;
  CHECK(node.far_devices({gpus({"0000:11:00.0::1"}), nics({"0000:82:00.1::7"})}) ==
        DeviceIds{"0000:82:00.1"});
}

}  // namespace railhead::test
