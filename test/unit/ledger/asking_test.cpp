#include "plugin/ledger/asking.hpp"

#include <catch2/catch_test_macros.hpp>

namespace railhead::test {
namespace {

using ledger::Asking;
using ledger::Listed;
using Saved = std::optional<std::vector<ledger::Saved>>;

PciAddress gpu(unsigned n) { return *PciAddress::parse(fmt::format("0000:{:02x}:00.0", 0x60 + n)); }
std::string uuid(unsigned n) { return fmt::format("GPU-0000000{}-aaaa", n); }

// Four GPUs of NVIDIA's.
struct GpuNode {
  GpuNode() {
    std::vector<device::PciFunction> functions(4);
    for (unsigned n = 0; n < 4; ++n) {
      functions[n].address = gpu(n);
      functions[n].is_gpu = true;
      functions[n].gpu_uuid = uuid(n);
    }
    inventory.emplace(std::move(functions), std::nullopt, std::vector<std::string>{});
  }
  Asking judge(const std::vector<Listed>& listed, const Saved& saved) const {
    return ledger::who_asks(listed, saved, device::GpuIds(*inventory), *inventory);
  }
  std::optional<device::Inventory> inventory;
};

Listed with_gpus(const std::string& pod, std::vector<std::string> ids,
                 const std::string& container = "main") {
  return {"ns/" + pod, container, "nvidia.com/gpu", std::move(ids)};
}
Listed with_vf(const std::string& pod, const std::string& id) {
  return {"ns/" + pod, "main", "rdma/vf", {id}};
}
Saved saved_gpus(std::set<std::string> ids, const std::string& container = "main") {
  return {{{"uid", container, "nvidia.com/gpu", std::move(ids), {}, {}}}};
}
Saved saved_both(std::set<std::string> ids, const std::string& vf) {
  return {{{"uid", "main", "nvidia.com/gpu", std::move(ids), {}, {}},
           {"uid", "main", "rdma/vf", {vf}, {}, {}}}};
}

}  // namespace

TEST_CASE("The container that is listed and not yet saved is the one that is asked for") {
  const GpuNode node;
  const auto answer = node.judge({with_gpus("old", {uuid(0)}), with_vf("old", "0000:11:00.0"),
                                  with_gpus("new", {uuid(2), uuid(3)})},
                                 saved_both({uuid(0)}, "0000:11:00.0"));
  CHECK(answer == Asking{"ns/new", {gpu(2), gpu(3)}, {gpu(1)}});
}

TEST_CASE("A pod that uses GPUs only is never taken for whoever asks") {
  const GpuNode node;
  const auto inference = with_gpus("inference", {uuid(0)});
  const auto saved = saved_gpus({uuid(0)});
  CHECK(node.judge({inference}, saved) == Asking{"", {}, {gpu(1), gpu(2), gpu(3)}});
  CHECK(node.judge({inference, with_gpus("a", {uuid(1)})}, saved).pod == "ns/a");
}

TEST_CASE("Of several containers of a pod only the unfinished one's GPUs count") {
  const GpuNode node;
  const auto answer = node.judge({with_gpus("a", {uuid(0)}, "c1"), with_gpus("a", {uuid(1)}, "c2")},
                                 saved_gpus({uuid(0)}, "c1"));
  CHECK(answer == Asking{"ns/a", {gpu(1)}, {gpu(2), gpu(3)}});
}

TEST_CASE("A pod is known though one before it had the same names and GPUs and is still saved") {
  const GpuNode node;
  CHECK(node.judge({with_gpus("a", {uuid(0)})}, saved_both({uuid(0)}, "0000:11:00.0")).pod ==
        "ns/a");
}

TEST_CASE("Unfinished containers of two pods leave the pod unknown, those of one pod do not") {
  const GpuNode node;
  const Saved nothing{std::in_place};
  const auto two = node.judge({with_gpus("a", {uuid(0)}), with_gpus("b", {uuid(1)})}, nothing);
  CHECK(two == Asking{"", {}, {gpu(2), gpu(3)}});
  const auto one =
      node.judge({with_gpus("a", {uuid(0)}, "c1"), with_gpus("a", {uuid(1)}, "c2")}, nothing);
  CHECK(one == Asking{"ns/a", {gpu(0), gpu(1)}, {gpu(2), gpu(3)}});
}

TEST_CASE("Without kubelet's checkpoint no pod is known, and held GPUs are still not free") {
  const GpuNode node;
  CHECK(node.judge({with_gpus("a", {uuid(0)})}, std::nullopt) ==
        Asking{"", {}, {gpu(1), gpu(2), gpu(3)}});
}

TEST_CASE(
    "A container whose GPUs are not known by their ids is not known, and they count as free") {
  const GpuNode node;
  const auto answer = node.judge({with_gpus("a", {"MIG-1234", "0"})}, Saved{std::in_place});
  CHECK(answer.pod.empty());
  CHECK(answer.free.size() == 4);
}

TEST_CASE("GPUs are known by UUID, by a share of one, and by PCI address; a VF's address is none") {
  const GpuNode node;
  const device::GpuIds ids(*node.inventory);
  CHECK(ids.find(uuid(1)) == gpu(1));
  CHECK(ids.find(uuid(1) + "::7") == gpu(1));
  CHECK(ids.find(gpu(3).to_string()) == gpu(3));
  CHECK_FALSE(ids.find("0000:11:00.0"));
  CHECK_FALSE(ids.find("MIG-1234"));
}

TEST_CASE("Without podresources all GPUs count as free") {
  const GpuNode node;
  const auto answer = node.judge({}, std::nullopt);
  CHECK(answer.pod.empty());
  CHECK(answer.free.size() == 4);
}

}  // namespace railhead::test
