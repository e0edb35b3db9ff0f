#pragma once
// A node with one PF of eight VFs, its cluster network, NetworkAttachmentDefinitions in files and
// kubelet's checkpoint, and the meta plugin run on it as a runtime would. Foreign plugins are real
// programs, shell scripts.
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "cni/app.hpp"
#include "test/support/fake_host.hpp"
#include "test/unit/cni/node.hpp"

namespace railhead::test {

class PodNode {
 public:
  using Json = nlohmann::ordered_json;

  PodNode();

  // A NAD of the pod's namespace "ml", or of another. `config`: JSON, or a text as it is written.
  void add_nad(const std::string& name, const Json& config, const std::string& resource = "",
               const std::string& namespace_ = "ml");
  // One of type `sriov` with the resource rdma/vf, and static-ipam's address of that number.
  void add_rail(const std::string& name, int number, const Json& more = Json::array());
  // What kubelet's checkpoint says: device ids of rdma/vf by pod UID and container.
  void give(const std::vector<std::tuple<std::string, std::string, std::vector<std::string>>>& all);
  // Another plugin, which notes its calls and passes on what it gets.
  void add_plugin(const std::string& type);
  // Its next calls of that verb fail, until allow().
  void refuse(const std::string& type, const std::string& verb);
  void allow(const std::string& type, const std::string& verb);

  [[nodiscard]] cni::Answer run(const std::string& verb,
                                const std::vector<std::pair<std::string, std::string>>& env = {});
  // With that annotation of the pod.
  [[nodiscard]] cni::Answer add(const std::string& networks);
  // "ADD cluster-net eth0", in their order; emptied by the call.
  std::vector<std::string> calls();
  // What a plugin got at its last call of that verb.
  [[nodiscard]] Json input(const std::string& type, const std::string& verb) const;
  [[nodiscard]] std::string environment_of(const std::string& type, const std::string& verb) const;
  // The names of the files of pods' records.
  [[nodiscard]] std::vector<std::string> pods();
  [[nodiscard]] Json network_status();
  [[nodiscard]] std::string log() const;
  [[nodiscard]] std::string path(const std::string& name) const;

  FakeHost fake;
  std::string pod = fake.add_netns("pod0");
  Json conf;
  Json annotations = Json::object();
  cnispec::Environment environment;
};

}  // namespace railhead::test
