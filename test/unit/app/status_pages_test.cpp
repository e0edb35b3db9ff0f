// What the agent shows of itself. test/manifests/check asks a whole agent.
#include "plugin/app/status_pages.hpp"

#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include <catch2/catch_test_macros.hpp>
#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

#include "plugin/app/command_line.hpp"
#include "plugin/app/counted_devices.hpp"
#include "plugin/app/status_text.hpp"
#include "test/support/fake_events.hpp"
#include "test/support/must.hpp"
#include "test/support/scanning.hpp"
#include "test/support/sysfs_tree.hpp"
#include "test/support/temporary_folder.hpp"

namespace railhead::test {
namespace {

using namespace std::chrono_literals;
using metrics::CountedDevice;
using metrics::Holder;

const PciAddress kPf = *PciAddress::parse("0000:10:00.0");
const PciAddress kVf0 = *PciAddress::parse("0000:10:00.1");
const PciAddress kVf1 = *PciAddress::parse("0000:10:00.2");

device::PciFunction rdma_function(const PciAddress& address, std::optional<PciAddress> pf = {}) {
  device::PciFunction function;
  function.address = address;
  function.pci_class = 0x020000;
  function.pf = pf;
  function.rdma.push_back({.name = "mlx5_x"});
  return function;
}

// A PF with two VFs, all with RDMA, the VFs in the pool rdma/vf.
app::Agent::State state_of(std::vector<ledger::Listed> listed = {},
                           std::optional<config::Sharing> sharing = {}) {
  pool::Pool pool;
  pool.resource.prefix = "rdma";
  pool.resource.name = "vf";
  pool.resource.sharing = sharing;
  for (const auto& vf : {kVf0, kVf1}) {
    pool.members.push_back({{.id = vf.to_string(), .address = vf, .rdma = true}});
  }
  auto snapshot = std::make_shared<node::Snapshot>();
  snapshot->inventory = std::make_shared<const device::Inventory>(
      std::vector{rdma_function(kPf), rdma_function(kVf0, kPf), rdma_function(kVf1, kPf)},
      std::nullopt, std::vector<std::string>{});
  const auto holdings = std::make_shared<const ledger::Holdings>(ledger::merge(
      {.listed = std::move(listed), .pools = {{"rdma/vf", {kVf0.to_string(), kVf1.to_string()}}}}));
  return {snapshot,
          holdings,
          "",
          {{std::make_shared<const app::PoolView>(
                app::PoolView{pool, snapshot->inventory, holdings, {}}),
            true}},
          {},
          true,
          true};
}

ledger::Listed pod(const std::string& name, std::vector<std::string> ids) {
  return {"ml/" + name, "main", "rdma/vf", std::move(ids)};
}

CountedDevice counted(const PciAddress& address, const std::string& resource,
                      std::vector<Holder> holders = {}) {
  return {address.to_string(), address, resource, std::move(holders)};
}

// Keeps whoever asks for its name waiting.
class HangingPool final : public kubelet::PoolService {
 public:
  [[nodiscard]] std::string resource_name() const override {
    may_go_on_.wait();
    return "rdma/hanging";
  }
  [[nodiscard]] std::vector<kubelet::Device> devices() const override { return {}; }
  [[nodiscard]] Result<kubelet::ContainerAllocation> allocate(
      const std::vector<std::string>& /*ids*/) override {
    return kubelet::ContainerAllocation{};
  }
  [[nodiscard]] Result<void> pre_start(const std::vector<std::string>& /*ids*/) override {
    return {};
  }
  std::promise<void> go_on;

