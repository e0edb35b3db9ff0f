// A pod's networks as one act: ADD, DEL, CHECK, GC and STATUS of the meta plugin.
#include <algorithm>
#include <filesystem>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cni/meta/plugin_calls.hpp"
#include "cni/meta/pod_undo.hpp"
#include "cni/meta/pods.hpp"
#include "test/support/fake_standing.hpp"
#include "test/support/must.hpp"
#include "test/unit/cni/pod_node.hpp"

using namespace railhead;
using namespace railhead::test;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::StartsWith;
using Json = nlohmann::ordered_json;
using Calls = std::vector<std::string>;

namespace {

Json good(const cni::Answer& answer) {
  INFO(answer.output);
  REQUIRE(answer.exit_code == 0);
  return answer.output.empty() ? Json() : Json::parse(answer.output);
}

const Calls kNone;

}  // namespace

TEST_CASE("A pod that asks for no network gets its cluster network, whatever is known of devices") {
  PodNode node;
  must(host::remove_file(node.path("checkpoint")));
  const auto result = good(node.run("ADD"));
  CHECK(result["cniVersion"] == "1.1.0");
  CHECK(result["ips"][0]["address"] == "10.0.0.5/16");
  CHECK(node.calls() == Calls{"ADD cluster-net eth0"});
  CHECK(node.pods() == Calls{"c1.json", "c1.json"});
  good(node.run("DEL"));
  CHECK(node.calls() == Calls{"DEL cluster-net eth0"});
  CHECK(node.pods() == kNone);
}

TEST_CASE("A pod's networks are given in order, own ones first, and taken in the reverse") {
  PodNode node;
  node.add_rail("rail0", 0);
  node.add_rail("rail1", 1, Json::array({{{"type", "after"}}}));
  node.add_nad("foreign", {{"cniVersion", "1.0.0"}, {"type", "after"}});
  node.give(
      {{"uid-1", "main", {"0000:11:00.3", "0000:11:00.2"}}, {"uid-2", "main", {"0000:11:00.0"}}});
  const auto before = standing(node.fake);
  good(node.add("foreign@f0, rail0,rail1@fast"));
  CHECK(node.calls() == Calls{"ADD cluster-net eth0", "ADD addresses net2", "ADD addresses fast",
                              "ADD after f0", "ADD after fast"});
  REQUIRE(node.fake.link("pod0", "net2"));
  REQUIRE(node.fake.link("pod0", "fast"));
  // By PCI address, not as kubelet's file has them.
  CHECK(node.fake.vf(*PciAddress::parse("0000:11:00.2")).vlan->id == 100);
  CHECK(node.fake.vf(*PciAddress::parse("0000:11:00.3")).vlan->id == 101);
  CHECK(node.input("after", "ADD")["deviceID"] == "0000:11:00.3");
  CHECK(node.input("after", "ADD")["pciBusID"] == "0000:11:00.3");
  good(node.run("CHECK"));
  node.calls();

  good(node.run("DEL"));
  CHECK(node.calls() == Calls{"DEL after fast", "DEL after f0", "DEL addresses fast",
                              "DEL addresses net2", "DEL cluster-net eth0"});
  CHECK(node.input("after", "DEL").contains("prevResult"));
  CHECK(standing(node.fake) == before);
  CHECK(node.pods() == kNone);
  good(node.run("DEL"));
}

TEST_CASE("Whatever fails of an ADD, all that it did is taken back in the reverse order") {
  PodNode node;
  node.add_rail("rail0", 0, Json::array({{{"type", "after"}}}));
  node.add_rail("rail1", 1);
  node.give({{"uid-1", "main", {"0000:11:00.0", "0000:11:00.1"}}});
  const auto before = standing(node.fake);
  for (const auto* type : {"cluster-net", "addresses", "after"}) {
    INFO(type);
    node.refuse(type, "ADD");
    const auto error = error_of(node.add("rail0,rail1"));
    CHECK(error.code == 11);
    CHECK_THAT(error.message, ContainsSubstring("says no"));
    CHECK(error.details.empty());
    CHECK(standing(node.fake) == before);
    CHECK(node.pods() == kNone);
    node.allow(type, "ADD");
    const auto calls = node.calls();
    CHECK(calls.back() == "DEL cluster-net eth0");
  }
  node.refuse("after", "ADD");
  CHECK_THAT(
      error_of(node.add("rail0,rail1")).message,
      StartsWith("networks[0] (ml/rail0): plugin type=\"after\" name=\"rail0\" failed (add)"));
}

