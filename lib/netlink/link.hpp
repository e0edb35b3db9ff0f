#pragma once
// Links and VFs: rtnetlink(7) messages <-> host::Link, LinkChange and VfAttributes.
#include "host/links.hpp"
#include "netlink/wire.hpp"

namespace railhead::netlink {

// RTM_GETLINK without VF information, which costs much and may not fit (EMSGSIZE).
Request get_links();
Request get_link(uint32_t index);
Request get_link(std::string_view name);  // an alternative name too
// RTM_GETLINK of a PF with what it says of its VFs, without their counters.
Request get_link_with_vfs(uint32_t pf_index);

Request change_link(uint32_t index, const host::LinkChange& change);
Request remove_link(uint32_t index);
// XDP_FLAGS_*: how a program is attached.
enum class XdpMode : uint32_t { generic = 1U << 1, driver = 1U << 2, offload = 1U << 3 };
// EBUSY where a bpf_link holds the program. No error where there is none.
Request detach_xdp(uint32_t index, XdpMode mode);
Request add_alt_name(uint32_t index, std::string_view name);
Request remove_alt_name(uint32_t index, std::string_view name);
Request change_vf(uint32_t pf_index, uint32_t vf, const host::VfAttributes& change);

// Whether links of this kind (IFLA_INFO_KIND) hand their frames to the one that IFLA_LINK names. It
// means other things elsewhere: a veth's or netkit's peer, and what a tunnel is bound to, whose
// packets are routed once more.
bool sends_through_lower(std::string_view kind);

// RTM_NEWLINK. Errors: decode.
Result<host::Link> decode_link(const Message& message);
// What the PF's RTM_NEWLINK says of one VF; nothing when it does not tell of it. Errors: decode.
Result<std::optional<host::VfAttributes>> decode_vf(const Message& message, uint32_t vf);
// Of all VFs, by number.
Result<std::map<uint32_t, host::VfAttributes>> decode_vfs(const Message& message);

}  // namespace railhead::netlink
