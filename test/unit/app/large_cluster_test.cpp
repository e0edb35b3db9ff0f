// The agent as an operator's container runs it, before a large cluster and a slow API server.
#include <array>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>
#include <iostream>

#include <catch2/catch_test_macros.hpp>
#include <fmt/format.h>

#include "base/clock.hpp"
#include "host/files.hpp"
#include "ipc/client.hpp"
#include "ipc/cluster.hpp"
#include "ipc/pod_news.hpp"
#include "ipc/socket.hpp"
#include "test/support/api_server.hpp"
#include "test/support/child.hpp"
#include "test/support/kubelet/fake_kubelet.hpp"
#include "test/support/must.hpp"
#include "test/support/sysfs_tree.hpp"
#include "test/support/temporary_folder.hpp"

namespace railhead::test {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr size_t kNads = 5'000;
constexpr size_t kPods = 110;
constexpr size_t kAdds = 150;
constexpr size_t kLimit = size_t{50} << 20U;  // bytes, of network-operator's container

// A memory control group of this process's own, of either version; nothing where none can be made.
class MemoryLimit {
 public:
  MemoryLimit() {
    std::ifstream groups("/proc/self/cgroup");
    for (std::string line; std::getline(groups, line);) {
      const bool is_second = line.starts_with("0::");
      const auto controller = line.find(":memory:");
      if (!is_second && controller == std::string::npos) continue;
      const auto own = line.substr(line.rfind(':') + 1);
      const auto* root = is_second ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
      for (const auto& parent : {root + own, std::string(root)}) {
        const auto folder = fmt::format("{}/railhead-test-{}", parent, getpid());
        std::error_code error;
        if (!fs::create_directory(folder, error)) continue;
        const auto* file = is_second ? "/memory.max" : "/memory.limit_in_bytes";
        if (fs::exists(folder + file)) {
          folder_ = folder;
          std::ofstream(folder_ + file) << kLimit;
          return;
        }
        fs::remove(folder, error);
      }
    }
  }
  ~MemoryLimit() {
    std::error_code error;
    SystemClock clock;
    if (!folder_.empty()) wait_until(clock, 5s, 20ms, [&] { return fs::remove(folder_, error); });
  }
  MemoryLimit(const MemoryLimit&) = delete;
  MemoryLimit& operator=(const MemoryLimit&) = delete;

  [[nodiscard]] bool is_there() const { return !folder_.empty(); }
  [[nodiscard]] std::string procs() const { return folder_ + "/cgroup.procs"; }

