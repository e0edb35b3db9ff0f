#include <filesystem>
#include <functional>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "base/text.hpp"
#include "test/support/must.hpp"
#include "test/unit/cni/node.hpp"

using namespace railhead;
using namespace railhead::test;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::StartsWith;
using Json = nlohmann::json;

namespace {

const PciAddress kVf{0, 0x11, 0, 0};

// The VF as it stands in the host and who holds it, to compare before and after. Not its ifindex:
// a move may change it.
std::string standing(Node& node) {
  const auto* link = node.fake.link("host", "p0v0");
  REQUIRE(link);
  const auto& vf = node.fake.vf(kVf);
  const auto flag = [](const std::optional<bool>& value) { return value ? *value : -1; };
  return fmt::format(
      "{} alt=[{}] mac={} mtu={} flags={:x} admin={} vlan={} rate={} spoofchk={} trust={} state={} "
      "rdma={} records=[{}]",
      link->name, join(link->alt_names, " "), link->address.to_string(), link->mtu, link->flags,
      // mlx5: none is as good as its own
      vf.mac->is_zero() || *vf.mac == link->address ? "" : vf.mac->to_string(),
      vf.vlan ? vf.vlan->id : 0, vf.rate ? vf.rate->max_tx : 0, flag(vf.spoofchk), flag(vf.trust),
      vf.link_state ? to_string(*vf.link_state) : "", node.fake.netns_of_rdma("mlx5_1"),
      join(node.records(), " "));
}

}  // namespace

TEST_CASE("ADD gives the VF and prints what stands in the pod") {
  Node node;
  node.write_ipam(kOneAddress);
  node.conf["vlan"] = 100;
  node.conf["mtu"] = 1400;
  node.conf["mac"] = "02:00:00:00:00:AA";
  const auto answer = node.run("ADD");
  INFO(answer.output);
  REQUIRE(answer.exit_code == 0);
  CHECK(Json::parse(answer.output) ==
        Json::parse(R"({"cniVersion":"1.1.0","interfaces":[{"name":"net1",
            "mac":"02:00:00:00:00:aa","mtu":1400,"sandbox":")" +
                    node.pod + R"(","pciID":"0000:11:00.0"}],
            "ips":[{"interface":0,"address":"10.1.2.3/24","gateway":"10.1.2.1"}],
            "routes":[{"dst":"0.0.0.0/0"}],"dns":{}})"));
  const auto* link = node.fake.link("pod0", "net1");
  REQUIRE(link);
  CHECK(link->is_up());
  CHECK(link->mtu == 1400);
  CHECK(node.fake.vf(kVf).vlan == host::VfVlan{100, 0, 0x8100});
  CHECK(node.ipam_calls() == std::vector<std::string>{"ADD c1"});
  CHECK(node.ipam_input() == nlohmann::json(node.conf));
}

TEST_CASE("A route without gateway goes by the gateway of the address' family") {
  Node node;
  node.write_ipam(R"(echo '{"cniVersion":"0.2.0",
      "ip4":{"ip":"10.1.2.3/24","gateway":"10.1.2.1","routes":[{"dst":"10.0.0.0/8"},
             {"dst":"10.9.0.0/16","gw":"10.1.2.9"}]},
      "ip6":{"ip":"fd00::3/64","routes":[{"dst":"fd01::/64"}]}}')");
  REQUIRE(node.run("ADD").exit_code == 0);
  std::vector<std::pair<std::string, std::string>> routes;
  for (const auto& route : node.net1().routes) {
    routes.emplace_back(route.destination.to_string(),
                        route.gateway ? route.gateway->address_string() : "");
  }
  CHECK(routes == std::vector<std::pair<std::string, std::string>>{
                      {"10.0.0.0/8", "10.1.2.1"}, {"10.9.0.0/16", "10.1.2.9"}, {"fd01::/64", ""}});
}

TEST_CASE("A default route where the pod has one: `railhead` refuses it, `sriov` tells of it") {
  Node node;
  auto& eth0 = node.fake.kernel.add_link(must(node.fake.host.netns.open(node.pod)).id().inode,
                                         {.name = "eth0"});
  eth0.routes = {{.destination = *host::IpPrefix::parse("0.0.0.0/0"),
                  .gateway = host::IpPrefix::parse("10.244.0.1"),
                  .out_index = eth0.link.index}};
  node.write_ipam(kOneAddress);
  REQUIRE(node.run("ADD").exit_code == 0);
  CHECK_THAT(node.log(), ContainsSubstring("IPAM gives the pod a second default route") &&
                             ContainsSubstring("default via 10.1.2.1 on net1, metric 0") &&
                             ContainsSubstring("default via 10.244.0.1 on eth0, metric 0") &&
                             ContainsSubstring("used=\"the new one\""));
  REQUIRE(node.run("DEL").exit_code == 0);

  node.conf["type"] = "railhead";
  const auto before = standing(node);
  const auto error = error_of(node.run("ADD"));
  CHECK(error.code == 7);
  CHECK_THAT(error.message, ContainsSubstring("default via 10.244.0.1 on eth0, metric 0") &&
                                ContainsSubstring("\"default-route\" in the pod's annotation"));
  CHECK(standing(node) == before);
  CHECK(node.ipam_calls().back() == "DEL c1");
}

