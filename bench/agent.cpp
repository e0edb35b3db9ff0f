#include "bench/agent.hpp"

#include <chrono>
#include <fstream>
#include <memory>
#include <stdexcept>

#include <fmt/format.h>

#include "test/support/child.hpp"
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
  [[nodiscard]] std::unique_ptr<test::Child> start_agent() const {
    const auto& root = folder_.path();
    std::vector<std::string> command{run_.programs + "/railhead-agent",
                                     "--log-level=error",
                                     "--config-file=" + root + "/config.json",
                                     "--sysfs-root=" + root + "/sys",
                                     fmt::format("--kubelet-dir={}/kubelet{}", root, kubelets_),
                                     "--devinfo-dir=" + root + "/devinfo",
                                     "--run-dir=" + root + "/run",
                                     "--state-dir=" + root + "/state"};
    if (run_.cdi) command.insert(command.end(), {"--use-cdi", "--cdi-dir=" + root + "/cdi"});
    return std::make_unique<test::Child>(command, std::vector<std::string>{});
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

// Milliseconds from the agent's exec until kubelet has all devices.
double start_once(Node& node) {
  const auto kubelet = node.start_kubelet();
  const auto start = Clock::now();
  const auto agent = node.start_agent();
  node.wait_for_all(*kubelet);
  const double took = Milliseconds(Clock::now() - start).count();
  if (agent->terminate() != 0) throw std::runtime_error("the agent did not end well");
  return took;
}

Figure scan_figure(const AgentRun& run) {
  Figure figure;
  figure.name = fmt::format("scan_{}x{}_{}pool{}{}_ms", kPfs, run.vfs, run.pools,
                            run.pools == 1 ? "" : "s", run.cdi ? "_cdi" : "");
  figure.unit = "ms";
  figure.in_json = run.pools != 1;
  return figure;
}

constexpr size_t kDevices = 8;

std::vector<std::string> first_devices(const test::FakeKubelet& kubelet) {
  std::vector<std::string> ids;
  (void)kubelet.wait(kLimit, [&](const test::FakeKubeletState& state) {
    for (const auto& [id, device] : state.resources.at("rdma/vf0").devices) {
      if (ids.size() < kDevices) ids.push_back(id);
    }
    return true;
  });
  return ids;
}

// `what`: the ids, or how many of the agent's own choice.
template <class What>
double allocate_once(test::FakeKubelet& kubelet, unsigned number, const What& what) {
  const auto pod = fmt::format("pod{}", number);
  const auto start = Clock::now();
  const auto got = kubelet.allocate(pod, "main", "rdma/vf0", what);
  const double took = Milliseconds(Clock::now() - start).count();
  if (!got) throw std::runtime_error(got.error().message);
  kubelet.remove_pod(pod);
  return took;
}

// One start of a container that has these devices, of `rounds`.
std::vector<double> start_often(test::FakeKubelet& kubelet, const std::vector<std::string>& ids,
                                unsigned rounds) {
  const auto got = kubelet.allocate("started", "main", "rdma/vf0", ids);
  if (!got) throw std::runtime_error(got.error().message);
  std::vector<double> samples;
  for (unsigned i = 0; i < rounds; ++i) {
    const auto start = Clock::now();
    const auto started = kubelet.start_container("started", "main");
    samples.push_back(Milliseconds(Clock::now() - start).count());
    if (!started) throw std::runtime_error(started.error().message);
  }
  kubelet.remove_pod("started");
  return samples;
}

}  // namespace

Figure measure_scan(const AgentRun& run, std::optional<double> goal) {
  Node node(run);
  Figure figure = scan_figure(run);
  figure.goal = goal;
  for (unsigned i = 0; i < run.rounds; ++i) figure.samples.push_back(start_once(node));
  return figure;
}

Figure measure_scan_with_cdi(const AgentRun& run) {
  AgentRun cdi_run = run;
  cdi_run.cdi = true;
  Node plain_node(run);
  Node cdi_node(cdi_run);
  Figure plain = scan_figure(run);
  Figure cdi = scan_figure(cdi_run);
  for (unsigned i = 0; i < run.rounds; ++i) {
    plain.samples.push_back(start_once(plain_node));
    cdi.samples.push_back(start_once(cdi_node));
  }
  cdi.floor = plain.median();
  cdi.goal = 1.2 * plain.median();
  return cdi;
}

std::vector<Figure> measure_allocate(const AgentRun& run) {
  constexpr unsigned kMeasured = 100;
  constexpr unsigned kAll = 10'000;
  Node node(run);
  const auto kubelet = node.start_kubelet();
  const auto agent = node.start_agent();
  node.wait_for_all(*kubelet);
  Figure allocate{run.cdi ? "allocate_8_cdi_ms" : "allocate_8_ms", "ms", {}, 2.0, std::nullopt};
  const auto ids = first_devices(*kubelet);
  unsigned number = 0;
  while (number < kMeasured) allocate.samples.push_back(allocate_once(*kubelet, number++, ids));
  Figure start{run.cdi ? "prestart_8_cdi_ms" : "prestart_8_ms", "ms",
               start_often(*kubelet, ids, kMeasured), 2.0, std::nullopt};
  if (run.cdi) return {allocate, start};
  Figure choose{"choose_and_allocate_8_ms", "ms", {}, std::nullopt, std::nullopt};
  while (number < 2 * kMeasured) {
    choose.samples.push_back(allocate_once(*kubelet, number++, kDevices));
  }
  Figure memory{"agent_rss_mb", "MB", {resident_mb(agent->pid())}, 25.0, std::nullopt};
  while (number < kAll) allocate_once(*kubelet, number++, kDevices);
  Figure later{"rss_after_10000_mb", "MB", {resident_mb(agent->pid())}, 25.0, std::nullopt};
  return {allocate, start, choose, memory, later};
}

}  // namespace railhead::bench
