#pragma once
// The agent over a generated node, with a kubelet over real sockets; the test is the kernel that
// changes the node and says so, or does not answer.
#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include <catch2/catch_test_macros.hpp>

#include "linux/file_locks.hpp"
#include "plugin/app/agent.hpp"
#include "test/support/fake_events.hpp"
#include "test/support/kubelet/fake_kubelet.hpp"
#include "test/support/must.hpp"
#include "test/support/scanning.hpp"

namespace railhead::test {

using namespace std::chrono_literals;
using std::chrono::steady_clock;
namespace fs = std::filesystem;

inline constexpr const char* kTwoPools =
    R"({"resourceList":[{"resourceName":"vf","resourcePrefix":"rdma",
                         "selectors":{"pfNames":["p1"],"isRdma":true}},
                        {"resourceName":"none","resourcePrefix":"rdma",
                         "selectors":{"vendors":["ffff"]}}]})";
inline constexpr const char* kOnePool =
    R"({"resourceList":[{"resourceName":"vf","resourcePrefix":"rdma",
                         "selectors":{"pfNames":["p1"],"isRdma":true}}]})";

inline constexpr const char* kRails = R"({"pools":[{"resourceName":"rail","resourcePrefix":"rdma",
                                  "rails":"auto","selectors":{"isRdma":true}}]})";

// The time as it is; who asks for it on the loop's thread may meet what the test has in store.
class WatchedClock final : public Clock {
 public:
  [[nodiscard]] std::chrono::steady_clock::time_point now() const override {
    if (std::this_thread::get_id() == loop_ && on_ask) on_ask();
    return steady_clock::now();
  }
  void sleep(std::chrono::nanoseconds duration) override { std::this_thread::sleep_for(duration); }

  std::function<void()> on_ask;

 private:
  const std::thread::id loop_ = std::this_thread::get_id();
};

// Two PFs with four VFs each.
class AgentNode {
 public:
  explicit AgentNode(const std::string& config = kTwoPools,
                     KubeletVersion version = KubeletVersion::v1_36)
      : kubelet({.dir = folder.path() + "/kubelet", .version = version}) {
    add_mlx5_node(tree, 2, 4);
    write_boot_id();
    write_config(config);
    options.config_file = folder.path() + "/etc/config.json";
    options.kubelet_dir = folder.path() + "/kubelet";
    options.devinfo_dir = folder.path() + "/devinfo";
    options.state_dir = folder.path() + "/state";
    options.ledger = {.settle = 200ms, .poll = 50ms, .retry = 50ms, .pause = 10ms};
  }
  ~AgentNode() { kernel.release(); }

  // A standby.
  void stand_by() {
    agent.emplace(options, host, *loop, events, kernel.adapters(), metrics, log);
    must(agent->start());
  }
  void start() {
    stand_by();
    must(agent->serve());
    REQUIRE(run_until([&] { return !agent->state().pools.empty(); }));
  }
  void stop() {
    agent->stop();
    agent.reset();
  }
  // As after a boot: what lies in memory is gone, and so are the VFs' names for their nodes.
  void boot() {
    stop();
    fs::remove_all(folder.path() + "/run");
    ++boots_;
    write_boot_id();
  }

  // Turns the loop until the condition holds, for at most `limit`.
  template <class Condition>
  bool run_until(Condition condition, std::chrono::milliseconds limit = 10s) {
    const auto end = steady_clock::now() + limit;
    while (!condition()) {
      const auto now = steady_clock::now();
      if (now >= end) return false;
      auto until = std::min(end, now + 20ms);  // kubelet's side changes on its own
      if (const auto due = loop->due()) until = std::min(until, *due);
      const auto wait = std::chrono::ceil<std::chrono::milliseconds>(until - now).count();
      epoll_event ready{};
      epoll_wait(loop->fd(), &ready, 1, static_cast<int>(std::max<int64_t>(0, wait)));
      loop->turn();
    }
    return true;
  }
  bool run_until_healthy(const std::string& resource, size_t count,
                         std::chrono::milliseconds limit = 10s) {
    return run_until([&] { return seen(resource).healthy() == count; }, limit);
  }
  // What a test calls waits for the agent's loop.
  template <class Work>
  auto while_turning(Work work) {
    std::atomic<bool> done = false;
    std::optional<std::invoke_result_t<Work>> result;
    std::thread working([&] {
      result.emplace(work());
      done = true;
    });
    CHECK(run_until([&] { return done.load(); }));
    working.join();
    return std::move(*result);
  }
  // By the container "main" of the pod "pod".
  void allocate(const std::string& resource, const PciAddress& device) {
    std::ignore = while_turning(
        [&] { return must(kubelet.allocate("pod", "main", resource, {device.to_string()})); });
  }
  FakeResource seen(const std::string& resource) const {
    const auto state = kubelet.state();
    const auto found = state.resources.find(resource);
    return found == state.resources.end() ? FakeResource{} : found->second;
  }
  [[nodiscard]] bool is_healthy(const std::string& resource, const PciAddress& device) const {
    const auto devices = seen(resource).devices;
    const auto found = devices.find(device.to_string());
    return found != devices.end() && found->second.healthy;
  }

