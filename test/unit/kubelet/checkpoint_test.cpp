#include "kubelet/checkpoint.hpp"

#include <catch2/catch_test_macros.hpp>
#include <sys/stat.h>

#include "plugin/kubelet/pod_resources.hpp"
#include "plugin/kubelet/saved_answer.hpp"
#include "test/unit/kubelet/node.hpp"

using namespace railhead;
using namespace railhead::test;
using namespace std::chrono_literals;

namespace {

using kubelet::SavedAnswer;
using Ids = std::set<std::string>;

// Answers as they stand in the file, made by protoc --encode and base64. Two nodes, one of another
// name on the host, and the variables HOME and PCIDEVICE_RDMA_VF:
constexpr std::string_view kNodes =
    "CgkKBEhPTUUSAS8KIQoRUENJREVWSUNFX1JETUFfVkYSDDAwMDA6MDE6MDAuMRomCgsvZGV2L3ZmaW8vNxITL2Rldi92"
    "ZmlvL25vaW9tbXUtNxoCcncaNgoXL2Rldi9pbmZpbmliYW5kL3V2ZXJiczMSFy9kZXYvaW5maW5pYmFuZC91dmVyYnMz"
    "GgJydw==";
// Two CDI devices, by the field and by an annotation:
constexpr std::string_view kCdi =
    "IjIKG2NkaS5rOHMuaW8vcmFpbGhlYWRfcmRtYV92ZhITcmRtYS92Zj1hLHJkbWEvdmY9YioLCglyZG1hL3ZmPWEqCwoJ"
    "cmRtYS92Zj1i";
// The same by the annotation alone, as kubelet 1.20 keeps it, and another annotation:
constexpr std::string_view kAnnotation =
    "IjIKG2NkaS5rOHMuaW8vcmFpbGhlYWRfcmRtYV92ZhITcmRtYS92Zj1hLHJkbWEvdmY9YiIJCgRub3RlEgF4";

// A file with one entry, whose AllocResp is this JSON value.
std::string saved_with(std::string_view answer) {
  return fmt::format(R"({{"Data":{{"PodDeviceEntries":[{{"PodUID":"a","ContainerName":"main",)"
                     R"("ResourceName":"rdma/vf","DeviceIDs":["0000:01:00.1"]{}{}}}]}}}})",
                     answer.empty() ? "" : R"(,"AllocResp":)", answer);
}
std::optional<SavedAnswer> given(std::string_view answer) {
  return kubelet::parse_answer(must(kubelet::parse_checkpoint(saved_with(answer))).at(0).answer);
}
std::string quoted(std::string_view text) { return fmt::format("\"{}\"", text); }

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
  const auto saved = must(kubelet::parse_checkpoint(kSaved));
  REQUIRE(saved.size() == 3);
  CHECK(saved.at(0).pod_uid == "a");
  CHECK(saved.at(0).container == "main");
  CHECK(saved.at(0).resource == "nvidia.com/gpu");
  CHECK(saved.at(0).ids == Ids{"GPU-1", "GPU-2", "GPU-3"});
}

TEST_CASE("What a pod has is told by container and resource, its devices in PCI order") {
  const auto checkpoint = must(kubelet::parse_checkpoint(
      R"({"Data":{"PodDeviceEntries":[)"
      R"({"PodUID":"a","ContainerName":"sidecar","ResourceName":"rdma/vf",)"
      R"("DeviceIDs":{"1":["10000:01:00.1"],"0":["0000:af:00.1","0000:3b:00.2"]}},)"
      R"({"PodUID":"b","ContainerName":"main","ResourceName":"rdma/vf",)"
      R"("DeviceIDs":["0000:01:00.1"]},)"
      R"({"PodUID":"a","ContainerName":"main","ResourceName":"rdma/vf",)"
      R"("DeviceIDs":{"0":["0000:01:00.7"]}},)"
      R"({"PodUID":"a","ContainerName":"main","ResourceName":"nvidia.com/gpu",)"
      R"("DeviceIDs":{"0":["GPU-1"]}}]}})"));
  CHECK(kubelet::devices_of(checkpoint, "a") ==
        std::vector<ContainerDevices>{
            {"main", "nvidia.com/gpu", {"GPU-1"}},
            {"main", "rdma/vf", {"0000:01:00.7"}},
            {"sidecar", "rdma/vf", {"0000:3b:00.2", "0000:af:00.1", "10000:01:00.1"}}});
  CHECK(kubelet::devices_of(checkpoint, "b").size() == 1);
  CHECK(kubelet::devices_of(checkpoint, "c").empty());
  CHECK(kubelet::devices_of(checkpoint, "").empty());
}

