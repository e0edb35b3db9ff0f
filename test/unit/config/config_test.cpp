#include "plugin/config/config.hpp"

#include <algorithm>

#include <catch2/catch_test_macros.hpp>
#include <fmt/ranges.h>

namespace railhead::config {
namespace {

Config good(std::string_view text) {
  auto parsed = parse(text, "example.com");
  for (const auto& error : parsed.errors) FAIL_CHECK(error.message);
  return parsed.config;
}

// The first resource's first selector, of a configuration with these selectors.
Selector selector(std::string_view selectors) {
  const auto config =
      good(fmt::format(R"({{"resourceList":[{{"resourceName":"x","selectors":{}}}]}})", selectors));
  return config.resources.at(0).selectors.at(0);
}

std::vector<std::string> errors(std::string_view text) {
  std::vector<std::string> messages;
  for (const auto& error : parse(text, "example.com").errors) messages.push_back(error.message);
  return messages;
}

bool contains_text(const std::vector<std::string>& lines, std::string_view text) {
  return std::any_of(lines.begin(), lines.end(),
                     [&](const auto& line) { return line.find(text) != std::string::npos; });
}

}  // namespace

TEST_CASE("a configuration as sriov-network-operator writes it is read, its nulls included") {
  const auto config = good(R"({"resourceList":[{"resourceName":"x","selectors":{
    "pfNames":["ens0#0-4"],"IsRdma":true,"NeedVhostNet":false,"vdpaType":"",
    "linkTypes":["infiniband"],"pKeys":null},"excludeTopology":true,"SelectorObjs":null}]})");
  const auto& resource = config.resources.at(0);
  CHECK(resource.full_name() == "example.com/x");
  CHECK(resource.exclude_topology);
  const auto& selector = resource.selectors.at(0);
  CHECK(selector.is_rdma);
  CHECK(selector.pf_names == std::vector<VfsOfPf>{{"ens0", std::vector<IndexRange>{{0, 4}}}});
  CHECK(selector.link_types == std::vector<std::string>{"infiniband"});
}

TEST_CASE("keys match without regard to case") {
  CHECK(selector(R"({"pciaddresses":["0000:3b:00.2"]})").pci_addresses.size() == 1);
}

TEST_CASE("selectors may be an object or a list of objects") {
  const auto config = good(R"({"resourceList":[{"resourceName":"x",
    "selectors":[{"vendors":["15b3"]},{"drivers":["mlx5_core"]}]}]})");
  REQUIRE(config.resources[0].selectors.size() == 2);
  CHECK(config.resources[0].selectors[1].drivers == std::vector<std::string>{"mlx5_core"});
}

TEST_CASE("a resource's own prefix goes before the default one") {
  const auto config = good(
      R"({"resourceList":[{"resourceName":"a","resourcePrefix":"rdma","selectors":{}},
                          {"resourceName":"a","selectors":{}}]})");
  CHECK(config.resources[0].full_name() == "rdma/a");
  CHECK(config.resources[1].full_name() == "example.com/a");
}

TEST_CASE("items that name one PF twice are united, with a warning") {
  const auto parsed = parse(
      R"({"resourceList":[{"resourceName":"x","selectors":{"pfNames":["p0#1","P0#3-4","p1"]}}]})",
      "example.com");
  REQUIRE(parsed.errors.empty());
  const auto& pfs = parsed.config.resources[0].selectors[0].pf_names;
  REQUIRE(pfs.size() == 2);
  CHECK(pfs[0].vfs == std::vector<IndexRange>{{1, 1}, {3, 4}});
  CHECK_FALSE(pfs[1].vfs);
  CHECK(contains_text(parsed.warnings, "P0 is named more than once"));
}

TEST_CASE("a PF named with and without a list is taken with all its VFs") {
  CHECK_FALSE(selector(R"({"pfNames":["p0#1","p0"]})").pf_names.at(0).vfs);
}

TEST_CASE("all errors are told at once, each with its path and what was expected") {
  const auto messages = errors(R"({"resourceList":[
    {"resourceName":"bad name","selectors":{"vendors":["0x15b3"],"pciAddresses":["3b:00.0"]}},
    {"resourceName":"y","excludeTopology":"yes","selectors":{"pfNames":["p0#1-2-3"],
     "rootDevices":["p0"],"linkTypes":["ethernet"],"isRdma":1}}]})");
  for (const auto* expected :
       {"resourceList[0].resourceName: \"bad name\": expected at most 63 letters",
        "resourceList[0].selectors.vendors[0]: \"0x15b3\": expected four hex digits",
        "resourceList[0].selectors.pciAddresses[0]: \"3b:00.0\": expected a PCI address",
        "resourceList[1].excludeTopology: expected true or false",
        "resourceList[1].selectors.pfNames[0]: \"p0#1-2-3\": expected a PF's name",
        "resourceList[1].selectors.rootDevices[0]: \"p0\": expected a PF's PCI address",
        "resourceList[1].selectors.linkTypes[0]: \"ethernet\": expected \"ether\"",
        "resourceList[1].selectors.isRdma: expected true or false"}) {
    INFO(expected);
    CHECK(contains_text(messages, expected));
  }
  CHECK(messages.size() == 8);
}

