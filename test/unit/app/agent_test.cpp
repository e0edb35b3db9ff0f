// The agent over a generated node, with a kubelet over real sockets; the test is the kernel that
// changes the node and says so, or does not answer.
#include "plugin/app/agent.hpp"

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include <catch2/catch_test_macros.hpp>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugin/pool/remembered.hpp"
#include "test/support/fake_events.hpp"
#include "test/support/kubelet/fake_kubelet.hpp"
#include "test/support/must.hpp"
#include "test/support/scanning.hpp"

namespace railhead::test {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;
namespace fs = std::filesystem;

constexpr const char* kTwoPools =
    R"({"resourceList":[{"resourceName":"vf","resourcePrefix":"rdma",
                         "selectors":{"pfNames":["p1"],"isRdma":true}},
                        {"resourceName":"none","resourcePrefix":"rdma",
                         "selectors":{"vendors":["ffff"]}}]})";
constexpr const char* kOnePool =
    R"({"resourceList":[{"resourceName":"vf","resourcePrefix":"rdma",
                         "selectors":{"pfNames":["p1"],"isRdma":true}}]})";

constexpr const char* kRails = R"({"pools":[{"resourceName":"rail","resourcePrefix":"rdma",
                                  "rails":"auto","selectors":{"isRdma":true}}]})";

// Two PFs with four VFs each.
class AgentNode {
 public:
  explicit AgentNode(const std::string& config = kTwoPools) {
    add_mlx5_node(tree, 2, 4);
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
    agent.emplace(options, kernel.still.host, *loop, events, kernel.adapters(), metrics, log);
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
  // As when a driver takes a function's last VFs away.
  void remove(const PciAddress& address) const { fs::rename(entry(address), parked(address)); }
  void bring_back(const PciAddress& address) const { fs::rename(parked(address), entry(address)); }

  TemporaryFolder folder;
  SysfsTree tree{folder.path() + "/sys"};
  HangingKernel kernel{folder.path()};
  FakeKubelet kubelet{{.dir = folder.path() + "/kubelet"}};
  FakeEvents events;
  metrics::Metrics metrics{"test"};
  Logger log{STDERR_FILENO, LogLevel::error};
  app::Options options;
  std::unique_ptr<Loop> loop = must(Loop::open(kernel.still.host.clock));
  std::optional<app::Agent> agent;

 private:
  // The links of the folder are relative to it.
  [[nodiscard]] std::string parked(const PciAddress& address) const {
    const auto at = folder.path() + "/sys/bus/parked/devices/";
    fs::create_directories(at);
    return at + address.to_string();
  }
};

}  // namespace

TEST_CASE("pools reach kubelet with NUMA nodes, an empty one too, and Allocate answers") {
  AgentNode node;
  node.start();
  REQUIRE(node.run_until_healthy("rdma/vf", 4));
  REQUIRE(node.run_until([&] { return node.seen("rdma/none").lists > 0; }));
  CHECK(node.seen("rdma/vf").devices.at(mlx5_vf(1, 0).to_string()).numa_nodes ==
        std::vector<int64_t>{1});

  const auto got = must(node.kubelet.allocate(
      "pod", "main", "rdma/vf", {mlx5_vf(1, 2).to_string(), mlx5_vf(1, 0).to_string()}));
  CHECK(got.response.envs().at("PCIDEVICE_RDMA_VF") ==
        mlx5_vf(1, 0).to_string() + "," + mlx5_vf(1, 2).to_string());
  REQUIRE(got.response.devices_size() == 7);
  CHECK(got.response.devices(0).host_path() == "/dev/infiniband/uverbs6");
  CHECK(got.response.devices(0).container_path() == "/dev/infiniband/uverbs6");
  CHECK(got.response.devices(0).permissions() == "rw");
}

TEST_CASE("with CDI a container gets the names of devices that the spec has, and no nodes") {
  AgentNode node;
  node.options.use_cdi = true;
  node.options.cdi = {.folder = node.folder.path() + "/cdi", .annotations = true};
  fs::create_directories(node.options.cdi.folder);
  std::ofstream(node.options.cdi.folder + "/railhead-rdma_old.json") << "{}";
  node.start();
  REQUIRE(node.run_until_healthy("rdma/vf", 4));
  const auto vf = mlx5_vf(1, 0).to_string();
  const auto got = must(node.kubelet.allocate("pod", "main", "rdma/vf", {vf}));
  CHECK(got.response.devices_size() == 0);
  REQUIRE(got.response.cdi_devices_size() == 1);
  CHECK(got.response.cdi_devices(0).name() == "rdma/vf=" + vf);
  CHECK(got.response.annotations().at("cdi.k8s.io/railhead_rdma_vf") == "rdma/vf=" + vf);
  const auto spec = must(host::read_file(node.options.cdi.folder + "/railhead-rdma_vf.json"));
  CHECK(spec.find(fmt::format(R"("name":"{}")", vf)) != std::string::npos);
  CHECK(spec.find("/dev/infiniband/uverbs6") != std::string::npos);
  CHECK_FALSE(fs::exists(node.options.cdi.folder + "/railhead-rdma_old.json"));
}

