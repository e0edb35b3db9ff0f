#include "ipam/ranges.hpp"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

namespace railhead::ipam {
namespace {

using Json = nlohmann::ordered_json;

Json config_of(const std::string& ipam, const std::string& more = "") {
  return Json::parse(R"({"cniVersion":"1.0.0","name":"net","ipam":)" + ipam + more + "}");
}

std::string error_of(const std::string& ipam, const std::string& more = "") {
  const auto conf = read_host_local(config_of(ipam, more), "");
  return conf ? "" : conf.error().message;
}

std::string sets_of(const Json& config) {
  std::string text;
  const auto conf = read_host_local(config, "");
  if (!conf) return conf.error().message;
  for (const auto& set : conf->sets) text += (text.empty() ? "" : " ") + to_string(set);
  return text;
}

TEST_CASE("Addresses are spelled as Go spells them") {
  CHECK(go_text(parse_go("::1:5").value()) == "::1:5");
  CHECK(go_text(parse_go("::10.0.0.11").value()) == "::a00:b");
  CHECK(go_text(parse_go("::5").value()) == "::5");
  CHECK(go_text(parse_go("fd00:0:0:1::2").value()) == "fd00:0:0:1::2");
  CHECK(go_text(parse_go("::ffff:10.1.0.7").value()) == "10.1.0.7");
  CHECK_FALSE(parse_go(""));
}

TEST_CASE("A range has upstream's defaults") {
  CHECK(sets_of(config_of(R"({"subnet":"10.1.0.0/24"})")) == "10.1.0.1-10.1.0.254");
  CHECK(sets_of(config_of(R"({"ranges":[[{"subnet":"fd00::/120"}]]})")) == "fd00::1-fd00::ff");
  const auto conf = read_host_local(config_of(R"({"subnet":"10.1.0.0/24","gateway":""})"), "");
  REQUIRE(conf);
  CHECK(go_text(conf->sets[0][0].gateway) == "10.1.0.1");
}

TEST_CASE("Runtime's ranges come first, then the old keys, then the sets") {
  CHECK(sets_of(config_of(
            R"({"subnet":"10.1.0.0/30","ranges":[[
              {"subnet":"10.2.0.0/30"},{"subnet":"10.3.0.0/30"}]]})",
            R"(,"runtimeConfig":{"ipRanges":[[{"subnet":"10.4.0.0/30"}]]})")) ==
        "10.4.0.1-10.4.0.2 10.1.0.1-10.1.0.2 10.2.0.1-10.2.0.2,10.3.0.1-10.3.0.2");
}

TEST_CASE("What cannot be is refused in upstream's words") {
  CHECK(error_of(R"({})") == "no IP ranges specified");
  CHECK(error_of(R"({"ranges":[]})") == "no IP ranges specified");
  CHECK(error_of(R"({"ranges":[[]]})") == "invalid range set 0: empty range set");
  CHECK(error_of(R"({"subnet":"10.1.0.5/24"})") ==
        "invalid range set 0: Network has host bits set. For a subnet mask of length 24 the "
        "network address is 10.1.0.0");
  CHECK(error_of(R"({"subnet":"10.1.0.0/31"})") ==
        "invalid range set 0: Network 10.1.0.0/31 too small to allocate from");
  CHECK(error_of(R"({"subnet":"10.1.0.0/24","rangeStart":"10.2.0.1"})") ==
        "invalid range set 0: RangeStart 10.2.0.1 not in network 10.1.0.0/24");
  CHECK(error_of(R"({"subnet":"10.1.0.0/24","rangeStart":"10.1.0.9","rangeEnd":"10.1.0.8"})") ==
        "invalid range set 0: RangeStart 10.1.0.9 not in network 10.1.0.0/24");
  CHECK(error_of(R"({"subnet":"10.1.0.0/24","rangeStart":"10.1.0.255"})") ==
        "invalid range set 0: RangeStart 10.1.0.255 not in network 10.1.0.0/24");
  CHECK(error_of(R"({"subnet":"10.1.0.0/24","rangeEnd":"10.2.0.8"})") ==
        "invalid range set 0: RangeEnd 10.2.0.8 not in network 10.1.0.0/24");
  CHECK(error_of(R"({"subnet":"::ffff:10.1.0.0/120"})") ==
        "invalid range set 0: IPNet IP and Mask version mismatch");
  CHECK(error_of(R"({"ranges":[[{"subnet":"10.1.0.0/24"},{"subnet":"fd00::/64"}]]})") ==
        "invalid range set 0: mixed address families");
  CHECK(error_of(R"({"ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"10.1.0.0/25"}]]})") ==
        "range set 0 overlaps with 1");
  CHECK(error_of(R"({"subnet":7})") != "");
  CHECK(error_of(R"({"ranges":[[7]]})") != "");
  CHECK(error_of(R"({"ranges":{}})") != "");
  CHECK(error_of(R"(7)") == "IPAM config missing 'ipam' key");
  CHECK(error_of(R"({"subnet":"10.1.0.0/24"})", R"(,"runtimeConfig":{"ips":["x"]})") ==
        "cannot understand ip: x: expected an address");
}

