#include "ipam/rails_conf.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <nlohmann/json.hpp>

#include "test/support/must.hpp"

namespace railhead::test {
namespace {

using Catch::Matchers::ContainsSubstring;
using Json = nlohmann::ordered_json;
using ipam::Mode;

ipam::RailsConf conf(const char* text) { return must(ipam::read_rails_conf(Json::parse(text))); }

std::string refused(const char* text) {
  const auto read = ipam::read_rails_conf(Json::parse(text));
  REQUIRE(is(read, ErrorCode::invalid_argument));
  return read.error().message;
}

std::string block(const ipam::RailsConf& conf, uint32_t node, uint32_t rail, bool v6 = false) {
  const auto block = must(ipam::block_of(conf, *(v6 ? conf.v6 : conf.v4), node, rail));
  return block.block.to_string() + " of " + block.subnet.to_string() +
         (block.gateway ? " by " + block.gateway->to_string() : "");
}

}  // namespace

TEST_CASE("perRail: a subnet for each rail, in it a block for each node") {
  const auto read = conf(R"({"type": "rails", "v4": {"subnets": ["10.0.0.0/16", "10.1.0.0/16"],
      "nodePrefix": 26, "gateway": 1}, "v6": {"subnet": "fd00::/32", "railPrefix": 48,
      "nodePrefix": 112}, "rails": 2})");
  CHECK(read.mode == Mode::per_rail);
  CHECK(ipam::node_count(read) == 1024);
  CHECK(block(read, 0, 0) == "10.0.0.0/26 of 10.0.0.0/16 by 10.0.0.1");
  CHECK(block(read, 5, 1) == "10.1.1.64/26 of 10.1.0.0/16 by 10.1.0.1");
  CHECK(block(read, 5, 1, true) == "fd00:0:1::5:0/112 of fd00:0:1::/48");
  CHECK(is(ipam::block_of(read, *read.v4, 1024, 0), ErrorCode::invalid_argument));
}

TEST_CASE(
    "perNodeAndRail: the node's block of a rail is a subnet of its own, a /31 with its peer") {
  const auto read = conf(R"({"type": "rails", "mode": "perNodeAndRail", "rails": 8, "v4":
      {"subnet": "10.0.0.0/13", "railPrefix": 16, "nodePrefix": 31, "gateway": "peer"}})");
  CHECK(block(read, 3, 7) == "10.7.0.6/31 of 10.7.0.6/31 by 10.7.0.6");
  const auto of_3 = must(ipam::block_of(read, *read.v4, 3, 7));
  CHECK_FALSE(ipam::is_usable(read, of_3, *ipam::Address::parse("10.7.0.6")));
  CHECK(ipam::is_usable(read, of_3, *ipam::Address::parse("10.7.0.7")));
}

TEST_CASE("flat: one subnet for all rails, in it a block for each node") {
  const auto read = conf(R"({"type": "rails", "mode": "flat", "rails": 8, "v4":
      {"subnet": "10.9.0.0/16", "nodePrefix": 26}, "exclude": ["10.9.0.64/29", "10.9.0.80",
      "10.9.0.90 - 10.9.0.92"]})");
  CHECK(block(read, 1, 7) == "10.9.0.64/26 of 10.9.0.0/16");
  const auto of_1 = must(ipam::block_of(read, *read.v4, 1, 0));
  for (const auto* taken : {"10.9.0.64", "10.9.0.71", "10.9.0.80", "10.9.0.91"}) {
    CHECK_FALSE(ipam::is_usable(read, of_1, *ipam::Address::parse(taken)));
  }
  CHECK(ipam::is_usable(read, of_1, *ipam::Address::parse("10.9.0.72")));
}

TEST_CASE("A network's number, its broadcast and the gateway are nobody's") {
  const auto read = conf(R"({"type": "rails", "v4": {"subnets": ["10.0.0.0/24"],
      "nodePrefix": 24, "gateway": 254}})");
  const auto block = must(ipam::block_of(read, *read.v4, 0, 0));
  for (const auto* taken : {"10.0.0.0", "10.0.0.254", "10.0.0.255"}) {
    CHECK_FALSE(ipam::is_usable(read, block, *ipam::Address::parse(taken)));
  }
  CHECK(ipam::is_usable(read, block, *ipam::Address::parse("10.0.0.1")));
}

