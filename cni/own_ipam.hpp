#pragma once
// The IPAM types that this program is itself: host-local and static, for its own plugin types. No
// other program is started, and none needs to be in the CNI folder.
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "base/deadline.hpp"
#include "cnispec/plugin_result.hpp"
#include "cnispec/request.hpp"
#include "host/host.hpp"

namespace railhead::cni {

[[nodiscard]] bool is_own_ipam(std::string_view type);

// A call of such a type. Errors are upstream's plugin's, in its words where it has some; code 7 for
// what the configuration says that cannot be, 11 where trying again may help.
struct OwnIpam {
  std::string_view type;
  const cnispec::Environment& environment;  // CNI_CONTAINERID, CNI_IFNAME and CNI_ARGS are read
  const nlohmann::ordered_json& config;     // the whole of it
  const host::Host& host;

  [[nodiscard]] Result<cnispec::PluginResult> add(const Deadline& deadline) const;
  // DEL, CHECK, GC or STATUS. A DEL for which no ADD can have been, as its configuration cannot be,
  // has nothing to give back, and does not hold up the pod's end.
  [[nodiscard]] Result<> call(cnispec::Command command, const Deadline& deadline) const;
};

}  // namespace railhead::cni