TEST_CASE("The whole of a pod's network that fails behind the cluster network is undone") {
  PodNode node;
  node.add_rail("rail0", 0);
  node.add_rail("rail1", 1);
  node.give({{"uid-1", "main", {"0000:11:00.0", "0000:11:00.1"}}});
  const auto before = standing(node.fake);
  node.fake.fail_next("change_vf", EPERM, FakeHost::Effect::none, 1);
  const auto error = error_of(node.add("rail0,rail1"));
  CHECK_THAT(error.message, ContainsSubstring("0000:11:00.1"));
  CHECK(standing(node.fake) == before);
  CHECK(node.calls().front() == "ADD cluster-net eth0");
  CHECK(node.pods() == kNone);
}

TEST_CASE("A DEL goes on behind a plugin that fails, and the next one takes up what is left") {
  PodNode node;
  node.add_rail("rail0", 0, Json::array({{{"type", "after"}}}));
  node.give({{"uid-1", "main", {"0000:11:00.0"}}});
  const auto before = standing(node.fake);
  good(node.add("rail0"));
  node.calls();
  node.refuse("after", "DEL");
  CHECK_THAT(error_of(node.run("DEL")).message, ContainsSubstring("after says no"));
  CHECK(standing(node.fake) == before);
  CHECK(node.calls() == Calls{"DEL after net1", "DEL addresses net1", "DEL cluster-net eth0"});
  node.allow("after", "DEL");
  good(node.run("DEL"));
  CHECK(node.calls() == Calls{"DEL after net1"});
  CHECK(node.pods() == kNone);
}

TEST_CASE("A plugin that never gives back keeps its pod for a minute, and its record for others") {
  PodNode node;
  node.add_nad("foreign", {{"cniVersion", "1.0.0"}, {"type", "after"}});
  good(node.add("foreign"));
  node.refuse("after", "DEL");
  CHECK(error_of(node.run("DEL")).code == 11);
  node.fake.clock.advance(std::chrono::seconds(61));
  good(node.run("DEL"));
  CHECK_THAT(node.log(), ContainsSubstring("its record stays"));
  CHECK(node.pods() == Calls{"c1.json", "c1.json"});
  good(node.run("DEL", {{"CNI_CONTAINERID", "c2"}}));
  CHECK(node.pods().size() == 2);  // its namespace lives
  node.allow("after", "DEL");
  node.fake.delete_netns("pod0");
  SECTION("GC") {
    node.conf["cni.dev/valid-attachments"] = Json::array();
    good(node.run("GC"));
  }
  SECTION("another pod's DEL") { good(node.run("DEL", {{"CNI_CONTAINERID", "c2"}})); }
  CHECK(node.pods() == kNone);
}

TEST_CASE("Pods whose DEL always fails do not keep the others' from their turn") {
  PodNode node;
  node.add_nad("foreign", {{"cniVersion", "1.0.0"}, {"type", "after"}});
  node.refuse("after", "DEL");
  constexpr size_t kLeft = 20;
  const cni::Pods pods(node.fake.host.roots);
  std::vector<cni::PodRecord> left;
  for (size_t i = 0; i < kLeft; ++i) {
    const auto id = fmt::format("left{:02}", i);
    const auto name = "pod-" + id;
    node.annotations["k8s.v1.cni.cncf.io/networks"] = "foreign";
    const auto netns = node.fake.add_netns(name);
    good(node.run("ADD", {{"CNI_CONTAINERID", id}, {"CNI_NETNS", netns}}));
    left.push_back(*must(pods.load(id)));
    must(pods.leave(left.back()));
    node.fake.delete_netns(name);
  }
  const auto tried = [&] {
    return std::ranges::count_if(
        left, [&](const auto& record) { return pods.progress(record).first_failed.has_value(); });
  };
  good(node.run("DEL", {{"CNI_CONTAINERID", "other"}}));
  CHECK(tried() == 8);
  for (int i = 0; i < 4; ++i) {
    node.fake.clock.advance(std::chrono::seconds(7));
    good(node.run("DEL", {{"CNI_CONTAINERID", "other"}}));
  }
  CHECK(tried() == kLeft);
}