TEST_CASE("Before 0.3.0 there is one address of a family") {
  auto config = config_of(R"({"ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"10.2.0.0/24"}]]})");
  config["cniVersion"] = "0.2.0";
  CHECK(sets_of(config) == "CNI version 0.2.0 does not support more than 1 address per family");
  config["ipam"]["ranges"][1][0]["subnet"] = "fd00::/120";
  CHECK(sets_of(config) == "10.1.0.1-10.1.0.254 fd00::1-fd00::ff");
}

TEST_CASE("Addresses are asked for in three places, each counts once") {
  const auto conf = read_host_local(config_of(R"({"subnet":"10.1.0.0/24"})",
                                              R"(,"args":{"cni":{"ips":["10.1.0.7/24","10.1.0.8"]}},
                   "runtimeConfig":{"ips":["::ffff:10.1.0.7"]})"),
                                    "10.1.0.9/24");
  REQUIRE(conf);
  std::vector<std::string> all;
  for (const auto& one : conf->requested) all.push_back(go_text(one));
  CHECK(all == std::vector<std::string>{"10.1.0.9", "10.1.0.7", "10.1.0.8"});
}

TEST_CASE("Each rail has its own entry of perRail") {
  const std::string ipam =
      R"({"type":"host-local","dataDir":"/d","gateway":"10.9.0.1","routes":[{"dst":"10.0.0.0/8"}],
          "perRail":[{"subnet":"10.1.0.0/24"},{"Subnet":"10.2.0.0/24","routes":[]}]})";
  CHECK(sets_of(config_of(ipam, R"(,"rail":1)")) == "10.2.0.1-10.2.0.254");
  const auto first = read_host_local(config_of(ipam, R"(,"rail":0)"), "");
  REQUIRE(first);
  CHECK(first->rail == 0);
  CHECK(go_text(first->sets[0][0].gateway) == "10.1.0.1");
  CHECK(ipam_of(config_of(ipam, R"(,"rail":1)")).value().at("routes").empty());
  CHECK(ipam_of(config_of(ipam, R"(,"rail":0)")).value().at("routes").size() == 1);
  CHECK(error_of(ipam) == "ipam.perRail: expected the key rail beside ipam, a rail's number");
  CHECK(error_of(ipam, R"(,"rail":2)") == "ipam.perRail: it has 2 entries, and none for rail 2");
  CHECK(error_of(R"({"perRail":[{"dataDir":"/x"}]})", R"(,"rail":0)") ==
        "ipam.perRail[0].dataDir: it stands in ipam itself, once for all rails");
  CHECK(error_of(R"({"perRail":7})", R"(,"rail":0)") != "");
  CHECK(error_of(R"({"perRail":[7]})", R"(,"rail":0)") != "");
}

}  // namespace
}  // namespace railhead::ipam
