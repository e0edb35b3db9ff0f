#include "plugin/pool/held.hpp"

#include <catch2/catch_test_macros.hpp>

namespace railhead::test {
namespace {

using ledger::Facts;
using ledger::Listed;

const PciAddress kPf = *PciAddress::parse("0000:3b:00.0");
const PciAddress kA = *PciAddress::parse("0000:3b:00.2");
const PciAddress kB = *PciAddress::parse("0000:3b:00.3");

device::PciFunction vf(const PciAddress& address, const std::string& uverbs) {
  device::PciFunction function;
  function.address = address;
  function.pf = kPf;
  function.numa_node = 1;
  function.rdma.push_back(
      {.name = "mlx5_" + uverbs, .char_devices = {{device::CharKind::uverbs, uverbs, ""}}});
  return function;
}

pool::Pool pool_of(const std::string& name, std::vector<PciAddress> members,
                   std::optional<config::Sharing> sharing = {}) {
  pool::Pool pool;
  pool.resource.prefix = "rdma";
  pool.resource.name = name;
  pool.resource.sharing = sharing;
  for (const auto& address : members) {
    auto& member = pool.members.emplace_back();
    member.id = address.to_string();
    member.address = address;
    member.rdma = true;
  }
  return pool;
}

struct Case {
  Facts facts{.listed = {{}}};
  std::map<std::string, std::string> last_given_as;
  std::set<std::string> own_resources{"rdma/vf", "rdma/new", "rdma/hca"};
  std::set<PciAddress> on_bus{kPf, kA, kB};
  device::Inventory inventory{{vf(kA, "uverbs2"), vf(kB, "uverbs3")}, std::nullopt, {}};
  pool::Selection selection;
  bool waits = false;

