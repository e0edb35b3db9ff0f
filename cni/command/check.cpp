#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cni/command/command.hpp"
#include "cni/ip_config.hpp"

namespace railhead::cni {

using cnispec::Outcome;

namespace {

// Later plugins of a chain may add to what is there: each address of ours must stand, others may.
Outcome<> check_addresses(const Call& call, const cnispec::PluginResult& prev) {
  const auto netns = call.host.netns.open(call.request.netns);
  if (!netns) return to_outcome(pass(netns));
  const auto links = call.host.netns.links(*netns);
  if (!links) return to_outcome(pass(links));
  const auto link = (*links)->by_name(call.request.ifname);
  if (!link) return to_outcome(pass(link, call.request.ifname));
  const auto present = (*links)->addresses(link->index);
  if (!present) return to_outcome(pass(present, call.request.ifname));
  for (const auto& ip : prev.ips) {
    const bool ours = !ip.interface || (*ip.interface < prev.interfaces.size() &&
                                        prev.interfaces[*ip.interface].name == call.request.ifname);
    const auto wanted = host::IpPrefix::parse(ip.address);
    if (!ours || !wanted) continue;
    if (std::find(present->begin(), present->end(), *wanted) == present->end()) {
      return cnispec::refuse(
          cnispec::code::kInternal,
          fmt::format("{} has lost its address {}", call.request.ifname, ip.address));
    }
  }
  return {};
}

}  // namespace

Outcome<std::string> check(const Call& call) {
  const auto prev = cnispec::read_prev_result(call.config);
  if (!prev) return cnispec::refuse(prev.error());
  attach::Attacher attacher(call.host, call.log);
  auto good = to_outcome(attacher.check(call.key()));
  if (good && *prev && !(*prev)->ips.empty()) good = check_addresses(call, **prev);
  if (good) good = call.ipam.call(cnispec::Command::check);
  if (!good) return cnispec::refuse(good.error());
  return {};
}

}  // namespace railhead::cni
