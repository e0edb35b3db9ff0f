// The VF part of netlink/link.hpp: IFLA_VFINFO_LIST in both directions (linux/if_link.h). It holds
// one IFLA_VF_INFO per VF, whose attributes are structs that begin with the VF's index.
#include <algorithm>

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include "netlink/link.hpp"

namespace railhead::netlink {
namespace {

// What the kernel puts for a switch that the driver does not tell (rtnl_fill_vfinfo).
constexpr uint32_t kUnknown = UINT32_MAX;

std::optional<bool> on_or_off(std::optional<uint32_t> setting) {
  if (!setting || *setting == kUnknown) return std::nullopt;
  return *setting != 0;
}

std::optional<host::VfLinkState> link_state(uint32_t state) {
  if (state > IFLA_VF_LINK_STATE_DISABLE) return std::nullopt;
  return static_cast<host::VfLinkState>(state);
}

Result<std::optional<host::VfVlan>> vlan(Attributes& vf) {
  // The list is the newer form and alone knows the protocol; the kernel gives both.
  if (auto list = vf.bytes(IFLA_VF_VLAN_LIST)) {
    auto entries = Attributes::parse(*list);
    if (!entries) return pass(entries, "VLAN list");
    auto first = entries->value<ifla_vf_vlan_info>(IFLA_VF_VLAN_INFO);
    if (auto fits = entries->verify(); !fits) return pass(fits, "VLAN list");
    if (first) return host::VfVlan{first->vlan, first->qos, ntohs(first->vlan_proto)};
  }
  auto plain = vf.value<ifla_vf_vlan>(IFLA_VF_VLAN);
  if (!plain) return std::nullopt;
  return host::VfVlan{plain->vlan, plain->qos, ETH_P_8021Q};
}

std::optional<host::VfRate> rate(Attributes& vf) {
  if (auto both = vf.value<ifla_vf_rate>(IFLA_VF_RATE)) {
    return host::VfRate{both->min_tx_rate, both->max_tx_rate};
  }
  if (auto old = vf.value<ifla_vf_tx_rate>(IFLA_VF_TX_RATE)) return host::VfRate{0, old->rate};
  return std::nullopt;
}

std::optional<Guid> guid(Attributes& vf, uint16_t type) {
  auto value = vf.value<ifla_vf_guid>(type);
  if (!value) return std::nullopt;
  return Guid{value->guid};
}

// `mac_size`: the kernel always gives 32 bytes; the PF's own address says how many count.
Result<host::VfAttributes> decode_info(Attributes& info, size_t mac_size) {
  host::VfAttributes vf;
  if (auto mac = info.value<ifla_vf_mac>(IFLA_VF_MAC)) {
    vf.mac = HwAddress::from_bytes(std::span(mac->mac, std::min(mac_size, sizeof(mac->mac))));
  }
  auto tag = vlan(info);
  if (!tag) return pass(tag);
  vf.vlan = *tag;
  vf.rate = rate(info);
  if (auto check = info.value<ifla_vf_spoofchk>(IFLA_VF_SPOOFCHK)) {
    vf.spoofchk = on_or_off(check->setting);
  }
  if (auto trust = info.value<ifla_vf_trust>(IFLA_VF_TRUST)) vf.trust = on_or_off(trust->setting);
  if (auto state = info.value<ifla_vf_link_state>(IFLA_VF_LINK_STATE)) {
    vf.link_state = link_state(state->link_state);
  }
  vf.node_guid = guid(info, IFLA_VF_IB_NODE_GUID);
  vf.port_guid = guid(info, IFLA_VF_IB_PORT_GUID);
  if (auto fits = info.verify(); !fits) return pass(fits);
  return vf;
}

template <class T>
void put(Request& request, uint16_t type, const T& value) {
  request.put(type, bytes_of(value));
}

void put_vlan(Request& request, uint32_t vf, const host::VfVlan& vlan) {
  if (vlan.protocol == ETH_P_8021Q) {  // every driver that knows VLANs takes this form
    put(request, IFLA_VF_VLAN, ifla_vf_vlan{vf, vlan.id, vlan.qos});
    return;
  }
  request.nest(IFLA_VF_VLAN_LIST, [&] {
    ifla_vf_vlan_info info{};
    std::memset(&info, 0, sizeof(info));  // its padding too
    info.vf = vf;
    info.vlan = vlan.id;
    info.qos = vlan.qos;
    info.vlan_proto = htons(vlan.protocol);
    put(request, IFLA_VF_VLAN_INFO, info);
  });
}

void put_guid(Request& request, uint16_t type, uint32_t vf, Guid guid) {
  ifla_vf_guid value;
  std::memset(&value, 0, sizeof(value));  // its padding too
  value.vf = vf;
  value.guid = guid.value;
  put(request, type, value);
}

}  // namespace

Request get_link_with_vfs(uint32_t pf_index) {
  ifinfomsg header{};
  header.ifi_index = static_cast<int>(pf_index);
  Request request(RTM_GETLINK, 0, header);
  request.put_u32(IFLA_EXT_MASK, RTEXT_FILTER_VF | RTEXT_FILTER_SKIP_STATS);
  return request;
}

Request change_vf(uint32_t pf_index, uint32_t vf, const host::VfAttributes& change) {
  ifinfomsg header{};
  header.ifi_index = static_cast<int>(pf_index);
  Request request(RTM_SETLINK, 0, header);
  auto fill = [&] {
    if (change.mac) {
      ifla_vf_mac mac{};
      mac.vf = vf;
      std::ranges::copy(change.mac->bytes(), mac.mac);
      put(request, IFLA_VF_MAC, mac);
    }
    if (change.vlan) put_vlan(request, vf, *change.vlan);
    if (change.rate) {
      put(request, IFLA_VF_RATE, ifla_vf_rate{vf, change.rate->min_tx, change.rate->max_tx});
    }
    if (change.spoofchk) put(request, IFLA_VF_SPOOFCHK, ifla_vf_spoofchk{vf, *change.spoofchk});
    if (change.link_state) {
      put(request, IFLA_VF_LINK_STATE,
          ifla_vf_link_state{vf, static_cast<uint32_t>(*change.link_state)});
    }
    if (change.trust) put(request, IFLA_VF_TRUST, ifla_vf_trust{vf, *change.trust});
    if (change.node_guid) put_guid(request, IFLA_VF_IB_NODE_GUID, vf, *change.node_guid);
    if (change.port_guid) put_guid(request, IFLA_VF_IB_PORT_GUID, vf, *change.port_guid);
  };
  request.nest(IFLA_VFINFO_LIST, [&] { request.nest(IFLA_VF_INFO, fill); });
  return request;
}

namespace {

// Those that `wanted` says yes to, by number.
template <class Wanted>
Result<std::map<uint32_t, host::VfAttributes>> decode_some(const Message& message, Wanted wanted) {
  std::map<uint32_t, host::VfAttributes> all;
  auto link = Attributes::parse(message.payload, sizeof(ifinfomsg));
  if (!link) return pass(link, "VF information");
  auto list = link->bytes(IFLA_VFINFO_LIST);
  if (!list) return all;
  const size_t mac_size = link->bytes(IFLA_ADDRESS).value_or(Bytes{}).size();

  auto infos = Attributes::parse(*list);
  if (!infos) return pass(infos, "VF information");
  for (const auto& entry : *infos) {
    auto info = Attributes::parse(entry.data);
    if (!info) return pass(info, "VF information");
    const auto index = info->u32(IFLA_VF_MAC);  // each struct begins with the index
    if (!index || !wanted(*index)) continue;
    auto decoded = decode_info(*info, mac_size);
    if (!decoded) return pass(decoded, "VF information");
    all[*index] = std::move(*decoded);
  }
  return all;
}

}  // namespace

Result<std::optional<host::VfAttributes>> decode_vf(const Message& message, uint32_t vf) {
  auto found = decode_some(message, [&](uint32_t index) { return index == vf; });
  if (!found) return pass(found);
  if (found->empty()) return std::nullopt;
  return std::move(found->begin()->second);
}

Result<std::map<uint32_t, host::VfAttributes>> decode_vfs(const Message& message) {
  return decode_some(message, [](uint32_t) { return true; });
}

}  // namespace railhead::netlink
