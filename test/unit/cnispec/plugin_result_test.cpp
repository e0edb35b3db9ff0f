#include "cnispec/plugin_result.hpp"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include "cnispec/cni_error.hpp"
#include "test/support/golden.hpp"

using namespace railhead;
using namespace railhead::cnispec;

namespace {

PluginResult full() {
  PluginResult result;
  result.interfaces = {{"net1", "02:00:00:00:00:01", 9000, "/run/netns/a", "", "0000:3b:00.2"}};
  result.ips = {
      {0, "10.1.2.3/24", "10.1.2.1"}, {0, "10.1.3.3/24", ""}, {0, "fd00::3/64", "fd00::1"}};
  result.routes = {{"0.0.0.0/0", "10.1.2.1", 8900, 8860, 50, 1000, 0},
                   {"fd01::/64", "", {}, {}, {}, {}, {}}};
  result.dns = {{"10.1.0.53"}, "cluster.local", {"a", "b"}, {"ndots:5"}};
  return result;
}

}  // namespace

TEST_CASE("A result is written as its version spells it") {
  for (auto version : {"0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"}) {
    INFO(version);
    CHECK(to_json(full(), version) == test::golden("result-" + std::string(version) + ".json"));
  }
}

TEST_CASE("A result without addresses has no keys for them") {
  PluginResult result;
  result.interfaces = {{"net1", "", {}, "/run/netns/a", "", ""}};
  CHECK(to_json(result, "1.0.0") == test::golden("result-no-ip-1.0.0.json"));
  CHECK(to_json(result, "0.2.0") == test::golden("result-no-ip-0.2.0.json"));
}

TEST_CASE("What is written in 1.1.0 is read back the same") {
  CHECK(parse_result(to_json(full(), "1.1.0")) == full());
}

TEST_CASE("What an older version can say is read back from it") {
  auto expected = full();
  expected.interfaces[0].pci_id.clear();
  expected.routes[0] = {"0.0.0.0/0", "10.1.2.1", {}, {}, {}, {}, {}};
  for (auto version : {"0.3.0", "0.3.1", "0.4.0", "1.0.0"}) {
    INFO(version);
    CHECK(parse_result(to_json(full(), version)) == expected);
  }
  expected.interfaces.clear();
  expected.ips = {{{}, "10.1.2.3/24", "10.1.2.1"}, {{}, "fd00::3/64", "fd00::1"}};
  for (auto version : {"0.1.0", "0.2.0"}) {
    INFO(version);
    CHECK(parse_result(to_json(full(), version)) == expected);
  }
}

TEST_CASE("A result without cniVersion, and null, are taken as they stand") {
  CHECK(parse_result(R"({"ips":[{"address":"10.0.0.2/24"}]})")->ips.size() == 1);
  CHECK(parse_result("null") == PluginResult{});
  CHECK(parse_result(R"({"ips":[{"interface":-1,"address":"10.0.0.2/24"}]})")->ips[0] ==
        Ip{{}, "10.0.0.2/24", ""});
}

TEST_CASE("A result that cannot be read is refused with the place") {
  struct Row {
    const char* text;
    const char* message;
  };
  for (const auto& [text, message] : std::initializer_list<Row>{
           {"[]", "expected an object, got array"},
           {R"({"cniVersion":"2.0.0"})", "unsupported CNI result version \"2.0.0\""},
           {R"({"ips":{}})", "ips: expected a list, got object"},
           {R"({"ips":[{"address":5}]})", "ips[0].address: expected a string, got number 5"},
           {R"({"routes":[{"dst":"0.0.0.0/0","mtu":-1}]})",
            "routes[0].mtu: expected a number from 0 to 4294967295, got -1"},
           {R"({"interfaces":["net1"]})", "interfaces[0]: expected an object, got string"},
           {R"({"dns":[]})", "dns: expected an object, got array"}}) {
    INFO(text);
    const auto result = parse_result(text);
    REQUIRE_FALSE(result);
    CHECK(to_json(result.error()) == to_json(cni_error(6, message)));
  }
}