  void run() {
    const auto holdings = ledger::merge(facts);
    waits = pool::keep_to_holders({holdings, last_given_as, own_resources, on_bus}, inventory,
                                  selection);
  }
  // Of the device in the first pool.
  [[nodiscard]] std::string sickness(const PciAddress& address) const {
    for (const auto& member : selection.pools.at(0).members) {
      if (member.address == address) return member.sickness;
    }
    return "no member";
  }
  [[nodiscard]] pool::Cause cause(const PciAddress& address) const {
    for (const auto& member : selection.pools.at(0).members) {
      if (member.address == address) return member.cause;
    }
    return pool::Cause::port;
  }
};

Listed listed(const std::string& id, const std::string& resource) {
  return {"ns/a", "main", resource, {id}};
}

constexpr config::Sharing kPerDevice{.unit = config::Sharing::Unit::device, .shares = 4};
constexpr config::Sharing kWhole{.unit = config::Sharing::Unit::pool, .shares = 4};

}  // namespace

TEST_CASE("A device that a pod has as another resource is not offered, whoever selects it now") {
  Case c;
  c.selection.pools = {pool_of("new", {kA, kB})};
  c.facts.listed = {{listed(kA.to_string(), "rdma/vf")}};
  c.run();
  CHECK(c.sickness(kA) == "held by ns/a as rdma/vf; free when that ends");
  CHECK(c.cause(kA) == pool::Cause::held);
  CHECK(c.sickness(kB).empty());
  CHECK(c.waits);
}

TEST_CASE("A device that a pod has as this resource is well") {
  Case c;
  c.selection.pools = {pool_of("vf", {kA})};
  c.facts.listed = {{listed(kA.to_string(), "rdma/vf")}};
  c.run();
  CHECK(c.sickness(kA).empty());
  CHECK(c.selection.pools.size() == 1);
  CHECK(c.selection.pools[0].leftovers.empty());
  CHECK_FALSE(c.waits);
}

TEST_CASE("Two resources that swap their devices keep offering what their pods have, to nobody") {
  Case c;
  c.selection.pools = {pool_of("new", {kA}), pool_of("vf", {kB})};
  c.facts.listed = {{listed(kA.to_string(), "rdma/vf"), listed(kB.to_string(), "rdma/new")}};
  c.run();
  CHECK(pool::offers(c.selection.pools[0]) ==
        std::vector<pool::Offer>{{kA.to_string(), false, std::nullopt, kA},
                                 {kB.to_string(), true, 1, kB}});
  CHECK(pool::offers(c.selection.pools[1]) ==
        std::vector<pool::Offer>{{kB.to_string(), false, std::nullopt, kB},
                                 {kA.to_string(), true, 1, kA}});
  CHECK(c.waits);
}

TEST_CASE("A resource that is configured no more is offered with what its pods have") {
  Case c;
  c.facts.listed = {{listed(kA.to_string(), "rdma/vf")}};
  c.run();
  REQUIRE(c.selection.pools.size() == 1);
  CHECK(c.selection.pools[0].resource.full_name() == "rdma/vf");
  CHECK(pool::offers(c.selection.pools[0]) ==
        std::vector<pool::Offer>{{kA.to_string(), true, 1, kA}});
  CHECK(pool::members_of(c.selection.pools[0], kA.to_string()).empty());
}

TEST_CASE("A resource of another plugin is nothing of ours, but its device is not given out") {
  Case c;
  c.selection.pools = {pool_of("new", {kA})};
  c.facts.listed = {{listed(kA.to_string(), "intel.com/vf")}};
  c.run();
  CHECK(c.sickness(kA) == "held by ns/a as intel.com/vf; free when that ends");
  CHECK(c.selection.pools.size() == 1);
}

TEST_CASE("A device that has gone from the node is left unhealthy to the pod that has it") {
  Case c;
  c.on_bus = {kPf};
  c.facts.listed = {{listed(kA.to_string(), "rdma/vf")}};
  c.run();
  REQUIRE(c.selection.pools.size() == 1);
  CHECK_FALSE(pool::offers(c.selection.pools[0]).at(0).healthy);
}

TEST_CASE("An exclusive resource waits for shares of its device, and a shared one for the device") {
  for (const auto& id : {kA.to_string() + "::2", std::string("3")}) {
    Case c;
    c.selection.pools = {pool_of("new", {kA})};
    c.facts.listed = {{listed(id, "rdma/hca")}};
    c.facts.pools = {{"rdma/hca", {kA.to_string()}}};
    c.run();
    CHECK(c.sickness(kA) == "held by ns/a as rdma/hca; free when that ends");
  }
  for (const auto& sharing : {kPerDevice, kWhole}) {
    Case c;
    c.selection.pools = {pool_of("hca", {kA}, sharing)};
    c.facts.listed = {{listed(kA.to_string(), "rdma/vf")}};
    c.run();
    CHECK(c.sickness(kA) == "held by ns/a as rdma/vf; free when that ends");
  }
}

TEST_CASE("A resource that became of the other kind has its devices when their pods end") {
  const auto share = kA.to_string() + "::3";
  struct Kind {
    std::optional<config::Sharing> now;
    std::string held;
    std::string why;
  };
  for (const auto& kind :
       {Kind{kPerDevice, kA.to_string(), "not shared"}, Kind{kWhole, kA.to_string(), "not shared"},
        Kind{std::nullopt, share, "shared"}, Kind{std::nullopt, "3", "shared"}}) {
    INFO(kind.held << ", " << kind.why);
    Case c;
    c.selection.pools = {pool_of("hca", {kA, kB}, kind.now)};
    c.facts.listed = {{listed(kind.held, "rdma/hca")}};
    c.facts.pools = {{"rdma/hca", {kA.to_string()}}};
    c.run();
    CHECK(c.sickness(kA) ==
          fmt::format("held by ns/a as rdma/hca, {}; free when that ends", kind.why));
    CHECK(c.sickness(kB).empty());
    // The pod's containers start again.
    REQUIRE(c.selection.pools[0].leftovers.size() == 1);
    CHECK(c.selection.pools[0].leftovers[0].id == kind.held);
    CHECK(c.selection.pools[0].leftovers[0].healthy);
  }
}

TEST_CASE("A device of which some have shares waits for who has it to itself") {
  Case c;
  c.selection.pools = {pool_of("hca", {kA}, kPerDevice)};
  c.facts.listed = {
      {listed(kA.to_string() + "::1", "rdma/hca"), listed(kA.to_string(), "rdma/vf")}};
  c.run();
  CHECK(c.sickness(kA) == "held by ns/a as rdma/vf; free when that ends");
}

TEST_CASE("Two shared resources may share one device") {
  Case c;
  c.selection.pools = {pool_of("new", {kA}, kPerDevice), pool_of("hca", {kA}, kWhole)};
  c.facts.listed = {{listed("3", "rdma/hca")}};
  c.facts.pools = {{"rdma/hca", {kA.to_string()}}};
  c.run();
  CHECK(c.sickness(kA).empty());
  CHECK_FALSE(c.waits);
}

TEST_CASE("A share that there are no longer so many of is offered on") {
  Case c;
  c.selection.pools = {pool_of("hca", {kA}, kWhole)};
  c.facts.listed = {{listed("7", "rdma/hca"), listed("1", "rdma/hca")}};
  c.run();
  CHECK(c.selection.pools[0].leftovers ==
        std::vector<pool::Offer>{{"7", true, std::nullopt, std::nullopt}});
}

TEST_CASE("What nobody knows is not free: a device that was another resource's waits for kubelet") {
  Case c;
  c.facts.listed.reset();
  c.selection.pools = {pool_of("new", {kA, kB})};
  c.last_given_as = {{kA.to_string(), "rdma/vf"}};
  c.run();
  CHECK(c.sickness(kA) ==
        "whether a pod still has it as rdma/vf is not known: kubelet has not said yet");
  CHECK(c.cause(kA) == pool::Cause::unknown);
  CHECK(c.sickness(kB).empty());  // nothing is known against it
}

TEST_CASE("Nor is it shared as long as nobody knows whether a pod still has it to itself") {
  for (const auto* last : {"rdma/vf", "rdma/hca"}) {
    Case c;
    c.facts.listed.reset();
    c.selection.pools = {pool_of("hca", {kA, kB}, kPerDevice)};
    c.last_given_as = {{kA.to_string(), last}};
    c.run();
    CHECK(c.sickness(kA).find("is not known: kubelet has not said yet") != std::string::npos);
    CHECK(c.sickness(kB).empty());
  }
}

TEST_CASE("After a boot kubelet's file says what is held, and nothing else makes a device sick") {
  Case c;
  c.facts.listed.reset();
  c.facts.saved = {{{"1", "main", "rdma/vf", {kA.to_string()}, {}, {}}}};
  c.selection.pools = {pool_of("vf", {kA, kB})};
  c.run();
  CHECK(c.sickness(kA).empty());
  CHECK(c.sickness(kB).empty());
}

TEST_CASE("An attachment without a pod of kubelet's is its resource's own, and no other's") {
  Case c;
  c.facts.attached = {{kA.to_string(), "ns/old", ""}};
  c.last_given_as = {{kA.to_string(), "rdma/vf"}};
  c.selection.pools = {pool_of("vf", {kA})};
  c.run();
  CHECK(c.sickness(kA).empty());
  c.selection.pools = {pool_of("new", {kA})};
  c.run();
  CHECK(c.sickness(kA) == "attached to ns/old, which was given it as rdma/vf; free when that ends");
}

TEST_CASE("A device whose node another pod was given with another device waits for that pod") {
  Case c;
  c.selection.pools = {pool_of("vf", {kA, kB})};
  c.facts.listed = {{listed(kA.to_string(), "rdma/vf")}};
  c.facts.saved = {{{"1", "main", "rdma/vf", {kA.to_string()}, {"/dev/infiniband/uverbs3"}, {}}}};
  c.run();
  CHECK(c.sickness(kB) == "/dev/infiniband/uverbs3 is still open to ns/a; free when that ends");
  CHECK(c.cause(kB) == pool::Cause::open);
  CHECK(c.sickness(kA).empty());
  CHECK(c.waits);
}

TEST_CASE("A function waits for the pod that has another one of its IOMMU group") {
  for (const bool without_iommu : {false, true}) {
    Case c;
    auto a = vf(kA, "");
    auto b = vf(kB, "");
    a.rdma.clear();
    b.rdma.clear();
    a.iommu_group = b.iommu_group = 7;
    a.without_iommu = b.without_iommu = without_iommu;
    c.inventory = device::Inventory({a, b}, std::nullopt, {});
    c.selection.pools = {pool_of("vf", {kA, kB})};
    for (auto& member : c.selection.pools[0].members) {
      member.driver = "vfio-pci";
      member.rdma = false;
    }
    const std::string node = without_iommu ? "/dev/vfio/noiommu-7" : "/dev/vfio/7";
    c.facts.listed = {{listed(kA.to_string(), "rdma/vf")}};
    c.facts.saved = {{{"1", "main", "rdma/vf", {kA.to_string()}, {"/dev/vfio/vfio", node}, {}}}};
    c.run();
    CHECK(c.sickness(kB) == fmt::format("{} is still open to ns/a; free when that ends", node));
    CHECK(c.sickness(kA).empty());
  }
}

TEST_CASE("A UIO or vhost-vdpa node that a pod still has is waited for as well") {
  for (const std::string node : {"/dev/uio3", "/dev/vhost-vdpa-3"}) {
    Case c;
    auto b = vf(kB, "");
    b.rdma.clear();
    b.uio = "uio3";
    b.vdpa = device::VdpaDevice{.name = "vdpa0", .vhost = "vhost-vdpa-3"};
    c.inventory = device::Inventory({vf(kA, ""), b}, std::nullopt, {});
    c.selection.pools = {pool_of("vf", {kA, kB})};
    auto& member = c.selection.pools[0].members[1];
    member.rdma = false;
    if (node.starts_with("/dev/uio")) {
      member.driver = "uio_pci_generic";
    } else {
      member.vdpa = grant::Vdpa{grant::Vdpa::Type::vhost, "vdpa0"};
    }
    c.facts.listed = {{listed(kA.to_string(), "rdma/vf")}};
    c.facts.saved = {{{"1", "main", "rdma/vf", {kA.to_string()}, {node}, {}}}};
    c.run();
    CHECK(c.sickness(kB) == fmt::format("{} is still open to ns/a; free when that ends", node));
  }
}

}  // namespace railhead::test
