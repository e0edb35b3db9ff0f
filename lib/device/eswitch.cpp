#include "device/eswitch.hpp"

#include <algorithm>
#include <set>

#include "device/port_name.hpp"

namespace railhead::device {

std::optional<std::string> eswitch_mode_of(const std::vector<Netdev>& netdevs, size_t vfs) {
  std::set<std::string> uplinks;
  std::set<std::string> representors;
  for (const auto& netdev : netdevs) {
    if (!netdev.phys_switch_id || !netdev.phys_port_name) continue;
    const auto name = PortName::parse(*netdev.phys_port_name);
    if (!name) continue;
    (name->is_uplink() ? uplinks : representors).insert(*netdev.phys_switch_id);
  }
  const bool is_represented = uplinks.empty()
                                  ? !representors.empty()
                                  : std::ranges::any_of(representors, [&](const auto& switch_id) {
                                      return uplinks.contains(switch_id);
                                    });
  if (is_represented) return "switchdev";
  if (!uplinks.empty() && vfs > 0) return "legacy";
  return std::nullopt;
}

}  // namespace railhead::device
