// What a pod is to be given: what is refused before anything is changed, and what its plugins get.
#include <algorithm>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "cni/meta/pods.hpp"
#include "test/support/fake_standing.hpp"
#include "test/support/must.hpp"
#include "test/unit/cni/pod_node.hpp"

using namespace railhead;
using namespace railhead::test;
using Catch::Matchers::ContainsSubstring;
using Json = nlohmann::ordered_json;

namespace {

const Json kForeign{{"cniVersion", "1.0.0"}, {"type", "after"}};

// Refused before any plugin was called and anything on the node was changed.
ReadError refused(PodNode& node, const std::string& networks) {
  const auto before = standing(node.fake);
  const auto error = error_of(node.add(networks));
  CHECK(node.calls().empty());
  CHECK(node.pods().empty());
  CHECK(standing(node.fake) == before);
  return error;
}

void good(const cni::Answer& answer) {
  INFO(answer.output);
  REQUIRE(answer.exit_code == 0);
}

}  // namespace

TEST_CASE("The configuration's text is passed on as it is written, with what was asked for") {
  PodNode node;
  node.add_nad("odd", R"({"cniVersion":"0.4.0","type":"after","rate":1.50e3,"Name":"x",
                          "args":{"cni":{"a":1,"b":2},"other":3},
                          "capabilities":{"mac":true,"ips":true,"dns":true,"portMappings":false}})");
  node.conf["runtimeConfig"]["dns"] = {{"servers", {"10.0.0.2"}}};
  node.conf["runtimeConfig"]["portMappings"] = Json::array();
  good(node.add(R"([{"name":"odd","mac":"02:00:00:00:00:07","ips":["10.0.0.7"],
                     "cni-args":{"b":5.0,"c":[1]}}])"));
  const auto text = must(host::read_file(node.path("inputs/after.ADD")));
  CHECK_THAT(text, ContainsSubstring(R"("rate":1.50e3)"));
  CHECK_THAT(text, ContainsSubstring(R"("b":5.0)"));
  const auto input = node.input("after", "ADD");
  CHECK(input["name"] == "x");
  CHECK(input["args"] == Json::parse(R"({"other":3,"cni":{"a":1,"b":5.0,"c":[1]}})"));
  CHECK(input["runtimeConfig"] ==
        Json::parse(
            R"({"dns":{"servers":["10.0.0.2"]},"ips":["10.0.0.7"],"mac":"02:00:00:00:00:07"})"));
  CHECK_THAT(node.environment_of("after", "ADD"),
             ContainsSubstring("CNI_ARGS=IgnoreUnknown=true;K8S_POD_NAMESPACE=ml;K8S_POD_NAME="
                               "trainer-0;K8S_POD_INFRA_CONTAINER_ID=c1;K8S_POD_UID=uid-1;"
                               "MAC=02:00:00:00:00:07;IP=10.0.0.7\n"));
  CHECK_THAT(node.environment_of("after", "ADD"),
             ContainsSubstring("CNI_PATH=" + node.path("bin") + ":/nonexistent\n"));
}

TEST_CASE("The i-th network of a resource takes the i-th device, container after container") {
  PodNode node;
  for (const auto* name : {"a", "b", "c"}) {
    node.add_nad(name, {{"cniVersion", "1.0.0"}, {"type", "after"}}, "rdma/vf");
  }
  node.give({{"uid-1", "one", {"0000:11:00.6"}},
             {"uid-1", "two", {"0000:11:00.5", "0000:11:00.1"}},
             {"uid-9", "one", {"0000:11:00.0"}}});
  const auto given = [&](const std::string& networks) {
    good(node.add(networks));
    std::vector<std::string> all;
    for (const auto& entry : node.network_status()) {
      if (entry.contains("device-info")) {
        all.push_back(entry["device-info"]["pci"]["pci-address"].get<std::string>());
      }
    }
    good(node.run("DEL"));
    return all;
  };
  CHECK(given("a,b,c") == std::vector<std::string>{"0000:11:00.6", "0000:11:00.1", "0000:11:00.5"});
  // Who names a container takes of its devices before the others.
  CHECK(given(R"([{"name":"a"},{"name":"b","container":"one"},{"name":"c"}])") ==
        std::vector<std::string>{"0000:11:00.1", "0000:11:00.6", "0000:11:00.5"});
}