TEST_CASE("missing, empty and wrongly typed parts are errors with their path") {
  CHECK(contains_text(errors("{}"), "resourceList: missing, and so are configList and pools"));
  CHECK(contains_text(errors(R"({"resourceList":{}})"), "resourceList: expected a list"));
  CHECK(contains_text(errors(R"({"resourceList":[1]})"), "resourceList[0]"));
  CHECK(contains_text(errors(R"({"resourceList":[{"selectors":{}}]})"), "resourceName: missing"));
  CHECK(contains_text(errors(R"({"resourceList":[{"resourceName":"x"}]})"),
                      "resourceList[0].selectors: missing"));
  CHECK(contains_text(errors(R"({"resourceList":[{"resourceName":"x","selectors":[]}]})"),
                      "expected at least one selector"));
  CHECK(contains_text(errors(R"({"resourceList":[{"resourceName":"x","selectors":["p0"]}]})"),
                      "resourceList[0].selectors[0]"));
}

TEST_CASE("every selector of a netDevice is read") {
  const auto selector_ = selector(R"({"acpiIndexes":["101"],"ddpProfiles":["GTPv1-C/U IPv4/IPv6"],
    "pKeys":["0xFFFF"],"needVhostNet":true,"vdpaType":"vhost"})");
  CHECK(selector_.acpi_indexes == std::vector<std::string>{"101"});
  CHECK(selector_.ddp_profiles == std::vector<std::string>{"GTPv1-C/U IPv4/IPv6"});
  CHECK(selector_.p_keys == std::vector<std::string>{"0xffff"});
  CHECK(selector_.need_vhost_net);
  CHECK(selector_.vdpa == VdpaType::vhost);
  CHECK(selector(R"({"vdpaType":"virtio"})").vdpa == VdpaType::virtio);
}

TEST_CASE("accelerators and sub-functions are read, each with its own selectors") {
  const auto config = good(R"({"resourceList":[
    {"resourceName":"a","deviceType":"accelerator","selectors":{"vendors":["8086"]}},
    {"resourceName":"s","deviceType":"auxNetDevice","selectors":{"auxTypes":["sf"],
     "pfNames":["p0#1-3"],"isRdma":true}}]})");
  CHECK(config.resources[0].type == DeviceType::accelerator);
  CHECK(config.resources[1].type == DeviceType::auxiliary);
  CHECK(config.resources[1].selectors[0].aux_types == std::vector<std::string>{"sf"});
}

TEST_CASE("a selector that the device type does not have is ignored with a warning") {
  const auto parsed = parse(
      R"({"resourceList":[{"resourceName":"x","deviceType":"accelerator","selectors":{
          "vendors":["8086"],"pfNames":["p0"],"pKeys":null,"isRdma":false}}]})",
      "example.com");
  CHECK(parsed.errors.empty());
  CHECK(parsed.warnings ==
        std::vector<std::string>{"resourceList[0].selectors.pfNames: is no selector of this "
                                 "deviceType, ignored"});
  CHECK(parsed.config.resources[0].selectors[0].pf_names.empty());
}

TEST_CASE("values that no device can have are errors") {
  const auto type =
      errors(R"({"resourceList":[{"resourceName":"x","deviceType":"netdevice","selectors":{}}]})");
  CHECK(contains_text(type, "deviceType: \"netdevice\": expected \"netDevice\", \"accelerator\""));
  const auto aux = errors(R"({"resourceList":[
    {"resourceName":"x","deviceType":"auxNetDevice","selectors":{}},
    {"resourceName":"y","deviceType":"auxNetDevice","selectors":{"auxTypes":["eth"]}}]})");
  CHECK(contains_text(aux, "resourceList[0].selectors.auxTypes: missing; expected [\"sf\"]"));
  CHECK(contains_text(aux, "resourceList[1].selectors.auxTypes[0]: \"eth\": expected \"sf\""));
  const auto net = errors(R"({"resourceList":[{"resourceName":"x","selectors":{"pKeys":["8001"],
    "vdpaType":"vhost","isRdma":true}},{"resourceName":"y","selectors":{"vdpaType":"Vhost"}}]})");
  CHECK(contains_text(net, "selectors.pKeys[0]: \"8001\": expected 0x and four hex digits"));
  CHECK(contains_text(net, "selectors.vdpaType: and isRdma exclude each other"));
  CHECK(contains_text(net, "selectors.vdpaType: \"Vhost\": expected \"virtio\" or \"vhost\""));
  CHECK(net.size() == 3);
}

TEST_CASE("vdpaType and isRdma may stand in two selectors of a resource") {
  CHECK(good(R"({"resourceList":[{"resourceName":"x",
    "selectors":[{"vdpaType":"vhost"},{"isRdma":true}]}]})")
            .resources[0]
            .selectors.size() == 2);
}

TEST_CASE("a resource name twice is an error") {
  CHECK(contains_text(
      errors(R"({"resourceList":[{"resourceName":"a","selectors":{}},
                                                 {"resourceName":"a","selectors":{}}]})"),
      "resourceList[1].resourceName: example.com/a is there already, at resourceList[0]"));
}

