// How rails keep their numbers.
#include <fcntl.h>

#include "device/rail_map.hpp"
#include "ipam/node_index.hpp"
#include "ipam/rail_leases.hpp"
#include "plugin/pool/remembered.hpp"
#include "test/unit/app/agent_node.hpp"

namespace railhead::test {

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
  const auto file = node.folder.path() + "/state/rails.json";
  fs::create_directories(node.folder.path() + "/state");
  std::ofstream(file) << "{\"schema\":1,";
  const auto log_file = node.folder.path() + "/log";
  const UniqueFd log_fd(open(log_file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  node.log = Logger(log_fd.get(), LogLevel::error);
  node.start();
  CHECK(must(host::read_file(log_file)).find(file) != std::string::npos);
  CHECK(node.pool_of(mlx5_vf(1, 0)) == "rdma/rail1");
  CHECK(must(pool::read_rails(node.folder.path() + "/state")).at("rdma/rail") ==
        std::vector{mlx5_pf(0), mlx5_pf(1)});
  node.stop();  // before its log's file
}

TEST_CASE("a pod that is given a device while new ports are sorted in keeps its rail") {
  AgentNode node(kRails);
  for (unsigned i = 0; i < 4; ++i) node.remove(mlx5_vf(0, i));
  node.start();
  REQUIRE(node.run_until_healthy("rdma/rail0", 4));
  const auto held = mlx5_vf(1, 2);

  // Once the agent has told of what it cannot read it is about to sort.
  const auto log_file = node.folder.path() + "/log";
  const UniqueFd log_fd(open(log_file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  node.log = Logger(log_fd.get(), LogLevel::warning);
  bool given = false;
  node.clock.on_ask = [&] {
    if (given || must(host::read_file(log_file)).find("cannot read all") == std::string::npos) {
      return;
    }
    given = true;
    must(node.kubelet.allocate("pod", "main", "rdma/rail0", {held.to_string()}));
  };
  for (unsigned i = 0; i < 4; ++i) node.bring_back(mlx5_vf(0, i));
  fs::remove(node.entry(mlx5_vf(0, 3)) + "/numa_node");
  fs::create_directories(node.entry(mlx5_vf(0, 3)) + "/numa_node");
  node.events.happen("pci add");
  REQUIRE(node.run_until([&] { return !node.pool_of(mlx5_vf(0, 0)).empty(); }));
  REQUIRE(given);
  CHECK(node.pool_of(held) == "rdma/rail0");
  CHECK(node.pool_of(mlx5_vf(0, 0)) == "rdma/rail1");
  CHECK(must(pool::read_rails(node.folder.path() + "/state")).at("rdma/rail") ==
        std::vector{mlx5_pf(1), mlx5_pf(0)});
  node.stop();  // before its log's file
}

TEST_CASE("after a boot rails keep their numbers, whatever port is there first") {
  AgentNode node(kRails);
  node.start();
  REQUIRE(node.run_until_healthy("rdma/rail1", 4));
  node.allocate("rdma/rail0", mlx5_vf(0, 2));
  node.boot();
  node.kubelet.restart();
  for (unsigned i = 0; i < 4; ++i) node.remove(mlx5_vf(0, i));
  node.start();
  REQUIRE(node.run_until_healthy("rdma/rail1", 4));
  CHECK(node.pool_of(mlx5_vf(1, 0)) == "rdma/rail1");
  for (unsigned i = 0; i < 4; ++i) node.bring_back(mlx5_vf(0, i));
  node.events.happen("pci add");
  REQUIRE(node.run_until([&] { return node.pool_of(mlx5_vf(0, 0)) == "rdma/rail0"; }));
}

TEST_CASE("the node's rails and its index are written down for the CNI program") {
  const auto config = [](const std::string& rule) {
    return R"({"pools":[{"resourceName":"vf","resourcePrefix":"rdma","selectors":{"isRdma":true}}],
        "ipamNode":)" +
           rule + "}";
  };
  AgentNode node(config(R"({"name": "gpu-*"})"));
  node.options.cluster.node = "gpu-7";
  node.start();
  const auto state = node.options.state_dir;
  const auto index = [&] {
    const auto read = ipam::read_node_index(state);
    return read ? static_cast<int>(read->index) : -1;
  };
  REQUIRE(node.run_until([&] { return index() == 7; }));
  CHECK(must(device::read_rail_map(state)).size() == 2);

  node.write_config(config(R"({"name": "gpu-*", "first": 1})"));
  node.agent->reload();
  REQUIRE(node.run_until([&] { return index() == 6; }));

  // A pod has an address by it.
  const ipam::PodLeases pod{"net", "c1", "ml/a", "", 6, {{"rail0", 0, 0, {}}}};
  fs::create_directories(state + "/ipam");
  std::ofstream(state + "/ipam/c1@net.json") << ipam::encode_leases(pod);
  node.write_config(config(R"({"list": ["gpu-7"]})"));
  node.agent->reload();
  const auto told = [&](const char* text) {
    return std::ranges::any_of(node.agent->state().troubles, [&](const auto& trouble) {
      return trouble.find(text) != std::string::npos;
    });
  };
  REQUIRE(node.run_until([&] { return told("ipam: ipamNode: this node's index would become 0"); }));
  CHECK(
      told("while pod ml/a has addresses by 6: no pod gets an address until those by it are gone"));
  CHECK(index() == 6);
  CHECK(must(ipam::read_node_index(state)).doubt.find("would become 0") != std::string::npos);

  node.write_config(config(R"({"name": "cpu-*"})"));
  node.agent->reload();
  REQUIRE(node.run_until([&] { return told("the node gpu-7 has no number in place of the *"); }));
  CHECK(index() == 6);
  node.write_config(config(R"({"name": "gpu-*", "first": 1})"));
  node.agent->reload();
  CHECK(node.run_until([&] { return !told("ipamNode"); }));
  CHECK(must(ipam::read_node_index(state)).doubt.empty());

  // Without the file the leases say which one it was.
  fs::remove(state + "/node.json");
  node.write_config(config(R"({"list": ["gpu-7"]})"));
  node.agent->reload();
  REQUIRE(node.run_until([&] { return told("while pod ml/a has addresses by 6"); }));
  CHECK(index() == -1);
  fs::remove(state + "/ipam/c1@net.json");
  node.write_config(config(R"({"list": ["gpu-6", "gpu-7"]})"));
  node.agent->reload();
  CHECK(node.run_until([&] { return index() == 1; }));
}

}  // namespace railhead::test
