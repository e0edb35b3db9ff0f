// The subcommand beside a node's tree.
#include <filesystem>
#include <fstream>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "plugin/app/commands.hpp"
#include "plugin/app/findings.hpp"
#include "plugin/config/describe.hpp"
#include "test/support/captured_stdout.hpp"
#include "test/support/must.hpp"
#include "test/support/still_host.hpp"
#include "test/support/sysfs_tree.hpp"
#include "test/support/temporary_folder.hpp"

namespace railhead::test {
namespace {

using Catch::Matchers::ContainsSubstring;

struct Checked {
  int code = 0;
  std::string text;
};

struct CheckedNode {
  Checked check(const std::string& config) {
    options.checked_files = {folder.path() + "/config.yaml"};
    std::ofstream(options.checked_files.front()) << config;
    Checked checked;
    checked.text =
        captured_stdout([&] { checked.code = app::check_config(options, still.host, log); });
    return checked;
  }
  // Each with an RDMA device.
  void add_functions(unsigned count) {
    for (unsigned i = 0; i < count; ++i) {
      tree.add({.address = fmt::format("{:04x}:00:00.0", i + 1),
                .rdma = {{.name = fmt::format("mlx5_{}", i), .number = i}}});
    }
  }

  TemporaryFolder folder;
  SysfsTree tree{folder.path() + "/sys"};
  StillHost still{folder.path()};
  Logger log{STDERR_FILENO, LogLevel::error};
  app::Options options;
};

}  // namespace

TEST_CASE("check-config tells of each resource the selector in effect and how many it takes here") {
  CheckedNode node;
  add_mlx5_node(node.tree, 2, 4);
  const auto [code, text] = node.check(R"(pools:
  - {resourceName: vf, resourcePrefix: rdma, selectors: {vendors: [15B3], pfNames: ['p0#1-2']}}
  - {resourceName: hca, resourcePrefix: rdma, kind: shared, perDevice: 3, selectors: {ifNames: [p1]}}
  - {resourceName: rail, resourcePrefix: rdma, rails: auto, selectors: {isRdma: true}}
)");
  CHECK(code == app::kDone);
  CHECK_THAT(text, ContainsSubstring("rdma/vf:\n  deviceType: netDevice\n  kind: exclusive\n"
                                     "  selectors: {vendors: [15b3], pfNames: [p0#1-2]}\n"));
  CHECK_THAT(text, ContainsSubstring("  on this node: 2 devices\nrdma/hca:\n"));
  CHECK_THAT(text, ContainsSubstring("  on this node: 1 device, 3 shares\nrdma/rail:\n"));
  CHECK_THAT(text, ContainsSubstring("  on this node: rdma/rail0: 2 devices\n"
                                     "  on this node: rdma/rail1: 4 devices\n"));
  CHECK_THAT(text, !ContainsSubstring("warning"));
}

TEST_CASE("check-config ends with 3 when the whole is refused, and with 4 when resources are") {
  CheckedNode node;
  add_mlx5_node(node.tree, 1, 2);
  const auto refused = node.check(R"({"pools": [{"resourceName": "vf", "selector": {}}]})");
  CHECK(refused.code == app::kConfigRefused);
  CHECK_THAT(refused.text, ContainsSubstring("error: pools[0]"));
  CHECK_THAT(refused.text, !ContainsSubstring("on this node"));
  const auto dropped = node.check(
      R"({"resourceList": [{"resourceName": "v f", "selectors": {}},
                           {"resourceName": "vf", "selectors": {"vendors": ["15b3", "x"]}}]})");
  CHECK(dropped.code == app::kResourcesDropped);
  CHECK_THAT(dropped.text, ContainsSubstring("dropped: resourceList[0]") &&
                               ContainsSubstring("warning: resourceList[1]") &&
                               ContainsSubstring("intel.com/vf:\n"));
}

TEST_CASE("check-config does without a node, but for one that was asked for") {
  CheckedNode node;
  const std::string config = R"({"resourceList": [{"resourceName": "vf", "selectors": {}}]})";
  node.log = Logger(-1, LogLevel::error);
  std::filesystem::remove_all(node.still.host.roots.sysfs);
  CHECK(node.check(config).code == app::kDone);
  node.options.roots.sysfs = node.still.host.roots.sysfs;
  CHECK(node.check(config).code == app::kFailed);
}

TEST_CASE("check-config tells what a container would do without, and why") {
  CheckedNode node;
  node.add_functions(700);
  const auto config = [](const std::string& keys) {
    return "pools: [{resourceName: vf, resourcePrefix: rdma, functions: [nic], " + keys + "}]";
  };
  const auto exclusive = node.check(config("selectors: {isRdma: true}"));
  CHECK(exclusive.code == app::kDone);
  CHECK_THAT(exclusive.text,
             ContainsSubstring("  warning: a container with all 700 devices would do without "
                               "PCIDEVICE_RDMA_VF_INFO, which has ") &&
                 ContainsSubstring(" bytes: one variable can have 131072, and all of a resource "
                                   "together 524288\n"));
  CHECK_THAT(node.check(config("kind: shared, perDevice: 2, selectors: {}")).text,
             ContainsSubstring("warning: a container with a share of all 700 devices"));
  CHECK_THAT(node.check(R"({"configList": [{"resourceName": "vf", "rdmaHcaMax": 9,
                                            "selectors": {"vendors": ["15b3"]}}]})")
                 .text,
             ContainsSubstring("warning: a container with any share would do without"));
  CHECK_THAT(node.check(config("selectors: {pciAddresses: ['0001:00:00.0']}")).text,
             !ContainsSubstring("warning"));
  CHECK_FALSE(std::ifstream(node.still.host.roots.run + "/allocations").good());
}

TEST_CASE("check-config tells of a list that kubelet would not take, and what it would take") {
  CheckedNode node;
  node.add_functions(200);
  const auto [code, text] =
      node.check("pools: [{resourceName: hca, kind: shared, perDevice: 1000, selectors: {}}]");
  CHECK(code == app::kDone);
  CHECK_THAT(text,
             ContainsSubstring("  warning: 200000 shares of 200 devices make a list of ") &&
                 ContainsSubstring(" bytes, kubelet takes 4194304: ") &&
                 ContainsSubstring(" shares would not be offered; perDevice can be at most "));
}

TEST_CASE("findings stand each on its line, by what they cost") {
  config::Parsed parsed;
  parsed.warnings = {"a"};
  parsed.dropped = {{"resourceList[0]", "rdma/vf", {{ErrorCode::invalid_argument, 0, "b"}}}};
  parsed.errors = {{ErrorCode::invalid_argument, 0, "c"}};
  CHECK(app::findings(parsed) == "warning: a\ndropped: b\nerror: c\n");
}

}  // namespace railhead::test
