// What a wrong word costs: nothing but itself, its resource, or the whole file.
#include "test/unit/config/parsed.hpp"

namespace railhead::test {
namespace {

// Of resourceList, one resource with this selector.
std::string with(std::string_view selector, std::string_view type = "netDevice") {
  return fmt::format(
      R"({{"resourceList":[{{"resourceName":"x","deviceType":"{}","selectors":{}}}]}})", type,
      selector);
}

config::Selector first_selector(const std::string& text) {
  return parse(text).config.resources.at(0).selectors.at(0);
}

Texts names(const config::Parsed& parsed) {
  Texts names;
  for (const auto& resource : parsed.config.resources) names.push_back(resource.full_name());
  return names;
}

}  // namespace

TEST_CASE("a generator's empty value is an empty list, which is a configuration of no resources") {
  for (const auto* text : {R"({"resourceList":null})", R"({"resourceList":[]})",
                           R"({"configList":null})", R"({"pools":null})", "resourceList:\n",
                           "configList: ~\n", "pools: []\n", R"({"ResourceList":null})"}) {
    INFO(text);
    CHECK(good(text).resources.empty());
    CHECK(contains_text(warnings(text), ": is empty; it offers no resource"));
  }
  CHECK(contains_text(errors("{}"), "resourceList: missing, and so are configList and pools"));
  CHECK(good(R"({"resourceList":null,"configList":[{"resourceName":"a","devices":["ib0"]}]})")
            .resources.size() == 1);
}

TEST_CASE("in resourceList what no device can have is told, and the others of the list count") {
  const auto text = with(R"({"vendors":["0x15b3","15B3"],"pfNames":["p0#4-2","p1"],
                             "pciAddresses":["3b:00.0","0000:3b:00.2"]})");
  const auto told = warnings(text);
  CHECK(
      told ==
      Texts{"resourceList[0].selectors.vendors[0]: \"0x15b3\": no device has it; expected four hex "
            "digits such as \"15b3\"",
            "resourceList[0].selectors.pciAddresses[0]: \"3b:00.0\": no device has it; expected a "
            "PCI address such as 0000:3b:00.2",
            "resourceList[0].selectors.pfNames[0]: \"p0#4-2\": no device has it; expected a PF's "
            "name of at most 15 characters, with or without VFs: ens1f0#0-3,7"});
  const auto selector = first_selector(text);
  CHECK(selector.vendors == Texts{"15b3"});
  CHECK(selector.pci_addresses.size() == 1);
  CHECK(selector.pf_names == std::vector<config::VfsOfPf>{{"p1", std::nullopt}});
  CHECK(selector.impossible.empty());
}

