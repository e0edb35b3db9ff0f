// configList, pools, and several grammars and files together.
#include <fmt/ranges.h>

#include "test/unit/config/parsed.hpp"

namespace railhead::test {
namespace {

using config::Concern;
using config::Sharing;

}  // namespace

TEST_CASE("configList offers shares of a whole pool of RDMA devices") {
  const auto config = good(R"({"periodicUpdateInterval":300,"configList":[
    {"resourceName":"hca_a","rdmaHcaMax":1000,"selectors":{"vendors":["15B3"],
     "deviceIDs":["1017"],"drivers":["mlx5_core"],"ifNames":["ens1"],"linkTypes":["ether"]}},
    {"resourceName":"hca_b","resourcePrefix":"example.org","rdmaHcaMax":5,"hostNetworkOnly":true,
     "devices":["ib0","ib1"]}]})");
  CHECK(config.rescan == std::chrono::seconds(300));
  const auto& first = config.resources.at(0);
  CHECK(first.full_name() == "rdma/hca_a");
  CHECK(first.sharing == Sharing{Sharing::Unit::pool, 1000});
  const auto& selector = first.selectors.at(0);
  CHECK(selector.vendors == Texts{"15b3"});
  CHECK(selector.devices == Texts{"1017"});
  CHECK(selector.drivers == Texts{"mlx5_core"});
  CHECK(selector.if_names == Texts{"ens1"});
  CHECK(selector.link_types == Texts{"ether"});
  CHECK(selector.is_rdma);
  const auto& second = config.resources.at(1);
  CHECK(second.full_name() == "example.org/hca_b");
  CHECK(second.sharing->host_network_only);
  CHECK(second.selectors.at(0).if_names == Texts{"ib0", "ib1"});
}

TEST_CASE("an update interval of 0, or none, asks for no rescan") {
  const auto* list = R"("configList":[{"resourceName":"a","devices":["ib0"]}])";
  CHECK_FALSE(good(fmt::format("{{{}}}", list)).rescan);
  CHECK_FALSE(good(fmt::format(R"({{"periodicUpdateInterval":0,{}}})", list)).rescan);
}

TEST_CASE("what is wrong in an item of configList costs that resource, and is told with its path") {
  const auto messages = drops(R"({"configList":[
    {"resourceName":"a","rdmaHcaMax":-1,"devices":["ib0"]},
    {"resourceName":"b","rdmaHcaMax":"5","devices":["ib0"]},
    {"resourceName":"c","devices":["ib0"],"selectors":{"vendors":["15b3"]}},
    {"resourceName":"d"},{"resourceName":"e","selectors":{}}, 7,
    {"resourceName":"g","rdmaHcaMax":100001,"devices":["ib0"]}]})");
  for (const auto* expected :
       {"configList[0].rdmaHcaMax: -1: expected a whole number from 0 to 100000",
        "configList[1].rdmaHcaMax: string \"5\": expected a whole number",
        "configList[2].devices: and selectors exclude each other",
        "configList[3].selectors: missing or empty", "configList[4].selectors: missing or empty",
        "configList[5]: expected an object, got number 7",
        "configList[6].rdmaHcaMax: 100001: expected"}) {
    INFO(expected);
    CHECK(contains_text(messages, expected));
  }
  CHECK(messages.size() == 7);
}

TEST_CASE("an update interval that is none is ignored with a warning") {
  for (const auto* interval : {"-1", "\"5\"", "1e3", "2147483648"}) {
    const auto text = fmt::format(
        R"({{"periodicUpdateInterval":{},"configList":[{{"resourceName":"a","devices":["ib0"]}}]}})",
        interval);
    CHECK(contains_text(warnings(text), "periodicUpdateInterval: "));
    CHECK_FALSE(good(text).rescan);
  }
}

TEST_CASE("the old key devices is warned of, and so are keys that nobody knows") {
  const auto told = warnings(
      R"({"configList":[{"resourceName":"a","devices":["ib0"],"selectors":{"pfNames":[]},"x":1}]})");
  CHECK(contains_text(told, "configList[0].devices: is outdated"));
  CHECK(contains_text(told, "configList[0].selectors.pfNames: unknown key"));
  CHECK(contains_text(told, "configList[0].x: unknown key"));
}

