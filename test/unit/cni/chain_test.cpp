// Types that stand in the place of other programs, and chains of them.
#include <functional>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "test/support/fake_standing.hpp"
#include "test/support/must.hpp"
#include "test/unit/cni/node.hpp"

using namespace railhead;
using namespace railhead::test;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::StartsWith;
using Json = nlohmann::ordered_json;

namespace {

// One step of a chain as a runtime takes it: the step's type, and what the steps before gave.
cni::Answer step(Node& node, const std::string& verb, const std::string& type,
                 const Json& previous = nullptr, const Json& keys = Json::object()) {
  const Json whole = node.conf;
  node.conf["type"] = type;
  node.conf.update(keys);
  if (!previous.is_null()) node.conf["prevResult"] = previous;
  auto answer = node.run(verb);
  node.conf = whole;
  return answer;
}

Json good(const cni::Answer& answer) {
  INFO(answer.output);
  REQUIRE(answer.exit_code == 0);
  return answer.output.empty() ? Json() : Json::parse(answer.output);
}

}  // namespace

TEST_CASE("A chain of sriov and rdma: the RDMA device follows, and the DEL takes both back") {
  Node node;
  node.write_ipam(kOneAddress);
  const auto before = standing(node.fake);
  const auto first = good(step(node, "ADD", "sriov"));
  CHECK(node.fake.netns_of_rdma("mlx5_1") == "host");
  const auto second = good(step(node, "ADD", "rdma", first));
  CHECK(node.fake.netns_of_rdma("mlx5_1") == "pod0");
  CHECK(second == first);  // it passes on what it was given
  CHECK(node.ipam_calls() == std::vector<std::string>{"ADD c1"});
  CHECK(good(step(node, "ADD", "rdma", first)) == first);  // again: it is there already

  good(step(node, "DEL", "rdma", first));
  CHECK(node.fake.netns_of_rdma("mlx5_1") == "host");
  CHECK(node.fake.link("pod0", "net1"));
  good(step(node, "DEL", "rdma", first));
  good(step(node, "DEL", "sriov"));
  CHECK(standing(node.fake) == before);
}

TEST_CASE("A chain whose end fails or whose DEL comes once only leaves nothing") {
  Node node;
  const auto before = standing(node.fake);
  const auto first = good(step(node, "ADD", "sriov"));
  SECTION("rdma cannot move the device") {
    node.fake.fail_next("move", EBUSY);
    CHECK(error_of(step(node, "ADD", "rdma", first)).code == 11);
    CHECK(node.fake.netns_of_rdma("mlx5_1") == "host");
  }
  SECTION("only the first one's DEL comes") { good(step(node, "ADD", "rdma", first)); }
  SECTION("the namespace is gone") {
    good(step(node, "ADD", "rdma", first));
    node.fake.delete_netns("pod0");
    good(step(node, "DEL", "rdma", first));
  }
  good(step(node, "DEL", "sriov"));
  CHECK(standing(node.fake) == before);
}

TEST_CASE("rdma alone has its own record: a netdev that another program attached stays") {
  Node node;
  const auto before = standing(node.fake);
  const Json previous = {{"cniVersion", "1.1.0"},
                         {"interfaces", {{{"name", "net1"}, {"mac", "02:00:00:00:10:00"}}}}};
  good(step(node, "ADD", "rdma", previous));
  CHECK(node.fake.netns_of_rdma("mlx5_1") == "pod0");
  CHECK(node.fake.link("host", "p0v0"));
  // Nobody else gets the device meanwhile.
  CHECK(error_of(node.run("ADD", {{"CNI_CONTAINERID", "c2"}})).code == 11);
  good(step(node, "DEL", "rdma", previous));
  CHECK(standing(node.fake) == before);
}

TEST_CASE("rdma finds its device by the MAC that the PF gives the VF") {
  Node node;
  node.conf.erase("deviceID");
  auto& vf = node.fake.vf(*PciAddress::parse("0000:11:00.1"));
  vf.mac = HwAddress::parse("02:00:00:00:00:77");
  const auto previous = [](const char* mac) {
    return Json{{"cniVersion", "1.1.0"}, {"interfaces", {{{"name", "net1"}, {"mac", mac}}}}};
  };
  good(step(node, "ADD", "rdma", previous("02:00:00:00:00:77")));
  CHECK(node.fake.netns_of_rdma("mlx5_2") == "pod0");
  const auto none = error_of(step(node, "ADD", "rdma", previous("02:00:00:00:00:78")));
  CHECK(none.message ==
        "could not find VF PCI device according to administrative mac address set on PF");
}

