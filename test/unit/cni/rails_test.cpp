// A network over rails: one entry of the annotation, an interface for each device of the pod.
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "device/rail_map.hpp"
#include "host/files.hpp"
#include "ipam/node_index.hpp"
#include "test/support/fake_standing.hpp"
#include "test/support/must.hpp"
#include "test/unit/cni/pod_node.hpp"

using namespace railhead;
using namespace railhead::test;
using Catch::Matchers::ContainsSubstring;
using RailsJson = nlohmann::ordered_json;

namespace {

// Three PFs, of which the agent has numbered the ports: 0000:20:00.0 is rail 0, 0000:10:00.0 rail
// 1, 0000:30:00.0 rail 2.
struct RailsNode : PodNode {
  RailsNode() {
    fake.add_pf({.address = "0000:20:00.0", .netdev = "p1", .vfs = 2});
    fake.add_pf({.address = "0000:30:00.0", .netdev = "p2", .vfs = 2});
    must(device::write_rail_map(fake.host.roots.state,
                                {{{0, 0x20, 0, 0}}, {{0, 0x10, 0, 0}}, {{0, 0x30, 0, 0}}}));
    rails(R"("all")");
    give({{"uid-1", "main", {"0000:11:00.0", "0000:21:00.0", "0000:31:00.0"}}});
  }

  void rails(const std::string& value, const RailsJson& more = RailsJson::object()) {
    RailsJson config{{"cniVersion", "1.0.0"}, {"type", "railhead"}};
    config["rails"] = RailsJson::parse(value);
    config.update(more);
    add_nad("rails", config, "rdma/vf");
  }
  // "rail0=0000:21:00.0", as network-status tells.
  std::vector<std::string> attached() {
    std::vector<std::string> all;
    for (const auto& entry : network_status()) {
      if (!entry.contains("device-info")) continue;
      all.push_back(entry["interface"].get<std::string>() + '=' +
                    entry["device-info"]["pci"]["pci-address"].get<std::string>());
    }
    return all;
  }
  std::string refused(const std::string& networks = "rails") {
    const auto before = standing(fake);
    const auto error = error_of(add(networks));
    CHECK(pods().empty());
    CHECK(standing(fake) == before);
    return error.message;
  }
};

using Attached = std::vector<std::string>;

void good(const cni::Answer& answer) {
  INFO(answer.output);
  REQUIRE(answer.exit_code == 0);
}

}  // namespace

TEST_CASE("With \"rails\": \"all\" a pod has an interface for each device, named after its rail") {
  RailsNode node;
  const auto before = standing(node.fake);
  good(node.add("rails"));
  CHECK(node.attached() ==
        Attached{"rail0=0000:21:00.0", "rail1=0000:11:00.0", "rail2=0000:31:00.0"});
  for (const auto* name : {"rail0", "rail1", "rail2"}) CHECK(node.fake.link("pod0", name));
  good(node.run("CHECK"));
  good(node.run("DEL"));
  CHECK(standing(node.fake) == before);
}

TEST_CASE("Further devices of a rail are counted, in the order of the containers") {
  RailsNode node;
  node.give({{"uid-1", "one", {"0000:11:00.3"}},
             {"uid-1", "two", {"0000:11:00.1", "0000:11:00.2", "0000:21:00.0"}}});
  good(node.add("rails@gpu"));
  CHECK(node.attached() == Attached{"gpu0=0000:21:00.0", "gpu1=0000:11:00.3", "gpu1-1=0000:11:00.1",
                                    "gpu1-2=0000:11:00.2"});
  good(node.run("DEL"));
}

TEST_CASE("A number of rails, or a list of theirs, is what the pod's devices must have") {
  RailsNode node;
  node.rails("3");
  good(node.add("rails"));
  good(node.run("DEL"));
  node.rails("2");
  CHECK_THAT(node.refused(), ContainsSubstring("rails: 2: the pod's devices of rdma/vf are of 3 "
                                               "(rails 0, 1, 2)"));
  node.rails("[2,0]");
  good(node.add("rails"));
  CHECK(node.attached() == Attached{"rail0=0000:21:00.0", "rail2=0000:31:00.0"});
  CHECK(node.fake.link("host", "p0v0"));
  CHECK_THAT(node.log(), ContainsSubstring("devices of the pod stay on the host: 0000:11:00.0 "
                                           "(rail 1)"));
  good(node.run("DEL"));
  node.rails("[0,5]");
  CHECK_THAT(node.refused(), ContainsSubstring("rails: rail 5: the pod has no device of rdma/vf"));
}