TEST_CASE("The pool of GUIDs is the node's, and no network's") {
  PodNode node;
  const std::string pool = "02:00:00:00:00:00:01:00-02:00:00:00:00:00:01:ff";
  node.conf["guidPool"] = pool;
  node.add_nad("plain", {{"cniVersion", "1.0.0"}, {"type", "railhead"}}, "rdma/vf");
  node.add_nad("named", {{"cniVersion", "1.0.0"}, {"type", "railhead"}, {"guidPool", pool}},
               "rdma/vf");
  node.add_nad("foreign", kForeign);
  node.give({{"uid-1", "main", {"0000:11:00.0", "0000:11:00.1"}}});
  good(node.add("plain,foreign"));
  const auto record = must(cni::Pods(node.fake.host.roots).load("c1"));
  const auto given = [&](size_t network) {
    return Json::parse(record->networks.at(network).plugins.at(0).input).value("guidPool", "");
  };
  CHECK(given(1) == pool);
  CHECK(given(2).empty());
  good(node.run("DEL"));
  node.calls();
  node.conf["guidPool"] = "1-2";
  CHECK_THAT(refused(node, "plain").message, ContainsSubstring("guidPool 1-2: expected"));
  node.conf.erase("guidPool");
  CHECK_THAT(refused(node, "named").message, ContainsSubstring("guidPool: a range is one node's"));
}

TEST_CASE("An entry can name the rail of its network's resource") {
  PodNode node;
  node.add_nad("rail", {{"cniVersion", "1.0.0"}, {"type", "after"}}, "rdma/v");
  node.give({{"uid-1", "main", {"0000:11:00.4"}}});
  CHECK_THAT(refused(node, R"([{"name":"rail","rail":-1}])").message, ContainsSubstring("rail -1"));
  auto file = must(host::read_file(node.path("checkpoint")));
  file.replace(file.find("rdma/vf"), 7, "rdma/v3");
  must(host::write_file_atomically(node.path("checkpoint"), file, 0600));
  good(node.add(R"([{"name":"rail","rail":3}])"));
  CHECK(node.input("after", "ADD")["deviceID"] == "0000:11:00.4");
  good(node.run("DEL"));
  node.calls();
  node.add_nad("none", kForeign);
  CHECK_THAT(refused(node, R"([{"name":"none","rail":3}])").message,
             ContainsSubstring("its network has no resource"));
}

TEST_CASE("A device that pods share is given to no NAD by name") {
  PodNode node;
  node.fake.add_pf({.address = "0000:20:00.0", .netdev = "q0", .vfs = 0});
  node.give({{"uid-2", "main", {"0000:20:00.0::3"}}});
  node.add_nad("whole", {{"cniVersion", "1.0.0"}, {"type", "host-device"}, {"device", "q0"}});
  CHECK_THAT(refused(node, "whole").message, ContainsSubstring("was given to pod uid-2"));
}

TEST_CASE("A PF of which a pod has a VF is given to no NAD by name") {
  PodNode node;
  node.give({{"uid-2", "main", {"0000:11:00.3"}}});
  node.add_nad("whole", {{"cniVersion", "1.0.0"}, {"type", "host-device"}, {"device", "p0"}});
  const auto error = error_of(node.add("whole"));
  CHECK_THAT(error.message, ContainsSubstring("0000:10:00.0 is the PF of 0000:11:00.3"));
  CHECK(node.fake.link("host", "p0"));
}

TEST_CASE("What a pod's author writes costs no more than what it is long") {
  PodNode node;
  node.add_nad("net", kForeign);
  for (const auto& text :
       {std::string(1 << 20, 'a'), std::string(1 << 20, '['),
        "[{\"name\":\"net\",\"cni-args\":{\"a\":\"" + std::string(1 << 20, 'x') + "\"}},{}]",
        std::string("net\xff"), std::string("[{\"name\":\"net\xff\"}]")}) {
    INFO(text.substr(0, 40));
    // More than 1 MiB of configuration is none: the program reads no further (cni/input.cpp).
    const auto answer = [&] {
      node.annotations["k8s.v1.cni.cncf.io/networks"] = text;
      auto whole = node.conf;
      whole["runtimeConfig"]["io.kubernetes.cri.pod-annotations"] = node.annotations;
      return cni::run(cnispec::with(node.environment, "CNI_COMMAND", "ADD"),
                      whole.dump(-1, ' ', false, Json::error_handler_t::replace), node.fake.host);
    }();
    CHECK(answer.exit_code == 1);
    CHECK(node.pods().empty());
  }
}

