// What the agent shows of itself. test/manifests/check asks a whole agent.
#include "plugin/app/status_pages.hpp"

#include <fstream>
#include <thread>

#include <catch2/catch_test_macros.hpp>
#include <poll.h>

#include "plugin/app/command_line.hpp"
#include "plugin/app/counted_devices.hpp"
#include "test/support/fake_events.hpp"
#include "test/support/must.hpp"
#include "test/support/still_host.hpp"
#include "test/support/sysfs_tree.hpp"
#include "test/support/temporary_folder.hpp"

namespace railhead::test {
namespace {

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
app::Daemon::State state_of(std::optional<config::Sharing> sharing = {}) {
  pool::Pool pool;
  pool.resource.prefix = "rdma";
  pool.resource.name = "vf";
  pool.resource.sharing = sharing;
  for (const auto& vf : {kVf0, kVf1}) {
    pool.members.push_back({{.id = vf.to_string(), .address = vf, .rdma = true}});
  }
  auto inventory = std::make_shared<const device::Inventory>(
      std::vector{rdma_function(kPf), rdma_function(kVf0, kPf), rdma_function(kVf1, kPf)},
      std::nullopt, std::vector<std::string>{});
  return {inventory,
          {{std::make_shared<const app::PoolView>(app::PoolView{pool, inventory}), true}},
          true};
}

kubelet::PodDevices pod(const std::string& name, std::vector<std::string> ids) {
  return {"ml", name, "main", "rdma/vf", std::move(ids)};
}

CountedDevice counted(const PciAddress& address, const std::string& resource,
                      std::vector<Holder> holders = {}) {
  return {address.to_string(), address, resource, std::move(holders)};
}

// A whole daemon on a node without devices; its loop turns only while run() does.
struct Agent {
  explicit Agent(const std::string& config = R"({"resourceList": []})") {
    std::ofstream(folder.path() + "/config.json") << config;
    options.config_file = folder.path() + "/config.json";
    options.kubelet_dir = folder.path() + "/kubelet";
    must(host::make_directories(folder.path() + "/kubelet/device-plugins", 0700));
    daemon = must(app::Daemon::start(options, still.host, events, metrics, log));
    pages.emplace(options, still.host, *daemon, *loop, metrics, log);
  }
  // What is answered while the daemon's loop turns.
  http::Response ask(std::string_view path) {
    std::optional<http::Response> answer;
    std::atomic<bool> answered = false;
    std::thread asking([&] {
      answer = pages->answer(path);
      answered = true;
    });
    while (!answered) {
      pollfd fd{loop->fd(), POLLIN, 0};
      poll(&fd, 1, 10);
      loop->run();
    }
    asking.join();
    return *answer;
  }

  TemporaryFolder folder;
  SysfsTree tree{folder.path() + "/sys"};
  StillHost still{folder.path()};
  FakeEvents events;
  metrics::Metrics metrics{"test"};
  Logger log{STDERR_FILENO, LogLevel::error};
  app::Options options;
  std::shared_ptr<kubelet::TaskQueue> loop = must(kubelet::TaskQueue::open());
  std::unique_ptr<app::Daemon> daemon;
  std::optional<app::StatusPages> pages;
};

}  // namespace

TEST_CASE("PFs are counted, and the devices that a container holds") {
  CHECK(counted_devices(state_of(), {pod("a", {kVf1.to_string()})}, false) ==
        std::vector{counted(kPf, ""), counted(kVf1, "rdma/vf", {{"ml", "a", "main"}})});
}

TEST_CASE("All devices are counted when that is asked for") {
  CHECK(counted_devices(state_of(), {}, true) ==
        std::vector{counted(kPf, ""), counted(kVf0, "rdma/vf"), counted(kVf1, "rdma/vf")});
}

TEST_CASE("A device of another resource, or one that is gone, is counted for nobody") {
  auto other = pod("a", {kVf0.to_string()});
  other.resource = "rdma/other";
  CHECK(counted_devices(state_of(), {other, pod("b", {"0000:99:00.0"})}, false) ==
        std::vector{counted(kPf, "")});
}

TEST_CASE("A share of a device is the device, and several shares in one container are one holder") {
  const auto state = state_of(config::Sharing{.unit = config::Sharing::Unit::device, .shares = 4});
  std::vector<std::string> of_first;
  for (const auto& offer : pool::offers(state.pools[0].view->pool)) {
    if (offer.address == kVf0) of_first.push_back(offer.id);
  }
  REQUIRE(of_first.size() == 4);
  const auto devices = counted_devices(
      state, {pod("a", {of_first[0], of_first[1]}), pod("b", {of_first[2]})}, false);
  CHECK(devices ==
        std::vector{counted(kPf, ""),
                    counted(kVf0, "rdma/vf", {{"ml", "a", "main"}, {"ml", "b", "main"}})});
}

TEST_CASE("A share of a pool is all its devices") {
  const auto state = state_of(config::Sharing{.unit = config::Sharing::Unit::pool, .shares = 4});
  const auto id = pool::offers(state.pools[0].view->pool).at(0).id;
  const std::vector<Holder> holder{{"ml", "a", "main"}};
  CHECK(counted_devices(state, {pod("a", {id})}, false) ==
        std::vector{counted(kPf, ""), counted(kVf0, "rdma/vf", holder),
                    counted(kVf1, "rdma/vf", holder)});
}

TEST_CASE("An agent whose loop does not turn is not healthy, and does not keep the asker waiting") {
  Agent agent;
  for (const auto* path : {"/healthz", "/metrics"}) {
    const auto answer = agent.pages->answer(path);
    CHECK(answer.status == 503);
    CHECK(answer.body == "the agent's loop does not take its turn\n");
  }
}

TEST_CASE("An agent that turns is healthy, and other paths are not found") {
  Agent agent;
  CHECK(agent.ask("/healthz") == http::Response{200, "ok\n"});
  CHECK(agent.ask("/readyz") == http::Response{200, "ok\n"});
  CHECK(agent.ask("/").status == 404);
  const auto answer = agent.ask("/metrics");
  CHECK(answer.status == 200);
  CHECK(answer.body.find("railhead_rescans_total{reason=\"start\"} 1\n") != std::string::npos);
}

TEST_CASE("What keeps the agent from being ready is named: a pool, a refused configuration") {
  Agent agent(R"({"resourceList": [{"resourcePrefix": "rdma", "resourceName": "vf",
                                    "selectors": {"vendors": ["15b3"]}}]})");
  CHECK(agent.ask("/readyz") == http::Response{503, "kubelet does not watch rdma/vf\n"});
  CHECK(agent.ask("/healthz").status == 200);

  std::ofstream(agent.options.config_file) << R"({"resourceList": [)";
  agent.log = Logger(-1, LogLevel::error);
  agent.daemon->reload();
  const auto answer = agent.ask("/readyz");
  CHECK(answer.status == 503);
  CHECK(answer.body.ends_with("the configuration in " + agent.options.config_file +
                              " was refused\n"));
  CHECK(agent.ask("/metrics").body.find("\nrailhead_config_current 0\n") != std::string::npos);
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
