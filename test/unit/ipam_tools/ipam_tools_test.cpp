#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "plugin/ipam/node_rule.hpp"
#include "plugin/ipam/nv_ipam.hpp"
#include "test/support/golden.hpp"
#include "test/support/must.hpp"

namespace railhead::ipam_tools {
namespace {

using test::golden;
using test::must;

constexpr std::string_view kNad = R"(apiVersion: k8s.cni.cncf.io/v1
kind: NetworkAttachmentDefinition
metadata: {name: rails, namespace: ml}
spec:
  config: '{"type": "railhead", "ipam": {"type": "rails", "rails": 2, "v4":
    {"subnet": "10.0.0.0/15", "railPrefix": 16, "nodePrefix": 28, "gateway": 1}}}'
)";

std::string error_of(const Result<std::string>& result) {
  return result ? "" : result.error().message;
}

ipam::NodeRule rule(std::string_view text) { return must(node_rule(Json::parse(text))); }

std::vector<NvPool> pools(const std::string& file) { return must(nv_pools(file, golden(file))); }

TEST_CASE("ipam check prints each node's addresses of each rail, and its pods") {
  const auto confs = must(rails_confs("nets.yaml", kNad));
  const auto nodes = must(checked_nodes(rule(R"({"list": {"a": 0, "b": 1}})"), {}));
  CHECK(must(check(confs, nodes)) ==
        "nets.yaml: ml/rails: perRail, 2 rails, 2 nodes\n"
        "  a: index 0, 14 pods\n"
        "    rail 0: 10.0.0.0 to 10.0.0.15/16, gateway 10.0.0.1\n"
        "    rail 1: 10.1.0.0 to 10.1.0.15/16, gateway 10.1.0.1\n"
        "  b: index 1, 16 pods\n"
        "    rail 0: 10.0.0.16 to 10.0.0.31/16, gateway 10.0.0.1\n"
        "    rail 1: 10.1.0.16 to 10.1.0.31/16, gateway 10.1.0.1\n"
        "nothing overlaps\n");
}

TEST_CASE("ipam check refuses two configurations over the same addresses") {
  auto confs = must(rails_confs("a.yaml", kNad));
  const auto same = must(rails_confs("b.yaml", kNad));
  const std::vector<CheckedNode> nodes{{"n", 0}};
  confs.push_back(same.front());
  CHECK(check(confs, nodes));  // one object in two networks
  confs.back().conf.v4->node_prefix = 27;
  CHECK(error_of(check(confs, nodes)) ==
        "addresses overlap: a.yaml: ml/rails, rail 0 of n (10.0.0.0/28) and b.yaml: ml/rails, rail "
        "0 of n (10.0.0.0/27)");
}

TEST_CASE("ipam check reads keys in whatever case, as an ADD does") {
  const auto plain = must(rails_confs("a", kNad));
  std::string other(kNad);
  other.replace(other.find("\"ipam\""), 6, "\"IPAM\"");
  CHECK(must(rails_confs("b", other)).size() == plain.size());
}

TEST_CASE("ipam check names a node whose index has no block") {
  const auto confs = must(rails_confs("nets.yaml", kNad));
  const std::vector<CheckedNode> nodes{{"far", 5000}};
  CHECK(error_of(check(confs, nodes)).starts_with("nets.yaml: ml/rails: node far: "));
}

TEST_CASE("In mode flat a pod takes an aligned run of a node's block") {
  const auto confs = must(rails_confs("x", R"({"type": "rails", "mode": "flat", "rails": 4,
               "v4": {"subnet": "10.0.0.0/24", "nodePrefix": 27}})"));
  CHECK(must(pods_of(confs.front().conf, 0)) == 7);  // the first holds the network's own number
  CHECK(must(pods_of(confs.front().conf, 1)) == 8);
}