 private:
  std::string folder_;
};

std::string nad(size_t i) {
  const auto config = fmt::format(
      R"({{\"cniVersion\":\"1.0.0\",\"type\":\"railhead\",\"vlan\":{},\"ipam\":{{\"type\":\"host-local\",\"ranges\":[[{{\"subnet\":\"10.{}.{}.0/24\"}}]]}}}})",
      i % 4'000 + 1, i / 250, i % 250);
  return fmt::format(
      R"({{"metadata":{{"namespace":"team-{}","name":"rail-{}","annotations":{{"k8s.v1.cni.cncf.io/resourceName":"rdma/vf0"}}}},"spec":{{"config":"{}"}}}})",
      i % 50, i, config);
}

std::string pod(size_t i) {
  return fmt::format(
      R"({{"metadata":{{"namespace":"ml","name":"trainer-{}","uid":"0000-{}"}},"spec":{{"containers":[{{"image":"{}"}}]}}}})",
      i, i, std::string(8'000, 'x'));
}

std::string list_of(size_t count, std::string (*item)(size_t)) {
  std::string items;
  for (size_t i = 0; i < count; ++i) items += (i == 0 ? "" : ",") + item(i);
  return R"({"metadata":{"resourceVersion":"7"},"items":[)" + items + "]}";
}

bool has(const ApiServer::Request& request, const char* part) {
  return request.target.find(part) != std::string::npos;
}

// Takes its time for each answer.
ApiServer::Answer slow_answer(const ApiServer::Request& request) {
  static const auto nads = list_of(kNads, nad);
  static const auto pods = list_of(kPods, pod);
  if (has(request, "watch=1")) return {.stays_open = true};
  if (has(request, "/network-attachment-definitions?")) return {.body = nads, .after = 1s};
  if (has(request, "/api/v1/pods?")) return {.body = pods, .after = 1s};
  if (request.method == "PATCH") return {.body = "{}", .after = 1s};
  if (request.method == "POST") return {.status = 201, .body = "{}", .after = 1s};
  return {.status = 404, .body = "{}", .after = 1s};
}

// "VmHWM", "RssAnon": MB
double memory_mb(pid_t pid, const std::string& what) {
  std::ifstream status(fmt::format("/proc/{}/status", pid));
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(what + ":")) return std::stod(line.substr(what.size() + 1)) / 1024;
  }
  return 0;
}

}  // namespace

TEST_CASE("In 50 Mi the agent knows a large cluster, and a storm of pods gets its answers") {
  const MemoryLimit limit;
  if (!limit.is_there()) SKIP("no control group for memory can be made here");
  const TemporaryFolder folder("/dev/shm");
  const auto& root = folder.path();
  SysfsTree tree(root + "/sys");
  add_mlx5_node(tree, 8, 127);
  const FakeKubelet kubelet({.dir = root + "/kubelet"});
  ApiServer server(slow_answer);
  must(host::write_file_atomically(
      root + "/kubeconfig",
      fmt::format("current-context: x\ncontexts: [{{name: x, context: {{cluster: c, user: u}}}}]\n"
                  "clusters: [{{name: c, cluster: {{server: \"{}\"}}}}]\nusers: [{{name: u, user: "
                  "{{}}}}]\n",
                  server.url()),
      0600));
  std::string resources;
  for (int i = 0; i < 8; ++i) {
    resources += fmt::format(
        R"({}{{"resourceName":"vf{}","resourcePrefix":"rdma","selectors":{{"pfNames":["p{}"],"isRdma":true}}}})",
        i == 0 ? "" : ",", i, i);
  }
  must(host::write_file_atomically(root + "/config.json", R"({"resourceList":[)" + resources + "]}",
                                   0600));

  Child agent(
      {"/bin/sh", "-c", R"(echo $$ >"$0" && exec "$@")", limit.procs(), RAILHEAD_AGENT,
       "--log-level=error", "--config-file=" + root + "/config.json",
       "--sysfs-root=" + root + "/sys", "--kubelet-dir=" + root + "/kubelet",
       "--devinfo-dir=" + root + "/devinfo", "--run-dir=" + root + "/run",
       "--state-dir=" + root + "/state", "--kubeconfig=" + root + "/kubeconfig", "--node-name=n1"},
      {});
  REQUIRE(
      kubelet.wait(60s, [](const FakeKubeletState& state) { return state.resources.size() == 8; }));
  const auto socket = ipc::socket_in(root + "/run");
  SystemClock clock;
  const auto ask = [&](size_t i) {
    return ipc::ask_nad(socket, {fmt::format("team-{}", i % 50), fmt::format("rail-{}", i), {}},
                        3s);
  };
  REQUIRE(wait_until(clock, 60s, 100ms, [&] {
    const auto last = ask(kNads - 1);
    return last && last->state == ipc::ClusterState::known;
  }));

  // What ADDs ask and leave, all at once.
  const auto asked = server.requests().size();
  std::atomic<size_t> failures = 0;
  const auto start = clock.now();
  std::vector<std::future<void>> adds;
  for (size_t i = 0; i < kAdds; ++i) {
    adds.push_back(std::async(std::launch::async, [&, i] {
      for (size_t rail = 0; rail < 8; ++rail) {
        const auto answer = ask((i * 8 + rail) % kNads);
        if (!answer || answer->state != ipc::ClusterState::known) ++failures;
      }
      const auto name = fmt::format("trainer-{}", i % kPods);
      const auto known = ipc::ask_pod(socket, {"ml", name, fmt::format("0000-{}", i % kPods)}, 3s);
      if (!known || known->state != ipc::ClusterState::known) ++failures;
    }));
  }
  for (auto& add : adds) add.get();
  const std::chrono::duration<double, std::milli> took = clock.now() - start;
  CHECK(failures == 0);
  CHECK(server.requests().size() == asked);  // none of it is asked before a pod starts

  const auto news = ipc::news_folder_in(root + "/run");
  REQUIRE(fs::exists(news));
  for (size_t i = 0; i < kPods; ++i) {
    const ipc::PodNews one{"ml",
                           fmt::format("trainer-{}", i),
                           fmt::format("0000-{}", i),
                           std::string(2'000, '1'),
                           {},
                           {},
                           {}};
    must(
        host::replace_file(fmt::format("{}/c{}.json", news, i), news + "/.new", encode(one), 0600));
  }
  REQUIRE(wait_until(clock, 120s, 200ms, [&] { return fs::is_empty(news); }));
  CHECK(server.requests().size() == asked + kPods);  // one write each

  std::cout << fmt::format(
      "    {} NADs, {} pods, 1016 VFs, an API server that takes 1 s: {} ADDs asked {} times in "
      "{:.0f} "
      "ms, {} failed; at most {:.1f} MB resident, {:.1f} MB of these its own (goal 40)\n",
      kNads, kPods, kAdds, kAdds * 9, took.count(), failures.load(),
      memory_mb(agent.pid(), "VmHWM"), memory_mb(agent.pid(), "RssAnon"));
  CHECK(agent.terminate() == 0);
}

}  // namespace railhead::test
