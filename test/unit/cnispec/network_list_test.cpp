#include "cnispec/network_list.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "test/support/must.hpp"

using namespace railhead;
using namespace railhead::cnispec;
using namespace railhead::test;
using Catch::Matchers::ContainsSubstring;

namespace {

std::string error_of(std::string_view text) {
  const auto list = parse_network(text, "");
  REQUIRE_FALSE(list);
  return list.error().message;
}

}  // namespace

TEST_CASE("One plugin's configuration is a list of one, and takes the name it is given") {
  const auto list = must(parse_network(R"({"type":"macvlan","mtu":1e3})", "rail"));
  CHECK(list.name == "rail");
  CHECK(list.cni_version == "0.1.0");
  REQUIRE(list.plugins.size() == 1);
  CHECK(list.plugins[0] == PluginConf{"macvlan", R"({"type":"macvlan","mtu":1e3})", "", {}});
}

TEST_CASE("A conflist's own name goes before, and its plugins keep their texts") {
  const auto list = must(parse_network(
      R"({"cniVersion":"1.0.0","name":"a","disableCheck":"true","disableGC":true,
          "plugins":[ {"type":"sriov","x":1.0} ,{"type":"tuning","capabilities":{"mac":true,"ips":false}}]})",
      "rail"));
  CHECK(list.name == "a");
  CHECK(list.disable_check);
  CHECK(list.disable_gc);
  CHECK(list.plugins[0].text == R"({"type":"sriov","x":1.0})");
  CHECK(list.plugins[1].capabilities == std::vector<std::string>{"mac"});
  CHECK(list.has_capability("mac"));
  CHECK_FALSE(list.has_capability("ips"));
}

TEST_CASE("The highest of cniVersions that is known here is taken") {
  const auto version = [](std::string_view keys) {
    return must(parse_network(fmt::format(R"({{{}"name":"n","type":"t"}})", keys), "")).cni_version;
  };
  CHECK(version(R"("cniVersion":"1.0.0","cniVersions":["0.4.0","1.1.0","2.0.0"],)") == "1.1.0");
  CHECK(version(R"("cniVersion":"1.0.0","cniVersions":["0.4.0"],)") == "1.0.0");
  CHECK(version(R"("cniVersions":["0.4.0","0.3.1"],)") == "0.4.0");
  CHECK(version("") == "0.1.0");
}

TEST_CASE("Configurations that are none are refused in libcni's words") {
  CHECK(error_of(R"({"plugins":[{"type":"x"}]})") == "error parsing configuration list: no name");
  CHECK(error_of(R"({"name":"n","plugins":[]})") ==
        "error parsing configuration list: no plugins in list");
  CHECK_THAT(error_of(R"({"name":"n","plugins":{}})"), ContainsSubstring("invalid 'plugins' type"));
  CHECK_THAT(error_of(R"({"name":"n","plugins":[{"type":"a"},{}]})"),
             ContainsSubstring("plugins[1]: error parsing configuration: missing 'type'"));
  CHECK_THAT(error_of(R"({"name":"n","disableCheck":"maybe","plugins":[{"type":"a"}]})"),
             ContainsSubstring("invalid disableCheck value"));
  CHECK_THAT(error_of("["), ContainsSubstring("error parsing configuration list"));
  CHECK_THAT(error_of(R"({"name":"a/b","type":"x"})"), ContainsSubstring("invalid characters"));
}

TEST_CASE("A plugin gets the list's name and version, and of the arguments what it can use") {
  const auto list = must(parse_network(
      R"({"cniVersion":"1.0.0","name":"n","plugins":[
          {"type":"a","Name":"other","cniVersion":"0.3.1","capabilities":{"mac":true,"ips":true},"rate":1.0},
          {"type":"b"}]})",
      ""));
  const CapabilityArgs arguments{{"mac", "\"02:00:00:00:00:01\""}, {"bandwidth", "{}"}};
  CHECK(
      plugin_input(list, list.plugins[0], arguments) ==
      R"({"type":"a","capabilities":{"mac":true,"ips":true},"rate":1.0,"name":"n","cniVersion":"1.0.0","runtimeConfig":{"mac":"02:00:00:00:00:01"}})");
  CHECK(plugin_input(list, list.plugins[1], arguments) ==
        R"({"type":"b","name":"n","cniVersion":"1.0.0"})");
  const PluginConf with_old{"b", R"({"type":"b","prevResult":{"old":1}})", "", {}};
  CHECK(with_prev_result(plugin_input(list, with_old, {}), R"({"ips":[]})") ==
        R"({"type":"b","name":"n","cniVersion":"1.0.0","prevResult":{"ips":[]}})");
  CHECK(with_prev_result(R"({"type":"b"})", "") == R"({"type":"b"})");
}

TEST_CASE("A key that says what is run, or with which device, stands there once") {
  for (const auto* text :
       {R"({"name":"n","type":"a","ipam":{"type":"evil"},"IPAM":{"x":1}})",
        R"({"name":"n","type":"a","Type":"b"})",
        R"({"name":"n","type":"a","deviceID":"","DEVICEID":"0000:3b:00.7"})",
        R"({"name":"n","type":"a","pciBusID":"x","pciBusID":"y"})",
        R"({"name":"n","type":"a","ipam":{"type":"a","tYpe":"b"}})",
        R"({"name":"n","type":"a","runtimeConfig":{"deviceID":"x","deviceid":"y"}})",
        R"({"name":"n","type":"a","runtimeConfig":{},"RuntimeConfig":{}})",
        R"({"name":"n","plugins":[{"type":"a","ip\u0061m":{},"ipam":{"type":"b"}}]})"}) {
    INFO(text);
    CHECK_THAT(error_of(text), ContainsSubstring("more than once"));
  }
  CHECK(parse_network(R"({"name":"n","type":"a","other":1,"Other":2})", "n"));
  CHECK(parse_network(R"({"type":"a","ipam":null,"runtimeConfig":null})", "n"));
  for (const auto* text : {R"({"name":"n","type":"a","runtimeConfig":[["\\n"],1]})",
                           R"({"name":"n","type":"a","runtimeConfig":"x"})"}) {
    INFO(text);
    CHECK_THAT(error_of(text), ContainsSubstring("runtimeConfig: expected an object"));
  }
}
