#pragma once
// In which mode a PF's switch is, without devlink, whose question takes CAP_NET_ADMIN.
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "device/values.hpp"

namespace railhead::device {

// Of a PF with these netdevs, among them the representors of its VFs, and so many VFs:
//   "switchdev"  something is represented on a switch that an uplink is a port of, or whose uplink
//                is not in this namespace
//   "legacy"     an uplink is the port of a switch, and none of the VFs is represented
//   nothing      the netdevs do not tell: its driver knows no switch, or it has neither VFs nor
//                representors, and both modes look alike
// An uplink's name and switch id say nothing alone: mlx5 (Linux 5.11 and later) and ice give them
// in legacy mode, too. bnxt's representors belong to their PF since Linux 6.5.
[[nodiscard]] std::optional<std::string> eswitch_mode_of(const std::vector<Netdev>& netdevs,
                                                         size_t vfs);

}  // namespace railhead::device
