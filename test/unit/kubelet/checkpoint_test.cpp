#include "plugin/kubelet/checkpoint.hpp"

#include <catch2/catch_test_macros.hpp>

#include "plugin/kubelet/pod_resources.hpp"
#include "test/unit/kubelet/node.hpp"

using namespace railhead;
using namespace railhead::test;
using namespace std::chrono_literals;

namespace {

using kubelet::SavedContainer;

// As kubelet writes it, on one line.
constexpr std::string_view kSaved =
    R"({"Data":{"PodDeviceEntries":[)"
    R"({"PodUID":"a","ContainerName":"main","ResourceName":"nvidia.com/gpu",)"
    R"("DeviceIDs":{"0":["GPU-2","GPU-1"],"1":["GPU-3"]},"AllocResp":"CgA="},)"
    R"({"PodUID":"b","ContainerName":"main","ResourceName":"rdma/vf",)"
    R"("DeviceIDs":{"-1":["0000:01:00.1"]},"AllocResp":"CgA="},)"
    R"({"PodUID":"a","ContainerName":"main","ResourceName":"rdma/vf",)"
    R"("DeviceIDs":{"0":["0000:01:00.2"],"1":["0000:01:00.2"]},"AllocResp":"CgA="}],)"
    R"("RegisteredDevices":{"rdma/vf":["0000:01:00.1","0000:01:00.2"]}},"Checksum":1234567890})";

}  // namespace

TEST_CASE("Kubelet's checkpoint tells each container's devices") {
  CHECK(must(kubelet::parse_checkpoint(kSaved)) ==
        std::vector<SavedContainer>{
            {"main",
             {{"nvidia.com/gpu", {"GPU-1", "GPU-2", "GPU-3"}}, {"rdma/vf", {"0000:01:00.2"}}}},
            {"main", {{"rdma/vf", {"0000:01:00.1"}}}}});
}

TEST_CASE("A checkpoint of no container, as Go writes it, is empty") {
  CHECK(must(kubelet::parse_checkpoint(
                 R"({"Data":{"PodDeviceEntries":null,"RegisteredDevices":{}},"Checksum":1})"))
            .empty());
}

TEST_CASE("A checkpoint cut at any byte, of another form, or missing is an error") {
  for (size_t size = 0; size < kSaved.size(); ++size) {
    CHECK(is(kubelet::parse_checkpoint(kSaved.substr(0, size)), ErrorCode::decode));
  }
  for (const auto* text :
       {"{}", "[]", "7", R"({"Data":[]})", R"({"Data":{"PodDeviceEntries":[7]}})",
        R"({"Data":{"PodDeviceEntries":[{"PodUID":1,"ContainerName":"c"}]}})"}) {
    CHECK(is(kubelet::parse_checkpoint(text), ErrorCode::decode));
  }
  CHECK(is(kubelet::read_checkpoint("/nonexistent/kubelet_internal_checkpoint"),
           ErrorCode::not_found));
}

TEST_CASE("What podresources list and the checkpoint lacks are the devices of an unfinished one") {
  Node node;
  TestPool gpus("nvidia.com/gpu");
  gpus.set_devices({{"GPU-1", true, {0, 1}}, {"GPU-2"}});
  TestPool vfs("rdma/vf");
  std::vector<kubelet::PodDevices> listed;
  std::vector<SavedContainer> saved;
  vfs.set_preference([&](const auto& request) -> Result<std::vector<std::string>> {
    listed = must(list_now(node.kubelet.pod_resources_socket(), 5s));
    saved =
        must(kubelet::read_checkpoint(node.folder / "device-plugins/kubelet_internal_checkpoint"));
    return std::vector{request.available.front()};
  });
  auto session = node.serve({&gpus, &vfs});
  REQUIRE(node.kubelet.wait_for_healthy("nvidia.com/gpu", 2));
  REQUIRE(node.kubelet.wait_for_healthy("rdma/vf", 2));
  must(node.kubelet.allocate("a", "c", "nvidia.com/gpu", std::vector<std::string>{"GPU-1"}));
  must(node.kubelet.allocate("b", "c", {{"nvidia.com/gpu", 1}, {"rdma/vf", 1}}));
  CHECK(listed ==
        std::vector<kubelet::PodDevices>{{"default", "a", "c", "nvidia.com/gpu", {"GPU-1"}},
                                         {"default", "b", "c", "nvidia.com/gpu", {"GPU-2"}}});
  CHECK(saved == std::vector<SavedContainer>{{"c", {{"nvidia.com/gpu", {"GPU-1"}}}}});
}