 private:
  std::shared_future<void> may_go_on_{go_on.get_future()};
};

// A whole agent on a node without devices; its loop turns only while run() does.
struct Agent {
  explicit Agent(const std::string& config = R"({"resourceList": []})",
                 const app::StatusPages::Options& limits = {}) {
    std::ofstream(folder.path() + "/config.json") << config;
    options.config_file = folder.path() + "/config.json";
    options.kubelet_dir = folder.path() + "/kubelet";
    options.state_dir = folder.path() + "/state";
    must(host::make_directories(folder.path() + "/kubelet/device-plugins", 0700));
    agent.emplace(options, kernel.still.host, *loop, events, kernel.adapters(), metrics, log);
    must(agent->start());
    pages.emplace(
        limits, kernel.still.host, *agent, *loop, metrics, [this] { return around; }, log);
  }
  void serve() {
    must(agent->serve());
    REQUIRE(run_loop_until(*loop, [&] { return agent->state().snapshot != nullptr; }));
    loop->turn();
  }
  // What is answered while the agent's loop turns.
  http::Response ask(std::string_view path) {
    std::optional<http::Response> answer;
    std::atomic<bool> answered = false;
    std::thread asking([&] {
      answer = pages->answer(path);
      answered = true;
    });
    CHECK(run_loop_until(*loop, [&] { return answered.load(); }));
    asking.join();
    return *answer;
  }