TEST_CASE("nothing is due while nothing happens") {
  AgentNode node;
  node.start();
  REQUIRE(node.run_until_healthy("rdma/vf", 4));
  CHECK(node.run_until([&] {
    epoll_event ready{};
    return !node.loop->due() && epoll_wait(node.loop->fd(), &ready, 1, 0) == 0;
  }));
}

TEST_CASE("a device that goes and comes back reaches kubelet, and its pool keeps its stream") {
  AgentNode node;
  node.start();
  REQUIRE(node.run_until_healthy("rdma/vf", 4));
  node.remove(mlx5_vf(1, 3));
  node.events.happen("pci remove");
  REQUIRE(node.run_until([&] { return node.seen("rdma/vf").devices.size() == 3; }));
  node.bring_back(mlx5_vf(1, 3));
  node.events.happen("pci add");
  CHECK(node.run_until_healthy("rdma/vf", 4));
  CHECK(node.seen("rdma/vf").registrations == 1);
}

TEST_CASE("a pod's device stays its rail's over the agent's restart, whatever came meanwhile") {
  AgentNode node(kRails);
  for (unsigned i = 0; i < 4; ++i) node.remove(mlx5_vf(0, i));
  node.start();
  REQUIRE(node.run_until_healthy("rdma/rail0", 4));
  const auto held = mlx5_vf(1, 2);
  must(node.kubelet.allocate("pod", "main", "rdma/rail0", {held.to_string()}));

  node.stop();
  for (unsigned i = 0; i < 4; ++i) node.bring_back(mlx5_vf(0, i));
  node.start();
  CHECK(node.pool_of(held) == "rdma/rail0");
  CHECK(node.pool_of(mlx5_vf(0, 0)) == "rdma/rail1");
  REQUIRE(node.run_until_healthy("rdma/rail0", 4));
  REQUIRE(node.run_until_healthy("rdma/rail1", 4));
  CHECK(node.seen("rdma/rail0").devices.contains(held.to_string()));
  CHECK_FALSE(node.seen("rdma/rail1").devices.contains(held.to_string()));

  // Nor does a configuration that selects otherwise take it to another rail.
  node.write_config(R"({"pools":[{"resourceName":"rail","resourcePrefix":"rdma","rails":"auto",
                        "selectors":{"isRdma":true,"vendors":["15b3"]}}]})");
  node.agent->reload();
  REQUIRE(node.run_until([&] { return !node.loop->due(); }));
  CHECK(node.pool_of(held) == "rdma/rail0");

  node.stop();
  for (unsigned i = 0; i < 4; ++i) node.remove(mlx5_vf(1, i));
  node.start();
  CHECK(node.pool_of(held).empty());
  CHECK(node.pool_of(mlx5_vf(0, 0)) == "rdma/rail1");
  for (unsigned i = 0; i < 4; ++i) node.bring_back(mlx5_vf(1, i));
  node.events.happen("pci add");
  CHECK(node.run_until([&] { return node.pool_of(held) == "rdma/rail0"; }));
}

TEST_CASE("rails that no pod has are numbered anew when a port comes, and at a restart") {
  AgentNode node(kRails);
  for (unsigned i = 0; i < 4; ++i) node.remove(mlx5_vf(0, i));
  node.start();
  CHECK(node.pool_of(mlx5_vf(1, 0)) == "rdma/rail0");
  for (unsigned i = 0; i < 4; ++i) node.bring_back(mlx5_vf(0, i));
  node.events.happen("pci add");
  REQUIRE(node.run_until([&] { return node.pool_of(mlx5_vf(0, 0)) == "rdma/rail0"; }));
  CHECK(node.pool_of(mlx5_vf(1, 0)) == "rdma/rail1");

  node.stop();
  for (unsigned i = 0; i < 4; ++i) node.remove(mlx5_vf(0, i));
  node.start();
  CHECK(node.pool_of(mlx5_vf(1, 0)) == "rdma/rail0");
}