TEST_CASE("The configuration's dns is told where IPAM gives none") {
  Node node;
  node.write_ipam(kOneAddress);
  node.conf["dns"] = {{"domain", "rail.local"}};
  CHECK(Json::parse(node.run("ADD").output).at("dns").at("domain") == "rail.local");
}

TEST_CASE("ADD without IPAM brings the interface up without addresses, in every version") {
  for (auto version : {"0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"}) {
    INFO(version);
    Node node;
    node.conf["cniVersion"] = version;
    const auto answer = node.run("ADD");
    REQUIRE(answer.exit_code == 0);
    CHECK(Json::parse(answer.output).at("cniVersion") == version);
    CHECK(node.fake.link("pod0", "net1")->is_up());
  }
}

TEST_CASE("ADD whose IPAM fails leaves nothing behind") {
  struct Row {
    const char* on_add;
    uint32_t code;
    const char* message;
  };
  for (const auto& [on_add, code, message] : std::initializer_list<Row>{
           {R"(echo '{"code":11,"msg":"pool is being made","details":"rail0"}'; exit 1)", 11,
            "IPAM plugin type \"test-ipam\" ADD failed: pool is being made"},
           {"echo broken >&2; exit 3", 999,
            "IPAM plugin type \"test-ipam\" ADD failed: netplugin failed: \"broken\": exit status "
            "3"},
           {R"(echo '{"cniVersion":"1.0.0"}')", 999, "IPAM plugin returned missing IP config"},
           {"echo '{'", 6, "result of IPAM plugin type \"test-ipam\": line 2, column 1"},
           {R"(echo '{"ips":[{"address":"10.1.2.300/24"}]}')", 6,
            "IPAM plugin's address \"10.1.2.300/24\" is no IP address"}}) {
    INFO(on_add);
    Node node;
    node.write_ipam(on_add);
    node.conf["vlan"] = 100;
    node.conf["trust"] = "on";
    node.conf["max_tx_rate"] = 500;
    node.conf["mac"] = "02:00:00:00:00:aa";
    const auto before = standing(node);
    const auto error = error_of(node.run("ADD"));
    CHECK(error.code == code);
    CHECK_THAT(error.message, ContainsSubstring(message));
    CHECK(standing(node) == before);
    CHECK(node.ipam_calls() == std::vector<std::string>{"ADD c1", "DEL c1"});
  }
}

TEST_CASE("ADD whose IPAM plugin is not there leaves nothing behind") {
  Node node;
  node.conf["ipam"] = {{"type", "absent-ipam"}};
  const auto before = standing(node);
  const auto error = error_of(node.run("ADD"));
  CHECK_THAT(error.message, ContainsSubstring("failed to find plugin \"absent-ipam\" in path ["));
  CHECK(standing(node) == before);
}

TEST_CASE("ADD that fails after IPAM gives address and VF back") {
  for (auto step : {"add_address", "add_route"}) {
    INFO(step);
    Node node;
    node.write_ipam(kOneAddress);
    const auto before = standing(node);
    node.fake.fail_next(step, EPERM);
    CHECK_THAT(error_of(node.run("ADD")).message, ContainsSubstring("EPERM"));
    CHECK(standing(node) == before);
    CHECK(node.ipam_calls() == std::vector<std::string>{"ADD c1", "DEL c1"});
  }
}

TEST_CASE("ADD tells when even the undo failed, and keeps the first error in front") {
  Node node;
  node.write_ipam("exit 1", R"(echo '{"code":5,"msg":"store is read-only"}'; exit 1)");
  const auto error = error_of(node.run("ADD"));
  CHECK_THAT(error.message, ContainsSubstring("netplugin failed with no error message"));
  CHECK_THAT(error.details,
             ContainsSubstring("while undoing it: ") && ContainsSubstring("store is read-only"));
}

TEST_CASE("ADD into the plugin's own namespace is refused before anything is changed") {
  Node node;
  const auto own = node.fake.host.netns.current();
  REQUIRE(own);
  const auto error = error_of(node.run("ADD", {{"CNI_NETNS", own->path()}}));
  CHECK(error ==
        ReadError{8, "plugin's netns and netns from CNI_NETNS should not be the same", ""});
  CHECK(node.fake.operations.empty());
}

TEST_CASE("ADD into a namespace that is not there is refused before anything is changed") {
  Node node;
  const auto error = error_of(node.run("ADD", {{"CNI_NETNS", "/does/not/exist"}}));
  CHECK(error.code == 8);
  CHECK_THAT(error.message, ContainsSubstring("failed to open netns \"/does/not/exist\""));
  CHECK(node.fake.operations.empty());
}

