#include "bench/agent.hpp"

#include <chrono>
#include <fstream>
#include <memory>
#include <stdexcept>

#include <fmt/format.h>

#include "bench/child.hpp"
#include "test/support/kubelet/fake_kubelet.hpp"
#include "test/support/sysfs_tree.hpp"
#include "test/support/temporary_folder.hpp"

namespace railhead::bench {
namespace {

constexpr unsigned kPfs = 8;
constexpr auto kLimit = std::chrono::seconds(30);
using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::duration<double, std::milli>;

// The node, its configuration, and what kubelet must have got from it.
class Node {
 public:
  explicit Node(const AgentRun& run) : run_(run) {
    test::SysfsTree tree(folder_.path() + "/sys");
    test::add_mlx5_node(tree, kPfs, run.vfs);
    std::string resources;
    for (unsigned i = 0; i < run.pools; ++i) {
      const auto pfs = run.pools == 1 ? "" : fmt::format(R"("pfNames":["p{}"],)", i);
      resources += fmt::format(
          R"({}{{"resourceName":"vf{}","resourcePrefix":"rdma","selectors":{{{}"isRdma":true}}}})",
          i == 0 ? "" : ",", i, pfs);
    }
    std::ofstream(folder_.path() + "/config.json")
        << fmt::format(R"({{"resourceList":[{}]}})", resources);
  }

  // A new kubelet, in a new folder.
  [[nodiscard]] std::unique_ptr<test::FakeKubelet> start_kubelet() {
    test::FakeKubelet::Options options;
    options.dir = fmt::format("{}/kubelet{}", folder_.path(), ++kubelets_);
    return std::make_unique<test::FakeKubelet>(options);
  }
  [[nodiscard]] std::unique_ptr<Child> start_agent() const {
    const auto& root = folder_.path();
    return std::make_unique<Child>(
        std::vector<std::string>{
            run_.programs + "/railhead-agent", "--log-level=error",
            "--config-file=" + root + "/config.json", "--sysfs-root=" + root + "/sys",
            fmt::format("--kubelet-dir={}/kubelet{}", root, kubelets_),
            "--devinfo-dir=" + root + "/devinfo", "--run-dir=" + root + "/run"},
        std::vector<std::string>{});
  }
  void wait_for_all(const test::FakeKubelet& kubelet) const {
    const size_t devices = kPfs * run_.vfs / run_.pools;
    const bool all = kubelet.wait(kLimit, [&](const test::FakeKubeletState& state) {
      if (state.resources.size() != run_.pools) return false;
      for (const auto& [name, resource] : state.resources) {
        if (resource.devices.size() != devices) return false;
      }
      return true;
    });
    if (!all) throw std::runtime_error("the agent did not offer all devices");
  }

 private:
  AgentRun run_;
  // In memory, as sysfs is. Sockets are below it too.
  test::TemporaryFolder folder_{"/dev/shm"};
  unsigned kubelets_ = 0;
};

double resident_mb(pid_t pid) {
  std::ifstream status(fmt::format("/proc/{}/status", pid));
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::stod(line.substr(6)) / 1000.0 * 1.024;
  }
  throw std::runtime_error("the agent has no VmRSS");
}

}  // namespace

Figure measure_scan(const AgentRun& run, std::optional<double> goal) {
  Node node(run);
  Figure figure{
      fmt::format("scan_{}x{}_{}pool{}_ms", kPfs, run.vfs, run.pools, run.pools == 1 ? "" : "s"),
      "ms",
      {},
      goal,
      std::nullopt,
      run.pools != 1};
  for (unsigned i = 0; i < run.rounds; ++i) {
    const auto kubelet = node.start_kubelet();
    const auto start = Clock::now();
    const auto agent = node.start_agent();
    node.wait_for_all(*kubelet);
    figure.samples.push_back(Milliseconds(Clock::now() - start).count());
    if (agent->terminate() != 0) throw std::runtime_error("the agent did not end well");
  }
  return figure;
}

std::vector<Figure> measure_allocate(const AgentRun& run) {
  constexpr size_t kDevices = 8;
  constexpr unsigned kAllocations = 100;
  Node node(run);
  const auto kubelet = node.start_kubelet();
  const auto agent = node.start_agent();
  node.wait_for_all(*kubelet);
  Figure allocate{"allocate_8_ms", "ms", {}, 2.0, std::nullopt};
  for (unsigned i = 0; i < kAllocations; ++i) {
    const auto pod = fmt::format("pod{}", i);
    const auto start = Clock::now();
    const auto got = kubelet->allocate(pod, "main", "rdma/vf0", kDevices);
    allocate.samples.push_back(Milliseconds(Clock::now() - start).count());
    if (!got) throw std::runtime_error(got.error().message);
    kubelet->remove_pod(pod);
  }
  Figure memory{"agent_rss_mb", "MB", {resident_mb(agent->pid())}, 25.0, std::nullopt};
  return {allocate, memory};
}

}  // namespace railhead::bench