TEST_CASE("an order of rails that cannot be read is told, and made anew") {
  AgentNode node(kRails);
  const auto file = node.folder.path() + "/run/rails.json";
  fs::create_directories(node.folder.path() + "/run");
  std::ofstream(file) << "{\"schema\":1,";
  const auto log_file = node.folder.path() + "/log";
  const UniqueFd log_fd(open(log_file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  Logger log(log_fd.get(), LogLevel::error);
  node.agent.emplace(node.options, node.kernel.still.host, *node.loop, node.events,
                     node.kernel.adapters(), node.metrics, log);
  must(node.agent->start());
  must(node.agent->serve());
  REQUIRE(node.run_until([&] { return !node.agent->state().pools.empty(); }));
  CHECK(must(host::read_file(log_file)).find(file) != std::string::npos);
  CHECK(node.pool_of(mlx5_vf(1, 0)) == "rdma/rail1");
  CHECK(must(pool::read_rails(node.folder.path() + "/run")).at("rdma/rail") ==
        std::vector{mlx5_pf(0), mlx5_pf(1)});
}

TEST_CASE("a pool whose last device goes stays registered, and has it again when it is back") {
  AgentNode node;
  node.start();
  REQUIRE(node.run_until_healthy("rdma/vf", 4));
  for (unsigned i = 0; i < 4; ++i) node.remove(mlx5_vf(1, i));
  node.events.happen("pci remove");
  REQUIRE(node.run_until([&] { return node.seen("rdma/vf").devices.empty(); }));
  for (unsigned i = 0; i < 4; ++i) node.bring_back(mlx5_vf(1, i));
  node.events.happen("pci add");
  CHECK(node.run_until_healthy("rdma/vf", 4));
  CHECK(node.seen("rdma/vf").registrations == 1);
}

TEST_CASE("a burst of 200 events costs few updates, the last of which is right") {
  AgentNode node;
  node.start();
  REQUIRE(node.run_until_healthy("rdma/vf", 4));
  const int lists = node.seen("rdma/vf").lists;
  for (int i = 0; i < 200; ++i) {
    if (i % 2 == 0) {
      node.remove(mlx5_vf(1, 0));
    } else {
      node.bring_back(mlx5_vf(1, 0));
    }
    node.events.happen("pci change");
    node.loop->turn();
  }
  node.remove(mlx5_vf(1, 1));
  node.events.happen("pci remove");
  REQUIRE(node.run_until([&] { return node.seen("rdma/vf").devices.size() == 3; }));
  CHECK(node.seen("rdma/vf").lists - lists <= 20);  // far fewer than events
}

TEST_CASE("a log that nobody reads holds up neither the loop nor an allocation") {
  int ends[2];
  REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
  const UniqueFd reader(ends[0]);
  const UniqueFd writer(ends[1]);
  AgentNode node;
  node.log = Logger(writer.get(), LogLevel::debug);
  for (int i = 0; i < 2000; ++i) node.log.info("until the pipe is full", {{"line", i}});
  pollfd full{writer.get(), POLLOUT, 0};
  REQUIRE(poll(&full, 1, 0) == 0);
  node.start();
  REQUIRE(node.run_until_healthy("rdma/vf", 4));
  const auto given = node.while_turning([&] {
    return node.kubelet.allocate("pod", "main", "rdma/vf", std::vector{mlx5_vf(1, 0).to_string()});
  });
  CHECK(given);
  node.remove(mlx5_vf(1, 3));
  node.events.happen("pci remove");
  CHECK(node.run_until_healthy("rdma/vf", 3));
}

TEST_CASE("an agent stops while a reading hangs") {
  AgentNode node;
  node.kernel.still.rdma.all.push_back({0, "mlx5_0", Guid{1}, "roce"});
  node.kernel.still.rdma.ports["mlx5_0"] = {{1, 4, 5, std::nullopt}};
  node.kernel.hang("mlx5_0");
  node.start();
  REQUIRE(node.run_until_healthy("rdma/vf", 4));
  CHECK(node.kernel.waits_for("mlx5_0"));
  node.stop();
  CHECK(node.kernel.waits_for("mlx5_0"));
}

TEST_CASE("lost events make the agent look again") {
  AgentNode node;
  node.start();
  REQUIRE(node.run_until_healthy("rdma/vf", 4));
  node.remove(mlx5_vf(1, 0));
  node.events.lose();
  CHECK(node.run_until_healthy("rdma/vf", 3));
}

TEST_CASE("a pool that the new configuration names too keeps its stream; others come and go") {
  AgentNode node;
  node.start();
  REQUIRE(node.run_until_healthy("rdma/vf", 4));
  node.write_config(R"({"resourceList":[{"resourceName":"vf","resourcePrefix":"rdma",
                        "selectors":{"pfNames":["p1"],"isRdma":true}},
                       {"resourceName":"other","resourcePrefix":"rdma",
                        "selectors":{"pfNames":["p0#0-1"]}}]})");
  CHECK(node.run_until_healthy("rdma/other", 2));
  CHECK(node.seen("rdma/vf").registrations == 1);
  // Of the pool that is gone no socket is left.
  for (const auto& file :
       fs::directory_iterator(node.folder.path() + "/kubelet/plugins_registry")) {
    CHECK(file.path().string().find("none") == std::string::npos);
  }
}