TEST_CASE("A folder of ten thousand NADs is not looked through") {
  PodNode node;
  node.add_nad("net", kForeign);
  for (int i = 0; i < 10000; ++i) {
    must(host::write_file_atomically(node.path(fmt::format("nads/ml/other{}.json", i)), "{", 0600));
  }
  good(node.add("net"));
}

TEST_CASE("More networks of a resource than devices are refused, and Multus' name warns") {
  PodNode node;
  node.add_rail("rail0", 0);
  node.give({{"uid-1", "main", {"0000:11:00.0"}}});
  CHECK_THAT(refused(node, "rail0,rail0").message,
             ContainsSubstring("networks[1] (ml/rail0): the pod has 1 devices of rdma/vf"));
  node.conf["type"] = "multus";
  CHECK_THAT(error_of(node.add("rail0,rail0")).message,
             ContainsSubstring("VF pci addr is required"));
  CHECK_THAT(node.log(), ContainsSubstring("the pod has 1 devices of rdma/vf"));
  node.conf["strict"] = true;
  node.calls();
  CHECK_THAT(refused(node, "rail0,rail0").message, ContainsSubstring("none is left"));
}

TEST_CASE("A network of a resource that the pod has none of comes up, and is warned of") {
  PodNode node;
  node.add_nad("shared", kForeign, "rdma/hca");
  node.give({{"uid-1", "main", {"0000:11:00.0"}}});
  good(node.add("shared"));
  CHECK_THAT(node.log(),
             ContainsSubstring("networks[0] (ml/shared): it is a network of rdma/hca, of which the "
                               "pod has none: add rdma/hca: 1 to the resources"));
}

TEST_CASE("What no plugin of a network can give is refused, and Multus' name warns") {
  PodNode node;
  node.add_nad("net", kForeign);
  CHECK_THAT(refused(node, R"([{"name":"net","ips":["10.0.0.1"]}])").message,
             ContainsSubstring("networks[0] (ml/net): ips is asked for"));
  node.conf["type"] = "multus";
  good(node.add(R"([{"name":"net","ips":["10.0.0.1"]}])"));
  CHECK_THAT(node.log(), ContainsSubstring("ips is asked for"));
}

TEST_CASE("Two of a name, and two default routes of a family, are refused under either name") {
  for (const auto* type : {"railhead-meta", "multus"}) {
    PodNode node;
    node.conf["type"] = type;
    node.add_nad("net", kForeign);
    CHECK_THAT(refused(node, "net@a,net@a").message,
               ContainsSubstring("networks[1] (ml/net): the interface name a is asked for by "
                                 "networks[0] (ml/net) already"));
    CHECK_THAT(refused(node, "net@eth0").message, ContainsSubstring("by cluster network already"));
    CHECK_THAT(refused(node, "net@net2,net").message, ContainsSubstring("the interface name net2"));
    CHECK_THAT(refused(node, R"([{"name":"net","default-route":["10.0.0.1"]},
                                 {"name":"net","default-route":["10.0.0.2"]}])")
                   .message,
               ContainsSubstring("multus does not support ECMP for default-route"));
  }
}

TEST_CASE("Namespaces are kept apart where the node says so") {
  PodNode node;
  node.conf["namespaceIsolation"] = true;
  node.add_nad("net", kForeign, "", "other");
  node.add_nad("net", kForeign, "", "default");
  node.add_nad("net", kForeign, "", "shared");
  CHECK_THAT(
      refused(node, "other/net").message,
      ContainsSubstring("namespace isolation enabled, annotation violates permission, pod is "
                        "in namespace ml but refers to target namespace other"));
  good(node.add("default/net"));
  good(node.run("DEL"));
  node.calls();
  node.conf["globalNamespaces"] = "shared, more";
  good(node.add("shared/net"));
  good(node.run("DEL"));
  node.calls();
  CHECK(refused(node, "default/net").code == 7);
}

