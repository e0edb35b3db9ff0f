#include "cni/own_ipam.hpp"

#include <filesystem>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <net/if.h>
#include <nlohmann/json.hpp>

#include "cni/conf.hpp"
#include "cni/meta/pod_record.hpp"
#include "host/files.hpp"
#include "test/support/fake_standing.hpp"
#include "test/support/must.hpp"
#include "test/unit/cni/node.hpp"
#include "test/unit/cni/pod_node.hpp"

namespace railhead::test {
namespace {

namespace fs = std::filesystem;
using Catch::Matchers::ContainsSubstring;
using Json = nlohmann::ordered_json;

Json ips_of(const cni::Answer& answer) {
  INFO(answer.output);
  REQUIRE(answer.exit_code == 0);
  Json ips = Json::array();
  const auto result = Json::parse(answer.output);
  for (const auto& one : result["ips"]) ips.push_back(one["address"]);
  return ips;
}

std::string leases_of(const Node& node) { return node.fake.host.roots.cni_cache + "/networks/"; }

}  // namespace

TEST_CASE("host-local gives an address without its program, and DEL gives it back") {
  Node node;
  node.conf["ipam"] = {
      {"type", "host-local"}, {"subnet", "10.1.2.0/24"}, {"routes", {{{"dst", "10.0.0.0/8"}}}}};
  const auto answer = node.run("ADD");
  CHECK(ips_of(answer) == Json{"10.1.2.2/24"});
  const auto result = Json::parse(answer.output);
  CHECK(result["ips"][0]["gateway"] == "10.1.2.1");
  CHECK(result["routes"][0]["dst"] == "10.0.0.0/8");
  const auto lease = leases_of(node) + node.conf["name"].get<std::string>() + "/10.1.2.2";
  CHECK(must(host::read_file(lease)) == "c1\r\nnet1");
  CHECK(node.ipam_calls().empty());
  node.conf["prevResult"] = result;
  CHECK(node.run("CHECK").exit_code == 0);
  must(host::remove_file(lease));
  CHECK_THAT(
      error_of(node.run("CHECK")).message,
      ContainsSubstring("IPAM plugin type \"host-local\" CHECK failed: host-local: Failed to "
                        "find address added by container c1"));
  node.conf.erase("prevResult");
  CHECK(node.run("DEL").exit_code == 0);
  CHECK(ips_of(node.run("ADD")) == Json{"10.1.2.3/24"});
  CHECK(node.run("DEL").exit_code == 0);
  CHECK_FALSE(fs::exists(fs::path(lease).parent_path() / "10.1.2.3"));
}

TEST_CASE("GC of a network gives back what its leases hold beside the valid ones") {
  Node node;
  node.conf["ipam"] = {{"type", "host-local"}, {"subnet", "10.1.2.0/24"}};
  CHECK(ips_of(node.run("ADD")) == Json{"10.1.2.2/24"});
  const auto folder = leases_of(node) + node.conf["name"].get<std::string>();
  must(host::write_file_atomically(folder + "/10.1.2.9", "gone\r\nnet1", 0644));
  node.conf["cni.dev/valid-attachments"] = {{{"containerID", "c1"}, {"ifname", "net1"}}};
  CHECK(node.run("GC").exit_code == 0);
  CHECK(fs::exists(folder + "/10.1.2.2"));
  CHECK_FALSE(fs::exists(folder + "/10.1.2.9"));
  node.conf.erase("cni.dev/valid-attachments");
  CHECK(node.run("STATUS").exit_code == 0);
  CHECK(node.run("DEL").exit_code == 0);
}

TEST_CASE("A dataDir elsewhere is refused, unless the node names it, and holds up no DEL") {
  Node node;
  const auto leases = node.fake.folder.path() + "/leases";
  node.conf["ipam"] = {{"type", "host-local"}, {"subnet", "10.1.2.0/24"}, {"dataDir", leases}};
  const auto error = error_of(node.run("ADD"));
  CHECK(error.code == 7);
  CHECK_THAT(error.message, ContainsSubstring("ipam.dataDir " + leases + ": expected a folder"));
  CHECK(node.records().empty());
  CHECK(node.run("DEL").exit_code == 0);
  CHECK_FALSE(fs::exists(leases));
  node.conf["ipamDirs"] = {leases};
  CHECK(ips_of(node.run("ADD")) == Json{"10.1.2.2/24"});
  CHECK_FALSE(fs::is_empty(leases));
  CHECK(node.run("DEL").exit_code == 0);
}

TEST_CASE("ipamDirs are absolute paths") {
  CHECK(must(cni::read_ipam_dirs(Json::object())).empty());
  CHECK(must(cni::read_ipam_dirs({{"ipamDirs", {"/a", "/b/c/"}}})).size() == 2);
  for (const Json& bad : {Json{{"ipamDirs", "/a"}}, Json{{"ipamDirs", {"a"}}},
                          Json{{"ipamDirs", {"/"}}}, Json{{"ipamDirs", {"/a/../b"}}}}) {
    INFO(bad.dump());
    const auto dirs = cni::read_ipam_dirs(bad);
    REQUIRE_FALSE(dirs);
    CHECK_THAT(dirs.error().message, ContainsSubstring("ipamDirs"));
  }
}

TEST_CASE("A full range is worth another try") {
  Node node;
  node.conf["ipam"] = {{"type", "host-local"}, {"subnet", "10.1.2.0/30"}};
  const auto folder = leases_of(node) + node.conf["name"].get<std::string>();
  must(host::make_directories(folder, 0755));
  must(host::write_file_atomically(folder + "/10.1.2.2", "other\r\nnet1", 0644));
  const auto error = error_of(node.run("ADD"));
  CHECK(error.code == 11);
  CHECK_THAT(error.message, ContainsSubstring("no IP addresses available in range set"));
  CHECK(node.records().empty());
}

TEST_CASE("static gives its addresses without its program") {
  Node node;
  node.conf["ipam"] = {{"type", "static"},
                       {"addresses", {{{"address", "10.1.2.9/24"}, {"gateway", "10.1.2.1"}}}},
                       {"dns", {{"nameservers", {"10.0.0.53"}}}}};
  const auto answer = node.run("ADD");
  CHECK(ips_of(answer) == Json{"10.1.2.9/24"});
  node.conf["prevResult"] = Json::parse(answer.output);
  CHECK(node.run("CHECK").exit_code == 0);
  node.conf.erase("prevResult");
  CHECK(node.run("DEL").exit_code == 0);
  node.conf["ipam"]["addresses"][0]["address"] = "10.1.2.9";
  CHECK_THAT(error_of(node.run("ADD")).message,
             ContainsSubstring("expected to be in CIDR notation"));
}

TEST_CASE("The folders of the leases are the node's, and no network's") {
  PodNode node;
  const auto leases = node.fake.folder.path() + "/leases";
  node.conf["ipamDirs"] = {leases};
  const Json ipam = {{"type", "host-local"}, {"subnet", "10.1.2.0/24"}, {"dataDir", leases}};
  node.add_nad("plain", {{"cniVersion", "1.0.0"}, {"type", "railhead"}, {"ipam", ipam}}, "rdma/vf");
  node.add_nad("named", {{"cniVersion", "1.0.0"}, {"type", "railhead"}, {"IpamDirs", {"/etc"}}},
               "rdma/vf");
  node.give({{"uid-1", "main", {"0000:11:00.0", "0000:11:00.1"}}});
  const auto answer = node.add("plain");
  INFO(answer.output);
  CHECK(answer.exit_code == 0);
  CHECK(fs::exists(leases + "/plain/10.1.2.2"));
  CHECK(node.run("DEL").exit_code == 0);
  CHECK_FALSE(fs::exists(leases + "/plain/10.1.2.2"));
  CHECK_THAT(error_of(node.add("named")).message,
             ContainsSubstring("ipamDirs: they are the node's"));
}

namespace {

// The VF's netdev has addresses and routes on the host.
struct UsedNode : Node {
  explicit UsedNode(bool is_used = true) {
    if (!is_used) return;
    auto& netdev = *must(fake.kernel.find(fake.kernel.host_netns, "p0v0"));
    netdev.link.flags |= IFF_UP;
    netdev.addresses = {*host::IpPrefix::parse("10.7.0.4/31"),
                        *host::IpPrefix::parse("fd00::5/64")};
    host::Route route{.destination = *host::IpPrefix::parse("10.0.0.0/8")};
    route.gateway = host::IpPrefix::parse("10.7.0.5");
    route.out_index = netdev.link.index;
    netdev.routes = {route};
  }
};

}  // namespace

TEST_CASE("ipam host: the addresses that the NIC has on the host go along, and come back") {
  UsedNode node;
  node.conf["ipam"] = {{"type", "host"}};
  const auto before = standing(node.fake);
  const auto answer = node.run("ADD");
  CHECK(ips_of(answer) == Json{"10.7.0.4/31", "fd00::5/64"});
  const auto result = Json::parse(answer.output);
  CHECK(result["ips"][0]["gateway"] == "10.7.0.5");  // the peer
  CHECK_FALSE(result["ips"][1].contains("gateway"));
  CHECK(result["routes"][0]["gw"] == "10.7.0.5");
  CHECK(node.net1().addresses.size() == 2);
  CHECK(node.ipam_calls().empty());
  node.conf["prevResult"] = result;
  CHECK(node.run("CHECK").exit_code == 0);
  node.conf.erase("prevResult");
  CHECK(node.run("DEL").exit_code == 0);
  CHECK(standing(node.fake) == before);
}

TEST_CASE("ipam host: a NIC without an address is refused, and nothing is changed") {
  Node node;
  node.conf["ipam"] = {{"type", "host"}};
  const auto before = standing(node.fake);
  CHECK_THAT(error_of(node.run("ADD")).message, ContainsSubstring("has no address on the host"));
  CHECK(standing(node.fake) == before);
}

TEST_CASE("amd-host-device without ipam keeps the host's addresses, where there are any") {
  for (const bool is_used : {true, false}) {
    UsedNode node(is_used);
    node.conf.erase("ipam");
    node.conf["type"] = "amd-host-device";
    const auto before = standing(node.fake);
    const auto answer = node.run("ADD");
    REQUIRE(answer.exit_code == 0);
    CHECK((answer.output.find("10.7.0.4/31") != std::string::npos) == is_used);
    CHECK((answer.output.find("\"ips\"") != std::string::npos) == is_used);
    CHECK(node.run("DEL").exit_code == 0);
    CHECK(standing(node.fake) == before);
  }
}

}  // namespace railhead::test