TEST_CASE("a resource with new selectors gets other devices on the stream it has") {
  AgentNode node;
  node.start();
  REQUIRE(node.run_until_healthy("rdma/vf", 4));
  node.write_config(R"({"resourceList":[{"resourceName":"vf","resourcePrefix":"rdma",
                        "selectors":{"pfNames":["p0#1"],"isRdma":true}}]})");
  REQUIRE(node.run_until_healthy("rdma/vf", 1));
  CHECK(node.seen("rdma/vf").devices.contains(mlx5_vf(0, 1).to_string()));
  CHECK(node.seen("rdma/vf").registrations == 1);
}

TEST_CASE(
    "with a configuration that is wrong the old one stays in force, until a right one comes") {
  AgentNode node(kOnePool);
  node.start();
  REQUIRE(node.run_until_healthy("rdma/vf", 4));
  node.write_config("{\"resourceList\":[");
  node.agent->reload();
  CHECK(node.seen("rdma/vf").healthy() == 4);
  node.write_config(kTwoPools);
  REQUIRE(node.run_until([&] { return node.seen("rdma/none").lists > 0; }));
  CHECK(node.seen("rdma/vf").registrations == 1);
}

TEST_CASE("an empty list withdraws the devices, and the agent starts with one") {
  AgentNode node(R"({"resourceList":null})");
  node.stand_by();
  must(node.agent->serve());
  REQUIRE(node.run_until([&] { return node.agent->state().troubles.empty(); }));
  CHECK(node.agent->state().pools.empty());
  node.write_config(kOnePool);
  REQUIRE(node.run_until_healthy("rdma/vf", 4));
  node.write_config(R"({"resourceList":null})");
  CHECK(node.run_until([&] { return node.agent->state().pools.empty(); }));
  CHECK(node.agent->state().config_current);
}

TEST_CASE("a wrong word in one resource costs that one, at start and live") {
  const std::string good =
      R"({"resourceName":"vf","resourcePrefix":"rdma","selectors":{"pfNames":["p1"],"isRdma":true}})";
  AgentNode node(R"({"resourceList":[{"resourceName":"b a d","selectors":{}},)" + good + "]}");
  node.start();
  REQUIRE(node.run_until_healthy("rdma/vf", 4));
  node.write_config(R"({"resourceList":[{"resourceName":"new","resourcePrefix":"rdma",
                        "selectors":{"pfNames":["p0#0"]}},{"resourceName":"x"},)" +
                    good + "]}");
  CHECK(node.run_until_healthy("rdma/new", 1));
  CHECK(node.seen("rdma/vf").healthy() == 4);
}

TEST_CASE("a ConfigMap that kubelet replaces is read anew") {
  AgentNode node;
  // As kubelet lays it out: config.json -> ..data/config.json, ..data -> ..<time>.
  const auto etc = node.folder.path() + "/etc";
  const auto publish = [&](const std::string& version, const char* text) {
    fs::create_directories(etc + "/.." + version);
    std::ofstream(etc + "/.." + version + "/config.json") << text;
    fs::create_directory_symlink(".." + version, etc + "/..data_tmp");
    fs::rename(etc + "/..data_tmp", etc + "/..data");
  };
  publish("1", kOnePool);
  fs::remove(etc + "/config.json");
  fs::create_symlink("..data/config.json", etc + "/config.json");
  node.start();
  REQUIRE(node.run_until_healthy("rdma/vf", 4));
  publish("2", kTwoPools);
  CHECK(node.run_until([&] { return node.seen("rdma/none").lists > 0; }));
}