TEST_CASE("defaultNetworks come before the pod's own, but for pods of the system's namespaces") {
  PodNode node;
  node.add_nad("extra", kForeign, "", "kube-system");
  must(host::write_file_atomically(node.path("net.d/20-file.conf"),
                                   R"({"cniVersion":"1.0.0","name":"of-file","type":"after"})",
                                   0600));
  node.conf["defaultNetworks"] = {"extra", "of-file"};
  node.add_nad("net", kForeign);
  good(node.add("net"));
  CHECK(node.calls() == std::vector<std::string>{"ADD cluster-net eth0", "ADD after net1",
                                                 "ADD after net2", "ADD after net3"});
  good(node.run("DEL"));
  node.conf["systemNamespaces"] = {"kube-system", "ml"};
  node.calls();
  good(node.add(""));
  CHECK(node.calls() == std::vector<std::string>{"ADD cluster-net eth0"});
}

TEST_CASE("A pod can have another cluster network, of the system's namespace") {
  PodNode node;
  node.add_nad("other", {{"cniVersion", "1.0.0"}, {"type", "cluster-net"}, {"mine", true}}, "",
               "kube-system");
  node.annotations["v1.multus-cni.io/default-network"] = "other";
  good(node.run("ADD"));
  CHECK(node.input("cluster-net", "ADD")["mine"] == true);
  CHECK(node.network_status()[0]["name"] == "kube-system/other");
}

TEST_CASE("An empty NAD means a file of its name") {
  PodNode node;
  node.add_nad("of-file", "");
  CHECK_THAT(refused(node, "of-file").message,
             ContainsSubstring("no network configuration of the name of-file"));
  must(host::write_file_atomically(
      node.path("net.d/20-file.conflist"),
      R"({"cniVersion":"1.0.0","name":"of-file","plugins":[{"type":"after","x":1}]})", 0600));
  good(node.add("of-file"));
  CHECK(node.input("after", "ADD")["x"] == 1);
}

TEST_CASE("The cluster network is found as Multus finds it") {
  PodNode node;
  SECTION("by its configuration's name") { node.conf["clusterNetwork"] = "cluster"; }
  SECTION("as a NAD of the system's namespace") {
    node.add_nad("named", {{"cniVersion", "1.0.0"}, {"type", "cluster-net"}}, "", "kube-system");
    node.conf["clusterNetwork"] = "named";
  }
  SECTION("as the first file of a folder") { node.conf["clusterNetwork"] = node.path("net.d"); }
  SECTION("in the configuration itself") {
    node.conf.erase("clusterNetwork");
    node.conf["delegates"] = {{{"cniVersion", "1.0.0"}, {"name", "n"}, {"type", "cluster-net"}}};
  }
  SECTION("with the plugins of the folder of its name behind it") {
    must(host::make_directories(node.path("net.d/cluster"), 0700));
    must(host::write_file_atomically(node.path("net.d/cluster/50-more.conf"), R"({"type":"after"})",
                                     0600));
    good(node.run("ADD"));
    CHECK(node.calls() == std::vector<std::string>{"ADD cluster-net eth0", "ADD after eth0"});
    return;
  }
  good(node.run("ADD"));
  CHECK(node.calls() == std::vector<std::string>{"ADD cluster-net eth0"});
}

TEST_CASE("The auxiliary chain's plugins stand behind the cluster network's") {
  PodNode node;
  must(host::make_directories(node.path("net.d/extra"), 0700));
  must(host::write_file_atomically(node.path("net.d/extra/50-more.conf"),
                                   R"({"type":"after","x":1})", 0600));
  node.conf["auxiliaryCNIChainName"] = "extra";
  SECTION("of a file") {}
  SECTION("of a folder") { node.conf["clusterNetwork"] = node.path("net.d"); }
  good(node.run("ADD"));
  CHECK(node.calls() == std::vector<std::string>{"ADD cluster-net eth0", "ADD after eth0"});
  CHECK(node.input("after", "ADD")["x"] == 1);
  good(node.run("DEL"));
  CHECK(node.calls() == std::vector<std::string>{"DEL after eth0", "DEL cluster-net eth0"});
}

