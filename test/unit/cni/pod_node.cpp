#include "test/unit/cni/pod_node.hpp"

#include <filesystem>

#include <catch2/catch_test_macros.hpp>

#include "base/text.hpp"
#include "test/support/must.hpp"

namespace railhead::test {

using Json = PodNode::Json;

PodNode::PodNode() {
  fake.add_pf({.netdev = "p0", .vfs = 8});
  for (const auto* folder : {"bin", "inputs", "refused", "nads", "net.d"}) {
    must(host::make_directories(path(folder), 0700));
  }
  add_plugin("cluster-net");
  add_plugin("addresses");
  add_plugin("after");
  must(host::write_file_atomically(
      path("net.d/10-cluster.conflist"),
      R"({"cniVersion":"1.0.0","name":"cluster","plugins":[{"type":"cluster-net"}]})", 0600));
  give({});
  conf = {{"cniVersion", "1.1.0"},    {"name", "node"},
          {"type", "railhead-meta"},  {"clusterNetwork", path("net.d/10-cluster.conflist")},
          {"confDir", path("net.d")}, {"binDir", path("bin")},
          {"nadDir", path("nads")},   {"kubeletCheckpoint", path("checkpoint")},
          {"logFile", path("log")}};
  environment = {"PATH=/usr/bin:/bin",
                 "CNI_CONTAINERID=c1",
                 "CNI_IFNAME=eth0",
                 "CNI_NETNS=" + pod,
                 "CNI_PATH=/nonexistent",
                 "RAILHEAD_LOG_DIR=" + fake.folder.path(),
                 "CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAMESPACE=ml;K8S_POD_NAME=trainer-0;"
                 "K8S_POD_INFRA_CONTAINER_ID=c1;K8S_POD_UID=uid-1"};
}

std::string PodNode::path(const std::string& name) const { return fake.folder.path() + "/" + name; }

void PodNode::add_plugin(const std::string& type) {
  const auto here = fake.folder.path();
  const auto script = fmt::format(R"(#!/bin/sh
echo "$CNI_COMMAND {0} $CNI_IFNAME" >>{1}/calls
cat >{1}/inputs/{0}.$CNI_COMMAND
env >{1}/inputs/{0}.$CNI_COMMAND.env
if [ -e {1}/refused/{0}.$CNI_COMMAND ]; then
  echo '{{"code":11,"msg":"{0} says no"}}'
  exit 1
fi
[ "$CNI_COMMAND" = ADD ] || exit 0
case {0} in
cluster-net) echo '{{"cniVersion":"1.0.0","interfaces":[{{"name":"veth0"}},{{"name":"eth0","mac":"0a:00:00:00:00:01","sandbox":"/s"}}],
  "ips":[{{"address":"10.0.0.5/16","gateway":"10.0.0.1","interface":1}}],"routes":[{{"dst":"0.0.0.0/0"}}],"dns":{{"nameservers":["10.0.0.2"]}}}}' ;;
addresses) jq '{{cniVersion:"1.0.0",ips:[{{address:.ipam.address}}]}}' {1}/inputs/{0}.ADD ;;
*) jq '.prevResult // {{cniVersion,interfaces:[{{name:"x",sandbox:"/s"}}]}}' {1}/inputs/{0}.ADD ;;
esac
)",
                                  type, here);
  must(host::write_file_atomically(path("bin/" + type), script, 0700));
}

void PodNode::refuse(const std::string& type, const std::string& verb) {
  must(host::write_file_atomically(path("refused/" + type + "." + verb), "", 0600));
}

void PodNode::allow(const std::string& type, const std::string& verb) {
  must(host::remove_file(path("refused/" + type + "." + verb)));
}

