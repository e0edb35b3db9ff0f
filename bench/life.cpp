#include "bench/life.hpp"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <thread>

#include <fmt/format.h>
#include <sys/stat.h>

#include "plugin/node/scanner.hpp"
#include "test/support/child.hpp"
#include "test/support/kubelet/fake_kubelet.hpp"
#include "test/support/scanning.hpp"

namespace railhead::bench {
namespace {

constexpr auto kLifeLimit = std::chrono::seconds(30);
using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::duration<double, std::milli>;

double since(Clock::time_point start) { return Milliseconds(Clock::now() - start).count(); }

// A node of `pfs` PFs with `vfs` VFs each, before a kubelet.
class LifeNode {
 public:
  LifeNode(std::string programs, unsigned pfs, unsigned vfs, bool plugin_watcher)
      : programs_(std::move(programs)),
        kubelet_({.dir = root() + "/kubelet", .plugin_watcher = plugin_watcher}) {
    test::SysfsTree tree(root() + "/sys");
    test::add_mlx5_node(tree, pfs, vfs);
    std::ofstream(root() + "/config.json")
        << R"({"resourceList":[{"resourceName":"vf","resourcePrefix":"rdma","selectors":{"isRdma":true}}]})";
  }
  [[nodiscard]] std::string root() const { return folder_.path(); }
  [[nodiscard]] std::unique_ptr<test::Child> start_agent(const std::string& probe) const {
    return std::make_unique<test::Child>(
        std::vector<std::string>{
            programs_ + "/railhead-agent", "--log-level=error",
            "--config-file=" + root() + "/config.json", "--sysfs-root=" + root() + "/sys",
            "--kubelet-dir=" + root() + "/kubelet", "--devinfo-dir=" + root() + "/devinfo",
            "--run-dir=" + root() + "/run", "--state-dir=" + root() + "/state",
            "--probe-socket=" + root() + '/' + probe},
        std::vector<std::string>{});
  }
  // Whether the agent with that socket is ready: a standby is when it knows the node.
  [[nodiscard]] bool is_ready(const std::string& probe) const {
    if (!std::filesystem::exists(root() + '/' + probe)) return false;
    test::Child child(
        {programs_ + "/railhead-agent", "--probe-socket=" + root() + '/' + probe, "probe", "ready"},
        {});
    return child.wait() == 0;
  }
  void wait_for(size_t healthy, int lists) const {
    const bool there = kubelet_.wait(kLifeLimit, [&](const test::FakeKubeletState& state) {
      const auto found = state.resources.find("rdma/vf");
      return found != state.resources.end() && found->second.lists > lists &&
             found->second.healthy() == healthy;
    });
    if (!there) throw std::runtime_error("the agent did not offer all devices");
  }
  [[nodiscard]] int lists() const { return kubelet_.state().resources.at("rdma/vf").lists; }

 private:
  std::string programs_;
  test::TemporaryFolder folder_{"/dev/shm"};
  test::FakeKubelet kubelet_;
};

Figure measure_one_handover(const std::string& programs, unsigned rounds, bool plugin_watcher) {
  Figure figure;
  figure.name = plugin_watcher ? "handover_registry_ms" : "handover_ms";
  figure.unit = "ms";
  figure.goal = plugin_watcher ? 1200.0 : 200.0;
  const LifeNode node(programs, 8, 16, plugin_watcher);
  auto serving = node.start_agent("probe0.sock");
  node.wait_for(8 * 16, 0);
  for (unsigned i = 1; i <= rounds; ++i) {
    const auto probe = fmt::format("probe{}.sock", i);
    auto standby = node.start_agent(probe);
    const auto end = Clock::now() + kLifeLimit;
    while (!node.is_ready(probe)) {
      if (Clock::now() > end) throw std::runtime_error("the standby does not become ready");
    }
    const int lists = node.lists();
    const auto start = Clock::now();
    if (serving->terminate() != 0) throw std::runtime_error("the agent did not end well");
    node.wait_for(8 * 16, lists);
    figure.samples.push_back(since(start));
    serving = std::move(standby);
  }
  return figure;
}

// A driver that takes its time to tell of a port.
class SlowRdma final : public host::RdmaDevices {
 public:
  explicit SlowRdma(test::StillRdma all) : all_(std::move(all)) {}
  Result<std::vector<host::RdmaLink>> list() override { return all_.list(); }
  Result<host::RdmaPort> port(uint32_t, uint32_t number) override {
    std::this_thread::sleep_for(std::chrono::microseconds(300));
    return host::RdmaPort{number, 4, 5, std::nullopt};
  }
  Result<std::optional<host::RdmaNetnsMode>> netns_mode() override { return all_.netns_mode(); }
  Result<void> move(std::string_view, int) override { return {}; }
  Result<void> rename(std::string_view, std::string_view) override { return {}; }

 private:
  test::StillRdma all_;
};

}  // namespace

std::vector<Figure> measure_handover(const std::string& programs, unsigned rounds) {
  return {measure_one_handover(programs, rounds, false),
          measure_one_handover(programs, rounds, true)};
}

Figure measure_start_with_hung_pf(const std::string& programs, unsigned rounds) {
  Figure figure{"start_with_hung_pf_ms", "ms", {}, 3000.0, std::nullopt};
  for (unsigned i = 0; i < rounds; ++i) {
    const LifeNode node(programs, 8, 16, true);
    // Whoever opens it waits for a writer, as readers do for a driver that does not answer.
    const auto file =
        node.root() + "/sys/bus/pci/devices/" + test::mlx5_pf(0).to_string() + "/numa_node";
    std::filesystem::remove(file);
    if (mkfifo(file.c_str(), 0600) != 0) throw std::runtime_error("mkfifo");
    const auto start = Clock::now();
    const auto agent = node.start_agent("probe.sock");
    node.wait_for(7 * 16, 0);
    figure.samples.push_back(since(start));
  }
  return figure;
}

Figure measure_scan_with_rdma(unsigned rounds) {
  Figure figure{"scan_1016_rdma_ms", "ms", {}, 150.0, std::nullopt};
  const test::TemporaryFolder folder("/dev/shm");
  test::SysfsTree tree(folder.path() + "/sys");
  test::add_mlx5_node(tree, 8, 127);
  test::HangingKernel kernel(folder.path());
  for (uint32_t i = 0; i < 8 * 128; ++i) {
    const auto name = fmt::format("mlx5_{}", i);
    kernel.still.rdma.all.push_back({i, name, Guid{i + 1}, "roce"});
    kernel.still.rdma.ports[name] = {{1, 4, 5, std::nullopt}};
  }
  auto adapters = kernel.adapters();
  adapters.rdma = [&]() -> Result<std::unique_ptr<host::RdmaDevices>> {
    return std::make_unique<SlowRdma>(kernel.still.rdma);
  };
  const SystemClock clock;
  Logger log(-1, LogLevel::error);
  for (unsigned i = 0; i < rounds; ++i) {
    const auto loop = std::move(*Loop::open(clock));
    const auto start = Clock::now();
    node::Scanner scanner(*loop, clock, adapters, kernel.still.host.roots, log, [] {});
    scanner.look({});
    if (!test::run_loop_until(*loop, [&] { return scanner.latest() != nullptr; })) {
      throw std::runtime_error("the node was not read");
    }
    figure.samples.push_back(since(start));
  }
  return figure;
}

}  // namespace railhead::bench