TEST_CASE("Entries take devices in their order; one that names its container comes first") {
  RailsNode node;
  node.add_nad("one", {{"cniVersion", "1.0.0"}, {"type", "railhead"}}, "rdma/vf");
  good(node.add("one,rails"));
  CHECK(node.attached() ==
        Attached{"net1=0000:11:00.0", "rail0=0000:21:00.0", "rail2=0000:31:00.0"});
  good(node.run("DEL"));
  CHECK_THAT(node.refused("rails,one"), ContainsSubstring("none is left for this network"));
  good(node.add(R"([{"name":"rails"},{"name":"one","container":"main"}])"));
  CHECK(node.attached() ==
        Attached{"rail0=0000:21:00.0", "rail2=0000:31:00.0", "net2=0000:11:00.0"});
  good(node.run("DEL"));
}

TEST_CASE("What an init container had before is attached once") {
  RailsNode node;
  node.give(
      {{"uid-1", "init", {"0000:21:00.0"}}, {"uid-1", "main", {"0000:11:00.0", "0000:21:00.0"}}});
  good(node.add("rails"));
  CHECK(node.attached() == Attached{"rail0=0000:21:00.0", "rail1=0000:11:00.0"});
  good(node.run("DEL"));
}

TEST_CASE("A NIC without a PF in the machine is a rail's too, with none of a PF's settings") {
  RailsNode node;
  node.fake.add_pf({.address = "0000:40:00.0", .netdev = "ens1", .vfs = 0});
  must(device::write_rail_map(node.fake.host.roots.state, {{{0, 0x40, 0, 0}}}));
  node.give({{"uid-1", "main", {"0000:40:00.0"}}});
  const auto before = standing(node.fake);
  good(node.add("rails"));
  CHECK(node.attached() == Attached{"rail0=0000:40:00.0"});
  CHECK(node.fake.link("pod0", "rail0"));
  good(node.run("CHECK"));
  good(node.run("DEL"));
  CHECK(standing(node.fake) == before);
  node.rails(R"("all")", {{"vlan", 7}});
  CHECK_THAT(node.refused(), ContainsSubstring("vlan: 0000:40:00.0 is no VF of a PF that is here"));
}

TEST_CASE("Devices that stay on the host are told of once all networks have theirs") {
  RailsNode node;
  node.rails("[0]");
  node.add_nad("rest", {{"cniVersion", "1.0.0"}, {"type", "railhead"}, {"rails", {1, 2}}},
               "rdma/vf");
  good(node.add("rails,rest"));
  CHECK(node.log().find("stay on the host") == std::string::npos);
  good(node.run("DEL"));
  good(node.add("rails"));
  CHECK_THAT(node.log(), ContainsSubstring("rails: devices of the pod stay on the host: "
                                           "0000:11:00.0 (rail 1), 0000:31:00.0 (rail 2)"));
  good(node.run("DEL"));
}