TEST_CASE("pools say all that the other grammars can, and more") {
  const auto config = good(R"(
pools:
  - resourceName: rail
    resourcePrefix: rdma
    rails: auto
    order: spread
    env: nccl
    health: {link: ignore, rdma: require}
    selectors: [{vendors: [15b3], isRdma: true, ifNames: [ens1]}]
    additionalInfo: {"*": {a: b}}
    excludeTopology: true
  - resourceName: hca
    kind: shared
    perDevice: 16
    hostNetworkOnly: true
    selectors: {drivers: [mlx5_core]}
  - {resourceName: sf, deviceType: auxNetDevice, order: rail, selectors: {auxTypes: [sf]}}
)");
  const auto& rail = config.resources.at(0);
  CHECK(rail.rails_auto);
  CHECK(rail.nccl_env);
  CHECK(rail.order == config::Order::spread);
  CHECK(rail.health == config::Health{Concern::ignore, Concern::require});
  CHECK(rail.selectors.at(0).if_names == Texts{"ens1"});
  CHECK(rail.exclude_topology);
  CHECK_FALSE(rail.sharing);
  const auto& hca = config.resources.at(1);
  CHECK(hca.full_name() == "example.com/hca");
  CHECK(hca.sharing == Sharing{Sharing::Unit::device, 16, true});
  CHECK(hca.selectors.at(0).is_rdma);
  CHECK(hca.health == config::Health{Concern::warn, Concern::warn});
  CHECK_FALSE(hca.order);
  CHECK(hca.near == config::Near::gpu);
  CHECK(config.resources.at(2).order == config::Order::rail);
}

TEST_CASE("all that is wrong in pools is told at once, unknown keys too") {
  const auto messages = errors(R"(
pools:
  - {resourceName: a, kind: both, rails: yes, env: NCCL, order: best, selectors: {}, colour: red}
  - {resourceName: b, perDevice: 4, hostNetworkOnly: true, selectors: {}}
  - {resourceName: c, kind: shared, selectors: {vdpaType: vhost}}
  - {resourceName: d, kind: shared, perDevice: 0, selectors: {}}
  - {resourceName: e, kind: shared, perDevice: 2, deviceType: accelerator, selectors: {isRdma: true}}
  - {resourceName: f, health: {link: warm, gid: warn}, selectors: {}}
  - {resourceName: g, env: nccl, selectors: {vendors: [15b3]}}
  - {resourceName: h}
  - {resourceName: i, health: {rdma: require}, selectors: {}}
  - {resourceName: j, health: {link: warn}, deviceType: accelerator, selectors: {vendors: [15b3]}}
  - {resourceName: k, deviceType: auxNetDevice, selectors: {auxTypes: [sf], ifNames: [p0]}}
)");
  for (const auto* expected :
       {"pools[0].kind: \"both\": expected \"exclusive\" or \"shared\"",
        "pools[0].rails: \"yes\": expected", "pools[0].env: \"NCCL\": expected",
        "pools[0].order: \"best\": expected \"packed\" or \"spread\" or \"rail\"",
        "pools[0].colour: unknown key", "pools[1].perDevice: is for kind: shared only",
        "pools[1].hostNetworkOnly: is for kind: shared only", "pools[2].perDevice: missing",
        "pools[2].kind: \"shared\": a vDPA device cannot be shared",
        "pools[3].perDevice: 0: expected a whole number from 1 to 1000",
        "pools[4].kind: \"shared\": RDMA devices are shared",
        "pools[4].selectors.isRdma: is no selector of this deviceType",
        "pools[5].health.link: \"warm\": expected", "pools[5].health.gid: unknown key",
        "pools[6].env: \"nccl\": names RDMA devices", "pools[7].selectors: missing",
        "pools[8].health.rdma: \"require\": is asked of RDMA devices",
        "pools[9].health: is that of network ports", "pools[10].selectors.ifNames: unknown key"}) {
    INFO(expected);
    CHECK(contains_text(messages, expected));
  }
  CHECK(messages.size() == 19);
}

TEST_CASE("pools have VFs and NICs to themselves unless functions says otherwise") {
  using enum config::FunctionKind;
  const auto functions = [](std::string_view keys) {
    return good(fmt::format("pools: [{{resourceName: a, selectors: {{}}, {}}}]", keys))
        .resources.at(0)
        .functions;
  };
  CHECK(functions("kind: exclusive") == std::set{vf, nic});
  CHECK(functions("kind: shared, perDevice: 1") == std::set{vf, nic, pf});
  CHECK(functions("functions: [pf, vf]") == std::set{vf, pf});
  CHECK(good(R"({"resourceList":[{"resourceName":"x","selectors":{}}]})").resources[0].functions ==
        std::set{vf, nic, pf});
  CHECK(errors(R"(
pools:
  - {resourceName: a, functions: [vf, PF], selectors: {}}
  - {resourceName: b, functions: [], selectors: {}}
  - {resourceName: c, functions: vf, selectors: {}}
  - {resourceName: d, functions: [vf], deviceType: accelerator, selectors: {}}
)") == Texts{"pools[0].functions[1]: \"PF\": expected \"vf\" or \"nic\" or \"pf\"",
             "pools[1].functions: is empty; expected \"vf\", \"nic\" or \"pf\"",
             "pools[2].functions: expected a list of strings, got string \"vf\"",
             "pools[3].functions: is for deviceType: netDevice only"});
}

