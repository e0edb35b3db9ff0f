// Counters read from generated sysfs trees.
#include <catch2/catch_test_macros.hpp>
#include <sys/resource.h>

#include "attach/store.hpp"
#include "plugin/metrics/device_counters.hpp"
#include "plugin/metrics/memlock.hpp"
#include "test/support/must.hpp"
#include "test/support/still_host.hpp"
#include "test/support/sysfs_tree.hpp"
#include "test/support/temporary_folder.hpp"

using namespace railhead;
using namespace railhead::metrics;
using namespace railhead::test;

namespace {

const std::string kVf = "0000:3b:00.2";

struct Node {
  // The VF with the RDMA device mlx5_4, and files of its port.
  explicit Node(bool in_host_namespace = true) {
    tree.add(
        {.address = kVf, .rdma = {{.name = "mlx5_4", .in_host_namespace = in_host_namespace}}});
  }
  void write(const std::string& path, const std::string& text) {
    tree.write(tree.folder(kVf) + "/infiniband/mlx5_4/ports/" + path, text);
  }
  [[nodiscard]] Sweep sweep() const {
    return read_device_counters(host.host, {{kVf, *PciAddress::parse(kVf), "rdma/vf", {}}});
  }
  TemporaryFolder folder;
  SysfsTree tree{folder.path() + "/sys"};
  StillHost host{folder.path()};
};

}  // namespace

TEST_CASE("A port's state and counters are read, each by its sysfs name") {
  Node node;
  node.write("1/state", "4: ACTIVE");
  node.write("1/counters/port_xmit_data", "1000");
  node.write("1/counters/symbol_error", "0");
  node.write("1/hw_counters/out_of_sequence", "18446744073709551615");
  const auto sweep = node.sweep();
  CHECK(sweep.out_of_sight.empty());
  REQUIRE(sweep.devices.size() == 1);
  CHECK(sweep.devices[0].rdma_device == "mlx5_4");
  CHECK(sweep.devices[0].ports ==
        std::vector<PortCounters>{{.port = 1,
                                   .state = 4,
                                   .port_counters = {{"port_xmit_data", 1000}, {"symbol_error", 0}},
                                   .hw_counters = {{"out_of_sequence", UINT64_MAX}}}});
}

TEST_CASE("What is no counter, or cannot be read as one, is left out and hides nothing") {
  Node node;
  node.write("1/counters/port_rcv_data", "N/A (no PMA)");
  node.write("1/counters/link_downed", "-1");
  node.write("1/counters/symbol_error", "7");
  node.write("1/hw_counters/lifespan", "10");
  node.write("1/hw_counters/active_qps", "3");
  node.write("1/hw_counters/watermark_qps", "5");
  node.write("1/hw_counters/tx_pkts", "9");
  const auto ports = node.sweep().devices.at(0).ports;
  REQUIRE(ports.size() == 1);
  CHECK_FALSE(ports[0].state);
  CHECK(ports[0].port_counters == std::vector<Counter>{{"symbol_error", 7}});
  CHECK(ports[0].hw_counters == std::vector<Counter>{{"tx_pkts", 9}});
}

TEST_CASE("Ports are told in their order, also those without counters") {
  Node node;
  for (const auto* port : {"10", "2"}) node.write(std::string(port) + "/state", "1: DOWN");
  std::vector<uint32_t> numbers;
  const auto ports = node.sweep().devices.at(0).ports;
  for (const auto& port : ports) numbers.push_back(port.port);
  CHECK(numbers == std::vector<uint32_t>{1, 2, 10});
}

TEST_CASE("A device without RDMA, and one that is gone, are no error") {
  Node node;
  node.tree.add({.address = "0000:3b:00.3"});
  const auto sweep = read_device_counters(
      node.host.host, {{"0000:3b:00.3", *PciAddress::parse("0000:3b:00.3"), "", {}},
                       {"0000:3b:00.4", *PciAddress::parse("0000:3b:00.4"), "", {}}});
  CHECK(sweep.devices.empty());
  CHECK(sweep.out_of_sight.empty());
}

TEST_CASE("A scalable function's counters are found below its own auxiliary device") {
  Node node;
  node.tree.write(node.folder.path() +
                      "/sys/bus/auxiliary/devices/mlx5_core.sf.4/infiniband/mlx5_9/ports/1/"
                      "counters/port_xmit_packets",
                  "5");
  const auto sweep = read_device_counters(
      node.host.host, {{"mlx5_core.sf.4", *PciAddress::parse(kVf), "rdma/sf", {}}});
  REQUIRE(sweep.devices.size() == 1);
  CHECK(sweep.devices[0].rdma_device == "mlx5_9");
  CHECK(sweep.devices[0].ports.at(0).port_counters ==
        std::vector<Counter>{{"port_xmit_packets", 5}});
}

TEST_CASE("A device that is in no known namespace, or in one that cannot be entered, is told of") {
  const Node node(false);
  auto sweep = node.sweep();
  CHECK(sweep.devices.empty());
  REQUIRE(sweep.out_of_sight.size() == 1);
  CHECK(sweep.out_of_sight[0].message == kVf + ": its RDMA device is in no known namespace");

  attach::Record record;
  record.key = {"rail0", "c0", "net1"};
  record.device = *PciAddress::parse(kVf);
  record.kind = attach::KindName::rdma_only;
  record.netns_path = "/var/run/netns/pod0";
  const attach::Store store(node.host.host.roots.run);
  must(store.prepare());
  must(store.save(record));
  must(store.claim(record));
  sweep = node.sweep();
  REQUIRE(sweep.out_of_sight.size() == 1);
  CHECK(sweep.out_of_sight[0].code == ErrorCode::unsupported);  // as this host answers
}

TEST_CASE("The limit of locked memory is this program's own") {
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_MEMLOCK, &before) == 0);
  const rlimit lower{4096, before.rlim_max};
  REQUIRE(setrlimit(RLIMIT_MEMLOCK, &lower) == 0);
  CHECK(memlock_limit() == 4096);
  setrlimit(RLIMIT_MEMLOCK, &before);
}
