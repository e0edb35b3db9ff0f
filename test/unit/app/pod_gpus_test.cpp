#include "plugin/app/pod_gpus.hpp"

#include <filesystem>
#include <fstream>

#include <catch2/catch_test_macros.hpp>

#include "test/support/temporary_folder.hpp"

namespace railhead::test {
namespace {

PciAddress gpu(unsigned n) { return *PciAddress::parse(fmt::format("0000:{:02x}:00.0", 0x60 + n)); }
std::string uuid(unsigned n) { return fmt::format("GPU-0000000{}-aaaa", n); }

// Four GPUs, as NVIDIA's kernel driver tells them.
struct GpuNode {
  GpuNode() {
    std::vector<device::PciFunction> functions(4);
    for (unsigned n = 0; n < 4; ++n) {
      functions[n].address = gpu(n);
      functions[n].is_gpu = true;
      const auto path = folder.path() + "/driver/nvidia/gpus/" + gpu(n).to_string();
      std::filesystem::create_directories(path);
      std::ofstream(path + "/information") << "Model: \t\t NVIDIA H100\nGPU UUID: \t " << uuid(n)
                                           << "\nDevice Minor: \t " << n << '\n';
    }
    inventory.emplace(std::move(functions), std::nullopt, std::vector<std::string>{});
  }
  app::PodGpus::Answer judge(const std::vector<kubelet::PodDevices>& pods,
                             const std::vector<std::string>& must_include = {}) {
    return gpus.judge(pods, "rdma/vf", must_include, *inventory);
  }
  TemporaryFolder folder;
  std::optional<device::Inventory> inventory;
  app::PodGpus gpus{"/nonexistent", folder.path()};
};

kubelet::PodDevices with_gpus(const std::string& pod, std::vector<std::string> ids) {
  return {"ns", pod, "main", "nvidia.com/gpu", std::move(ids)};
}
kubelet::PodDevices with_vf(const std::string& pod) {
  return {"ns", pod, "main", "rdma/vf", {"0000:11:00.0"}};
}

}  // namespace

TEST_CASE("The container that holds GPUs and not yet the resource is the one that is asked for") {
  GpuNode node;
  const auto answer = node.judge(
      {with_gpus("old", {uuid(0)}), with_vf("old"), with_gpus("new", {uuid(2), uuid(3)})});
  CHECK(answer.pod == "ns/new");
  CHECK(answer.of_pod == std::vector{gpu(2), gpu(3)});
  CHECK(answer.free == std::vector{gpu(1)});
}

TEST_CASE("A pod without GPUs, or whose GPUs come later, is not known") {
  GpuNode node;
  const auto answer = node.judge({with_gpus("old", {uuid(0)}), with_vf("old")});
  CHECK(answer.pod.empty());
  CHECK(answer.of_pod.empty());
  CHECK(answer.free.size() == 3);
}

TEST_CASE("A pod that uses GPUs only is in nobody's way from the second question on") {
  GpuNode node;
  const auto inference = with_gpus("inference", {uuid(0)});
  CHECK(node.judge({inference, with_gpus("a", {uuid(1)})}).pod.empty());  // which of the two?
  CHECK(node.judge({inference, with_gpus("a", {uuid(1)}), with_vf("a"), with_gpus("b", {uuid(2)})})
            .pod == "ns/b");
}

TEST_CASE("A pod that uses GPUs only is taken for whoever asks once at most") {
  GpuNode node;
  const auto inference = with_gpus("inference", {uuid(0)});
  CHECK(node.judge({inference}).pod == "ns/inference");       // of a pod whose GPUs come later
  const auto answer = node.judge({inference, with_vf("a")});  // and of the next such one
  CHECK(answer.pod.empty());
  CHECK(answer.of_pod.empty());
}

TEST_CASE("A pod that was asked for and still has no device is not known when asked for again") {
  GpuNode node;
  CHECK(node.judge({with_gpus("a", {uuid(1)})}).pod == "ns/a");
  CHECK(node.judge({with_gpus("a", {uuid(1)})}).pod.empty());
}

TEST_CASE("Devices of an init container that are used again name the pod") {
  GpuNode node;
  auto init = with_vf("a");
  init.container = "init";
  const auto answer = node.judge(
      {with_gpus("inference", {uuid(0)}), init, with_gpus("a", {uuid(1)})}, {"0000:11:00.0"});
  CHECK(answer.pod == "ns/a");
  CHECK(answer.of_pod == std::vector{gpu(1)});
}

TEST_CASE("GPUs are known by UUID, by a share of one, and by PCI address; a VF's address is none") {
  GpuNode node;
  const device::GpuIds ids(*node.inventory, node.folder.path());
  CHECK(ids.find(uuid(1)) == gpu(1));
  CHECK(ids.find(uuid(1) + "::7") == gpu(1));
  CHECK(ids.find(gpu(3).to_string()) == gpu(3));
  CHECK_FALSE(ids.find("0000:11:00.0"));
  CHECK_FALSE(ids.find("MIG-1234"));
}

TEST_CASE("Without podresources all GPUs count as free") {
  GpuNode node;
  const auto answer = node.gpus.look("rdma/vf", {}, *node.inventory);
  CHECK(answer.pod.empty());
  CHECK(answer.free.size() == 4);
}

}  // namespace railhead::test
