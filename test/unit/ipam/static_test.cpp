#include "ipam/static.hpp"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

namespace railhead::ipam {
namespace {

// "address gateway" of each, with "; " between, or the error's text.
std::string read(const std::string& ipam, const std::string& more = "",
                 const StaticArgs& asked = {}, const std::string& version = "1.0.0") {
  const auto given = read_static(nlohmann::ordered_json::parse(R"({"cniVersion":")" + version +
                                                               R"(","ipam":)" + ipam + more + "}"),
                                 asked);
  if (!given) return given.error().message;
  std::string text;
  for (const auto& one : *given) {
    if (!text.empty()) text += "; ";
    text += one.address.to_string();
    if (one.gateway) text += " " + go_text(*one.gateway);
  }
  return text;
}

constexpr auto kOne = R"({"addresses":[{"address":"10.1.0.5/24","gateway":"10.1.0.1"}]})";

TEST_CASE("static gives what the configuration names") {
  CHECK(read(kOne) == "10.1.0.5/24 10.1.0.1");
  CHECK(read(R"({"addresses":[{"address":"10.1.0.5/24"},{"address":"fd00::5/64"}]})") ==
        "10.1.0.5/24; fd00::5/64");
  CHECK(read("{}").empty());
}

TEST_CASE("CNI_ARGS add to it, args and then runtimeConfig replace it") {
  CHECK(read(kOne, "", {"10.1.0.6/24, 10.2.0.3/24", "10.1.0.2,10.2.0.1"}) ==
        "10.1.0.5/24 10.1.0.1; 10.1.0.6/24 10.1.0.2; 10.2.0.3/24 10.2.0.1");
  CHECK(read(kOne, R"(,"args":{"cni":{"ips":["10.1.0.7/24"]}})") == "10.1.0.7/24");
  CHECK(read(kOne,
             R"(,"args":{"cni":{"ips":["10.1.0.7/24"]}},"runtimeConfig":{"ips":["10.1.0.8/24"]})",
             {"10.1.0.6/24", ""}) == "10.1.0.8/24");
}

TEST_CASE("static refuses in upstream's words") {
  CHECK(read(R"({"addresses":[{"address":"10.1.0.5"}]})") ==
        "the 'address' field is expected to be in CIDR notation, got: '10.1.0.5'");
  CHECK(read(kOne, R"(,"runtimeConfig":{"ips":["10.1.0.7"]})") ==
        "an entry in the 'ips' field is NOT in CIDR notation, got: '10.1.0.7'");
  CHECK(read(kOne, "", {"", "zz"}) == "invalid gateway address: zz");
  CHECK(read(kOne, "", {"10.1.0.6", ""}) ==
        "the 'ip' field is expected to be in CIDR notation, got: '10.1.0.6'");
  CHECK(read(R"({"addresses":[{"address":"10.1.0.5/24"},{"address":"10.1.0.6/24"}]})", "", {},
             "0.2.0") == "CNI version 0.2.0 does not support more than 1 address per family");
  CHECK(read(R"({"addresses":7})") != "");
  CHECK(read("7") != "");
}

}  // namespace
}  // namespace railhead::ipam
