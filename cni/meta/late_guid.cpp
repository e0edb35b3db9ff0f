#include "cni/meta/late_guid.hpp"

#include <algorithm>
#include <array>

#include "base/raw_json.hpp"

namespace railhead::cni {
namespace {

constexpr std::string_view kStatus = "mellanox.infiniband.app";
constexpr std::array<std::string_view, 3> kKeys = {kStatus, "guid", "pkey"};

}  // namespace

bool waits_for_guid(const WantedNetwork& one) {
  const auto asks = [](const cnispec::PluginConf& plugin) {
    return RawObject::of(plugin.text).get("ibKubernetesEnabled") == "true";
  };
  const auto& args = one.selection.cni_args;
  const auto status = args.find(std::string(kStatus));
  return std::ranges::any_of(one.list.plugins, asks) &&
         (status == args.end() || status->second != "\"configured\"");
}

void take_guids(std::span<WantedNetwork> pods, std::string_view annotation,
                std::string_view namespace_) {
  // What it says now may be no network's any more: then nothing is taken.
  const auto later = read_selections(annotation, namespace_);
  if (!later) return;
  for (size_t i = 0; i < std::min(pods.size(), later->size()); ++i) {
    const auto& entry = (*later)[i];
    auto& asked = pods[i].selection;
    if (!waits_for_guid(pods[i]) || entry.nad() != asked.nad() || entry.ifname != asked.ifname) {
      continue;
    }
    for (const auto key : kKeys) {
      const auto found = entry.cni_args.find(std::string(key));
      if (found != entry.cni_args.end()) asked.cni_args[found->first] = found->second;
    }
    if (!entry.infiniband_guid.empty()) asked.infiniband_guid = entry.infiniband_guid;
  }
}

}  // namespace railhead::cni