TEST_CASE("What rdma-cni refuses is refused with its words") {
  struct Row {
    const char* what;
    Json previous;
    Json keys;
    std::function<void(Node&)> arrange;
    std::string words;
  };
  const Json one = {{"cniVersion", "1.1.0"}, {"interfaces", {{{"name", "net1"}}}}};
  const Json none = {{"cniVersion", "1.1.0"}};
  const auto nothing = [](Node&) {};
  for (const auto& row : std::initializer_list<Row>{
           {"first of its chain", nullptr, Json::object(), nothing,
            "RDMA-CNI is expected to be called as part of a plugin chain"},
           {"shared mode", one, Json::object(),
            [](Node& node) { node.fake.kernel.rdma_mode = host::RdmaNetnsMode::shared; },
            "RDMA subsystem namespace awareness mode is set to shared, expecting it to be set to "
            "exclusive, invalid system configurations"},
           {"no device named", none, Json{{"deviceID", ""}}, nothing,
            "\"DeviceID\" network configuration attribute is required for rdma CNI"},
           {"no RDMA device", one, Json{{"deviceID", "0000:21:00.0"}},
            [](Node& node) {
              node.fake.add_pf({.address = "0000:20:00.0", .netdev = "p1", .rdma = false});
            },
            "no RDMA devices found"},
           {"no device id", one, Json{{"deviceID", "x"}}, nothing, "deviceID x: expected"}}) {
    INFO(row.what);
    Node node;
    row.arrange(node);
    const auto error = error_of(step(node, "ADD", "rdma", row.previous, row.keys));
    CHECK(error.code == 7);
    CHECK_THAT(error.message, StartsWith(row.words));
    CHECK(node.records().empty());
  }
}

TEST_CASE("Keys that the rdma type does not serve yet are accepted with a warning") {
  Node node;
  const Json previous = {{"cniVersion", "1.1.0"}, {"interfaces", {{{"name", "net1"}}}}};
  good(step(node, "ADD", "rdma", previous,
            Json{{"rdmaQoS", {{"tos", 96}, {"tc", 96}}},
                 {"args", {{"cni", {{"rdmaDeviceName", "rdma_0"}, {"debug", true}}}}}}));
  CHECK_THAT(node.log(), ContainsSubstring("rdmaQoS is not served yet") &&
                             ContainsSubstring("rdmaDeviceName is not served yet"));
}

TEST_CASE("host-device takes a whole NIC by any of its names, and gives it back") {
  Node node;
  const auto before = standing(node.fake);
  node.conf.erase("deviceID");
  const auto* nic = node.fake.link("host", "p0v1");
  for (const auto& keys : std::initializer_list<Json>{
           {{"device", "p0v1"}},
           {{"hwaddr", nic->address.to_string()}},
           {{"pciBusID", "0000:11:00.1"}},
           {{"deviceID", "0000:11:00.1"}},
           {{"pciBusID", "0000:99:00.0"}, {"runtimeConfig", {{"deviceID", "0000:11:00.1"}}}}}) {
    INFO(keys.dump());
    const auto result = good(step(node, "ADD", "host-device", nullptr, keys));
    CHECK(result["interfaces"][0]["pciID"] == "0000:11:00.1");
    CHECK(node.fake.link("pod0", "net1"));
    CHECK(node.fake.netns_of_rdma("mlx5_2") == "pod0");
    good(step(node, "DEL", "host-device", nullptr, keys));
    CHECK(standing(node.fake) == before);
  }
}

TEST_CASE("host-device takes a whole PF, with its addresses for the way back") {
  Node node;
  auto* pf = node.fake.link("host", "p0");
  must(node.fake.host.links.add_address(pf->index, *host::IpPrefix::parse("10.0.0.5/24")));
  const auto link_local = *host::IpPrefix::parse("fe80::1/64");
  must(node.fake.host.links.add_address(pf->index, link_local));
  const auto before = standing(node.fake);
  const Json keys = {{"device", "p0"}};
  good(step(node, "ADD", "host-device", nullptr, keys));
  CHECK(node.fake.link("pod0", "net1"));
  good(step(node, "DEL", "host-device"));
  // The kernel's own, which the link gets when it is up: the fake makes none.
  must(node.fake.host.links.add_address(node.fake.link("host", "p0")->index, link_local));
  CHECK(standing(node.fake) == before);
}