TEST_CASE("an agent does not start with a configuration that is wrong") {
  AgentNode node("{\"resourceList\":[");
  Logger quiet(-1, LogLevel::error);
  node.agent.emplace(node.options, node.kernel.still.host, *node.loop, node.events,
                     node.kernel.adapters(), node.metrics, quiet);
  CHECK(is(node.agent->start(), ErrorCode::invalid_argument));
}

TEST_CASE("an agent starts from the last configuration that was right, and is not ready") {
  AgentNode node(kOnePool);
  node.start();
  REQUIRE(node.run_until_healthy("rdma/vf", 4));
  node.stop();
  node.write_config("{\"resourceList\":[");
  node.log = Logger(-1, LogLevel::error);
  node.start();
  CHECK(node.run_until_healthy("rdma/vf", 4));
  CHECK_FALSE(node.agent->state().config_current);
  CHECK(node.run_until([&] { return node.agent->state().troubles.size() == 1; }));
  struct stat info {};
  REQUIRE(stat((node.options.state_dir + "/config.last").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);

  node.write_config(kTwoPools);
  CHECK(node.run_until([&] { return node.agent->state().troubles.empty(); }));
  CHECK(node.agent->state().config_current);
}

TEST_CASE("a standby knows the node, writes nothing, and serves at once when it may") {
  AgentNode node(kRails);
  node.options.use_cdi = true;
  node.options.cdi.folder = node.folder.path() + "/cdi";
  node.stand_by();
  REQUIRE(node.run_until([&] { return node.agent->state().snapshot != nullptr; }));
  CHECK(node.run_until([&] { return !node.loop->due(); }));
  CHECK_FALSE(node.agent->state().serving);
  CHECK(node.agent->state().troubles.empty());
  for (const auto* folder : {"/run", "/state", "/cdi", "/devinfo"}) {
    CHECK_FALSE(fs::exists(node.folder.path() + folder));
  }
  CHECK(node.kubelet.state().resources.empty());

  const auto scans = node.kernel.asked_ports().size();
  must(node.agent->serve());
  CHECK(node.run_until_healthy("rdma/rail1", 4));
  CHECK(node.kernel.asked_ports().size() == scans);  // nothing had to be read again
}

TEST_CASE("a function that the kernel could not recover from a PCI error is withdrawn in time") {
  AgentNode node;
  node.start();
  REQUIRE(node.run_until_healthy("rdma/vf", 4));
  node.events.recover(mlx5_pf(1).to_string(), "FAILED_RECOVERY");
  CHECK(node.run_until_healthy("rdma/vf", 0));
  CHECK(node.seen("rdma/vf").devices.size() == 4);
}

TEST_CASE("a PCI error that the kernel recovers from at once is not told to kubelet") {
  AgentNode node;
  node.start();
  REQUIRE(node.run_until_healthy("rdma/vf", 4));
  const int lists = node.seen("rdma/vf").lists;
  node.events.recover(mlx5_pf(1).to_string(), "BEGIN_RECOVERY");
  REQUIRE(node.run_until([&] { return node.loop->due() > steady_clock::now() + 1s; }));
  node.events.recover(mlx5_pf(1).to_string(), "SUCCESSFUL_RECOVERY");
  REQUIRE(node.run_until([&] { return !node.loop->due(); }));
  CHECK(node.seen("rdma/vf").lists == lists);
}

TEST_CASE("the ports of PFs are followed, and only those that nothing tells of are asked") {
  AgentNode node;
  for (unsigned i = 0; i < 10; ++i) {
    node.kernel.still.rdma.all.push_back({i, fmt::format("mlx5_{}", i), Guid{i + 1}, "roce"});
  }
  node.kernel.deaf = {"mlx5_5"};
  node.start();
  CHECK(node.run_until([&] { return node.kernel.open_devices() == 1; }));
  CHECK(node.run_until([&] { return !node.loop->due(); }));  // their netdevs tell
  fs::remove_all(node.folder.path() + "/sys/bus/pci/devices/" + mlx5_pf(1).to_string() + "/net");
  node.agent->reload();
  CHECK(node.run_until([&] { return node.loop->due() > steady_clock::now() + 5s; }));
}

TEST_CASE("two resources that swap their PFs by a reload give no device that a pod has") {
  const auto swapped = [](const char* a, const char* b) {
    return fmt::format(R"({{"resourceList":[
        {{"resourceName":"a","resourcePrefix":"rdma","selectors":{{"pfNames":["{}"],"isRdma":true}}}},
        {{"resourceName":"b","resourcePrefix":"rdma","selectors":{{"pfNames":["{}"],"isRdma":true}}}}]}})",
                       a, b);
  };
  AgentNode node(swapped("p0", "p1"));
  node.start();
  REQUIRE(node.run_until_healthy("rdma/a", 4));
  REQUIRE(node.run_until_healthy("rdma/b", 4));
  const auto held = mlx5_vf(0, 1);
  (void)node.while_turning(
      [&] { return must(node.kubelet.allocate("pod", "main", "rdma/a", {held.to_string()})); });

  node.write_config(swapped("p1", "p0"));
  REQUIRE(node.run_until([&] { return node.seen("rdma/b").devices.contains(held.to_string()); }));
  REQUIRE(node.run_until([&] { return node.seen("rdma/a").devices.size() == 5; }));
  CHECK_FALSE(node.is_healthy("rdma/b", held));
  CHECK(node.is_healthy("rdma/a", held));  // for the pod that has it
  CHECK(node.run_until([&] {
    return node.sickness_of(held) == "held by default/pod as rdma/a; free when that ends";
  }));
  const auto given = node.while_turning([&] {
    return node.kubelet.allocate("other", "main", "rdma/b", std::vector{held.to_string()});
  });
  CHECK_FALSE(given);

  SECTION("which is free when the pod ends") {
    node.kubelet.remove_pod("pod");
    CHECK(node.run_until([&] { return node.is_healthy("rdma/b", held); }));
    CHECK(node.run_until([&] { return node.seen("rdma/a").devices.size() == 4; }));
  }
  SECTION("over a restart of the agent too") {
    node.stop();
    node.start();
    REQUIRE(node.run_until([&] { return node.seen("rdma/a").devices.size() == 5; }));
    CHECK_FALSE(node.is_healthy("rdma/b", held));
  }
  SECTION("over a boot too, as long as kubelet says nothing") {
    node.boot();
    node.kubelet.stop();
    node.stand_by();
    must(node.agent->serve());
    REQUIRE(node.run_until([&] { return node.pool_of(held) == "rdma/b"; }));
    CHECK(node.sickness_of(held) == "held by a pod as rdma/a; free when that ends");
  }
}

