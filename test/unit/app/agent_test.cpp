// What kubelet and containers get of the node while it changes.
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "test/unit/app/agent_node.hpp"

namespace railhead::test {

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

TEST_CASE("a function that the kernel could not recover from a PCI error is withdrawn in time") {
  AgentNode node;
  node.start();
  REQUIRE(node.run_until_healthy("rdma/vf", 4));
  node.events.recover(mlx5_pf(1).to_string(), "FAILED_RECOVERY");
  CHECK(node.run_until_healthy("rdma/vf", 0));
  CHECK(node.seen("rdma/vf").devices.size() == 4);
  CHECK(node.cause_of(mlx5_vf(1, 0)) == "pci");
  node.events.recover(mlx5_pf(1).to_string(), "SUCCESSFUL_RECOVERY");
  CHECK(node.run_until([&] { return node.cause_of(mlx5_vf(1, 0)) == "recovering"; }));
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
  CHECK(node.cause_of(mlx5_vf(0, 0)) == "silent");
  const auto given = node.while_turning([&] {
    return node.kubelet.allocate("pod", "main", "rdma/vf", std::vector{mlx5_vf(0, 0).to_string()});
  });
  CHECK_FALSE(given);
  node.kernel.release();
  CHECK(node.run_until_healthy("rdma/vf", 7));
}

}  // namespace railhead::test