TEST_CASE("An auxiliary chain is a folder beside the cluster network's file") {
  PodNode node;
  for (const auto* wrong : {"../etc", "a/b", ".."}) {
    node.conf["auxiliaryCNIChainName"] = wrong;
    CHECK_THAT(refused(node, "").message, ContainsSubstring("expected the name of a folder"));
  }
  node.conf["auxiliaryCNIChainName"] = "extra";
  node.conf["clusterNetwork"] = "cluster";
  CHECK_THAT(refused(node, "").message, ContainsSubstring("clusterNetwork must be a path"));
}

TEST_CASE("A configuration that names no cluster network is refused in Multus' words") {
  PodNode node;
  node.conf.erase("clusterNetwork");
  CHECK(refused(node, "").message ==
        "LoadNetConf: at least one delegate/clusterNetwork must be specified");
  node.conf["clusterNetwork"] = 7;
  CHECK_THAT(refused(node, "").message, ContainsSubstring("clusterNetwork"));
}

TEST_CASE("Plugins that lead back, are not permitted, or are missing are refused") {
  PodNode node;
  const auto with_type = [&](const std::string& type) {
    node.add_nad("net", {{"cniVersion", "1.0.0"}, {"type", type}});
    return refused(node, "net").message;
  };
  for (const auto* type : {"multus", "railhead-meta", "multus-shim"}) {
    CHECK_THAT(with_type(type), ContainsSubstring("leads back to this program"));
  }
  CHECK_THAT(with_type("../../bin/sh"), ContainsSubstring("invalid plugin name"));
  CHECK_THAT(with_type("missing"), ContainsSubstring("failed to find plugin \"missing\""));
  node.conf["pluginAllowList"] = {"macvlan"};
  CHECK_THAT(with_type("after"),
             ContainsSubstring("networks[0] (ml/net): plugin type after is not in the node's "
                               "pluginAllowList (macvlan)"));
}

TEST_CASE("A type is the name of a file that is not hidden, also where it is IPAM's") {
  PodNode node;
  node.add_plugin(".hidden");
  for (const auto* type : {"after\\u0000", ".hidden", "", "a\\nb", "..", "/bin/sh"}) {
    INFO(type);
    node.add_nad("net", fmt::format(R"({{"cniVersion":"1.0.0","type":"{}"}})", type));
    CHECK(refused(node, "net").code == 7);
    if (*type == '\0') continue;
    node.add_nad(
        "net",
        fmt::format(R"({{"cniVersion":"1.0.0","type":"after","ipam":{{"type":"{}"}}}})", type));
    CHECK(refused(node, "net").code == 7);
  }
  const auto with_ipam = [&](const std::string& type) {
    node.add_nad("net", {{"cniVersion", "1.0.0"}, {"type", "after"}, {"ipam", {{"type", type}}}});
    return refused(node, "net").message;
  };
  CHECK_THAT(with_ipam("host-device"), ContainsSubstring("it is no IPAM plugin"));
  CHECK_THAT(with_ipam("multus"), ContainsSubstring("it is no IPAM plugin"));
  CHECK_THAT(with_ipam("missing"), ContainsSubstring("failed to find plugin \"missing\""));
  node.conf["pluginAllowList"] = {"after"};
  CHECK_THAT(with_ipam("addresses"), ContainsSubstring("not in the node's pluginAllowList"));
}

TEST_CASE("A version that no plugin here speaks, and a name that the pod has, are refused") {
  PodNode node;
  node.add_nad("net", {{"cniVersion", "9.9.9"}, {"type", "after"}});
  CHECK_THAT(refused(node, "net").message, ContainsSubstring("cniVersion 9.9.9: expected one of"));
  node.add_nad("net", kForeign);
  node.fake.link("pod0", "lo")->name = "taken";
  CHECK_THAT(refused(node, "net@taken").message,
             ContainsSubstring("networks[0] (ml/net): interface name taken already exists"));
}

TEST_CASE("Own types' configurations are read before anything is changed") {
  PodNode node;
  node.add_nad("bad", {{"cniVersion", "1.0.0"}, {"type", "sriov"}, {"vlan", 5000}}, "rdma/vf");
  node.give({{"uid-1", "main", {"0000:11:00.0"}}});
  CHECK_THAT(
      refused(node, "bad").message,
      ContainsSubstring("networks[0] (ml/bad): plugin type=\"sriov\" name=\"bad\" failed (add): "
                        "SRIOV-CNI failed to load netconf: LoadConf(): vlan id 5000 invalid"));
}