TEST_CASE("a resource that is configured no more stays registered until its last pod ends") {
  AgentNode node;
  node.start();
  REQUIRE(node.run_until_healthy("rdma/vf", 4));
  const auto held = mlx5_vf(1, 2);
  (void)node.while_turning(
      [&] { return must(node.kubelet.allocate("pod", "main", "rdma/vf", {held.to_string()})); });
  node.write_config(R"({"resourceList":[]})");
  REQUIRE(node.run_until([&] { return node.seen("rdma/vf").devices.size() == 1; }));
  CHECK(node.is_healthy("rdma/vf", held));

  node.stop();
  node.start();
  REQUIRE(node.run_until([&] {
    return node.seen("rdma/vf").healthy() == 1 && node.seen("rdma/vf").devices.size() == 1;
  }));
  CHECK(node.is_healthy("rdma/vf", held));
  node.kubelet.remove_pod("pod");
  CHECK(node.run_until([&] { return node.agent->state().pools.empty(); }));
}

TEST_CASE("a PF that does not answer makes its own devices unhealthy, and delays no others") {
  AgentNode node(R"({"resourceList":[{"resourceName":"vf","resourcePrefix":"rdma",
                                      "selectors":{"isRdma":true}}]})");
  for (unsigned i = 0; i < 10; ++i) {
    node.kernel.still.rdma.all.push_back({i, fmt::format("mlx5_{}", i), Guid{i + 1}, "roce"});
    node.kernel.still.rdma.ports[fmt::format("mlx5_{}", i)] = {{1, 4, 5, std::nullopt}};
  }
  node.start();
  REQUIRE(node.run_until_healthy("rdma/vf", 8));
  node.kernel.hang("mlx5_0");
  node.remove(mlx5_vf(1, 3));
  node.events.happen("pci remove");
  CHECK(node.run_until_healthy("rdma/vf", 3));
  CHECK(node.sickness_of(mlx5_vf(0, 0)).find("does not answer since") != std::string::npos);
  const auto given = node.while_turning([&] {
    return node.kubelet.allocate("pod", "main", "rdma/vf", std::vector{mlx5_vf(0, 0).to_string()});
  });
  CHECK_FALSE(given);
  node.kernel.release();
  CHECK(node.run_until_healthy("rdma/vf", 7));
}

}  // namespace railhead::test