TEST_CASE("Clusters with a resource for each rail name them all, or what they begin with") {
  RailsNode node;
  for (const auto* resources : {R"(["rdma/vf"])", R"(["other/x","rdma/*"])"}) {
    node.rails(R"("all")", {{"resources", RailsJson::parse(resources)}});
    good(node.add("rails"));
    CHECK(node.attached().size() == 3);
    good(node.run("DEL"));
  }
  node.rails(R"("all")", {{"resources", {"rdma/v"}}});
  CHECK_THAT(node.refused(), ContainsSubstring("the pod has no device of rdma/v left"));
}

TEST_CASE("What a network over rails cannot be is refused before anything is changed") {
  RailsNode node;
  for (const auto* bad : {"0", "-1", "1.5", "\"8\"", "[]", "[1,1]", "[-1]", "{}", "true", "2000"}) {
    node.rails(bad);
    CHECK_THAT(node.refused(), ContainsSubstring(std::string("rails ") + bad + ": expected"));
  }
  node.rails(R"("all")");
  CHECK_THAT(node.refused(R"([{"name":"rails","mac":"02:00:00:00:00:01"}])"),
             ContainsSubstring("are of one interface"));
  CHECK_THAT(node.refused("rails@longprefix12345"), ContainsSubstring("expected at most 15"));
  must(device::write_rail_map(node.fake.host.roots.state, {{{0, 0x20, 0, 0}}}));
  const auto unknown = error_of(node.add("rails"));
  CHECK(unknown.code == 11);
  CHECK_THAT(unknown.message, ContainsSubstring("the rail of 0000:11:00.0 (port 0000:10:00.0) is "
                                                "not known"));
  node.annotations["v1.multus-cni.io/default-network"] = "ml/rails";
  node.conf["multusNamespace"] = "ml";
  CHECK_THAT(node.refused(""), ContainsSubstring("the cluster network has one interface"));
}

TEST_CASE("Of one rail the planes come first to last, whatever their PCI addresses") {
  RailsNode node;
  must(device::write_rail_map(node.fake.host.roots.state,
                              {{{0, 0x30, 0, 0}, {0, 0x10, 0, 0}}, {{0, 0x20, 0, 0}}}));
  good(node.add("rails"));
  CHECK(node.attached() ==
        Attached{"rail0=0000:31:00.0", "rail0-1=0000:11:00.0", "rail1=0000:21:00.0"});
  good(node.run("DEL"));
}

TEST_CASE("PCI addresses that do not rise with the rails are warned of, those that do are not") {
  RailsNode node;
  good(node.add("rails"));
  CHECK_THAT(node.log(), ContainsSubstring("do not rise in the order of their rails"));
  good(node.run("DEL"));
  must(device::write_rail_map(node.fake.host.roots.state,
                              {{{0, 0x10, 0, 0}}, {{0, 0x20, 0, 0}}, {{0, 0x30, 0, 0}}}));
  const auto before = node.log().size();
  good(node.add("rails"));
  CHECK(node.log().substr(before).find("do not rise") == std::string::npos);
}

TEST_CASE("Each rail has a routing table of its own, unless the network says otherwise") {
  RailsNode node;
  must(host::write_file_atomically(node.path("bin/rail-ipam"),
                                   R"(#!/bin/sh
case $CNI_COMMAND in ADD) n=${CNI_IFNAME#rail} ;; *) exit 0 ;; esac
echo "{\"cniVersion\":\"1.0.0\",\"ips\":[{\"address\":\"10.1.$n.3/24\",\"gateway\":\"10.1.$n.1\"}],
\"routes\":[{\"dst\":\"10.0.0.0/8\"}]}"
)",
                                   0700));
  const RailsJson ipam = {{"ipam", {{"type", "rail-ipam"}}}};
  node.rails(R"("all")", ipam);
  good(node.add("rails"));
  const auto inode = must(node.fake.host.netns.open(node.pod)).id().inode;
  const auto& netns = node.fake.kernel.netns.at(inode);
  std::vector<uint32_t> tables;
  for (const auto& rule : netns.rules) {
    if (rule.from) tables.push_back(rule.table);
  }
  CHECK(tables == std::vector<uint32_t>{1000, 1016, 1032});
  good(node.run("CHECK"));
  node.fake.kernel.netns.at(inode).rules.clear();
  CHECK_THAT(error_of(node.run("CHECK")).message,
             ContainsSubstring("has lost its rules for table"));
  good(node.run("DEL"));
  CHECK(netns.rules.empty());

  auto off = ipam;
  off["multiNic"] = false;
  node.rails(R"("all")", off);
  good(node.add("rails"));
  CHECK(netns.rules.empty());
  good(node.run("DEL"));
}

TEST_CASE("A vrf or sbr plugin behind leads by its own table, unless the network says otherwise") {
  RailsNode node;
  for (const auto* type : {"vrf", "sbr", "tuning"}) node.add_plugin(type);
  const auto rules_with = [&](const std::string& behind, const RailsJson& more) {
    RailsJson first{{"type", "railhead"},
                    {"rails", "all"},
                    {"ipam", {{"type", "host-local"}, {"subnet", "10.4.0.0/16"}}}};
    first.update(more);
    node.add_nad("rails", {{"cniVersion", "1.0.0"}, {"plugins", {first, {{"type", behind}}}}},
                 "rdma/vf");
    good(node.add("rails"));
    const auto inode = must(node.fake.host.netns.open(node.pod)).id().inode;
    const auto count = node.fake.kernel.netns.at(inode).rules.size();
    good(node.run("DEL"));
    return count;
  };
  const auto none = RailsJson::object();
  CHECK(rules_with("tuning", none) == 6);
  CHECK(rules_with("vrf", none) == 0);
  CHECK(rules_with("sbr", none) == 0);
  CHECK(rules_with("sbr", {{"multiNic", true}}) == 6);
}

TEST_CASE("What the keys of several NICs cannot be is refused, naming the key") {
  RailsNode node;
  const auto refused = [&](const RailsJson& keys) {
    RailsJson config{{"cniVersion", "1.0.0"}, {"type", "railhead"}};
    config.update(keys);
    node.add_nad("one", config, "rdma/vf");
    return node.refused("one");
  };
  CHECK_THAT(refused({{"rail", 1024}}), ContainsSubstring("rail 1024: expected a number from 0"));
  CHECK_THAT(refused({{"rail", 0}, {"railIndex", 16}}),
             ContainsSubstring("railIndex 16: expected"));
  CHECK_THAT(refused({{"rail", "0"}}), ContainsSubstring("rail: "));
  CHECK_THAT(refused({{"arp", false}}), ContainsSubstring("arp: is for networks with multiNic"));
  CHECK_THAT(refused({{"rail", 0}, {"neighbours", {{{"ip", "10.1.2.3/24"}, {"mac", "x"}}}}}),
             ContainsSubstring("neighbours[0].ip 10.1.2.3/24: expected an IP address"));
  CHECK_THAT(refused({{"rail", 0}, {"neighbours", {{{"ip", "10.1.2.3"}, {"mac", "x"}}}}}),
             ContainsSubstring("neighbours[0].mac x: expected one NIC's MAC address"));
  for (const auto* mac : {"01:00:5e:00:00:01", "00:00:00:00:00:00", "02:00:00:00:00:01:00:00"}) {
    CHECK_THAT(refused({{"rail", 0}, {"neighbours", {{{"ip", "10.1.2.3"}, {"mac", mac}}}}}),
               ContainsSubstring("expected one NIC's MAC address"));
  }
}

namespace {

constexpr const char* kIpam = R"({"type": "rails", "rails": 3, "v4": {"subnet": "10.0.0.0/14",
    "railPrefix": 16, "nodePrefix": 28, "gateway": 1}, "routes": [{"dst": "10.0.0.0/8"}]})";

struct AddressedNode : RailsNode {
  AddressedNode() {
    must(ipam::write_node_index(fake.host.roots.state, {2, "name gpu-*", "gpu-2"}));
    rails(R"("all")", {{"ipam", RailsJson::parse(kIpam)}});
  }
  // "rail0=10.0.0.33", as network-status tells.
  std::vector<std::string> addresses() {
    std::vector<std::string> all;
    for (const auto& entry : network_status()) {
      if (!entry.contains("device-info") || !entry.contains("ips")) continue;
      all.push_back(entry["interface"].get<std::string>() + '=' +
                    entry["ips"][0].get<std::string>());
    }
    return all;
  }
  [[nodiscard]] size_t leases() const {
    size_t count = 0;
    for (const auto& file : std::filesystem::directory_iterator(fake.host.roots.state + "/ipam")) {
      if (file.path().extension() == ".json") ++count;
    }
    return count;
  }
};

}  // namespace

TEST_CASE("The IPAM rails gives all interfaces of a pod the same place in their rails' blocks") {
  AddressedNode node;
  good(node.add("rails"));
  CHECK(node.addresses() == Attached{"rail0=10.0.0.32", "rail1=10.1.0.32", "rail2=10.2.0.32"});
  CHECK(node.leases() == 1);
  good(node.run("CHECK"));
  const auto inode = must(node.fake.host.netns.open(node.pod)).id().inode;
  const auto& rail1 = *must(node.fake.kernel.find(inode, "rail1"));
  CHECK(rail1.addresses[0].to_string() == "10.1.0.32/16");
  CHECK(std::ranges::any_of(rail1.routes, [](const auto& route) {
    return route.destination.to_string() == "10.0.0.0/8" && route.table == 1016 &&
           route.gateway->address_string() == "10.1.0.1";
  }));
  good(node.run("DEL"));
  CHECK(node.leases() == 0);
}

TEST_CASE("Without the node's index an ADD is to be tried again, and nothing is changed") {
  AddressedNode node;
  std::filesystem::remove(node.fake.host.roots.state + "/node.json");
  const auto error = error_of(node.add("rails"));
  CHECK(error.code == 11);
  CHECK_THAT(error.message, ContainsSubstring("this node's index is not known yet"));
  CHECK(node.leases() == 0);
  node.rails(R"("all")", {{"ipam", {{"type", "rails"}}}});
  CHECK_THAT(node.refused(), ContainsSubstring("ipam.v4: missing, and so is v6"));
}

TEST_CASE("An ADD that fails behind its addresses leaves no lease") {
  AddressedNode node;
  auto& netns = node.fake.kernel.netns.at(must(node.fake.host.netns.open(node.pod)).id().inode);
  netns.rules.push_back({.priority = 5, .table = 1032, .from = {}, .out_link = ""});
  CHECK_THAT(node.refused(), ContainsSubstring("routing table 1032 of the pod is in use"));
  CHECK(node.leases() == 0);
}

TEST_CASE("Networks that meet on a rail have tables of their own there") {
  AddressedNode node;
  node.give({{"uid-1", "one", {"0000:11:00.0", "0000:21:00.0"}},
             {"uid-1", "two", {"0000:11:00.1", "0000:21:00.1"}}});
  good(node.add(R"([{"name":"rails","container":"one"},
                    {"name":"rails","container":"two","interface":"more"}])"));
  CHECK(node.addresses() ==
        Attached{"rail0=10.0.0.32", "rail1=10.1.0.32", "more0=10.0.0.33", "more1=10.1.0.33"});
  const auto inode = must(node.fake.host.netns.open(node.pod)).id().inode;
  CHECK(must(node.fake.kernel.find(inode, "more1"))->routes[0].table == 1017);
  good(node.run("DEL"));
  CHECK(node.leases() == 0);
}

TEST_CASE("Networks of one name have each its own addresses") {
  AddressedNode node;
  auto other = RailsJson::parse(kIpam);
  other["v4"]["subnet"] = "10.8.0.0/14";
  for (const auto& [file, ipam] : {std::pair("rails", RailsJson::parse(kIpam)), {"st", other}}) {
    node.add_nad(file,
                 {{"cniVersion", "1.0.0"},
                  {"name", "same"},
                  {"type", "railhead"},
                  {"rails", file == std::string("st") ? RailsJson{2} : RailsJson{0, 1}},
                  {"ipam", ipam}},
                 "rdma/vf");
  }
  good(node.add("rails,st"));
  CHECK(node.addresses() == Attached{"rail0=10.0.0.32", "rail1=10.1.0.32", "rail2=10.10.0.32"});
  good(node.run("DEL"));
  CHECK(node.leases() == 0);
}

TEST_CASE("An index that is no longer right gives no address") {
  AddressedNode node;
  must(ipam::write_node_index(node.fake.host.roots.state,
                              {2, "name gpu-*", "gpu-2", "it would become 3"}));
  const auto error = error_of(node.add("rails"));
  CHECK(error.code == 11);
  CHECK_THAT(error.message, ContainsSubstring("it would become 3"));
  CHECK(node.leases() == 0);
}

TEST_CASE("Addresses and tables that would lead by another rail are refused") {
  RailsNode node;
  const auto with = [&](const RailsJson& ipam) {
    node.rails(R"("all")", {{"ipam", ipam}});
    return node.refused();
  };
  const RailsJson one{{{"address", "10.30.0.1/24"}}};
  CHECK_THAT(with({{"type", "static"}, {"addresses", one}}),
             ContainsSubstring("rail1: IPAM gave 10.30.0.1, which is rail0's"));
  node.rails("[0]", {{"ipam",
                      {{"type", "static"},
                       {"addresses", one},
                       {"routes", {{{"dst", "0.0.0.0/0"}, {"table", 1016}}}}}}});
  CHECK_THAT(node.refused(),
             ContainsSubstring("is for table 1016: 1000 to 17383 are those of rails"));
  auto many = RailsJson::array();
  for (int i = 0; i < 255; ++i) many.push_back({{"address", fmt::format("10.31.0.{}/16", i)}});
  node.rails("[0]", {{"ipam", {{"type", "static"}, {"addresses", many}}}});
  CHECK_THAT(node.refused(),
             ContainsSubstring("IPAM gave 255 addresses for rail0: expected at most"));
}

TEST_CASE("An allow list holds for the IPAM rails too") {
  AddressedNode node;
  node.conf["pluginAllowList"] = {"railhead", "nv-ipam"};
  CHECK_THAT(node.refused(), ContainsSubstring("rails"));
  node.conf["pluginAllowList"] = {"railhead", "rails"};
  good(node.add("rails"));
  good(node.run("DEL"));
}

TEST_CASE("A network of one rail has the address at its device's rail") {
  AddressedNode node;
  node.add_nad("one",
               {{"cniVersion", "1.0.0"}, {"type", "railhead"}, {"ipam", RailsJson::parse(kIpam)}},
               "rdma/vf");
  good(node.add("one"));
  CHECK(node.addresses() == Attached{"net1=10.1.0.32"});  // 0000:11:00.0 is of rail 1
  good(node.run("DEL"));
  CHECK(node.leases() == 0);
}
