#include "plugin/ledger/holdings.hpp"

#include <algorithm>

#include <catch2/catch_test_macros.hpp>
#include <fmt/ranges.h>

namespace railhead::test {
namespace {

using ledger::Facts;
using ledger::Listed;
using ledger::merge;
using ledger::Saved;
using ledger::Source;
using ledger::State;

const std::string kA = "0000:3b:00.2";
const std::string kB = "0000:3b:00.3";

Listed listed(const std::string& pod, std::vector<std::string> ids,
              const std::string& resource = "rdma/vf") {
  return {"ns/" + pod, "main", resource, std::move(ids)};
}
Saved saved(const std::string& uid, std::set<std::string> ids, std::vector<std::string> nodes = {},
            const std::string& resource = "rdma/vf") {
  return {uid, "main", resource, std::move(ids), std::move(nodes), {}};
}
device::Allocation allocation(const std::string& device, const std::string& resource,
                              const std::string& node) {
  return {resource, *PciAddress::parse(device), {{device::CharKind::uverbs, node, "231:1"}}};
}

// "0000:3b:00.2 ns/a rdma/vf podresources" for each holding.
std::vector<std::string> told(const ledger::Holdings& holdings) {
  std::vector<std::string> all;
  for (const auto& one : holdings.all()) {
    all.push_back(
        fmt::format("{} {} {} {}", one.device, one.who(), one.resource, to_string(one.source)));
  }
  return all;
}

}  // namespace

TEST_CASE("Who holds a device is told by the best source; what nobody can tell is unknown") {
  struct Case {
    std::string name;
    Facts facts;
    State state;  // of kA
    std::string source;
  };
  const std::vector<Case> cases{
      {"nothing is known", {}, State::unknown, ""},
      {"kubelet lists nobody", {.listed = {{}}}, State::free, ""},
      {"kubelet lists another's", {.listed = {{listed("a", {kB})}}}, State::free, ""},
      {"kubelet lists it", {.listed = {{listed("a", {kA})}}}, State::held, "podresources"},
      {"an early answer lists it",
       {.listed_early = {listed("a", {kA})}},
       State::held,
       "podresources"},
      {"an early answer does not", {.listed_early = {listed("a", {kB})}}, State::unknown, ""},
      {"only the file has it", {.saved = {{saved("1", {kA})}}}, State::held, "checkpoint"},
      {"the file does not", {.saved = {{saved("1", {kB})}}}, State::unknown, ""},
      {"kubelet has answered: the file's pod is gone",
       {.listed = {{}}, .saved = {{saved("1", {kA})}}},
       State::free,
       ""},
      {"it was granted just now",
       {.listed = {{}}, .granted = {{"rdma/vf", {kA}, {}, {}}}},
       State::held,
       "grant"},
      {"the grant is listed",
       {.listed = {{listed("a", {kA})}}, .granted = {{"rdma/vf", {kA}, {}, {}}}},
       State::held,
       "podresources"},
      {"an attachment has it",
       {.listed = {{}}, .attached = {{kA, "ns/a", ""}}},
       State::held,
       "attachment"},
      {"what it was last given with is no holder",
       {.listed = {{}}, .allocations = {allocation(kA, "rdma/vf", "uverbs2")}},
       State::free,
       ""},
  };
  for (const auto& one : cases) {
    INFO(one.name);
    const auto holdings = merge(one.facts);
    CHECK(holdings.state(kA) == one.state);
    const auto of_a = holdings.of(kA);
    CHECK((of_a.empty() ? "" : std::string(to_string(of_a[0]->source))) == one.source);
    CHECK(of_a.size() <= 1);
  }
}

TEST_CASE("A device that two have is held by both") {
  const Facts facts{.listed = {{listed("a", {kA}), listed("b", {kA}, "rdma/other")}},
                    .attached = {{kA, "ns/old", ""}}};
  CHECK(told(merge(facts)) == std::vector<std::string>{kA + " ns/old  attachment",
                                                       kA + " ns/b rdma/other podresources",
                                                       kA + " ns/a rdma/vf podresources"});
}

TEST_CASE("Shares are of their device; those of a whole pool are of all that it was said to be") {
  Facts facts{.listed = {{listed("a", {kA + "::3", kA + "::4"}, "rdma/shares"),
                          listed("b", {"7"}, "rdma/hca"), listed("c", {"8"}, "rdma/hca")}},
              .saved = {{{"1", "main", "rdma/hca", {"7"}, {}, {kB}}}},
              .pools = {{"rdma/hca", {kA, kB}}}};
  CHECK(told(merge(facts)) == std::vector<std::string>{kA + " ns/c rdma/hca podresources",
                                                       kA + " ns/a rdma/shares podresources",
                                                       kA + " ns/a rdma/shares podresources",
                                                       kB + " ns/b rdma/hca podresources",
                                                       kB + " ns/c rdma/hca podresources"});
  CHECK(merge(facts).of(kA)[0]->is_share());
}

TEST_CASE("What is no device of this program's kind is nobody's holding") {
  CHECK(merge({.listed = {{listed("a", {"GPU-1f3c", "MIG-2", ""}, "nvidia.com/gpu")}}})
            .all()
            .empty());
}

TEST_CASE("A sub-function is a device") {
  CHECK(merge({.listed = {{listed("a", {"mlx5_core.sf.4"})}}}).state("mlx5_core.sf.4") ==
        State::held);
}

TEST_CASE("The nodes that a container was given are those of kubelet's file, else of Allocate's") {
  Facts facts{
      .listed = {{listed("a", {kA}), listed("b", {kB})}},
      .saved = {{saved("1", {kA}, {"/dev/infiniband/uverbs5"})}},
      .allocations = {allocation(kA, "rdma/vf", "uverbs2"), allocation(kB, "rdma/vf", "uverbs3")}};
  const auto holdings = merge(facts);
  CHECK(holdings.of(kA)[0]->nodes == std::vector<std::string>{"/dev/infiniband/uverbs5"});
  CHECK(holdings.of(kB)[0]->nodes == std::vector<std::string>{"/dev/infiniband/uverbs3"});
  facts.allocations[1].resource = "rdma/former";
  CHECK(merge(facts).of(kB)[0]->nodes.empty());
}

TEST_CASE("A node that another container was given with another device is found") {
  const auto holdings =
      merge({.listed = {{listed("a", {kA, "0000:3b:00.4"}), listed("b", {kB})}},
             .saved = {{saved("1", {kA, "0000:3b:00.4"},
                              {"/dev/infiniband/uverbs2", "/dev/infiniband/uverbs4"})}}});
  REQUIRE(holdings.other_with_node("/dev/infiniband/uverbs2", kB));
  CHECK(holdings.other_with_node("/dev/infiniband/uverbs2", kB)->pod == "ns/a");
  CHECK(holdings.other_with_node("/dev/infiniband/uverbs2", "0000:3b:00.5"));
  CHECK_FALSE(holdings.other_with_node("/dev/infiniband/uverbs2", kA));
  CHECK_FALSE(holdings.other_with_node("/dev/infiniband/uverbs4", kA));  // the same container's
  CHECK_FALSE(holdings.other_with_node("/dev/infiniband/uverbs9", kB));
}

TEST_CASE("Two containers of which no pod is known are two") {
  const auto holdings = merge({.granted = {{"rdma/vf", {kA}, {}, {"/dev/infiniband/uverbs2"}},
                                           {"rdma/vf", {kB}, {}, {"/dev/infiniband/uverbs3"}}}});
  CHECK(holdings.other_with_node("/dev/infiniband/uverbs2", kB));
}

TEST_CASE("What two containers of a pod have is one owner's") {
  const auto holdings =
      merge({.listed = {{{"ns/a", "one", "rdma/vf", {kA}}, {"ns/a", "two", "rdma/vf", {kB}}}},
             .saved = {{{"1", "one", "rdma/vf", {kA}, {"/dev/vfio/7"}, {}}}}});
  CHECK_FALSE(holdings.other_with_node("/dev/vfio/7", kB));
  CHECK(holdings.other_with_node("/dev/vfio/7", "0000:3b:00.4"));
}

TEST_CASE("A container may be granted functions of one IOMMU group as two resources") {
  Facts facts{.granted = {{"rdma/vf", {kA}, {kA}, {"/dev/vfio/7"}}}};
  CHECK_FALSE(merge(facts).other_with_node("/dev/vfio/7", kB));
  // Once it is listed, what it was granted besides is too.
  facts.listed = {{listed("a", {kA})}};
  facts.saved = {{saved("1", {kA}, {"/dev/vfio/7"})}};
  CHECK(merge(facts).other_with_node("/dev/vfio/7", kB));
}

TEST_CASE("Three hundred pods with a share of a pool of a hundred devices are merged") {
  Facts facts{.listed = {{}}};
  for (int i = 0; i < 100; ++i) {
    facts.pools["rdma/hca"].push_back(fmt::format("0000:{:02x}:00.0", i));
  }
  for (int i = 0; i < 300; ++i) {
    facts.listed->push_back(listed(fmt::format("p{}", i), {std::to_string(i)}, "rdma/hca"));
  }
  facts.saved.emplace();
  for (int i = 0; i < 300; ++i) {
    facts.saved->push_back({std::to_string(i),
                            "main",
                            "rdma/hca",
                            {std::to_string(i)},
                            {"/dev/infiniband/uverbs2"},
                            facts.pools["rdma/hca"]});
  }
  const auto holdings = merge(facts);
  CHECK(holdings.all().size() == 30'000);
  for (const auto& device : facts.pools["rdma/hca"]) {
    CHECK_FALSE(holdings.other_with_node("/dev/infiniband/uverbs2", device));
  }
  CHECK(holdings.other_with_node("/dev/infiniband/uverbs2", "0000:ff:00.0"));
  CHECK(holdings.of("0000:63:00.0").size() == 300);
}

}  // namespace railhead::test