TEST_CASE("pools give no issm and no addressed device unless that is asked for, the others do") {
  const auto config = good(R"(
resourceList: [{resourceName: r, selectors: {isRdma: true}}]
configList: [{resourceName: c, devices: [ib0]}]
pools:
  - {resourceName: a, selectors: {isRdma: true}}
  - {resourceName: b, selectors: {isRdma: true}, issm: true, allowAddressed: true}
  - {resourceName: s, kind: shared, perDevice: 1, selectors: {}, issm: true}
)");
  using config::Addressed;
  std::vector<std::pair<bool, Addressed>> found;
  for (const auto& one : config.resources) found.emplace_back(one.issm, one.addressed);
  CHECK(found == std::vector<std::pair<bool, Addressed>>{{true, Addressed::warn},
                                                         {true, Addressed::warn},
                                                         {false, Addressed::refuse},
                                                         {true, Addressed::allow},
                                                         {true, Addressed::refuse}});
  CHECK(errors(R"(
pools:
  - {resourceName: a, selectors: {}, issm: true}
  - {resourceName: b, kind: shared, perDevice: 1, selectors: {}, allowAddressed: true}
)") == Texts{"pools[0].issm: is a node of RDMA devices; expected a selector with isRdma: true",
             "pools[1].allowAddressed: is for kind: exclusive only; what is shared stays on the "
             "host"});
}

TEST_CASE("near says what devices are chosen close to") {
  const auto near = [](std::string_view keys) {
    return good(fmt::format("pools: [{{resourceName: a, selectors: {{}}, {}}}]", keys))
        .resources.at(0)
        .near;
  };
  CHECK(near("near: gpu") == config::Near::gpu);
  CHECK(near("near: numa") == config::Near::numa);
  CHECK(near("near: none") == config::Near::none);
  CHECK(errors("pools: [{resourceName: a, selectors: {}, near: cpu}]") ==
        Texts{"pools[0].near: \"cpu\": expected \"gpu\" or \"numa\" or \"none\""});
  CHECK(warnings("pools: [{resourceName: a, selectors: {}, near: numa, order: spread}]") ==
        Texts{"pools[0].near: numa tells nothing where order is written"});
}

TEST_CASE("a number that is no text in any encoding is an error like others") {
  CHECK(contains_text(
      errors("pools: [{resourceName: a, kind: shared, perDevice: 3\xfa, selectors: {}}]"),
      "pools[0].perDevice: 3"));
}

TEST_CASE("a rail's name must not be another resource's") {
  CHECK(contains_text(
      errors(R"(
pools:
  - {resourceName: rail, rails: auto, selectors: {}}
  - {resourceName: rail12, selectors: {}}
)"),
      "pools[1].resourceName: example.com/rail12 and example.com/rail (at pools[0])"));
  good(
      "pools:\n- {resourceName: rail, rails: auto, selectors: {}}\n"
      "- {resourceName: rail_b, selectors: {}}\n");
}

TEST_CASE("env: nccl for more than one resource is warned of") {
  CHECK(warnings("pools: [{resourceName: a, env: nccl, selectors: {isRdma: true}}]").empty());
  CHECK(contains_text(
      warnings("pools: [{resourceName: a, env: nccl, rails: auto, selectors: {isRdma: true}}]"),
      "pools[0]: env: nccl for more than one resource"));
  CHECK(contains_text(warnings("pools: [{resourceName: a, env: nccl, selectors: {isRdma: true}},"
                               "{resourceName: b, env: nccl, selectors: {isRdma: true}}]"),
                      "pools[0], pools[1]: env: nccl"));
}

TEST_CASE("the grammars may stand in one file, or in several that are taken together") {
  const auto* resource_list = R"({"resourceList":[{"resourceName":"a","selectors":{}}]})";
  const auto* config_list =
      R"({"periodicUpdateInterval":60,"configList":[{"resourceName":"a","devices":["ib0"]}]})";
  const auto* pools = "pools: [{resourceName: p, selectors: {}}]\nperiodicUpdateInterval: 30\n";
  const auto together =
      config::parse({{"a", resource_list}, {"b", config_list}, {"c", pools}}, "example.com");
  REQUIRE(together.errors.empty());
  CHECK(together.config.resources.size() == 3);
  CHECK(together.config.rescan == std::chrono::seconds(30));
  CHECK(good(R"({"resourceList":[{"resourceName":"a","selectors":{}}],
                 "configList":[{"resourceName":"a","devices":["ib0"]}],"pools":[]})")
            .resources.size() == 2);
}