TEST_CASE("Ids are told by NUMA node, or in one list as kubelets before 1.20 do") {
  const auto devices = [](const char* ids) {
    const auto text =
        fmt::format(R"({{"Data":{{"PodDeviceEntries":[{{"PodUID":"a","ContainerName":"main",)"
                    R"("ResourceName":"rdma/vf","DeviceIDs":{}}}]}}}})",
                    ids);
    return kubelet::devices_of(must(kubelet::parse_checkpoint(text)), "a").at(0).devices;
  };
  const std::vector<std::string> both{"0000:01:00.1", "0000:01:00.2"};
  CHECK(devices(R"({"0":["0000:01:00.2"],"1":["0000:01:00.1"]})") == both);
  CHECK(devices(R"({"0":["0000:01:00.2"],"1":["0000:01:00.1","0000:01:00.2"]})") == both);
  CHECK(devices(R"({"-1":["0000:01:00.2","0000:01:00.1"]})") == both);
  CHECK(devices(R"(["0000:01:00.2","0000:01:00.1"])") == both);
}

TEST_CASE("The checkpoint tells what a container was given with its devices") {
  CHECK(given(quoted(kNodes)) == SavedAnswer{{"/dev/vfio/noiommu-7", "/dev/infiniband/uverbs3"},
                                             {{"PCIDEVICE_RDMA_VF", "0000:01:00.1"}},
                                             {}});
  const std::vector<std::string> names{"rdma/vf=a", "rdma/vf=b"};
  CHECK(given(quoted(kCdi)) == SavedAnswer{{}, {}, names});
  CHECK(given(quoted(kAnnotation)) == SavedAnswer{{}, {}, names});
  CHECK(given(quoted("")) == SavedAnswer{});  // a message of defaults has no bytes
}

TEST_CASE("An answer that is missing, or cannot be read, is unknown; its devices are told") {
  for (const auto& answer :
       {std::string(), std::string("null"), std::string("7"), quoted("no base64"),
        quoted(kNodes.substr(0, kNodes.size() - 4)), quoted("//8="), quoted(kCdi.substr(4))}) {
    const auto saved = must(kubelet::parse_checkpoint(saved_with(answer)));
    REQUIRE(saved.size() == 1);
    CHECK_FALSE(kubelet::parse_answer(saved.at(0).answer));
    CHECK(saved.at(0).ids == Ids{"0000:01:00.1"});
  }
}

TEST_CASE("An answer cut at any byte is unknown, or a part of it") {
  const auto whole = *given(quoted(kNodes));
  for (size_t size = 0; size < kNodes.size(); ++size) {
    const auto part = given(quoted(kNodes.substr(0, size)));
    if (part) CHECK(part->host_paths.size() <= whole.host_paths.size());
  }
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

TEST_CASE("A checkpoint that is no regular file is not waited for") {
  const TestFolder folder;
  REQUIRE(mkfifo((folder / "fifo").c_str(), 0600) == 0);
  CHECK(is(kubelet::read_checkpoint(folder / "fifo"), ErrorCode::invalid_argument));
}

TEST_CASE("What podresources list and the checkpoint lacks are the devices of an unfinished one") {
  Node node;
  TestPool gpus("nvidia.com/gpu");
  gpus.set_devices({{"GPU-1", true, {0, 1}}, {"GPU-2"}});
  TestPool vfs("rdma/vf");
  std::vector<kubelet::PodDevices> listed;
  std::vector<kubelet::SavedDevices> saved;
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
  REQUIRE(saved.size() == 1);
  CHECK(saved[0].container == "c");
  CHECK(saved[0].resource == "nvidia.com/gpu");
  CHECK(saved[0].ids == std::set<std::string>{"GPU-1"});
}