TEST_CASE("a selector of nothing but such values takes no device, rather than all") {
  struct Case {
    const char* key;
    const char* value;
    const char* type = "netDevice";
  };
  for (const auto& one :
       std::initializer_list<Case>{{"vendors", R"(["0x15b3"])"},
                                   {"vendors", R"([""])"},
                                   {"devices", R"(["101"])"},
                                   {"devices", R"(["0000:3b:00.2"])", "accelerator"},
                                   {"drivers", R"(["0000:3b:00.2"])"},
                                   {"drivers", R"([" mlx5_core"])"},
                                   {"drivers", R"(["a/b"])"},
                                   {"drivers", R"([""])"},
                                   {"pciAddresses", R"(["3b:00.2"])"},
                                   {"pciAddresses", R"(["p0"])"},
                                   {"acpiIndexes", R"(["p0"])"},
                                   {"acpiIndexes", R"(["007"])"},
                                   {"pfNames", R"(["0000:3b:00.0"])"},
                                   {"pfNames", R"(["ens 1f0"])"},
                                   {"pfNames", R"(["sixteen_letters_"])"},
                                   {"pfNames", R"(["p0#1#2"])"},
                                   {"pfNames", R"(["p0#"])"},
                                   {"pfNames", R"(["p0#3-1"])"},
                                   {"pfNames", R"([".."])"},
                                   {"pfNames", R"(["p0#65535,70000-80000"])"},
                                   {"rootDevices", R"(["p0"])"},
                                   {"rootDevices", R"(["0000:3b:00.0#x"])"},
                                   {"linkTypes", R"(["ethernet"])"},
                                   {"ddpProfiles", R"([""])"},
                                   {"ddpProfiles", R"(["GTP "])"},
                                   {"pKeys", R"(["8001"])"},
                                   {"vdpaType", R"("Vhost")"},
                                   {"auxTypes", R"(["eth"])", "auxNetDevice"}}) {
    INFO(one.key << ' ' << one.value);
    const auto text = with(fmt::format(R"({{"{}":{}}})", one.key, one.value), one.type);
    CHECK(contains_text(warnings(text), "no device has it; expected"));
    CHECK(first_selector(text).impossible == one.key);
  }
  CHECK(warnings(with(R"({"auxTypes":["sf"],"pfNames":["p0#70000"]})", "auxNetDevice")).empty());
  for (const auto* right :
       {R"({"pfNames":["fifteen_letters","p0#0-70000"]})", R"({"drivers":["Some NIC 2"]})",
        R"({"acpiIndexes":["0"]})", R"({"linkTypes":["Ether"]})"}) {
    INFO(right);
    CHECK(warnings(with(right)).empty());
  }
}

TEST_CASE("configList tells such values too, of its old key as well") {
  const auto config_list = [](std::string_view keys) {
    return fmt::format(R"({{"configList":[{{"resourceName":"a","rdmaHcaMax":1,{}}}]}})", keys);
  };
  for (const auto* keys :
       {R"("devices":["0000:3b:00.0"])", R"("selectors":{"ifNames":["sixteen_letters_"]})",
        R"("selectors":{"linkTypes":["ib"]})", R"("selectors":{"deviceIDs":["1"]})"}) {
    INFO(keys);
    CHECK(contains_text(warnings(config_list(keys)), "no device has it; expected"));
    CHECK_FALSE(first_selector(config_list(keys)).impossible.empty());
  }
}

TEST_CASE("in pools such values refuse the file") {
  const auto told = errors(R"(
pools:
  - {resourceName: a, selectors: {vendors: [0x15b3], ifNames: [sixteen_letters_]}}
  - {resourceName: b, selectors: {vendors: [15b3]}}
)");
  CHECK(
      told ==
      Texts{"pools[0].selectors.vendors[0]: \"0x15b3\": expected four hex digits such as \"15b3\"",
            "pools[0].selectors.ifNames[0]: \"sixteen_letters_\": expected a netdev's name of at "
            "most 15 characters such as \"ens1f0\""});
}

TEST_CASE("what kubelet would refuse costs that resource, and the others are in force") {
  for (const auto* wrong :
       {R"("resourceName":"_x")", R"("resourceName":"x","resourcePrefix":"kubernetes.io")",
        R"("resourceName":"x","resourcePrefix":"x.kubernetes.io")",
        R"("resourceName":"x","resourcePrefix":"Example.Com")",
        R"("resourceName":"x","resourcePrefix":"requests.x")",
        R"("resourceName":"x","resourcePrefix":"-a")", R"("resourceName":"bad name")"}) {
    INFO(wrong);
    const auto parsed = parse(fmt::format(
        R"({{"resourceList":[{{{},"selectors":{{}}}},{{"resourceName":"y","selectors":{{}}}}]}})",
        wrong));
    CHECK(parsed.errors.empty());
    REQUIRE(parsed.dropped.size() == 1);
    CHECK(parsed.dropped[0].place == "resourceList[0]");
    CHECK(contains_text(messages(parsed.dropped[0].errors), "expected"));
    CHECK(names(parsed) == Texts{"example.com/y"});
  }
}

TEST_CASE("of two resources of one name the first is in force") {
  const auto parsed = parse(R"({"resourceList":[{"resourceName":"a","selectors":{}},
    {"resourceName":"a","excludeTopology":true,"selectors":{}},
    {"resourceName":"b","selectors":{}}]})");
  CHECK(parsed.errors.empty());
  CHECK(names(parsed) == Texts{"example.com/a", "example.com/b"});
  CHECK_FALSE(parsed.config.resources[0].exclude_topology);
  REQUIRE(parsed.dropped.size() == 1);
  CHECK(parsed.dropped[0].resource == "example.com/a");
  CHECK(messages(parsed.dropped[0].errors) ==
        Texts{"resourceList[1].resourceName: example.com/a is there already, at resourceList[0]; "
              "each name once"});
}

TEST_CASE("a name is free again when the resource that had it first is wrong") {
  const auto parsed = parse(R"({"resourceList":[{"resourceName":"a"},
    {"resourceName":"a","selectors":{}}]})");
  CHECK(names(parsed) == Texts{"example.com/a"});
  CHECK(parsed.dropped.size() == 1);
}

TEST_CASE("a pool that has another resource's name refuses the file") {
  CHECK(contains_text(errors(R"({"resourceList":[{"resourceName":"a","selectors":{}}],
                                 "pools":[{"resourceName":"a","selectors":{}}]})"),
                      "pools[0].resourceName: example.com/a is there already"));
}

TEST_CASE("whatever else is wrong in an item costs that resource, all of it told at once") {
  CHECK(drops(R"({"resourceList":[
    1, {"selectors":{}}, {"resourceName":"c"}, {"resourceName":"d","selectors":[]},
    {"resourceName":"e","selectors":["p0"]},
    {"resourceName":"f","deviceType":"netdevice","selectors":{}},
    {"resourceName":"g","deviceType":"auxNetDevice","selectors":{}},
    {"resourceName":"h","selectors":{"vdpaType":"vhost","isRdma":true}},
    {"resourceName":"i j","excludeTopology":"yes","selectors":{"vendors":"15b3","isRdma":1}},
    {"resourceName":"k","selectors":5}]})") ==
        Texts{"resourceList[0]: expected an object, got number 1",
              "resourceList[1].resourceName: missing; expected a name such as \"vf\"",
              "resourceList[2].selectors: missing; expected an object, or a list of objects",
              "resourceList[3].selectors: expected at least one selector, got none",
              "resourceList[4].selectors[0]: expected an object, got string \"p0\"",
              "resourceList[5].deviceType: \"netdevice\": expected \"netDevice\", \"accelerator\" "
              "or \"auxNetDevice\"",
              "resourceList[6].selectors.auxTypes: missing; expected [\"sf\"]",
              "resourceList[7].selectors.vdpaType: and isRdma exclude each other; expected one of "
              "them, or two selectors",
              "resourceList[8].resourceName: \"i j\": expected at most 63 letters, digits, '_' and "
              "'-', a letter or digit at both ends",
              "resourceList[8].excludeTopology: expected true or false, got string \"yes\"",
              "resourceList[8].selectors.vendors: expected a list of strings, got string \"15b3\"",
              "resourceList[8].selectors.isRdma: expected true or false, got number 1",
              "resourceList[9].selectors: expected an object, or a list of objects, got number 5"});
}

TEST_CASE("a list that is none ends the file, whatever else it holds") {
  for (const auto* text : {R"({"resourceList":{}})", R"({"pools":"x"})", R"({"configList":1})"}) {
    INFO(text);
    CHECK(contains_text(errors(text), "expected a list of resources, got"));
  }
  CHECK(errors("[]") == Texts{"the configuration: expected an object with resourceList, configList "
                              "or pools, got array"});
}

}  // namespace railhead::test
