// What the CNI program is told of a pod's devices.
#include "plugin/app/resolve_of.hpp"

#include <catch2/catch_test_macros.hpp>

namespace railhead::test {
namespace {

using app::resolve_of;
using ipc::ResolveAnswer;
using ipc::ResolveQuestion;
using ipc::ResolveState;
using ledger::Listed;
using ledger::Saved;
using Now = ledger::Ledger::Now;
using Ids = std::vector<std::string>;

const std::string kA = "0000:3b:00.2";
const std::string kB = "0000:3b:00.3";
const ResolveQuestion kByName{"ml", "trainer-0", ""};
const ResolveQuestion kByBoth{"ml", "trainer-0", "2"};
const ResolveQuestion kByUid{"", "", "2"};

Listed listed(const std::string& container, const Ids& ids,
              const std::string& resource = "rdma/vf") {
  return {"ml/trainer-0", container, resource, ids};
}
Listed without(const std::string& container) { return listed(container, {}, ""); }
Saved saved(const std::string& uid, const std::string& container, const Ids& ids,
            const std::string& resource = "rdma/vf") {
  return {uid, container, resource, {ids.begin(), ids.end()}, {}, {}};
}
ResolveAnswer known(const std::vector<ContainerDevices>& containers,
                    const std::string& source = "podresources") {
  return {ResolveState::known, containers, source};
}
const ResolveAnswer kUnknown;

}  // namespace

TEST_CASE("Containers stand as kubelet lists them, and devices within each in PCI order") {
  const Now now{{{"ml/other", "main", "rdma/vf", {"0000:01:00.1"}},
                 listed("sidecar", {kB}),
                 listed("main", {"10000:3b:00.2", "2000:3b:00.2"}),
                 listed("main", {"GPU-2", "GPU-1"}, "nvidia.com/gpu"),
                 without("log")},
                std::nullopt,
                true};
  CHECK(resolve_of(now, kByName) == known({{"sidecar", "rdma/vf", {kB}},
                                           {"main", "rdma/vf", {"2000:3b:00.2", "10000:3b:00.2"}},
                                           {"main", "nvidia.com/gpu", {"GPU-1", "GPU-2"}}}));
}

TEST_CASE("The resources of other device plugins are told too, whatever their ids are") {
  const Now now{{listed("main", {kA}, "intel.com/sriov"), listed("main", {"7", "12"}, "rdma/hca"),
                 listed("main", {kB + "::1", "mlx5_core.sf.4"}, "rdma/sf")},
                std::nullopt,
                true};
  CHECK(resolve_of(now, kByName) == known({{"main", "intel.com/sriov", {kA}},
                                           {"main", "rdma/hca", {"12", "7"}},
                                           {"main", "rdma/sf", {kB + "::1", "mlx5_core.sf.4"}}}));
}

TEST_CASE("A pod that is listed without a device has none; one that is not listed is unknown") {
  CHECK(resolve_of({{without("main")}, std::nullopt, true}, kByName) == known({}));
  CHECK(resolve_of({{{"ml/other", "main", "", {}}}, std::nullopt, true}, kByName) == kUnknown);
  CHECK(resolve_of({{{"other/trainer-0", "main", "rdma/vf", {kA}}}, {}, true}, kByName) ==
        kUnknown);
  CHECK(resolve_of({{}, std::vector<Saved>{}, true}, kByBoth) == kUnknown);
}

TEST_CASE("A kubelet that has just come may list a pod before it knows that pod's devices") {
  CHECK(resolve_of({{without("main")}, std::nullopt, false}, kByName) == kUnknown);
  CHECK(resolve_of({{without("main")}, {{saved("1", "main", {kA})}}, false}, kByName) == kUnknown);
  // Its file says the same.
  CHECK(resolve_of({{without("main")}, {{saved("1", "main", {kA})}}, false}, kByBoth) == known({}));
  CHECK(resolve_of({{listed("main", {kA})}, std::nullopt, false}, kByName) ==
        known({{"main", "rdma/vf", {kA}}}));
  CHECK(resolve_of({{without("main")}, {{saved("2", "main", {kA})}}, false}, kByBoth) ==
        known({{"main", "rdma/vf", {kA}}}, "checkpoint"));
}

TEST_CASE("Of two pods of one name the one with the UID is told, and by the name alone none") {
  const Now now{{listed("main", {kA}), listed("main", {kB})},
                {{saved("1", "main", {kA}), saved("2", "main", {kB})}},
                true};
  CHECK(resolve_of(now, kByBoth) == known({{"main", "rdma/vf", {kB}}}));
  CHECK(resolve_of(now, kByName) == kUnknown);
  CHECK(resolve_of({now.listed, std::nullopt, true}, kByBoth) == kUnknown);
  CHECK(resolve_of({{listed("main", {kA}), without("main")}, std::nullopt, true}, kByName) ==
        kUnknown);
}

TEST_CASE("What is listed of another pod of the name is not told as this one's") {
  const Now before{{listed("main", {kA})}, {{saved("1", "main", {kA})}}, true};
  CHECK(resolve_of(before, kByBoth) == kUnknown);
  const Now both{
      {listed("main", {kA})}, {{saved("1", "main", {kA}), saved("2", "main", {kB})}}, true};
  CHECK(resolve_of(both, kByBoth) == known({{"main", "rdma/vf", {kB}}}, "checkpoint"));
  const Now renamed{
      {listed("old", {kA})}, {{saved("1", "old", {kA}), saved("2", "main", {kB})}}, true};
  CHECK(resolve_of(renamed, kByBoth) == known({{"main", "rdma/vf", {kB}}}, "checkpoint"));
}

TEST_CASE("By the UID alone the file tells, and containers stand by name") {
  const Now now{
      {listed("sidecar", {kB}), listed("main", {kA})},
      {{saved("2", "sidecar", {kB}), saved("2", "main", {kA}), saved("1", "main", {"x"})}},
      true};
  CHECK(resolve_of(now, kByUid) ==
        known({{"main", "rdma/vf", {kA}}, {"sidecar", "rdma/vf", {kB}}}, "checkpoint"));
  CHECK(resolve_of(now, kByBoth) ==
        known({{"sidecar", "rdma/vf", {kB}}, {"main", "rdma/vf", {kA}}}));
  CHECK(resolve_of(now, {"", "", "3"}) == kUnknown);
  CHECK(resolve_of({now.listed, std::nullopt, true}, kByUid) == kUnknown);
}

TEST_CASE("An init container that kubelet does not list is not told, as long as others have some") {
  const Now now{
      {listed("main", {kA})}, {{saved("2", "init", {kA, kB}), saved("2", "main", {kA})}}, true};
  CHECK(resolve_of(now, kByBoth) == known({{"main", "rdma/vf", {kA}}}));
  CHECK(resolve_of({{without("main")}, {{saved("2", "init", {kA})}}, true}, kByBoth) ==
        known({{"init", "rdma/vf", {kA}}}, "checkpoint"));
}

TEST_CASE("What claims gave is a pod's beside what kubelet's file has, which has none of it") {
  const auto claimed = [](const std::string& container, const Ids& ids) {
    return Listed{"ml/trainer-0", container, "dra/vf", ids, true};
  };
  const ContainerDevices gpu{"main", "nvidia.com/gpu", {"GPU-1"}};
  const ContainerDevices vfs{"main", "dra/vf", {kA, kB}};
  const Now now{{listed("main", {"GPU-1"}, "nvidia.com/gpu"), claimed("main", {kB, kA})},
                {{saved("2", "main", {"GPU-1"}, "nvidia.com/gpu")}},
                true};
  CHECK(resolve_of(now, kByBoth) == known({gpu, vfs}));
  CHECK(resolve_of(now, kByName) == known({gpu, vfs}));
  // Only by claims: that there is nothing else is believed as of any pod.
  const Now alone{{claimed("main", {kB, kA})}, {std::vector<Saved>{}}, true};
  CHECK(resolve_of(alone, kByBoth) == known({vfs}));
  CHECK(resolve_of(Now{alone.listed, std::nullopt, true}, kByName) == known({vfs}));
  CHECK(resolve_of(Now{alone.listed, std::nullopt, false}, kByName) == kUnknown);
  // The file's word of another pod of that name counts for what it knows of.
  const Now other{
      {listed("main", {kA}), claimed("main", {kB})}, {{saved("1", "main", {kA})}}, true};
  CHECK(resolve_of(other, kByBoth) == kUnknown);
}

}  // namespace railhead::test
