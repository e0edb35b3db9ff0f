// The subcommand beside records that an agent and a CNI binary left, with real locks.
#include <filesystem>
#include <fstream>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "attach/store.hpp"
#include "device/allocation.hpp"
#include "linux/file_locks.hpp"
#include "plugin/app/commands.hpp"
#include "plugin/pool/remembered.hpp"
#include "test/support/captured_stdout.hpp"
#include "test/support/must.hpp"
#include "test/support/still_host.hpp"
#include "test/support/sysfs_tree.hpp"
#include "test/support/temporary_folder.hpp"

namespace railhead::test {
namespace {

using Catch::Matchers::ContainsSubstring;
namespace fs = std::filesystem;

// Two PFs with two VFs each.
struct ExplainedNode {
  ExplainedNode() {
    add_mlx5_node(tree, 2, 2);
    options.state_dir = folder.path() + "/state";
  }

  // What is printed, of one pool of VFs.
  std::string explain(const std::string& keys) {
    options.config_file = folder.path() + "/config.yaml";
    std::ofstream(options.config_file)
        << "pools: [{resourceName: vf, resourcePrefix: rdma, " << keys << "}]";
    return captured_stdout([&] { CHECK(app::explain(options, host, log) == 0); });
  }

  TemporaryFolder folder;
  SysfsTree tree{folder.path() + "/sys"};
  StillHost still{folder.path()};
  linux::LinuxFileLocks locks{still.clock};
  host::Host host{still.links,     still.rdma, still.devlink, still.netns,     still.functions,
                  still.processes, locks,      still.clock,   still.host.roots};
  Logger log{STDERR_FILENO, LogLevel::error};
  app::Options options;
};

const PciAddress kVf = mlx5_vf(1, 0);

}  // namespace

TEST_CASE("explain of a node that no agent has served writes nothing") {
  ExplainedNode node;
  CHECK_THAT(node.explain("rails: auto, selectors: {isRdma: true}"),
             ContainsSubstring("rdma/vf0: taken\n") && ContainsSubstring("rdma/vf1: taken\n"));
  CHECK_FALSE(fs::exists(node.host.roots.run));
}

TEST_CASE("explain shows a device in a pod as its pool's, by Allocate's record") {
  ExplainedNode node;
  const auto keys = "selectors: {ifNames: [p1v0]}";
  REQUIRE_THAT(node.explain(keys), ContainsSubstring("rdma/vf: taken\n"));
  fs::remove_all(node.tree.folder(kVf.to_string()) + "/net");
  REQUIRE_THAT(node.explain(keys), !ContainsSubstring("rdma/vf: taken"));
  must(device::write_allocation(node.host.roots.run, {"rdma/vf", kVf, {}}));
  CHECK_THAT(node.explain(keys), ContainsSubstring("rdma/vf: taken\n"));
}

TEST_CASE("explain shows a device whose owner is gone as unhealthy") {
  ExplainedNode node;
  const attach::Store store(node.host.roots.run);
  must(store.prepare());
  attach::Record record;
  record.key = {"rail", "c0", "net1"};
  record.pod = "ns/a";
  record.device = kVf;
  record.vf = attach::VfPart{mlx5_pf(1), 0, {}, {}};
  record.netns_path = "/run/netns/pod";
  record.link = attach::LinkPart{
      {.name = "p1v0", .address = *HwAddress::parse("02:00:00:00:00:01"), .mtu = 1500}, {}, {}};
  must(store.save(record));
  must(store.claim(record));
  CHECK_THAT(node.explain("selectors: {pfNames: ['p1#0']}"),
             ContainsSubstring("rdma/vf: taken; unhealthy: ") && ContainsSubstring("ns/a"));
}

TEST_CASE("explain names the rail that the agent gave a port") {
  ExplainedNode node;
  must(pool::write_rails(node.options.state_dir, {{"rdma/vf", {mlx5_pf(1), mlx5_pf(0)}}}));
  const auto text = node.explain("rails: auto, selectors: {isRdma: true}");
  const auto device = text.find(kVf.to_string() + "  VF 0 of p1");
  REQUIRE(device != std::string::npos);
  CHECK_THAT(text.substr(text.find('\n', device) + 1),
             Catch::Matchers::StartsWith("  rdma/vf0: taken\n"));
}

}  // namespace railhead::test
