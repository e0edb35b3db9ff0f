// What a pod was given, and its networks did not take.
#include "plugin/app/unattached.hpp"

#include <catch2/catch_test_macros.hpp>

namespace railhead::test {
namespace {

device::PciFunction vf(const std::string& address, uint16_t netdev_type) {
  device::PciFunction function;
  function.address = *PciAddress::parse(address);
  function.pf = *PciAddress::parse("0000:3b:00.0");
  if (netdev_type != 0) function.netdevs.push_back({.name = "x", .type = netdev_type});
  return function;
}

}  // namespace

TEST_CASE("A VF of Ethernet that stays on the host is told, and nothing else") {
  auto pf = vf("0000:3b:00.0", 1);
  pf.pf.reset();
  const device::Inventory inventory({pf, vf("0000:3b:00.1", 1), vf("0000:3b:00.2", 32),
                                     vf("0000:3b:00.3", 0), vf("0000:3b:00.4", 1)},
                                    {}, {});
  CHECK(app::unattached_of({{"main",
                             "rdma/vf",
                             {"0000:3b:00.0", "0000:3b:00.1", "0000:3b:00.2", "0000:3b:00.3",
                              "0000:3b:00.1::2", "0000:ff:00.1"}},
                            {"main", "nvidia.com/gpu", {"GPU-1", "7"}},
                            {"side", "rdma/vf", {"0000:3b:00.4"}}},
                           {"0000:3b:00.4"}, inventory) ==
        std::vector<std::string>{
            "0000:3b:00.1 (rdma/vf) was given to container main, and no network of the pod takes "
            "it: name one more in the annotation k8s.v1.cni.cncf.io/networks"});
}

}  // namespace railhead::test