TEST_CASE("What is left of pods is bounded, and the oldest of who has most goes first") {
  PodNode node;
  node.add_nad("foreign", {{"cniVersion", "1.0.0"}, {"type", "after"}});
  good(node.add("foreign"));
  const cni::Pods pods(node.fake.host.roots);
  auto record = *must(pods.load("c1"));
  must(pods.remove(record));
  const bool is_large = GENERATE(false, true);
  const size_t count = is_large ? 20 : 260;
  for (size_t i = 0; i < count; ++i) {
    record.container_id = fmt::format("{:03}", i);
    record.pod_namespace = i >= count - 2 ? "quiet" : "flood";
    if (is_large) record.networks[1].args = std::string(size_t{4} << 20U, 'x');
    must(pods.save(record));
    must(pods.leave(record));
    // Later ones are older.
    const timespec then[2] = {{.tv_sec = time_t(5'000 - i), .tv_nsec = 0},
                              {.tv_sec = time_t(5'000 - i), .tv_nsec = 0}};
    const auto file = fmt::format("{}/pods/{:03}.json", node.fake.host.roots.state, i);
    REQUIRE(::utimensat(AT_FDCWD, file.c_str(), then, 0) == 0);
  }
  const auto too_many = must(pods.left_too_many());
  REQUIRE(too_many.size() == (is_large ? 5 : 4));
  CHECK(too_many.front().container_id == fmt::format("{:03}", count - 3));

  // A DEL that leaves another one gives them up, but for one that somebody is at work on.
  const auto lock = must(node.fake.host.locks.lock(pods.lock_of(too_many[1].container_id), {}));
  node.refuse("after", "DEL");
  good(node.add("foreign"));
  CHECK(error_of(node.run("DEL")).code == 11);
  node.fake.clock.advance(std::chrono::seconds(61));
  good(node.run("DEL"));
  CHECK_FALSE(must(pods.load(too_many[0].container_id)));
  CHECK(must(pods.load(too_many[1].container_id)));
  CHECK(must(pods.load(fmt::format("{:03}", count - 1))));
}

TEST_CASE("What is left of a pod without a record is forgotten") {
  PodNode node;
  const cni::Pods pods(node.fake.host.roots);
  must(pods.prepare());
  cni::PodRecord record;
  record.container_id = "none";
  must(pods.leave(record));
  good(node.run("DEL", {{"CNI_CONTAINERID", "other"}}));
  CHECK(must(pods.left()).empty());
}

TEST_CASE("A DEL does without its record's NADs, configuration, namespace and checkpoint") {
  PodNode node;
  node.add_rail("rail0", 0);
  node.give({{"uid-1", "main", {"0000:11:00.0"}}});
  const auto before = standing(node.fake);
  good(node.add("rail0"));
  node.calls();
  must(host::remove_file(node.path("nads/ml/rail0.json")));
  must(host::remove_file(node.path("checkpoint")));
  node.fake.delete_netns("pod0");
  SECTION("the configuration as it was") {}
  SECTION("one that ADD refuses") { node.conf.erase("clusterNetwork"); }
  SECTION("one without a name, which is told all the same") {
    node.conf.erase("name");
    CHECK(error_of(node.run("DEL", {{"CNI_NETNS", ""}})).code == 7);
    CHECK(node.pods() == kNone);
    node.conf["name"] = "node";
  }
  SECTION("without a namespace's path") { good(node.run("DEL", {{"CNI_NETNS", ""}})); }
  good(node.run("DEL", {{"CNI_ARGS", "nonsense"}}));
  CHECK(standing(node.fake) == before);
  CHECK(node.pods() == kNone);
}

TEST_CASE("A DEL gives plugins the namespace's path while it is the pod's, and none afterwards") {
  PodNode node;
  node.add_rail("rail0", 0);
  node.give({{"uid-1", "main", {"0000:11:00.0"}}});
  good(node.add("rail0"));
  const auto told = [&] {
    good(node.run("DEL"));
    const auto text = node.environment_of("cluster-net", "DEL");
    const auto at = text.find("CNI_NETNS=");
    return text.substr(at, text.find('\n', at) - at);
  };
  SECTION("it lives") { CHECK(told() == "CNI_NETNS=" + node.pod); }
  SECTION("another one has its path") {
    node.fake.delete_netns("pod0");
    node.fake.add_netns("pod0");
    CHECK(told() == "CNI_NETNS=");
  }
  SECTION("nothing has its path") {
    node.fake.delete_netns("pod0");
    CHECK(told() == "CNI_NETNS=");
  }
}

TEST_CASE("A DEL without a record asks the cluster network, and gives own devices back") {
  PodNode node;
  node.add_rail("rail0", 0);
  node.give({{"uid-1", "main", {"0000:11:00.0"}}});
  const auto before = standing(node.fake);
  good(node.add("rail0"));
  node.calls();
  SECTION("it is gone") { must(host::remove_file(node.fake.host.roots.state + "/pods/c1.json")); }
  SECTION("it was cut by a crash") {
    const auto path = node.fake.host.roots.state + "/pods/c1.json";
    const auto text = must(host::read_file(path));
    must(host::write_file_atomically(path, text.substr(0, text.size() / 2), 0600));
  }
  good(node.run("DEL"));
  CHECK(node.calls() == Calls{"DEL cluster-net eth0"});
  CHECK(standing(node.fake) == before);
}

TEST_CASE("A half-done ADD without a result is cleaned by its DEL") {
  PodNode node;
  node.add_rail("rail0", 0, Json::array({{{"type", "after"}}}));
  node.give({{"uid-1", "main", {"0000:11:00.0"}}});
  const auto before = standing(node.fake);
  good(node.add("rail0"));
  must(host::remove_file(node.fake.host.roots.run + "/pods/c1.json"));  // as if killed before it
  CHECK_THAT(error_of(node.run("CHECK")).message, ContainsSubstring("did not come to its end"));
  CHECK_THAT(error_of(node.run("ADD")).message, ContainsSubstring("DEL before another ADD"));
  good(node.run("DEL"));
  CHECK(standing(node.fake) == before);
  CHECK(node.pods() == kNone);
}

TEST_CASE("CHECK asks every plugin of every network") {
  PodNode node;
  node.add_rail("rail0", 0, Json::array({{{"type", "after"}}}));
  node.give({{"uid-1", "main", {"0000:11:00.0"}}});
  good(node.add("rail0"));
  node.calls();
  good(node.run("CHECK"));
  CHECK(node.calls() ==
        Calls{"CHECK cluster-net eth0", "CHECK addresses net1", "CHECK after net1"});
  node.fake.vf(*PciAddress::parse("0000:11:00.0")).vlan->id = 7;
  CHECK_THAT(error_of(node.run("CHECK")).message,
             StartsWith("networks[0] (ml/rail0): plugin type=\"sriov\""));
}

TEST_CASE("GC takes what the runtime does not list and whose namespace is gone, and no more") {
  PodNode node;
  node.add_rail("rail0", 0);
  node.give({{"uid-1", "main", {"0000:11:00.0"}}});
  const auto before = standing(node.fake);
  good(node.add("rail0"));
  CHECK(error_of(node.run("GC")).code == 7);  // no list is no order
  node.conf["cni.dev/valid-attachments"] = {{{"containerID", "c1"}, {"ifname", "eth0"}}};
  good(node.run("GC"));
  CHECK(node.pods().size() == 2);
  node.conf["cni.dev/valid-attachments"] = Json::array();
  good(node.run("GC"));
  CHECK(node.pods().size() == 2);  // its namespace lives
  node.fake.delete_netns("pod0");
  good(node.run("GC"));
  CHECK(node.pods() == kNone);
  CHECK(standing(node.fake) == before);
}

TEST_CASE("GC and STATUS reach the cluster network's plugins where their version knows them") {
  PodNode node;
  must(host::write_file_atomically(
      node.path("net.d/10-cluster.conflist"),
      R"({"cniVersion":"1.1.0","name":"cluster","plugins":[{"type":"cluster-net"},{"type":"after"}]})",
      0600));
  good(node.run("STATUS"));
  CHECK(node.calls() == Calls{"STATUS cluster-net eth0", "STATUS after eth0"});
  node.conf["cni.dev/valid-attachments"] = {{{"containerID", "c7"}, {"ifname", "eth0"}}};
  good(node.run("GC"));
  CHECK(node.input("after", "GC")["cni.dev/valid-attachments"][0]["containerID"] == "c7");
  node.refuse("cluster-net", "STATUS");
  CHECK_THAT(error_of(node.run("STATUS")).message, ContainsSubstring("says no"));
  must(host::remove_file(node.path("net.d/10-cluster.conflist")));
  CHECK(error_of(node.run("STATUS")).code == 50);
}

TEST_CASE("The chain's VF and its RDMA device move in one transaction, wherever rdma stands") {
  PodNode node;
  node.add_rail("rail0", 0, Json::array({{{"type", "after"}}, {{"type", "rdma"}}}));
  node.give({{"uid-1", "main", {"0000:11:00.0"}}});
  const auto before = standing(node.fake);
  good(node.add("rail0"));
  CHECK(node.fake.netns_of_rdma("mlx5_1") == "pod0");
  good(node.run("DEL"));
  CHECK(standing(node.fake) == before);
}

TEST_CASE("Network status tells of each network what Multus does") {
  PodNode node;
  node.add_rail("rail0", 0);
  node.give({{"uid-1", "main", {"0000:11:00.0"}}});
  good(node.add(R"([{"name":"rail0","interface":"rail0"}])"));
  const auto status = node.network_status();
  CHECK(status[0] == Json{{"name", "cluster"},
                          {"interface", "eth0"},
                          {"ips", {"10.0.0.5"}},
                          {"mac", "0a:00:00:00:00:01"},
                          {"default", true},
                          {"dns", {{"nameservers", {"10.0.0.2"}}}},
                          {"gateway", {"10.0.0.1"}}});
  CHECK(status[1]["name"] == "ml/rail0");
  CHECK(status[1]["interface"] == "rail0");
  CHECK(status[1]["ips"] == Json{"10.9.0.1"});
  CHECK(status[1]["device-info"]["pci"]["pci-address"] == "0000:11:00.0");
  CHECK_FALSE(status[1].contains("default"));
}

TEST_CASE(
    "A plugin that prints without end, or no result, costs the pod its ADD and nothing else") {
  PodNode node;
  node.add_rail("rail0", 0);
  node.add_nad("foreign", {{"cniVersion", "1.0.0"}, {"type", "odd"}});
  node.give({{"uid-1", "main", {"0000:11:00.0"}}});
  const auto before = standing(node.fake);
  for (const auto* script : {"yes", "echo no JSON", "echo '[]'", "exit 3", "kill -9 $$"}) {
    INFO(script);
    must(host::write_file_atomically(
        node.path("bin/odd"),
        std::string("#!/bin/sh\n[ \"$CNI_COMMAND\" = ADD ] || exit 0\n") + script + "\n", 0700));
    const auto error = error_of(node.add("foreign,rail0"));
    CHECK_THAT(error.message, StartsWith("networks[0] (ml/foreign): plugin type=\"odd\""));
    CHECK(error.details.empty());
    CHECK(standing(node.fake) == before);
    CHECK(node.pods() == kNone);
  }
}

TEST_CASE("A plugin that never ends is ended with the call's time, in its DEL too") {
  PodNode node;
  must(host::write_file_atomically(node.path("bin/endless"), "#!/bin/sh\nexec sleep 1000\n", 0700));
  cni::PodRecord record{.container_id = "c1", .netns_path = node.pod};
  record.plugin_path = node.path("bin");
  cni::PodNetwork network{
      .name = "n", .cni_version = "1.0.0", .ifname = "net1", .place = "networks[0]"};
  network.plugins = {{"endless", false, "{}"}};
  record.networks = {network};
  SystemClock clock;
  Logger log(STDERR_FILENO, LogLevel::error);
  for (const auto verb : {cnispec::Command::add, cnispec::Command::del}) {
    const Deadline deadline(clock, std::chrono::milliseconds(300), {});
    const cni::PluginCalls calls(node.environment, deadline, node.fake.host, log);
    const auto output = calls.call(verb, record, {0, 0}, "");
    REQUIRE_FALSE(output);
    CHECK(output.error().code == ErrorCode::timeout);
    CHECK_THAT(output.error().message, StartsWith("networks[0]: plugin type=\"endless\""));
  }
}

TEST_CASE("A plugin that hangs at DEL costs the others nothing, and other pods little") {
  PodNode node;
  node.add_nad("foreign", {{"cniVersion", "1.0.0"}, {"type", "after"}});
  good(node.add("foreign"));
  must(host::write_file_atomically(node.path("bin/after"), "#!/bin/sh\nexec sleep 1000\n", 0700));
  const auto record = must(cni::Pods(node.fake.host.roots).load("c1"));
  REQUIRE(record);
  node.calls();
  SystemClock clock;
  Logger log(STDERR_FILENO, LogLevel::error);
  const Deadline deadline(clock, std::chrono::milliseconds(800), {});
  const cni::PluginCalls calls(node.environment, deadline, node.fake.host, log);
  const cni::Pods pods(node.fake.host.roots);
  const auto done = cni::undo_pod_on_record(calls, pods, *record, "", {}, node.fake.host, log);
  REQUIRE_FALSE(done);
  CHECK_THAT(done.error().message, ContainsSubstring("after"));
  CHECK(node.calls() == Calls{"DEL cluster-net eth0"});
}

TEST_CASE("What a plugin of a chain did in a namespace is gone with that") {
  PodNode node;
  node.add_plugin("first");
  node.add_nad("foreign", {{"cniVersion", "1.0.0"},
                           {"name", "foreign"},
                           {"plugins", {{{"type", "first"}}, {{"type", "after"}}}}});
  node.add_nad("leased", {{"cniVersion", "1.0.0"},
                          {"type", "cluster-net"},
                          {"ipam", {{"type", "addresses"}, {"address", "10.0.0.9/24"}}}});
  good(node.add("foreign,leased"));
  node.refuse("after", "DEL");
  node.refuse("cluster-net", "DEL");
  CHECK(error_of(node.run("DEL")).code == 11);
  node.fake.clock.advance(std::chrono::seconds(61));
  good(node.run("DEL"));
  CHECK(node.pods().size() == 2);
  node.fake.delete_netns("pod0");
  node.calls();
  good(node.run("DEL"));
  CHECK_THAT(node.log(), ContainsSubstring("a plugin's DEL is given up"));
  CHECK(node.pods().size() == 2);  // the one that has an address is kept
  node.calls();
  node.allow("cluster-net", "DEL");
  good(node.run("DEL"));
  CHECK(node.calls() == Calls{"DEL cluster-net net2", "DEL cluster-net eth0"});
  CHECK(node.pods() == kNone);
}

TEST_CASE("Only one call is at work on a container") {
  PodNode node;
  good(node.run("ADD"));
  const cni::Pods pods(node.fake.host.roots);
  {
    const auto lock = must(node.fake.host.locks.lock(pods.lock_of("c1"), {}));
    node.conf["cni.dev/valid-attachments"] = Json::array();
    node.fake.delete_netns("pod0");
    CHECK_THAT(error_of(node.run("GC")).message, ContainsSubstring("another call is at work"));
    CHECK(node.pods().size() == 2);
  }
  good(node.run("GC"));
  CHECK(node.pods() == kNone);
}

TEST_CASE("A DEL after a boot tells why it failed, and counts its minute") {
  PodNode node;
  node.add_nad("foreign", {{"cniVersion", "1.0.0"}, {"type", "after"}});
  good(node.add("foreign"));
  std::filesystem::remove_all(node.fake.host.roots.run);
  node.refuse("after", "DEL");
  CHECK_THAT(error_of(node.run("DEL")).message, ContainsSubstring("after says no"));
  node.fake.clock.advance(std::chrono::seconds(61));
  good(node.run("DEL"));
  node.allow("after", "DEL");
  good(node.run("DEL"));
  CHECK(node.pods() == kNone);
}

TEST_CASE("A plugin's result in any version goes to the next in the network's own") {
  PodNode node;
  node.add_plugin("last");
  node.add_nad("old", {{"cniVersion", "0.3.1"},
                       {"name", "old"},
                       {"plugins", {{{"type", "cluster-net"}}, {{"type", "last"}}}}});
  good(node.add("old"));
  const auto previous = node.input("last", "ADD")["prevResult"];
  CHECK(previous["cniVersion"] == "0.3.1");
  CHECK(previous["ips"][0]["version"] == "4");
  good(node.run("DEL"));
  CHECK_FALSE(node.input("last", "DEL").contains("prevResult"));  // before 0.4.0 there was none
}

TEST_CASE("The answer is in the version of the node's configuration") {
  PodNode node;
  node.conf["cniVersion"] = "0.2.0";
  CHECK(good(node.run("ADD"))["ip4"]["ip"] == "10.0.0.5/16");
}
