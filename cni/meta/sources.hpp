#pragma once
// Where networks' configurations stand on the node: NetworkAttachmentDefinitions in files, and
// CNI's own files by name.
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "cnispec/network_list.hpp"

namespace railhead::cni {

inline constexpr std::string_view kResourceNameKey = "k8s.v1.cni.cncf.io/resourceName";

struct Nad {
  std::string config;    // spec.config, as it is written; "": a file of the same name has it
  std::string resource;  // of its annotation; "": none
  friend bool operator==(const Nad&, const Nad&) = default;
};

// `<folder>/<namespace>/<name>.json`, .yaml or .yml: one object, as `kubectl get -o json` prints
// it. YAML is read as far as it is JSON. The names must have been checked. Errors: not_found,
// decode, invalid_argument; the message names the file.
Result<Nad> read_nad(const std::string& folder, std::string_view namespace_, std::string_view name);
Result<Nad> parse_nad(std::string_view text, std::string_view namespace_, std::string_view name);

// Adds the plugins of a folder's *.conf, by name, behind those of the list; a folder that is not
// there has none.
Result<void> append_plugins(const std::string& folder, cnispec::NetworkList& list);
// A file of a network's configuration; of a conflist with the plugins of `<folder>/<name>/*.conf`
// behind its own, unless it says loadOnlyInlinedPlugins.
Result<cnispec::NetworkList> read_network_file(const std::string& path);
// The first file of the folder, by name, whose network is called so (.conf, .conflist, .json).
Result<cnispec::NetworkList> find_network(const std::string& folder, std::string_view name);
// The first file of the folder, by name.
Result<cnispec::NetworkList> first_network(const std::string& folder);

}  // namespace railhead::cni