TEST_CASE("Nodes get their index from an address, or from their name") {
  const std::vector<ipam::NodeFacts> facts{must(node_facts("gpu-3=10.1.0.7")),
                                           must(node_facts("gpu-4=10.1.0.8,fd00::1"))};
  const auto by_cidr = must(checked_nodes(rule(R"({"cidr": "10.1.0.0/24", "first": 7})"), facts));
  CHECK(by_cidr[0].index == 0);
  CHECK(by_cidr[1].index == 1);
  const auto by_name = must(checked_nodes(rule(R"({"name": "gpu-*"})"), facts));
  CHECK(by_name[1].index == 4);
  CHECK_FALSE(checked_nodes(rule(R"({"cidr": "10.2.0.0/24"})"), facts));
  CHECK_FALSE(node_facts("gpu-3=x"));
}

TEST_CASE("A node rule that is unclear is refused") {
  const auto refusal = [](std::string_view text) {
    const auto read = node_rule(Json::parse(text));
    return read ? "" : read.error().message;
  };
  CHECK(refusal(R"({"list": {"a": 1, "b": 1}})") ==
        "list: a and b have the index 1: each block once");
  CHECK(refusal(R"({"list": {"a": -1}})") ==
        "list.a: -1: expected a whole number from 0 to 2147483647");
  CHECK(refusal(R"({"cidr": "10.0.0.0/8", "name": "*"})") ==
        "ipamNode: expected one of cidr, name and list, by which a node's index is known");
  CHECK(refusal(R"({"name": "gpu"})") ==
        "name: \"gpu\": expected a name with one * in place of the number");
  CHECK_FALSE(refusal(R"({"label": "x"})").empty());
}

TEST_CASE("CIDRPools become rails in which each node keeps its block") {
  const auto held = std::vector{*ipam::Address::parse("192.168.1.3")};
  const auto text = must(import_pools(pools("ipam/cidrpools.yaml"), held));
  CHECK(text == golden("ipam/cidrpools.json"));
}

TEST_CASE("An IPPool whose ranges are no blocks: nodes get new ones behind them") {
  CHECK(must(import_pools(pools("ipam/ippool.yaml"), {})) == golden("ipam/ippool.json"));
}

TEST_CASE("What ipam import prints, ipam check takes") {
  const auto text = must(import_pools(pools("ipam/cidrpools.yaml"), {}));
  const auto confs = must(rails_confs("rails.json", text));
  const auto nodes = must(checked_nodes(must(node_rule(Json::parse(text)["node"])), {}));
  CHECK(must(check(confs, nodes)).ends_with("nothing overlaps\n"));
  CHECK(must(pods_of(confs.front().conf, 8)) == 1);
}

TEST_CASE("A node with other blocks in other pools cannot be imported") {
  auto all = pools("ipam/cidrpools.yaml");
  all[1].json["status"]["allocations"][0]["prefix"] = "192.168.1.4/31";
  all[1].json["status"]["allocations"][0]["gateway"] = "192.168.1.4";
  CHECK(error_of(import_pools(all, {})) ==
        "network-operator/rail-0 and network-operator/rail-1: gpu-a has block 0 in one and 2 in "
        "the other");
  all[1].json["status"]["allocations"].erase(0);
  CHECK(error_of(import_pools(all, {})) ==
        "network-operator/rail-0 and network-operator/rail-1: gpu-a is in one of them");
}

TEST_CASE("A node with a gateway of its own cannot be imported") {
  auto all = pools("ipam/cidrpools.yaml");
  all[0].json["status"]["allocations"][0]["gateway"] = "192.168.0.77";
  CHECK_THAT(
      error_of(import_pools(all, {})),
      Catch::Matchers::StartsWith("CIDRPool network-operator/rail-0: the gateway of gpu-a is "
                                  "192.168.0.77, where spec.gatewayIndex says "));
}

TEST_CASE("A pool of nv-ipam over the same addresses is warned of") {
  const auto confs = must(rails_confs("x", R"({"type": "rails", "rails": 1,
               "v4": {"subnets": ["192.168.0.0/20"], "nodePrefix": 26}})"));
  const auto warnings = pool_warnings(confs, pools("ipam/ippool.yaml"));
  REQUIRE(warnings.size() == 1);
  CHECK(warnings.front() ==
        "x: IPPool network-operator/pool1 gives out addresses of 192.168.0.0/20 too "
        "(192.168.0.0/16): remove it, or exclude what its leases hold");
}

}  // namespace
}  // namespace railhead::ipam_tools
