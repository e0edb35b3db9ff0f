#include <catch2/catch_test_macros.hpp>
#include <unistd.h>

#include "plugin/app/command_line.hpp"
#include "plugin/app/served_pool.hpp"
#include "plugin/kubelet/session.hpp"
#include "test/support/kubelet/fake_kubelet.hpp"
#include "test/support/must.hpp"
#include "test/support/still_host.hpp"
#include "test/support/sysfs_tree.hpp"
#include "test/support/temporary_folder.hpp"

namespace railhead::test {
namespace {

std::variant<app::Options, app::Exit> parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "railhead-agent");
  return app::parse_command_line(static_cast<int>(arguments.size()), arguments.data());
}

app::Options options(const std::vector<const char*>& arguments) {
  const auto parsed = parse(arguments);
  REQUIRE(std::holds_alternative<app::Options>(parsed));
  return std::get<app::Options>(parsed);
}

int exit_code(const std::vector<const char*>& arguments) {
  const auto parsed = parse(arguments);
  REQUIRE(std::holds_alternative<app::Exit>(parsed));
  return std::get<app::Exit>(parsed).code;
}

}  // namespace

TEST_CASE("without arguments the agent serves, from the established places") {
  const auto parsed = options({});
  CHECK(parsed.command == app::Command::serve);
  CHECK(parsed.config_file == "/etc/pcidp/config.json");
  CHECK(parsed.resource_prefix == "intel.com");
}

TEST_CASE("log levels are names, or a verbosity") {
  CHECK(options({"--log-level=warning"}).log_level == LogLevel::warning);
  CHECK(options({"--log-level=10"}).log_level == LogLevel::debug);
  CHECK(exit_code({"--log-level=loud"}) == 1);
}

TEST_CASE("the GPU predicate is settable, and options may follow a subcommand") {
  const auto parsed = options({"topology", "--gpu-class=00ff,0380", "--gpu-vendor", "any"});
  CHECK(parsed.command == app::Command::topology);
  CHECK(parsed.scan.gpu.classes == std::vector<uint16_t>{0x00ff, 0x0380});
  CHECK(parsed.scan.gpu.vendors.empty());
  CHECK(exit_code({"--gpu-class=3"}) == 1);
}

TEST_CASE("CDI and unknown options are refused") {
  CHECK(exit_code({"--use-cdi"}) == 1);
  CHECK(exit_code({"--no-such-option"}) == 1);
  CHECK(exit_code({"--help"}) == 0);
  CHECK(exit_code({"--version"}) == 0);
}

TEST_CASE("a pool reaches kubelet with NUMA nodes, and Allocate answers over the wire") {
  const TemporaryFolder folder;
  SysfsTree tree(folder.path() + "/sys");
  add_mlx5_node(tree, 2, 4);
  StillHost still(folder.path());
  const auto config = config::parse(
      R"({"resourceList":[{"resourceName":"vf","resourcePrefix":"rdma",
                           "selectors":{"pfNames":["p1"],"isRdma":true}},
                          {"resourceName":"none","selectors":{"vendors":["ffff"]}}]})",
      "example.com");
  REQUIRE(config.errors.empty());
  auto selection = pool::select(config.config, must(device::scan(still.host)));
  const pool::Places places{folder.path() + "/sys", folder.path() + "/run",
                            folder.path() + "/devinfo"};
  Logger log(STDERR_FILENO, LogLevel::error);
  app::ServedPool vfs(selection.pools.at(0), places, log);
  app::ServedPool none(selection.pools.at(1), places, log);

  FakeKubelet kubelet({.dir = folder.path() + "/kubelet"});
  kubelet::KubeletSession::Options session_options;
  session_options.kubelet_dir = folder.path() + "/kubelet";
  const auto session = must(kubelet::KubeletSession::start(session_options, {&vfs, &none}, log));
  REQUIRE(kubelet.wait_for_healthy("rdma/vf", 4));
  // A pool without devices is registered too.
  REQUIRE(kubelet.wait(std::chrono::seconds(10), [](const FakeKubeletState& state) {
    const auto found = state.resources.find("example.com/none");
    return found != state.resources.end() && found->second.lists > 0;
  }));
  const auto device = kubelet.state().resources.at("rdma/vf").devices.at(mlx5_vf(1, 0).to_string());
  CHECK(device.numa_nodes == std::vector<int64_t>{1});

  const auto got = must(kubelet.allocate("pod", "main", "rdma/vf",
                                         {mlx5_vf(1, 2).to_string(), mlx5_vf(1, 0).to_string()}));
  CHECK(got.response.envs().at("PCIDEVICE_RDMA_VF") ==
        mlx5_vf(1, 0).to_string() + "," + mlx5_vf(1, 2).to_string());
  REQUIRE(got.response.devices_size() == 7);
  CHECK(got.response.devices(0).host_path() == "/dev/infiniband/uverbs6");
  CHECK(got.response.devices(0).container_path() == "/dev/infiniband/uverbs6");
  CHECK(got.response.devices(0).permissions() == "rw");
}

}  // namespace railhead::test
