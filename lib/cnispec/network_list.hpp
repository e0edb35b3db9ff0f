#pragma once
// A network's configuration as a runtime has it, and what it makes of that for each plugin:
// libcni's rules (its SPEC 1.1.0, sections 1 and 4). The plugins' texts stay as they were written.
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace railhead::cnispec {

struct PluginConf {
  std::string type;
  std::string text;                       // the object
  std::string ipam_type;                  // "": no IPAM
  std::vector<std::string> capabilities;  // those that it declares as true
  friend bool operator==(const PluginConf&, const PluginConf&) = default;
};

struct NetworkList {
  std::string name;
  std::string cni_version;
  bool disable_check = false;
  bool disable_gc = false;
  bool only_inlined_plugins = false;  // loadOnlyInlinedPlugins
  std::vector<PluginConf> plugins;

  // Whether any plugin declares it.
  [[nodiscard]] bool has_capability(std::string_view name) const;
  friend bool operator==(const NetworkList&, const NetworkList&) = default;
};

// Reads a conflist, or one plugin's configuration, which is a list of one. `name`: for a
// configuration without one. A list's version is the highest of "cniVersions" that is supported
// here, else "cniVersion". Errors: decode, invalid_argument, with libcni's texts.
Result<NetworkList> parse_network(std::string_view text, std::string_view name);

// What a runtime can tell plugins, by capability; each value is a JSON text.
using CapabilityArgs = std::map<std::string, std::string>;

// What a plugin gets on standard input but for "prevResult": "name", "cniVersion", and as
// "runtimeConfig" those of the arguments whose capability it declares.
std::string plugin_input(const NetworkList& list, const PluginConf& plugin,
                         const CapabilityArgs& arguments);
// The same with "prevResult", a JSON text; "" leaves it out. `input`: what plugin_input() gave.
std::string with_prev_result(std::string_view input, const std::string& prev_result);

}  // namespace railhead::cnispec