TEST_CASE("names that kubelet would refuse are errors") {
  for (const auto* prefix :
       {"kubernetes.io", "x.kubernetes.io", "Example.Com", "requests.x", "-a"}) {
    INFO(prefix);
    const auto text = fmt::format(
        R"({{"resourceList":[{{"resourceName":"x","resourcePrefix":"{}","selectors":{{}}}}]}})",
        prefix);
    CHECK(contains_text(errors(text), "resourcePrefix"));
  }
  CHECK(contains_text(errors(R"({"resourceList":[{"resourceName":"_x","selectors":{}}]})"),
                      "resourceName"));
}

TEST_CASE("a list without a resource is warned of") {
  const auto parsed = parse(R"({"resourceList": []})", "p.io");
  CHECK(parsed.errors.empty());
  CHECK(contains_text(parsed.warnings, "resourceList: is empty"));
}

TEST_CASE("a Kubernetes manifest in place of its data is told so") {
  const auto parsed =
      parse("apiVersion: v1\nkind: ConfigMap\ndata:\n  config.yaml: |\n    pools: []\n", "p.io");
  REQUIRE(parsed.errors.size() == 1);
  CHECK(parsed.errors[0].message.find("is a Kubernetes manifest") != std::string::npos);
}

TEST_CASE("unknown keys are ignored with a warning that names them") {
  const auto parsed = parse(
      R"({"resourceList":[{"resourceName":"x","selectors":{"vendor":["15b3"]},"extra":1}],"v":2})",
      "example.com");
  CHECK(parsed.errors.empty());
  CHECK(contains_text(parsed.warnings,
                      "resourceList[0].selectors.vendor: unknown key, ignored; is vendors meant?"));
  CHECK(contains_text(parsed.warnings, "resourceList[0].extra: unknown key"));
  CHECK(contains_text(parsed.warnings, "v: unknown key"));
}

TEST_CASE("additionalInfo keeps '*' and device ids apart") {
  const auto config = good(R"({"resourceList":[{"resourceName":"x","selectors":{},
    "additionalInfo":{"*":{"a":"1"},"0000:3b:00.2":{"a":"2"}}}]})");
  CHECK(config.resources[0].additional_info.at("*").at("a") == "1");
  CHECK(config.resources[0].additional_info.at("0000:3b:00.2").at("a") == "2");
}

TEST_CASE("text that is no JSON is told with line and column; trailing text is an error") {
  CHECK(contains_text(errors("{\n  \"resourceList\": [,]\n}"), "line 2, column"));
  CHECK_FALSE(errors(R"({"resourceList":[]} x)").empty());
  CHECK(errors("# a comment") ==
        std::vector<std::string>{"the configuration: expected an object with resourceList, "
                                 "configList or pools, got null"});
  for (const auto* nothing : {"", " \n"}) {
    CHECK(errors(nothing) ==
          std::vector<std::string>{"the configuration: is empty; expected an object with "
                                   "resourceList, configList or pools"});
  }
}

TEST_CASE("a number that no type can hold is an error, wherever it stands") {
  CHECK(contains_text(errors(R"({"resourceList":[],"x":3e999})"), "number in it is too large"));
}

TEST_CASE("YAML says the same as JSON, and PCI ids stay text") {
  const auto config = good(R"(
# the fast ones
resourceList:
  - resourceName: vf
    resourcePrefix: rdma
    excludeTopology: true
    selectors:
      - vendors: [15b3, 8086]
        devices: ["101e", 1018]
        pfNames: ["ens1#0-3"]
        isRdma: true
    additionalInfo: {"*": {rail: "0"}}
)");
  const auto& resource = config.resources.at(0);
  CHECK(resource.full_name() == "rdma/vf");
  CHECK(resource.exclude_topology);
  const auto& selector = resource.selectors.at(0);
  CHECK(selector.vendors == std::vector<std::string>{"15b3", "8086"});
  CHECK(selector.devices == std::vector<std::string>{"101e", "1018"});
  CHECK(selector.is_rdma);
  CHECK(resource.additional_info.at("*").at("rail") == "0");
}

TEST_CASE("YAML aliases, deep nesting and a second document are refused") {
  CHECK(contains_text(errors("a: &x [1]\nb: *x\n"), "aliases"));
  CHECK(contains_text(errors("a: " + std::string(100, '[') + std::string(100, ']')), "levels"));
  CHECK(contains_text(errors("resourceList: []\n---\nresourceList: []\n"), "more than one"));
  CHECK(contains_text(errors("a: [1\n"), "line"));
}

TEST_CASE("a quoted true is text") {
  CHECK(contains_text(errors("resourceList:\n- resourceName: x\n  selectors: {isRdma: 'true'}\n"),
                      "isRdma: expected true or false"));
}

TEST_CASE("more than 1 MiB is refused") {
  CHECK(contains_text(errors("{" + std::string(kMaxSize, ' ') + "}"), "at most 1048576"));
}

}  // namespace railhead::config