  TemporaryFolder folder;
  SysfsTree tree{folder.path() + "/sys"};
  HangingKernel kernel{folder.path()};
  FakeEvents events;
  metrics::Metrics metrics{"test"};
  Logger log{STDERR_FILENO, LogLevel::error};
  app::Options options;
  app::StatusPages::Around around;
  std::unique_ptr<Loop> loop = must(Loop::open(kernel.still.host.clock));
  std::optional<app::Agent> agent;
  std::optional<app::StatusPages> pages;
};

}  // namespace

TEST_CASE("PFs are counted, and the devices that a container holds") {
  CHECK(counted_devices(state_of({pod("a", {kVf1.to_string()})}), false) ==
        std::vector{counted(kPf, ""), counted(kVf1, "rdma/vf", {{"ml", "a", "main"}})});
}

TEST_CASE("All devices are counted when that is asked for") {
  CHECK(counted_devices(state_of(), true) ==
        std::vector{counted(kPf, ""), counted(kVf0, "rdma/vf"), counted(kVf1, "rdma/vf")});
}

TEST_CASE("Holders are told by what the ledger says: of devices that have gone, not of others'") {
  const auto gone = *PciAddress::parse("0000:99:00.0");
  CHECK(counted_devices(state_of({pod("b", {gone.to_string()}),
                                  {"ml/c", "main", "other/vf", {"0000:98:00.0"}},
                                  pod("d", {"mlx5_core.sf.9"})}),
                        false) ==
        std::vector{counted(kPf, ""), counted(gone, "rdma/vf", {{"ml", "b", "main"}})});
}

TEST_CASE("A device without RDMA is told when a container holds it, and a sub-function by its id") {
  auto state = state_of({pod("a", {kVf0.to_string()}), pod("b", {"mlx5_core.sf.4"})});
  auto functions = std::vector{rdma_function(kPf), rdma_function(kVf0, kPf)};
  functions[0].sub_functions.push_back({.name = "mlx5_core.sf.4"});
  functions[1].rdma.clear();  // bound to vfio-pci
  auto snapshot = std::make_shared<node::Snapshot>();
  snapshot->inventory = std::make_shared<const device::Inventory>(functions, std::nullopt,
                                                                  std::vector<std::string>{});
  state.snapshot = snapshot;
  CHECK(counted_devices(state, false) ==
        std::vector{counted(kPf, ""),
                    counted(kVf0, "rdma/vf", {{"ml", "a", "main"}}),
                    {"mlx5_core.sf.4", kPf, "rdma/vf", {{"ml", "b", "main"}}}});
}

TEST_CASE("A share of a device is the device, and several shares in one container are one holder") {
  const auto share = [](int n) { return fmt::format("{}::{}", kVf0.to_string(), n); };
  CHECK(counted_devices(state_of({pod("a", {share(0), share(1)}), pod("b", {share(2)})}), false) ==
        std::vector{counted(kPf, ""),
                    counted(kVf0, "rdma/vf", {{"ml", "a", "main"}, {"ml", "b", "main"}})});
}

TEST_CASE("A share of a pool is all its devices") {
  const std::vector<Holder> holder{{"ml", "a", "main"}};
  CHECK(counted_devices(state_of({pod("a", {"3"})}), false) ==
        std::vector{counted(kPf, ""), counted(kVf0, "rdma/vf", holder),
                    counted(kVf1, "rdma/vf", holder)});
}

TEST_CASE("An agent whose loop does not turn is not healthy, and does not keep the asker waiting") {
  Agent agent(R"({"resourceList": []})", {.turn_limit = 10ms});
  for (const auto* path : {"/healthz", "/metrics"}) {
    const auto answer = agent.pages->answer(path);
    CHECK(answer.status == 503);
    CHECK(answer.body == "the agent's loop does not take its turn\n");
  }
}

TEST_CASE("A standby is ready, and says what it is") {
  Agent agent;
  REQUIRE(run_loop_until(*agent.loop, [&] { return agent.agent->state().snapshot != nullptr; }));
  CHECK(agent.ask("/readyz") == http::Response{200, "standby\n"});
  CHECK(agent.ask("/healthz") == http::Response{200, "ok\n"});
}

TEST_CASE("An agent that turns is healthy, and other paths are not found") {
  Agent agent;
  agent.serve();
  CHECK(agent.ask("/healthz") == http::Response{200, "ok\n"});
  CHECK(agent.ask("/readyz") == http::Response{200, "ok\n"});
  CHECK(agent.ask("/").status == 404);
  const auto answer = agent.ask("/metrics");
  CHECK(answer.status == 200);
  CHECK(answer.body.find("railhead_rescans_total{reason=\"start\"} 1\n") != std::string::npos);
}

TEST_CASE("An agent whose session with kubelet does not turn is not healthy") {
  Agent agent(R"({"resourceList": []})", {.turn_limit = 100ms});
  agent.serve();
  // Which nothing but a pool can hold up.
  const auto pool = std::make_shared<HangingPool>();
  std::const_pointer_cast<kubelet::KubeletSession>(agent.agent->session())->add(pool);
  CHECK(agent.ask("/healthz") ==
        http::Response{503, "the session with kubelet does not take its turn\n"});
  pool->go_on.set_value();
}

TEST_CASE("What is around the agent keeps it from being ready too") {
  Agent agent;
  agent.serve();
  agent.around.troubles = {"metrics: 192.0.2.1:9478: no such address"};
  CHECK(agent.ask("/readyz") == http::Response{503, "metrics: 192.0.2.1:9478: no such address\n"});
  CHECK(agent.ask("/healthz").status == 200);
}

TEST_CASE("A status says which agent serves the node, a standby's too") {
  Agent agent;
  agent.around.server = "pod ns/a (pid 1 of n1)";
  CHECK(agent.ask("/status").body.starts_with(
      "standby: another agent serves this node: pod ns/a (pid 1 of n1)\n"));
  agent.around.server = "pod ns/b (pid 1 of n1)";
  agent.serve();
  CHECK(agent.ask("/status").body.starts_with("serving this node as pod ns/b (pid 1 of n1)\n"));
  const auto json = nlohmann::json::parse(agent.ask("/status.json").body);
  CHECK(json.at("server") == "pod ns/b (pid 1 of n1)");
}

TEST_CASE("What keeps the agent from being ready is named: a pool, a refused configuration") {
  Agent agent(R"({"resourceList": [{"resourcePrefix": "rdma", "resourceName": "vf",
                                    "selectors": {"vendors": ["15b3"]}}]})");
  agent.serve();
  CHECK(agent.ask("/readyz") == http::Response{503, "pools: kubelet does not watch rdma/vf\n"});
  CHECK(agent.ask("/healthz").status == 200);

  std::ofstream(agent.options.config_file) << R"({"resourceList": [)";
  agent.log = Logger(-1, LogLevel::error);
  agent.agent->reload();
  const auto answer = agent.ask("/readyz");
  CHECK(answer.status == 503);
  CHECK(answer.body.starts_with("configuration: the configuration in " + agent.options.config_file +
                                " was refused: "));
  CHECK(agent.ask("/metrics").body.find("\nrailhead_config_current 0\n") != std::string::npos);
}

