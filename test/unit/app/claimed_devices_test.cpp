// What kubelet lists of claims, with the names that drivers publish.
#include "plugin/app/claimed_devices.hpp"

#include <catch2/catch_test_macros.hpp>

namespace railhead::test {
namespace {

using app::ClaimedDevices;
using app::listed_of;
using kubelet::PodDevices;
using ledger::Listed;

const ClaimedDevices::All kClaimed = {{{"sriov", "n1", "vf-1"}, {"dra/vf", "0000:3b:00.2"}},
                                      {{"sriov", "n1", "vf-2"}, {"dra/vf", "0000:3b:00.3"}},
                                      {{"sriov", "n1", "vf-3"}, {"dra/other", "0000:3b:00.4"}}};

PodDevices claims(const std::string& container, std::vector<kubelet::ClaimedDevice> devices) {
  return {"ml", "a", container, "", {}, std::move(devices)};
}

}  // namespace

TEST_CASE("A claim's devices are those of the resource that their driver names") {
  CHECK(listed_of({{"ml", "a", "main", "nvidia.com/gpu", {"GPU-1"}},
                   claims("main", {{"sriov", "n1", "vf-2"},
                                   {"gpu.nvidia.com", "n1", "gpu-0"},
                                   {"sriov", "n1", "vf-1"},
                                   {"sriov", "n1", "vf-3"}})},
                  kClaimed) ==
        std::vector<Listed>{{"ml/a", "main", "nvidia.com/gpu", {"GPU-1"}},
                            {"ml/a", "main", "dra/other", {"0000:3b:00.4"}, true},
                            {"ml/a", "main", "dra/vf", {"0000:3b:00.3", "0000:3b:00.2"}, true}});
}

TEST_CASE("A claim that is for no network is nothing, and its container one like others") {
  const kubelet::ClaimedDevice domain{"compute-domain.nvidia.com", "n1", "channel-0"};
  CHECK(listed_of({{"ml", "a", "main", "rdma/vf", {"x"}}, claims("main", {domain})}, kClaimed) ==
        std::vector<Listed>{{"ml/a", "main", "rdma/vf", {"x"}}});
  CHECK(listed_of({claims("main", {domain}), claims("side", {domain})}, kClaimed) ==
        std::vector<Listed>{{"ml/a", "main", "", {}}, {"ml/a", "side", "", {}}});
  CHECK(listed_of({claims("main", {{"sriov", "n2", "vf-1"}})}, kClaimed) ==
        std::vector<Listed>{{"ml/a", "main", "", {}}});
  CHECK(listed_of({claims("main", {{"sriov", "n1", "vf-1"}})}, {}) ==
        std::vector<Listed>{{"ml/a", "main", "", {}}});
}

}  // namespace railhead::test