  // The resource that the agent serves the device as; "": none.
  [[nodiscard]] std::string pool_of(const PciAddress& device) const {
    for (const auto& served : agent->state().pools) {
      for (const auto& member : served.view->pool.members) {
        if (member.address == device) return served.view->pool.resource.full_name();
      }
    }
    return "";
  }
  // The kind of reason why the device is not given out, in whatever pool.
  [[nodiscard]] std::string_view cause_of(const PciAddress& device) const {
    for (const auto& served : agent->state().pools) {
      for (const auto& member : served.view->pool.members) {
        if (member.address == device && !member.sickness.empty()) return to_string(member.cause);
      }
    }
    return "";
  }
  // Why the device is not given out, in whatever pool.
  [[nodiscard]] std::string sickness_of(const PciAddress& device) const {
    for (const auto& served : agent->state().pools) {
      for (const auto& member : served.view->pool.members) {
        if (member.address == device) return member.sickness;
      }
    }
    return "";
  }

  void write_config(const std::string& text) const {
    fs::create_directories(folder.path() + "/etc");
    std::ofstream(folder.path() + "/etc/config.json") << text;
  }
  [[nodiscard]] std::string entry(const PciAddress& address) const {
    return folder.path() + "/sys/bus/pci/devices/" + address.to_string();
  }
  // As a driver that is bound anew makes them: its RDMA device's nodes of other numbers.
  void renumber(const PciAddress& address, unsigned from, unsigned to) const {
    for (const auto* kind :
         {"infiniband_verbs/uverbs", "infiniband_mad/umad", "infiniband_mad/issm"}) {
      fs::rename(fmt::format("{}/{}{}", entry(address), kind, from),
                 fmt::format("{}/{}{}", entry(address), kind, to));
    }
  }
  // As when a driver takes a function's last VFs away.
  void remove(const PciAddress& address) const { fs::rename(entry(address), parked(address)); }
  void bring_back(const PciAddress& address) const { fs::rename(parked(address), entry(address)); }

  TemporaryFolder folder;
  SysfsTree tree{folder.path() + "/sys"};
  HangingKernel kernel{folder.path()};
  WatchedClock clock;
  linux::LinuxFileLocks locks{clock};
  host::Host host{kernel.still.links,
                  kernel.still.rdma,
                  kernel.still.devlink,
                  kernel.still.netns,
                  kernel.still.functions,
                  kernel.still.processes,
                  locks,
                  clock,
                  kernel.still.host.roots};
  FakeKubelet kubelet;
  FakeEvents events;
  metrics::Metrics metrics{"test"};
  Logger log{STDERR_FILENO, LogLevel::error};
  app::Options options;
  std::unique_ptr<Loop> loop = must(Loop::open(clock));
  std::optional<app::Agent> agent;

 private:
  void write_boot_id() const {
    const auto at = folder.path() + "/proc/sys/kernel/random";
    fs::create_directories(at);
    std::ofstream(at + "/boot_id") << "boot-" << boots_ << '\n';
  }
  // The links of the folder are relative to it.
  [[nodiscard]] std::string parked(const PciAddress& address) const {
    const auto at = folder.path() + "/sys/bus/parked/devices/";
    fs::create_directories(at);
    return at + address.to_string();
  }

  int boots_ = 1;
};

}  // namespace railhead::test
