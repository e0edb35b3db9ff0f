#pragma once
// The IPAM `rails` (docs/ipam.md), which is this program's own: what the configurations of
// interfaces say, and what lib/ipam makes of it.
#include <span>
#include <string>
#include <vector>

#include "base/deadline.hpp"
#include "cnispec/plugin_result.hpp"
#include "cnispec/request.hpp"
#include "host/host.hpp"

namespace railhead::cni {

inline constexpr std::string_view kRailsIpam = "rails";

// One interface's call: its environment, and the whole configuration as it came.
struct RailsCall {
  const cnispec::Environment* environment;
  const std::string* config;
};

// Addresses for interfaces of one container, those of one network in one act. Code 11 where the
// node's index or a free place is missing. Nothing is given up of what the first networks got when
// a later one is refused.
Result<std::vector<cnispec::PluginResult>> add_rails(const host::Host& host,
                                                     std::span<const RailsCall> calls,
                                                     const Deadline& deadline);
// DEL, CHECK, GC or STATUS.
Result<void> call_rails(const host::Host& host, cnispec::Command command, const RailsCall& call,
                        const Deadline& deadline);

}  // namespace railhead::cni
