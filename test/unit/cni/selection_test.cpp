#include "cni/meta/selection.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "test/support/must.hpp"

using namespace railhead;
using namespace railhead::cni;
using namespace railhead::test;
using Catch::Matchers::ContainsSubstring;

namespace {

std::string error_of(std::string_view annotation) {
  const auto read = read_selections(annotation, "ml");
  REQUIRE_FALSE(read);
  return read.error().message;
}

}  // namespace

TEST_CASE("The short form: names, namespaces and interfaces, with spaces around them") {
  const auto all = must(read_selections(" rail0 , other/rail1@net7,rail2@ib0 ", "ml"));
  REQUIRE(all.size() == 3);
  CHECK(all[0].nad() == "ml/rail0");
  CHECK(all[0].ifname.empty());
  CHECK(all[1].nad() == "other/rail1");
  CHECK(all[1].ifname == "net7");
  CHECK(all[1].place == "networks[1] (other/rail1)");
  CHECK(all[2].ifname == "ib0");
  CHECK(must(read_selections("", "ml")).empty());
  CHECK(must(read_selections(" \n", "ml")).empty());
}

TEST_CASE("The short form is refused in Multus' words, with the entry's place") {
  CHECK(error_of("a/b/c") ==
        "networks[0]: parsePodNetworkObjectName: Invalid network object (failed at '/')");
  CHECK(error_of("a,b@c@d") ==
        "networks[1]: parsePodNetworkObjectName: Invalid network object (failed at '@')");
  for (const auto* text : {"Rail", "a.b", "a,,b", "-a", "a b", "../x", "a/"}) {
    INFO(text);
    CHECK_THAT(error_of(text), ContainsSubstring("did not match comma-delimited format"));
  }
  for (const auto* text :
       {"a@0123456789abcdef", "a@b c", "a@..", "a@lo", "a@all", "a@default", "a@x%d", "a@x\x7f"}) {
    INFO(text);
    CHECK_THAT(error_of(text), ContainsSubstring("must be less than 15 chars"));
  }
}

TEST_CASE("The JSON form has every key, and keeps values as they are written") {
  const auto all = must(read_selections(
      R"([{"name":"rail.0","namespace":"other","interface":"net1","ips":["10.0.0.1","fd00::1/64"],
           "mac":"02:00:00:00:00:01","infiniband-guid":"02:00:00:00:00:00:00:01",
           "portMappings":[{"hostPort":80}],"bandwidth":{"ingressRate":1e3},
           "default-route":["10.0.0.9"],"cni-args":{"a":1.0,"b":"x"},"deviceID":"0000:3b:00.2",
           "container":"worker","ipam-claim-reference":"c"},
          {"name":"rail1","interfaceRequest":"old","default-route":[]}])",
      "ml"));
  REQUIRE(all.size() == 2);
  CHECK(all[0].nad() == "other/rail.0");
  CHECK(all[0].ifname == "net1");
  CHECK(all[0].ips == std::vector<std::string>{"10.0.0.1", "fd00::1/64"});
  CHECK(all[0].mac == "02:00:00:00:00:01");
  CHECK(all[0].infiniband_guid == "02:00:00:00:00:00:00:01");
  CHECK(all[0].port_mappings == R"([{"hostPort":80}])");
  CHECK(all[0].bandwidth == R"({"ingressRate":1e3})");
  CHECK(all[0].gateways == std::vector<std::string>{"10.0.0.9"});
  CHECK(all[0].cni_args == std::map<std::string, std::string>{{"a", "1.0"}, {"b", "\"x\""}});
  CHECK(all[0].device == "0000:3b:00.2");
  CHECK(all[0].container == "worker");
  CHECK(all[1].ifname == "old");
  CHECK(all[1].gateways == std::vector<std::string>{});
}

TEST_CASE("The JSON form is refused with the entry's place and the key") {
  const std::pair<const char*, const char*> refused[] = {
      {R"({"name":"a"})", "expected a list"},
      {R"(["a"])", "networks[0]: expected an object"},
      {R"([{"name":"a"},{}])", "networks[1]: name: missing"},
      {R"([{"name":"a","ips":"10.0.0.1"}])", "ips"},
      {R"([{"name":"a","ips":["10.0.0.256"]}])", "failed to parse IP address \"10.0.0.256\""},
      {R"([{"name":"a","ips":["10.0.0.1/33"]}])", "failed to parse CIDR \"10.0.0.1/33\""},
      {R"([{"name":"a","mac":"x"}])", "failed to mac"},
      {R"([{"name":"a","infiniband-guid":"x"}])", "failed to validate infiniband GUID"},
      {R"([{"name":"a","default-route":["10.0.0.0/8"]}])", "default-route"},
      {R"([{"name":"a/b"}])", "expected the name"},
      {R"([{"name":"..","namespace":"x"}])", "expected the name"},
      {R"([{"name":"a","namespace":"../etc"}])", "expected the name"},
      {R"([{"name":"a","interface":"a/b"}])", "must be less than 15 chars"},
      {R"([{"name":"a","interface":"a\u0000b"}])", "must be less than 15 chars"},
      {R"([{"name":"a","cni-args":[]}])", "cni-args"},
      {"[{", "failed to parse pod Network Attachment Selection Annotation"},
      {"[\"a\xff\"]", "failed to parse pod Network Attachment Selection Annotation"}};
  for (const auto& [text, part] : refused) {
    INFO(text);
    CHECK_THAT(error_of(text), ContainsSubstring(part));
  }
}

TEST_CASE("A network's arguments are no longer than records can keep") {
  const std::string most(16'000, 'x');
  const auto text = [](const std::string& value) {
    return R"([{"name":"a","cni-args":{"x":")" + value + R"("}}])";
  };
  CHECK(read_selections(text(most), "ml"));
  CHECK_THAT(error_of(text(most + most)), ContainsSubstring("expected at most 16384"));
}

TEST_CASE("A pod cannot ask for more networks than a node could have") {
  std::string all = "a";
  for (int i = 0; i < 100000; ++i) all += ",a";
  CHECK_THAT(error_of(all), ContainsSubstring("more than 256 networks"));
}

TEST_CASE("An annotation that is cut anywhere is refused, or means what it says") {
  const std::string whole =
      R"([{"name":"rail0","ips":["10.0.0.1"],"cni-args":{"a":[1,{"b":"\u00e9"}]}}])";
  for (size_t size = 1; size < whole.size(); ++size) {
    INFO(size);
    CHECK_FALSE(read_selections(whole.substr(0, size), "ml"));
  }
  CHECK(read_selections(whole, "ml"));
}