TEST_CASE("What cannot be is refused by its key, its value and what was expected") {
  for (const auto& [text, message] : {
           std::pair(R"({"v4": {"subnets": ["10.0.0.0/16"], "nodePrefix": 26}, "mode": "x"})",
                     "ipam.mode: \"x\": expected perRail, perNodeAndRail or flat"),
           std::pair(R"({})", "ipam.v4: missing, and so is v6"),
           std::pair(R"({"v4": {"nodePrefix": 26}})", "ipam.v4.subnets: missing"),
           std::pair(R"({"v4": {"subnets": ["10.0.0.0/16"]}})", "ipam.v4.nodePrefix: missing"),
           std::pair(R"({"v4": {"subnets": ["10.0.0.0"], "nodePrefix": 26}})",
                     "ipam.v4.subnets: \"10.0.0.0\": expected an IPv4 network"),
           std::pair(R"({"v4": {"subnets": ["fd00::/64"], "nodePrefix": 26}})",
                     "expected an IPv4 network"),
           std::pair(R"({"v4": {"subnets": ["10.0.0.1/16"], "nodePrefix": 26}})",
                     "has bits behind its length; expected 10.0.0.0/16"),
           std::pair(R"({"v4": {"subnets": ["10.0.0.0/16", "10.0.1.0/24"], "nodePrefix": 26}})",
                     "10.0.0.0/16 and 10.0.1.0/24 overlap"),
           std::pair(R"({"v4": {"subnets": ["10.0.0.0/16"], "nodePrefix": 8}})",
                     "ipam.v4.nodePrefix: 8: expected 16 to 32"),
           std::pair(R"({"v6": {"subnets": ["fd00::/64"], "nodePrefix": 96}})",
                     "ipam.v6.nodePrefix: 96: expected 112 to 128"),
           std::pair(R"({"rails": 3, "v4": {"subnets": ["10.0.0.0/16"], "nodePrefix": 26}})",
                     "ipam.rails: 3: there are 1 subnets"),
           std::pair(R"({"rails": 65, "v4": {"subnets": ["10.0.0.0/16"], "nodePrefix": 26}})",
                     "ipam.rails: 65: expected 1 to 64"),
           std::pair(R"({"mode": "flat", "v4": {"subnet": "10.0.0.0/16", "nodePrefix": 26}})",
                     "ipam.rails: missing"),
           std::pair(R"({"rails": 8, "v4": {"subnet": "10.0.0.0/16", "railPrefix": 17,
                        "nodePrefix": 26}})",
                     "ipam.v4.railPrefix: 17: 10.0.0.0/16 has no 8 such networks"),
           std::pair(R"({"v4": {"subnet": "10.0.0.0/16", "nodePrefix": 26}})",
                     "expected railPrefix, and ipam.rails"),
           std::pair(R"({"v4": {"subnets": ["10.0.0.0/16"], "nodePrefix": 26, "gateway": "peer"}})",
                     "ipam.v4.gateway: peer: expected blocks of two addresses"),
           std::pair(R"({"v4": {"subnets": ["10.0.0.0/16"], "nodePrefix": 26, "gateway": 65536}})",
                     "expected \"peer\", or its place in the subnet"),
           std::pair(R"({"mode": "perNodeAndRail", "v4": {"subnets": ["10.0.0.0/16"],
                        "nodePrefix": 31}})",
                     "ipam.v4.gateway: missing; of two addresses one is the switch's"),
           std::pair(R"({"v4": {"subnets": ["10.0.0.0/16"], "nodePrefix": 26, "gateway": -1}})",
                     "ipam.v4.gateway: "),
           std::pair(R"({"v4": {"subnets": ["10.0.0.0/16"], "nodePrefix": 26}, "exclude": ["x"]})",
                     "ipam.exclude: \"x\": expected an address, a network, or first-last"),
           std::pair(R"({"v4": {"subnets": ["10.0.0.0/16"], "nodePrefix": 26},
                        "routes": [{"dst": "10.0.0.0/8", "gw": "fd00::1"}]})",
                     "ipam.routes[0].gw: \"fd00::1\": expected an address of the route's family"),
           std::pair(R"({"v4": {"subnets": ["10.0.0.0/16"], "nodePrefix": 26}, "sameOffset": "x"})",
                     "ipam.sameOffset: \"x\": expected require or prefer"),
           std::pair(R"({"v4": {"subnets": ["10.0.0.0/16"], "nodePrefix": 26}, "exlude": []})",
                     "ipam.exlude: unknown key"),
       }) {
    INFO(text);
    CHECK_THAT(refused(text), ContainsSubstring(message));
  }
}

}  // namespace railhead::test