TEST_CASE("A status names pools, devices, holders and why a device is not given") {
  auto state = state_of({pod("a", {kVf1.to_string()})});
  auto view = *state.pools[0].view;
  view.pool.members[0].sickness = "its PF p0 is down";
  state.pools[0].view = std::make_shared<const app::PoolView>(view);
  auto snapshot = *state.snapshot;
  snapshot.silent = {{kPf, {}}, {kVf0, {}}, {kVf1, {}}};
  state.snapshot = std::make_shared<const node::Snapshot>(snapshot);
  const auto text = app::status_text(state);
  for (const auto* part :
       {"serving this node\n", "rdma/vf  1 of 2 healthy, registered\n",
        "0000:10:00.1  unhealthy: its PF p0 is down\n", "0000:10:00.2  healthy\n",
        "held by ml/a, container main since ", "(podresources)",
        "does not answer since 1970-01-01T00:00:00Z: 0000:10:00.0 and 2 more, to 0000:10:00.2\n"}) {
    INFO(part);
    CHECK(text.find(part) != std::string::npos);
  }
  const auto json = nlohmann::json::parse(app::status_json(state));
  CHECK(json.at("pools").at(0).at("devices").at(1).at("holders").at(0).at("pod") == "ml/a");
  CHECK(json.at("silent").size() == 3);
  CHECK(json.at("silent").at(0).at("function") == kPf.to_string());
}

TEST_CASE("A scrape that hangs ends in time; another meanwhile is refused, and probes go on") {
  Agent agent(R"({"resourceList": []})", {.scrape_limit = 100ms});
  agent.serve();
  agent.tree.add({.address = kPf.to_string(), .rdma = {{.name = "mlx5_0", .number = 0}}});
  const auto counters = agent.tree.folder(kPf.to_string()) + "/infiniband/mlx5_0/ports/1/counters";
  std::filesystem::create_directories(counters);
  REQUIRE(mkfifo((counters + "/port_xmit_data").c_str(), 0600) == 0);  // whose reader waits
  agent.agent->reload();
  REQUIRE(run_loop_until(*agent.loop, [&] {
    return agent.agent->state().snapshot->inventory->functions().size() == 1;
  }));
  CHECK(agent.ask("/metrics") ==
        http::Response{503, "a device's counters cannot be read in time\n"});
  REQUIRE(agent.pages->scraping());
  CHECK(agent.ask("/metrics") ==
        http::Response{503, "the scrape before this one has not come to an end\n"});
  CHECK(agent.ask("/healthz").status == 200);
  const UniqueFd writer(open((counters + "/port_xmit_data").c_str(), O_WRONLY | O_CLOEXEC));
  REQUIRE(write(writer.get(), "1\n", 2) == 2);
  CHECK(run_loop_until(*agent.loop, [&] { return !agent.pages->scraping(); }));
}

TEST_CASE("The address to listen on is checked with the command line") {
  const auto parse = [](const char* address) {
    const std::array<const char*, 3> arguments{"railhead-agent", "--listen", address};
    return app::parse_command_line(3, arguments.data());
  };
  const auto parsed = parse("[::1]:9478");
  REQUIRE(std::holds_alternative<app::Options>(parsed));
  CHECK(std::get<app::Options>(parsed).listen == http::Address(http::TcpAddress{"::1", 9478}));
  CHECK(std::holds_alternative<app::Exit>(parse("localhost:9478")));
}

}  // namespace railhead::test