void PodNode::add_nad(const std::string& name, const Json& config, const std::string& resource,
                      const std::string& namespace_) {
  Json nad{{"apiVersion", "k8s.cni.cncf.io/v1"},
           {"kind", "NetworkAttachmentDefinition"},
           {"metadata", {{"name", name}, {"namespace", namespace_}}},
           {"spec", {{"config", config.is_string() ? config.get<std::string>() : config.dump()}}}};
  if (!resource.empty()) {
    nad["metadata"]["annotations"]["k8s.v1.cni.cncf.io/resourceName"] = resource;
  }
  must(host::make_directories(path("nads/" + namespace_), 0700));
  must(host::write_file_atomically(path(fmt::format("nads/{}/{}.json", namespace_, name)),
                                   nad.dump(), 0600));
}

void PodNode::add_rail(const std::string& name, int number, const Json& more) {
  Json plugins = Json::array(
      {{{"type", "sriov"},
        {"vlan", 100 + number},
        {"ipam", {{"type", "addresses"}, {"address", fmt::format("10.9.{}.1/24", number)}}}}});
  for (const auto& plugin : more) plugins.push_back(plugin);
  add_nad(name, {{"cniVersion", "1.0.0"}, {"name", name}, {"plugins", plugins}}, "rdma/vf");
}

void PodNode::give(
    const std::vector<std::tuple<std::string, std::string, std::vector<std::string>>>& all) {
  Json entries = Json::array();
  Json registered = Json::array();
  for (const auto& [uid, container, ids] : all) {
    entries.push_back({{"PodUID", uid},
                       {"ContainerName", container},
                       {"ResourceName", "rdma/vf"},
                       {"DeviceIDs", {{"-1", ids}}}});
  }
  for (int i = 0; i < 8; ++i) registered.push_back(fmt::format("0000:11:00.{}", i));
  const Json file{
      {"Data", {{"PodDeviceEntries", entries}, {"RegisteredDevices", {{"rdma/vf", registered}}}}},
      {"Checksum", 1}};
  must(host::write_file_atomically(path("checkpoint"), file.dump(), 0600));
}

cni::Answer PodNode::run(const std::string& verb,
                         const std::vector<std::pair<std::string, std::string>>& env) {
  auto all = cnispec::with(environment, "CNI_COMMAND", verb);
  for (const auto& [key, value] : env) all = cnispec::with(std::move(all), key, value);
  auto whole = conf;
  whole["runtimeConfig"]["io.kubernetes.cri.pod-annotations"] = annotations;
  return cni::run(all, whole.dump(), fake.host);
}

cni::Answer PodNode::add(const std::string& networks) {
  annotations["k8s.v1.cni.cncf.io/networks"] = networks;
  return run("ADD");
}

std::vector<std::string> PodNode::calls() {
  const auto text = host::read_file(path("calls"));
  std::vector<std::string> calls;
  if (!text) return calls;
  for (auto line : split(trim(*text), '\n')) calls.emplace_back(line);
  must(host::remove_file(path("calls")));
  return calls;
}

Json PodNode::input(const std::string& type, const std::string& verb) const {
  return Json::parse(must(host::read_file(path("inputs/" + type + "." + verb))));
}

std::string PodNode::environment_of(const std::string& type, const std::string& verb) const {
  return must(host::read_file(path("inputs/" + type + "." + verb + ".env")));
}

std::vector<std::string> PodNode::pods() {
  std::vector<std::string> all;
  for (const auto& root : {fake.host.roots.state, fake.host.roots.run}) {
    const auto folder = host::Directory::open(root + "/pods");
    if (!folder) continue;
    for (auto& name : must(folder->list("."))) {
      if (!name.ends_with(".lock")) all.push_back(std::move(name));
    }
  }
  return all;
}

Json PodNode::network_status() {
  const auto text = must(host::read_file(fake.host.roots.run + "/pods/c1.json"));
  return Json::parse(Json::parse(text).at("body").at("networkStatus").get<std::string>());
}

std::string PodNode::log() const { return must(host::read_file(path("log"))); }

}  // namespace railhead::test
