#include "plugin/pool/preferred.hpp"

#include <algorithm>

#include <catch2/catch_test_macros.hpp>

#include "base/text.hpp"
#include "test/support/must.hpp"
#include "test/support/node_builder.hpp"

namespace railhead::test {
namespace {

using Ids = std::vector<std::string>;

PciAddress at(const std::string& address) { return PciAddress::parse(address).value(); }

// The pool of all VFs of a node, or of all its NICs when it has no VFs.
struct TestPool {
  device::Inventory inventory;
  pool::Pool pool;

  explicit TestPool(const NodeBuilder& node) : inventory(node.inventory()) {
    pool.resource.prefix = "rdma";
    pool.resource.name = "vf";
    for (const auto& function : inventory.functions()) {
      if (!function.is_network() || !function.vfs.empty()) continue;
      auto& member = pool.members.emplace_back();
      member.id = function.address.to_string();
      member.address = function.address;
    }
  }
  [[nodiscard]] Ids all() const {
    Ids ids;
    for (const auto& offer : pool::offers(pool)) ids.push_back(offer.id);
    return ids;
  }
  [[nodiscard]] Ids all_but(const Ids& without) const {
    auto ids = all();
    std::erase_if(ids, [&](const auto& id) {
      return std::find(without.begin(), without.end(), id) != without.end();
    });
    return ids;
  }
  [[nodiscard]] std::vector<PciAddress> gpus(const std::vector<size_t>& numbers) const {
    std::vector<PciAddress> of_node;
    for (const auto& function : inventory.functions()) {
      if (function.is_gpu) of_node.push_back(function.address);
    }
    std::vector<PciAddress> chosen;
    for (const size_t number : numbers) chosen.push_back(of_node.at(number));
    return chosen;
  }
  [[nodiscard]] pool::Choice prefer(const pool::Wish& wish, const std::vector<PciAddress>& of_pod,
                                    const std::vector<PciAddress>& free = {}) const {
    return must(pool::prefer(pool, inventory, wish, of_pod, free));
  }
  // The ports of a choice: the buses of its ids ("12 22").
  [[nodiscard]] std::string ports(const pool::Wish& wish, const std::vector<PciAddress>& of_pod,
                                  const std::vector<PciAddress>& free = {}) const {
    Ids buses;
    for (const auto& id : prefer(wish, of_pod, free).ids) buses.push_back(id.substr(5, 2));
    return join(buses, " ");
  }
};

const std::vector<size_t> kAll = {0, 1, 2, 3, 4, 5, 6, 7};

}  // namespace

TEST_CASE("each GPU of the pod gets the NIC of its switch") {
  const TestPool node(eight_gpu_node(4));
  CHECK(node.ports({node.all(), {}, 2}, node.gpus({2, 5})) == "32 62");
  CHECK(node.ports({node.all(), {}, 8}, node.gpus(kAll)) == "12 22 32 42 52 62 72 82");
  CHECK(node.prefer({node.all(), {}, 2}, node.gpus({2, 5})).ground ==
        "PCIe distance to the pod's GPUs (2)");
}

TEST_CASE(
    "of all ports that are chosen the VFs have the same index, the lowest that each has left") {
  const TestPool node(eight_gpu_node(4));
  const auto chosen = [&](const Ids& without, size_t size) {
    return join(node.prefer({node.all_but(without), {}, size}, node.gpus({2, 5})).ids, " ");
  };
  CHECK(chosen({}, 2) == "0000:32:00.1 0000:62:00.1");
  CHECK(chosen({"0000:62:00.1"}, 2) == "0000:32:00.2 0000:62:00.2");
  CHECK(chosen({"0000:62:00.1", "0000:32:00.2"}, 2) == "0000:32:00.3 0000:62:00.3");
  CHECK(chosen({"0000:62:00.1", "0000:62:00.3", "0000:32:00.2", "0000:32:00.4"}, 2) ==
        "0000:32:00.1 0000:62:00.2");  // they have none in common
}

TEST_CASE(
    "of devices that are shared each port gives one, whatever shares of the others are left") {
  TestPool node(eight_gpu_node(2));
  node.pool.resource.sharing = config::Sharing{.shares = 2};
  const auto choice =
      node.prefer({node.all_but({"0000:62:00.1::0", "0000:62:00.1::1"}), {}, 2}, node.gpus({2, 5}));
  REQUIRE(choice.ids.size() == 2);
  CHECK(choice.ids[0].starts_with("0000:32:00."));
  CHECK(choice.ids[1].starts_with("0000:62:00.2"));
}

TEST_CASE("with ten NICs for eight GPUs the choice follows the GPUs, not the PCI order") {
  const TestPool node(ten_nic_node());
  const std::string with_gpu = "12 22 32 42 52 62 72 82";
  CHECK(node.ports({node.all(), {}, 8}, node.gpus(kAll)) == with_gpu);
  CHECK(node.ports({node.all(), {}, 8}, {}, node.gpus(kAll)) == with_gpu);
}

TEST_CASE("where nearest NICs compete the sum of all distances decides") {
  NodeBuilder builder;
  const auto outer = builder.pcie_switch("pci0000:10", 0);
  const auto inner = builder.pcie_switch(outer);
  builder.gpu("0000:11:00.0", inner);  // PIX to 13, PXB to 14
  builder.gpu("0000:12:00.0", inner);  // the same
  builder.pf("0000:13:00.0", inner);
  builder.pf("0000:14:00.0", outer);
  builder.pf("0000:10:00.0", NodeBuilder::bridge("pci0000:80", 1));
  const TestPool node(builder);
  CHECK(node.ports({node.all(), {}, 2}, node.gpus({0, 1})) == "13 14");
}

TEST_CASE("a port gives a second VF only when each other port has given one") {
  const TestPool node(eight_gpu_node(4));
  CHECK(node.ports({node.all(), {}, 10}, node.gpus({0, 1})) == "12 12 22 22 32 42 52 62 72 82");
  CHECK(node.ports({node.all(), {}, 2}, node.gpus({0})) == "12 22");
}

TEST_CASE("a pod with fewer NICs than GPUs gets those that are nearest to some of its GPUs") {
  const TestPool node(eight_gpu_node(1));
  // GPUs 2 and 3 have lost their NICs to others.
  CHECK(node.ports({node.all_but({"0000:32:00.1", "0000:42:00.1"}), {}, 2},
                   node.gpus({2, 3, 4, 5})) == "52 62");
}

TEST_CASE("without the pod's GPUs the lowest rail group that serves the free GPUs is chosen") {
  const TestPool node(eight_gpu_node(4));
  CHECK(node.ports({node.all(), {}, 4}, {}, node.gpus(kAll)) == "12 22 32 42");
  CHECK(node.ports({node.all(), {}, 4}, {}, node.gpus({4, 5, 6, 7})) == "52 62 72 82");
  CHECK(node.ports({node.all(), {}, 4}, {}, node.gpus({1, 2, 3, 4, 5, 6, 7})) == "52 62 72 82");
  CHECK(node.prefer({node.all(), {}, 4}, {}, node.gpus(kAll)).ground ==
        "PCIe distance to the free GPUs (8)");
}

TEST_CASE("free GPUs that are no rail group are served where they are") {
  const TestPool node(eight_gpu_node(4));
  CHECK(node.ports({node.all(), {}, 4}, {}, node.gpus({1, 3, 5, 7})) == "22 42 62 82");
}

TEST_CASE("a rail that is missing moves the choice to the next whole group") {
  const TestPool node(eight_gpu_node(1));
  CHECK(node.ports({node.all_but({"0000:22:00.1"}), {}, 4}, {}, node.gpus(kAll)) == "52 62 72 82");
  CHECK(node.ports({node.all_but({"0000:22:00.1", "0000:62:00.1"}), {}, 4}, {}, node.gpus(kAll)) ==
        "12 32 42 52");
}

TEST_CASE("of equal rail groups the one that others use less is chosen") {
  const TestPool node(eight_gpu_node(4));
  CHECK(node.ports({node.all_but({"0000:12:00.1"}), {}, 2}, {}, node.gpus(kAll)) == "32 42");
}

TEST_CASE("equal inputs in any order give the same choice") {
  const TestPool node(eight_gpu_node(16));
  auto ids = node.all();
  auto free = node.gpus(kAll);
  const auto choice = node.prefer({ids, {ids[3], ids[40]}, 5}, {}, free);
  for (size_t by : {1U, 37U, 90U}) {
    std::rotate(ids.begin(), ids.begin() + static_cast<ptrdiff_t>(by), ids.end());
    std::rotate(free.begin(), free.begin() + 3, free.end());
    const auto all = node.all();
    CHECK(node.prefer({ids, {all[40], all[3]}, 5}, {}, free) == choice);
  }
}

TEST_CASE("what must be included is, and serves a GPU as any other") {
  const TestPool node(eight_gpu_node(4));
  CHECK(node.ports({node.all(), {"0000:22:00.3"}, 2}, node.gpus({0, 1})) == "12 22");
  CHECK(node.ports({node.all(), {"0000:82:00.3"}, 2}, {}, node.gpus(kAll)) == "72 82");
  const auto kept =
      node.prefer({node.all(), {"0000:22:00.3", "0000:22:00.4"}, 4}, node.gpus({0, 1, 2, 3}));
  CHECK(kept.ids.size() == 4);
  CHECK(std::count(kept.ids.begin(), kept.ids.end(), "0000:22:00.3") == 1);
  CHECK(std::count(kept.ids.begin(), kept.ids.end(), "0000:22:00.4") == 1);
}

TEST_CASE("wishes that cannot be are errors that say why") {
  const TestPool node(eight_gpu_node(1));
  const auto error = [&](const pool::Wish& wish) {
    const auto choice = pool::prefer(node.pool, node.inventory, wish, {}, {});
    return choice ? "" : choice.error().message;
  };
  CHECK(error({{"0000:12:00.1"}, {"0000:22:00.1"}, 1}) ==
        "device 0000:22:00.1 must be included but is not available");
  CHECK(error({node.all(), {}, 9}) == "9 devices are asked for, 8 are available");
  CHECK(error({node.all(), {"0000:12:00.1", "0000:22:00.1"}, 1}) ==
        "1 devices are asked for, 2 must be included");
  CHECK(error({{"0000:12:00.1", "0000:ff:00.1"}, {"0000:ff:00.1"}, 1}) ==
        "device 0000:ff:00.1 is not one of rdma/vf");
  CHECK(error({{"0000:12:00.1", "0000:ff:00.1"}, {}, 3}) ==
        "3 devices are asked for, 2 are available");
}

TEST_CASE("available devices that are not the pool's are passed over") {
  const TestPool node(eight_gpu_node(1));
  CHECK(node.ports({{"0000:ff:00.1", "0000:32:00.1", "", "0000:22:00.1"}, {}, 1}, node.gpus({2})) ==
        "32");
  CHECK(node.ports({{"0000:ff:00.1", "0000:32:00.1"}, {"0000:32:00.1"}, 2}, {}) == "32");
  CHECK(node.prefer({{"0000:ff:00.1"}, {}, 1}, {}).ids.empty());
}

TEST_CASE("nothing or all is no choice, and an id that is told twice is one device") {
  const TestPool node(eight_gpu_node(1));
  CHECK(node.prefer({node.all(), {}, 0}, {}).ids.empty());
  CHECK(node.prefer({node.all(), {}, 8}, {}).ids == node.all());
  CHECK(node.ports({{"0000:12:00.1", "0000:12:00.1"}, {"0000:12:00.1", "0000:12:00.1"}, 1}, {}) ==
        "12");
}

TEST_CASE("without GPUs the choice stays on one switch, else one NUMA node") {
  NodeBuilder builder;
  for (unsigned numa = 0; numa < 2; ++numa) {
    const auto bridge = fmt::format("pci0000:{}0", 4 * numa + 1);
    const auto two = builder.pcie_switch(bridge, static_cast<int>(numa));
    const auto one = builder.pcie_switch(bridge, static_cast<int>(numa));
    builder.pf(fmt::format("0000:{}1:00.0", 4 * numa + 1), one);
    builder.pf(fmt::format("0000:{}2:00.0", 4 * numa + 1), two);
    builder.pf(fmt::format("0000:{}3:00.0", 4 * numa + 1), two);
  }
  const TestPool node(builder);
  CHECK(node.ports({node.all(), {}, 2}, {}) == "12 13");
  CHECK(node.ports({node.all(), {}, 3}, {}) == "11 12 13");
  CHECK(node.ports({node.all(), {}, 4}, {}) == "11 12 13 51");
  CHECK(node.ports({node.all_but({"0000:12:00.0"}), {}, 2}, {}) == "52 53");
  CHECK(node.ports({node.all(), {"0000:53:00.0"}, 2}, {}) == "52 53");
  CHECK(node.prefer({node.all(), {}, 2}, {}).ground == "neighbours by NUMA node and PCIe switch");
}

TEST_CASE("GPUs that are equally far from all NICs leave the choice to the NICs' places") {
  NodeBuilder builder;
  builder.gpu("0000:01:00.0", NodeBuilder::bridge("pci0000:00", 2));
  for (unsigned i = 0; i < 4; ++i) {
    builder.pf(fmt::format("0000:{}1:00.0", i + 1),
               NodeBuilder::bridge(fmt::format("pci0000:{}0", i + 1), static_cast<int>(i % 2)));
  }
  const TestPool node(builder);
  CHECK(node.ports({node.all(), {}, 2}, node.gpus({0})) == "11 31");
}

namespace {

// Functions of a virtual machine, each in a PCI domain of its own; PFs with VFs.
TestPool without_topology(std::optional<config::Order> order, unsigned vfs = 4) {
  NodeBuilder builder;
  for (unsigned i = 0; i < 4; ++i) {
    const auto domain = fmt::format("{:04x}", 0xa000 + i);
    builder.gpu(domain + ":01:00.0", NodeBuilder::bridge("pci" + domain + ":00"));
    const auto nic = fmt::format("{:04x}", 0xb000 + i);
    builder.pf(fmt::format("{}:1{}:00.0", nic, i), NodeBuilder::bridge("pci" + nic + ":00"), vfs);
  }
  TestPool node(builder);
  node.pool.resource.order = order;
  return node;
}

}  // namespace

TEST_CASE("where nothing is known of the topology, as few PFs as can be are taken") {
  const auto node = without_topology(std::nullopt);
  CHECK(node.ports({node.all(), {}, 3}, node.gpus({0})) == "10 10 10");
  CHECK(node.ports({node.all_but({"b000:10:00.1", "b000:10:00.2"}), {}, 2}, {}) == "10 10");
  CHECK(node.ports({node.all_but({"b000:10:00.1", "b000:10:00.2"}), {}, 5}, {}) ==
        "10 11 11 11 11");
  CHECK(node.ports({node.all(), {"b002:12:00.3"}, 2}, {}) == "12 12");
  CHECK(node.prefer({node.all(), {}, 3}, node.gpus({0})).ground ==
        "order packed: the topology does not tell");
}

TEST_CASE("an order that is written comes after the pod's GPUs, and before all else") {
  for (const auto order : {config::Order::packed, config::Order::spread, config::Order::rail}) {
    TestPool node(eight_gpu_node(4));
    node.pool.resource.order = order;
    CHECK(node.ports({node.all(), {}, 2}, node.gpus({2, 5})) == "32 62");
  }
  TestPool node(eight_gpu_node(4));
  node.pool.resource.order = config::Order::packed;
  CHECK(node.ports({node.all(), {}, 3}, {}, node.gpus({4, 5, 6, 7})) == "12 12 12");
  CHECK(node.prefer({node.all(), {}, 3}, {}, node.gpus({4, 5, 6, 7})).ground == "order packed");
  node.pool.resource.order = config::Order::spread;
  CHECK(node.ports({node.all_but({"0000:12:00.1"}), {}, 2}, {}, node.gpus(kAll)) == "22 32");
  node.pool.resource.order.reset();
  CHECK(node.ports({node.all(), {}, 3}, {}, node.gpus({4, 5, 6, 7})) == "52 62 72");
}

TEST_CASE("a pool may opt out of GPUs, and of any nearness") {
  TestPool node(eight_gpu_node(4));
  const pool::Wish two{node.all(), {}, 2};
  node.pool.resource.near = config::Near::numa;
  CHECK(node.ports(two, node.gpus({2, 5}), node.gpus({6})) == "12 22");
  CHECK(node.prefer(two, node.gpus({2, 5})).ground == "neighbours by NUMA node and PCIe switch");
  node.pool.resource.near = config::Near::none;
  CHECK(node.ports(two, node.gpus({2, 5}), node.gpus({6})) == "12 12");
  CHECK(node.prefer(two, node.gpus({2, 5})).ground == "order packed");
  for (const auto near : {config::Near::numa, config::Near::none}) {
    node.pool.resource.near = near;
    node.pool.resource.order = config::Order::spread;
    CHECK(node.ports({node.all_but({"0000:12:00.1"}), {}, 2}, node.gpus({2})) == "22 32");
  }
}

TEST_CASE("where nothing is known of the topology, spread takes the PFs that are used least") {
  const auto node = without_topology(config::Order::spread);
  CHECK(node.ports({node.all(), {}, 3}, {}) == "10 11 12");
  CHECK(node.ports({node.all_but({"b000:10:00.1", "b001:11:00.1"}), {}, 3}, {}) == "10 12 13");
  CHECK(node.ports({node.all(), {}, 5}, {}) == "10 10 11 12 13");
}

TEST_CASE("where nothing is known of the topology, rail takes one VF index of a group of PFs") {
  const auto node = without_topology(config::Order::rail);
  CHECK(node.prefer({node.all_but({"b001:11:00.1"}), {}, 2}, {}).ids ==
        Ids{"b000:10:00.2", "b001:11:00.2"});
  const auto busy = Ids{"b001:11:00.1", "b001:11:00.2", "b001:11:00.3", "b001:11:00.4"};
  CHECK(node.ports({node.all_but(busy), {}, 2}, {}) == "12 13");
  CHECK(node.ports({node.all_but(busy), {}, 3}, {}) == "10 12 13");
  CHECK(node.prefer({{"b000:10:00.1", "b001:11:00.2", "b002:12:00.2"}, {}, 2}, {}).ids ==
        Ids{"b000:10:00.1", "b001:11:00.2"});
}

TEST_CASE("InfiniBand ports are chosen as Ethernet's, and a VF without a known PF is a port") {
  NodeBuilder builder;
  for (unsigned i = 0; i < 4; ++i) {
    const auto below = builder.pcie_switch("pci0000:10", 0);
    builder.gpu(fmt::format("0000:{}1:00.0", i + 1), below);
    auto& vf = builder.pf(fmt::format("0000:{}2:00.0", i + 1), below);
    vf.pci_class = 0x020700;
    vf.device_id = "101e";
  }
  const TestPool node(builder);
  CHECK(node.ports({node.all(), {}, 2}, node.gpus({1, 3})) == "22 42");
}

TEST_CASE("shares are taken of different devices, and of the device that has most of them left") {
  TestPool node(eight_gpu_node(0));
  node.pool.resource.sharing = config::Sharing{config::Sharing::Unit::device, 3};
  CHECK(node.prefer({node.all(), {}, 2}, node.gpus({0, 1})).ids ==
        Ids{"0000:12:00.0::0", "0000:22:00.0::0"});
  CHECK(node.prefer({node.all(), {}, 1}, {}).ids == Ids{"0000:12:00.0::0"});
  CHECK(node.prefer({node.all_but({"0000:12:00.0::0"}), {}, 1}, {}).ids ==
        Ids{"0000:52:00.0::0"});  // that other NUMA node is used less
  node.pool.resource.sharing = config::Sharing{config::Sharing::Unit::pool, 12};
  CHECK(node.prefer({node.all_but({"1"}), {}, 3}, node.gpus({0})).ids == Ids{"0", "2", "3"});
}

TEST_CASE("a device that went away is chosen last") {
  TestPool node(eight_gpu_node(1));
  auto& gone = node.pool.members.front();
  gone.address = at("0000:99:00.0");
  CHECK(node.ports({node.all(), {}, 7}, {}, node.gpus(kAll)) == "22 32 42 52 62 72 82");
}

TEST_CASE("a choice among 2040 VFs for sixteen GPUs is each GPU's nearest port, twice") {
  NodeBuilder builder;
  for (unsigned i = 0; i < 16; ++i) {
    const auto below =
        builder.pcie_switch(fmt::format("pci0000:{:x}0", i), static_cast<int>(i / 8));
    builder.gpu(fmt::format("0000:{:x}1:00.0", i), below);
    if (i % 2 == 0) builder.pf(fmt::format("0000:{:x}2:00.0", i), below, 255);
  }
  const TestPool node(builder);
  std::vector<size_t> gpus(16);
  for (size_t i = 0; i < gpus.size(); ++i) gpus[i] = i;
  REQUIRE(node.all().size() == 2040);
  CHECK(node.ports({node.all(), {}, 16}, node.gpus(gpus)) ==
        "02 02 22 22 42 42 62 62 82 82 a2 a2 c2 c2 e2 e2");
}

}  // namespace railhead::test
