#include "plugin/kube/claim_status.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace railhead::kube;

namespace {

const std::vector<ClaimedDevice> kKnown = {
    {"sriov", "n1", "vf-1", "rdma/vf", "0000:3b:00.2"},
    {"sriov", "n1", "vf-2", "rdma/vf", "0000:3b:00.3"},
};
const std::string kClaim =
    R"({"metadata":{"namespace":"ml","name":"c","uid":"u"},"status":{"allocation":{"devices":{"results":[)"
    R"({"driver":"gpu","pool":"n1","device":"gpu-0"},{"driver":"sriov","pool":"n1","device":"vf-2"},)"
    R"({"driver":"sriov","pool":"n2","device":"vf-1"}]}}}})";

}  // namespace

TEST_CASE("A claim is told of the interfaces on its own devices") {
  CHECK(claim_status(
            kClaim, kKnown,
            {{"0000:3b:00.2", "net1", "02:00:00:00:00:01", {"10.1.0.2/24"}},
             {"0000:3b:00.3", "net2", "02:00:00:00:00:02", {"10.1.0.3/24", "fd00::3/64"}}}) ==
        R"({"apiVersion":"resource.k8s.io/v1","kind":"ResourceClaim",)"
        R"("metadata":{"namespace":"ml","name":"c","uid":"u"},"status":{"devices":[)"
        R"({"driver":"sriov","pool":"n1","device":"vf-2","networkData":{"interfaceName":"net2",)"
        R"("ips":["10.1.0.3/24","fd00::3/64"],"hardwareAddress":"02:00:00:00:00:02"}}]}})");
}

TEST_CASE("A claim of other devices, and what is no claim, is told nothing") {
  const std::vector<AttachedDevice> attached = {{"0000:3b:00.2", "net1", "", {}}};
  CHECK_FALSE(claim_status(kClaim, kKnown, attached));  // of the other node's pool
  CHECK_FALSE(claim_status(kClaim, {}, {{"0000:3b:00.3", "net1", "", {}}}));
  for (const auto* other :
       {"", "[]", "{}", "{", R"({"metadata":{},"status":[]})",
        R"({"metadata":{},"status":{"allocation":{"devices":{"results":[1,{"driver":1}]}}}})"}) {
    CHECK_FALSE(claim_status(other, kKnown, attached));
  }
}