TEST_CASE("ADD of a VF that another pod holds is to be tried again, and names the holder") {
  Node node;
  REQUIRE(node.run("ADD").exit_code == 0);
  const auto other = node.fake.add_netns("pod1");
  const auto error = error_of(node.run("ADD", {{"CNI_CONTAINERID", "c2"}, {"CNI_NETNS", other}}));
  CHECK(error.code == 11);
  CHECK_THAT(error.message, ContainsSubstring("0000:11:00.0") && ContainsSubstring("c1") &&
                                ContainsSubstring("ns/trainer-0"));
  CHECK(node.fake.link("pod0", "net1"));
}

TEST_CASE("What sriov-cni has words for begins with them, then says more") {
  struct Row {
    const char* what;
    std::function<void(Node&)> arrange;
    uint32_t code;
    std::string words;
    const char* more;
  };
  const std::string loading = "SRIOV-CNI failed to load netconf: LoadConf(): ";
  const std::string no_vf = loading + "failed to get VF information: \"";
  const std::string no_netdev =
      loading + "the VF 0000:11:00.0 does not have a interface name or a dpdk driver";
  const auto function = [](const Node& node) {
    return node.fake.host.roots.sysfs + "/bus/pci/devices/0000:11:00.0/";
  };
  std::optional<host::FileLock> lock;
  const std::initializer_list<Row> rows = {
      {"no device", [](Node& node) { node.conf["deviceID"] = "0000:99:00.0"; }, 7, no_vf,
       "PCI function 0000:99:00.0"},
      {"no VF", [](Node& node) { node.conf["deviceID"] = "0000:10:00.0"; }, 7, no_vf,
       "0000:10:00.0 is not an SR-IOV VF"},
      {"no netdev of the PF",
       [&](Node& node) { std::filesystem::remove_all(function(node) + "physfn/net"); }, 7,
       no_vf + "PF network device not found", "the PF 0000:10:00.0"},
      {"in another namespace",
       [&](Node& node) { std::filesystem::remove_all(function(node) + "net"); }, 11, no_netdev,
       "must be given back first"},
      {"no driver",
       [&](Node& node) {
         std::filesystem::remove_all(function(node) + "net");
         std::filesystem::remove(function(node) + "driver");
       },
       7, no_netdev, "driver: none"},
      {"held",
       [](Node& node) {
         REQUIRE(node.run("ADD", {{"CNI_IFNAME", "net2"}}).exit_code == 0);
       },
       11, "pci address 0000:11:00.0 is already allocated", "held by net2 of container c1"},
      {"locked",
       [&](Node& node) {
         const auto locks = node.fake.host.roots.run + "/locks";
         must(host::make_directories(locks, 0700));
         lock = must(node.fake.host.locks.lock(locks + "/0000:11:00.0.lock", {}));
       },
       11, "time out while waiting to acquire exclusive lock on [",
       "/locks/0000:11:00.0.lock]: another ADD or DEL of 0000:11:00.0"},
      {"rate",
       [](Node& node) {
         node.conf["min_tx_rate"] = 100;
         node.conf["max_tx_rate"] = 500;
         node.fake.fail_next("change_vf", EINVAL);
       },
       7, "VF 0000:11:00.0: failed to set vf 0 min_tx_rate to 100 Mbps: max_tx_rate to 500 Mbps: ",
       "EINVAL"},
  };
  for (const auto& [what, arrange, code, words, more] : rows) {
    INFO(what);
    Node node;
    arrange(node);
    const auto error = error_of(node.run("ADD"));
    CHECK(error.code == code);
    CHECK_THAT(error.message, StartsWith(words) && ContainsSubstring(more));
    lock.reset();
  }
}

TEST_CASE("The MAC of CNI_ARGS is set") {
  Node node;
  const auto answer = node.run("ADD", {{"CNI_ARGS", "IgnoreUnknown=1;MAC=02:00:00:00:00:bb;X=y"}});
  REQUIRE(answer.exit_code == 0);
  CHECK(Json::parse(answer.output).at("interfaces").at(0).at("mac") == "02:00:00:00:00:bb");
}

TEST_CASE("ADD writes one line with the time of each step, and warns of unknown keys") {
  Node node;
  node.conf["vlann"] = 5;
  REQUIRE(node.run("ADD").exit_code == 0);
  CHECK_THAT(node.log(), ContainsSubstring("level=warning") && ContainsSubstring("vlann (vlan?)"));
  CHECK_THAT(node.log(), ContainsSubstring("msg=\"ADD done\" network=rail0 container=c1 "
                                           "ifname=net1 pod=ns/trainer-0 device=0000:11:00.0") &&
                             ContainsSubstring(" attach_ms=") && ContainsSubstring(" total_ms="));
}