TEST_CASE("The default-network annotation stays within the system's namespace") {
  PodNode node;
  node.conf["namespaceIsolation"] = true;
  node.add_nad("net", kForeign, "", "other");
  node.annotations["v1.multus-cni.io/default-network"] = "other/net";
  CHECK_THAT(error_of(node.run("ADD")).message,
             ContainsSubstring("annotation violates permission"));
  node.annotations["v1.multus-cni.io/default-network"] = "cluster";  // a file, no NAD
  CHECK_THAT(error_of(node.run("ADD")).message,
             ContainsSubstring("cannot find a network-attachment-definition"));
  node.annotations["v1.multus-cni.io/default-network"] = R"([{"name":"a"},{"name":"b"}])";
  CHECK_THAT(error_of(node.run("ADD")).message, ContainsSubstring("more than one default network"));
  node.add_nad("json", kForeign, "", "kube-system");
  node.annotations["v1.multus-cni.io/default-network"] = R"([{"name":"json"}])";
  good(node.run("ADD"));
  CHECK(node.network_status()[0]["name"] == "kube-system/json");
}

TEST_CASE("More configuration than its DEL could read is refused") {
  PodNode node;
  node.add_nad("big",
               {{"cniVersion", "1.0.0"}, {"type", "after"}, {"pad", std::string(1 << 20, 'x')}});
  CHECK_THAT(refused(node, "big,big,big,big,big").message, ContainsSubstring("expected at most"));
}

TEST_CASE("A program that this one calls may not be this one") {
  PodNode node;
  const auto answer = node.run("ADD", {{"RAILHEAD_DEPTH", "1"}});
  CHECK_THAT(error_of(answer).message, ContainsSubstring("called by this program itself"));
  const auto of_meta = node.run("ADD", {{"RAILHEAD_META", "1"}});
  CHECK_THAT(error_of(of_meta).message, ContainsSubstring("called by this program itself"));
}

TEST_CASE("A device that kubelet gave to another pod is refused, however it is named") {
  PodNode node;
  node.give({{"uid-1", "main", {"0000:11:00.0"}}, {"uid-2", "main", {"0000:11:00.3"}}});
  for (const auto* key : {"deviceID", "pciBusID"}) {
    node.add_nad("static", {{"cniVersion", "1.0.0"}, {"type", "sriov"}, {key, "0000:11:00.3"}});
    const auto error = refused(node, "static");
    CHECK(error.code == 11);
    CHECK_THAT(error.message,
               ContainsSubstring("networks[0] (ml/static): 0000:11:00.3 was given to "
                                 "pod uid-2 (container main) as rdma/vf"));
  }
  node.add_nad("foreign", {{"cniVersion", "1.0.0"}, {"type", "after"}});
  CHECK_THAT(refused(node, R"([{"name":"foreign","deviceID":"0000:11:00.3"}])").message,
             ContainsSubstring("was given to pod uid-2"));
  // Its own.
  node.add_nad("static",
               {{"cniVersion", "1.0.0"}, {"type", "sriov"}, {"deviceID", "0000:11:00.0"}});
  good(node.add("static"));
}

TEST_CASE("A device that the node offers, uses or has no bus for is given to no NAD by name") {
  PodNode node;
  node.add_nad("offered",
               {{"cniVersion", "1.0.0"}, {"type", "sriov"}, {"deviceID", "0000:11:00.5"}});
  CHECK_THAT(refused(node, "offered").message,
             ContainsSubstring("is one of the devices that the node offers as rdma/vf"));
}