TEST_CASE("errors and warnings name their file, a name in two files names both") {
  const auto* one = R"({"resourceList":[{"resourceName":"a","selectors":{}}],"x":1})";
  const auto parsed =
      config::parse({{"one.json", one}, {"two.json", one}, {"bad.json", "{"}}, "example.com");
  REQUIRE(parsed.dropped.size() == 1);
  CHECK(parsed.dropped[0].place == "two.json: resourceList[0]");
  CHECK(messages(parsed.dropped[0].errors) ==
        Texts{"two.json: resourceList[0].resourceName: example.com/a is there already, at "
              "one.json: resourceList[0]; each name once"});
  CHECK(contains_text(messages(parsed.errors), "bad.json: line 1"));
  CHECK(contains_text(parsed.warnings, "two.json: x: unknown key"));
}

TEST_CASE("railMap lists the ports of each rail, and each port once") {
  const std::string pools = "pools: [{resourceName: a, selectors: {isRdma: true}}]\n";
  const auto config = good(pools + "railMap: ['0000:3b:00.0', ['0000:5E:00.1', '0000:5e:00.0']]");
  CHECK(config.rail_map == std::vector<std::vector<PciAddress>>{
                               {{0, 0x3b, 0, 0}}, {{0, 0x5e, 0, 1}, {0, 0x5e, 0, 0}}});
  CHECK(good(pools).rail_map.empty());
  for (const auto& [bad, error] :
       {std::pair("[]", "railMap: array: expected a list of 1 to 1024 rails"),
        std::pair("{}", "railMap: "), std::pair("[[]]", "railMap[0]: is empty"),
        std::pair("['3b:00.0']", "railMap[0]: string \"3b:00.0\": expected a PF's PCI address"),
        std::pair("[['0000:3b:00.0'], ['0000:3b:00.0']]",
                  "railMap[1]: 0000:3b:00.0: is there already")}) {
    INFO(bad);
    CHECK(contains_text(errors(pools + "railMap: " + bad), error));
  }
}

TEST_CASE("railMap stands in one file of the node's, or is the same in all") {
  const auto file = [](const std::string& name, const std::string& map) {
    return config::Source{name, "pools: [{resourceName: " + name +
                                    ", selectors: {isRdma: true}}]\nrailMap: [" + map + "]"};
  };
  const auto same = config::parse({file("a", "'0000:3b:00.0'"), file("b", "'0000:3b:00.0'")}, "x");
  CHECK(same.errors.empty());
  const auto other = config::parse({file("a", "'0000:3b:00.0'"), file("b", "'0000:5e:00.0'")}, "x");
  REQUIRE(other.errors.size() == 1);
  CHECK(other.errors[0].message.find("b: railMap: another file has it already") == 0);
}

TEST_CASE("ipamNode says how the node's index is known, in one way") {
  const std::string pools = "pools: [{resourceName: a, selectors: {isRdma: true}}]\nipamNode: ";
  CHECK(good(pools + "{cidr: 192.168.0.0/22, first: 10}").ipam_node ==
        ipam::NodeRule{.cidr = host::IpPrefix::parse("192.168.0.0/22"), .name = "", .first = 10});
  CHECK(good(pools + "{name: 'gpu-*-rack'}").ipam_node->name == "gpu-*-rack");
  const std::map<std::string, uint32_t> list = {{"a", 4}, {"b", 0}};
  CHECK(good(pools + "{list: {a: 4, b: 0}}").ipam_node->list == list);
  const std::map<std::string, uint32_t> places = {{"a", 0}, {"b", 1}};
  CHECK(good(pools + "{list: [a, b]}").ipam_node->list == places);
  for (const auto& [bad, error] :
       {std::pair("{}", "ipamNode: expected one of cidr, name and list"),
        std::pair("{name: 'a*', cidr: 10.0.0.0/8}", "ipamNode: expected one of"),
        std::pair("{name: a}", "ipamNode.name: \"a\": expected a name with one *"),
        std::pair("{name: 'a*b*'}", "ipamNode.name: "),
        std::pair("{cidr: 10.0.0.1/8}", "ipamNode.cidr: \"10.0.0.1/8\": expected a network"),
        std::pair("{list: {a: 4, b: 4}}", "ipamNode.list: a and b have the index 4"),
        std::pair("{list: [a, a]}", "ipamNode.list: \"a\": is there twice"),
        std::pair("{list: {a: -1}}", "ipamNode.list.a: "),
        std::pair("{name: 'a*', frist: 1}", "ipamNode.frist: unknown key")}) {
    INFO(bad);
    CHECK(contains_text(errors(pools + bad), error));
  }
}

}  // namespace railhead::test
