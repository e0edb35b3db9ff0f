// resourceList, and what holds for all grammars.
#include "test/unit/config/parsed.hpp"

namespace railhead::test {
namespace {

using config::DeviceType;
using config::Selector;
using config::VdpaType;
using config::VfsOfPf;

// The first resource's first selector, of a configuration with these selectors.
Selector selector(std::string_view selectors) {
  const auto config =
      good(fmt::format(R"({{"resourceList":[{{"resourceName":"x","selectors":{}}}]}})", selectors));
  return config.resources.at(0).selectors.at(0);
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
      R"({"resourceList":[{"resourceName":"x","selectors":{"pfNames":["p0#1","P0#3-4","p1"]}}]})");
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
          "vendors":["8086"],"pfNames":["p0"],"pKeys":null,"isRdma":false}}]})");
  CHECK(parsed.errors.empty());
  CHECK(parsed.warnings ==
        std::vector<std::string>{"resourceList[0].selectors.pfNames: is no selector of this "
                                 "deviceType, ignored"});
  CHECK(parsed.config.resources[0].selectors[0].pf_names.empty());
}

TEST_CASE("vdpaType and isRdma may stand in two selectors of a resource") {
  CHECK(good(R"({"resourceList":[{"resourceName":"x",
    "selectors":[{"vdpaType":"vhost"},{"isRdma":true}]}]})")
            .resources[0]
            .selectors.size() == 2);
}

TEST_CASE("a Kubernetes manifest in place of its data is told so") {
  const auto told =
      errors("apiVersion: v1\nkind: ConfigMap\ndata:\n  config.yaml: |\n    pools: []\n");
  REQUIRE(told.size() == 1);
  CHECK(contains_text(told, "is a Kubernetes manifest"));
}

TEST_CASE("unknown keys are ignored with a warning that names them") {
  const auto told = warnings(
      R"({"resourceList":[{"resourceName":"x","selectors":{"vendor":["15b3"]},"extra":1}],"v":2})");
  CHECK(contains_text(told,
                      "resourceList[0].selectors.vendor: unknown key, ignored; is vendors meant?"));
  CHECK(contains_text(told, "resourceList[0].extra: unknown key"));
  CHECK(contains_text(told, "v: unknown key"));
}

TEST_CASE("a selector beside `selectors` is told where it belongs") {
  const auto item = [](std::string_view key) {
    return fmt::format(R"([{{"resourceName":"x","selectors":{{"vendors":["15b3"]}},"{}":["p0"]}}])",
                       key);
  };
  const auto hint = [](std::string_view key) {
    return fmt::format("the selector {} belongs below selectors", key);
  };
  for (const auto* key : {"pfNames", "pfnames", "devices", "drivers", "isRdma"}) {
    INFO(key);
    const auto told = warnings(fmt::format(R"({{"resourceList":{}}})", item(key)));
    CHECK(contains_text(told, fmt::format("resourceList[0].{}: unknown key, ignored; ", key)));
  }
  CHECK(contains_text(warnings(R"({"resourceList":)" + item("PFNAMES") + "}"), hint("pfNames")));
  CHECK_FALSE(contains_text(warnings(R"({"resourceList":)" + item("deviceIDs") + "}"), "belongs"));
  CHECK(contains_text(warnings(R"({"configList":)" + item("deviceIDs") + "}"), hint("deviceIDs")));
  CHECK(contains_text(errors(R"({"pools":)" + item("ifNames") + "}"),
                      "pools[0].ifNames: unknown key; " + hint("ifNames")));
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
  CHECK(errors("# a comment") == Texts{"the configuration: expected an object with resourceList, "
                                       "configList or pools, got null"});
  for (const auto* nothing : {"", " \n"}) {
    CHECK(errors(nothing) == Texts{"the configuration: is empty; expected an object with "
                                   "resourceList, configList or pools"});
  }
}

TEST_CASE("a comment before the { is told, rather than read as YAML") {
  for (const auto* comment : {"# mine\n", "// mine\n", "\n /* mine\n too */ // x\n  "}) {
    INFO(comment);
    const auto told = errors(comment + std::string(R"({"resourceList":[]})"));
    REQUIRE(told.size() == 1);
    CHECK(contains_text(told, "is not JSON: a comment stands before the {"));
  }
  for (const auto* yaml : {"# mine\nresourceList: []", "# {\nresourceList: []"}) good(yaml);
}

TEST_CASE("a number that no type can hold is an error, wherever it stands") {
  CHECK(contains_text(errors(R"({"resourceList":[],"x":3e999})"),
                      "3e999: a number in it is too large"));
}

TEST_CASE("errors quote numbers as they are written") {
  const auto in_pools = [](std::string_view number) {
    return errors(fmt::format(R"({{"pools":[{{"resourceName":"a","kind":"shared","selectors":{{}},
                                  "perDevice":{}}}]}})",
                              number));
  };
  for (const auto* number : {"1e3", "1.50", "123456789012345678901234567890", "1001", "-1"}) {
    INFO(number);
    CHECK(in_pools(number) ==
          Texts{fmt::format("pools[0].perDevice: {}: expected a whole number from 1 to 1000",
                            number)});
  }
  CHECK(drops(R"({"resourceList":[{"resourceName":"x","selectors":{"vendors":[8086,"15b3",1e3]}},
                                  {"resourceName":5e1,"selectors":{"isRdma":1.0}}]})") ==
        Texts{"resourceList[0].selectors.vendors[0]: expected a string (\"8086\"), got number 8086",
              "resourceList[0].selectors.vendors[2]: expected a string (\"1e3\"), got number 1e3",
              "resourceList[1].resourceName: expected a string, got number 5e1",
              "resourceList[1].selectors.isRdma: expected true or false, got number 1.0"});
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

TEST_CASE("true, false and null are those of YAML 1.2; quoted they are text") {
  const auto is_rdma = [](std::string_view value) {
    const auto config = good(fmt::format(
        "resourceList:\n- resourceName: x\n  selectors: {{isRdma: {}, vendors: ~}}\n", value));
    return config.resources.at(0).selectors.at(0).is_rdma;
  };
  for (const auto* yes : {"true", "True", "TRUE"}) CHECK(is_rdma(yes));
  for (const auto* no : {"false", "False", "FALSE", "null", "Null", "NULL", "~", ""}) {
    CHECK_FALSE(is_rdma(no));
  }
  for (const auto* text : {"'true'", "yes", "tRUE", "!!str true"}) {
    INFO(text);
    CHECK(contains_text(
        drops(fmt::format("resourceList:\n- resourceName: x\n  selectors: {{isRdma: {}}}\n", text)),
        "isRdma: expected true or false, got string"));
  }
}

TEST_CASE("more than 1 MiB is refused") {
  CHECK(contains_text(errors("{" + std::string(config::kMaxSize, ' ') + "}"), "at most 1048576"));
}

}  // namespace railhead::test