TEST_CASE("A netdev that the node itself uses, or of no bus, is given to no NAD by name") {
  PodNode node;
  node.fake.add_pf({.address = "0000:20:00.0", .netdev = "q0", .vfs = 0});
  node.add_nad("whole", {{"cniVersion", "1.0.0"}, {"type", "host-device"}, {"device", "q0"}});
  const auto refused_whole = [&] {
    const auto error = refused(node, "whole");
    CHECK(node.fake.link("host", "q0"));
    return error.message;
  };
  auto& q0 = **std::ranges::find_if(node.fake.kernel.links,
                                    [](const auto& one) { return one->link.name == "q0"; });
  SECTION("it has the default route") {
    q0.link.flags |= 1;
    q0.routes.push_back({.destination = {}, .out_index = q0.link.index});
    CHECK_THAT(refused_whole(), ContainsSubstring("has the node's default route"));
  }
  SECTION("it is a port of a bridge") {
    q0.link.master = 99;
    CHECK_THAT(refused_whole(), ContainsSubstring("is a port of a bridge"));
  }
  SECTION("no bus has it") {
    q0.link.parent_bus = std::nullopt;
    q0.link.parent_device = std::nullopt;
    q0.link.kind = "veth";
    CHECK_THAT(refused_whole(), ContainsSubstring("is no device of a bus"));
  }
}

TEST_CASE("allowUnallocatedDevices narrows which devices NADs may name") {
  PodNode node;
  node.fake.add_pf({.address = "0000:20:00.0", .netdev = "q0", .vfs = 0});
  node.add_nad("whole", {{"cniVersion", "1.0.0"}, {"type", "host-device"}, {"device", "q0"}});
  good(node.add("whole"));
  CHECK(node.fake.link("pod0", "net1"));
  good(node.run("DEL"));
  node.calls();
  node.conf["allowUnallocatedDevices"] = false;
  const auto error = error_of(node.add("whole"));
  CHECK_THAT(error.message, ContainsSubstring("not in the node's allowUnallocatedDevices"));
  CHECK_FALSE(node.fake.link("pod0", "net1"));
  node.conf["allowUnallocatedDevices"] = {"q0"};
  good(node.add("whole"));
}

TEST_CASE("What is not known yet is to be tried again, and a pod without networks does not wait") {
  PodNode node;
  node.add_rail("rail0", 0);
  must(host::remove_file(node.path("checkpoint")));
  const auto error = refused(node, "rail0");
  CHECK(error.code == 11);
  CHECK_THAT(error.message, ContainsSubstring("no agent serves this node, and kubelet's file"));
}

TEST_CASE("A pod whose annotations the runtime does not give is told what to configure") {
  PodNode node;
  auto whole = node.conf;
  const auto answer =
      cni::run(cnispec::with(node.environment, "CNI_COMMAND", "ADD"), whole.dump(), node.fake.host);
  CHECK(error_of(answer).code == 11);
  CHECK_THAT(error_of(answer).message, ContainsSubstring("io.kubernetes.cri.pod-annotations"));
}

TEST_CASE("ADD waits for the readiness file, and tells which") {
  PodNode node;
  node.conf["readinessindicatorfile"] = node.path("ready");
  const auto error = error_of(node.run("ADD"));
  CHECK(error.code == 11);
  CHECK_THAT(error.message, ContainsSubstring("still waiting for readinessindicatorfile @ "));
  CHECK(error_of(node.run("STATUS")).code == 50);
  node.fake.clock.on_sleep = [&] {
    must(host::write_file_atomically(node.path("ready"), "", 0600));
  };
  good(node.run("ADD"));
}

TEST_CASE("The default routes are those that the annotation names, of each family") {
  PodNode node;
  node.add_rail("rail0", 0);
  node.add_rail("rail1", 1);
  node.give({{"uid-1", "main", {"0000:11:00.0", "0000:11:00.1"}}});
  good(node.add(R"([{"name":"rail0","default-route":["10.9.0.9"]},
                    {"name":"rail1","default-route":["fd00::9"]}])"));
  const auto routes = [&](const char* name) {
    std::vector<std::string> all;
    for (const auto& link : node.fake.kernel.links) {
      if (link->link.name != name) continue;
      for (const auto& route : link->routes) {
        if (route.is_default()) all.push_back(route.gateway->address_string());
      }
    }
    return all;
  };
  CHECK(routes("net1") == std::vector<std::string>{"10.9.0.9"});
  CHECK(routes("net2") == std::vector<std::string>{"fd00::9"});
  CHECK_FALSE(node.network_status()[0].contains("default"));
  CHECK(node.network_status()[1]["default"] == true);
  good(node.run("DEL"));
}