TEST_CASE("What host-device refuses is refused with its words") {
  Node node;
  node.conf.erase("deviceID");
  const auto words = [&](const Json& keys) {
    return error_of(step(node, "ADD", "host-device", nullptr, keys)).message;
  };
  CHECK(words(Json::object()) ==
        R"(specify either "device", "hwaddr", "kernelpath" or "pciBusID")");
  CHECK_THAT(words({{"device", "eth77"}}), StartsWith("failed to find physical interface"));
  CHECK_THAT(words({{"hwaddr", "02:00:00:00:00:99"}}),
             StartsWith("failed to find physical interface"));
  CHECK_THAT(words({{"hwaddr", "zz"}}), StartsWith("hwaddr zz: expected"));
  CHECK_THAT(words({{"kernelpath", "/etc"}}), StartsWith("kernelpath /etc: expected"));
  CHECK_THAT(words({{"kernelpath", "/sys/devices/../../etc"}}), StartsWith("kernelpath "));
  CHECK_THAT(words({{"runtimeConfig", {{"deviceID", "x y"}}}}),
             StartsWith("runtime config DeviceID x y not found or unsupported"));
  CHECK_THAT(words({{"pciBusID", "0000:99:00.0"}}),
             StartsWith("no net directory under pci device 0000:99:00.0"));
  CHECK(node.records().empty());
}

TEST_CASE("What a plugin before it in the chain gave is passed on, the interface behind it") {
  Node node;
  node.write_ipam(kOneAddress);
  const Json previous = {{"cniVersion", "1.1.0"},
                         {"interfaces", {{{"name", "lo0"}, {"sandbox", node.pod}}}},
                         {"ips", {{{"interface", 0}, {"address", "10.9.9.9/32"}}}},
                         {"routes", {{{"dst", "10.9.0.0/16"}}}}};
  const auto result = good(step(node, "ADD", "sriov", previous));
  REQUIRE(result["interfaces"].size() == 2);
  CHECK(result["interfaces"][0]["name"] == "lo0");
  CHECK(result["interfaces"][1]["name"] == "net1");
  REQUIRE(result["ips"].size() == 2);
  CHECK(result["ips"][0]["interface"] == 0);
  CHECK(result["ips"][1]["interface"] == 1);
  CHECK(result["routes"].size() == 2);
}

TEST_CASE(
    "DEL of a pod that sriov-cni attached restores its VF, with a configuration that is "
    "refused too") {
  Node node;
  const auto before = standing(node.fake);
  auto& vf = node.fake.vf(*PciAddress::parse("0000:11:00.0"));
  const auto folder = node.fake.host.roots.cni_cache + "/sriov";
  must(host::make_directories(folder + "/pci", 0700));
  for (const bool is_refused : {false, true}) {
    INFO(is_refused);
    must(host::write_file_atomically(
        folder + "/c1-net1",
        R"({"name":"rail0","deviceID":"0000:11:00.0","OrigVfState":{"HostIFName":"p0v0",
            "EffectiveMAC":"02:00:00:00:10:00","Vlan":0,"Trust":false}})",
        0600));
    vf.vlan = host::VfVlan{100, 0, 0x8100};
    vf.trust = true;
    const auto netns = must(node.fake.host.netns.open(node.pod));
    const auto index = node.fake.link("host", "p0v0")->index;
    must(node.fake.host.links.change(index, {.netns_fd = netns.fd(), .name = "net1"}));
    if (is_refused) node.conf["ipam"] = 7;
    CHECK(node.run("DEL").exit_code == (is_refused ? 1 : 0));
    CHECK(standing(node.fake) == before);
    CHECK_FALSE(host::read_file(folder + "/c1-net1"));
  }
}

TEST_CASE("A netdev that another pod holds is refused with its holder, by its name too") {
  Node node;
  node.conf.erase("deviceID");
  node.fake.kernel.add_link(node.fake.kernel.host_netns,
                            {.name = "eth7",
                             .mtu = 1500,
                             .address = *HwAddress::parse("02:00:00:00:00:77"),
                             .kind = "veth"});
  const Json keys = {{"device", "eth7"}};
  good(step(node, "ADD", "host-device", nullptr, keys));
  node.conf.update(keys);
  node.conf["type"] = "host-device";
  const auto error = error_of(node.run("ADD", {{"CNI_CONTAINERID", "c2"}}));
  CHECK(error.code == 11);
  CHECK_THAT(error.message, ContainsSubstring("held by net1 of container c1"));
  node.conf["device"] = "../attachments/x";
  CHECK(error_of(node.run("ADD", {{"CNI_CONTAINERID", "c2"}})).code == 7);
}
