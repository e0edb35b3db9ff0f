#include "netlink/link.hpp"

#include <algorithm>
#include <array>

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

namespace railhead::netlink {
namespace {

ifinfomsg link_header(uint32_t index) {
  ifinfomsg header{};
  header.ifi_family = AF_UNSPEC;
  header.ifi_index = static_cast<int>(index);
  return header;
}

Result<std::optional<HwAddress>> hw_address(const Attributes& attributes, uint16_t type) {
  auto data = attributes.bytes(type);
  if (!data) return std::nullopt;
  auto address = HwAddress::from_bytes(
      std::span(reinterpret_cast<const uint8_t*>(data->data()), data->size()));
  if (!address) return fail(ErrorCode::decode, "link address of {} bytes", data->size());
  return address;
}

std::string hex(Bytes bytes) {
  std::string text;
  for (auto byte : bytes) text += fmt::format("{:02x}", static_cast<unsigned>(byte));
  return text;
}

// IFLA_PROP_LIST holds one IFLA_ALT_IFNAME per alternative name.
Result<std::vector<std::string>> alt_names(const Attributes& link) {
  std::vector<std::string> names;
  auto list = link.bytes(IFLA_PROP_LIST);
  if (!list) return names;
  auto properties = Attributes::parse(*list);
  if (!properties) return pass(properties, "alternative names");
  for (const auto& property : *properties) {
    if (property.type != IFLA_ALT_IFNAME) continue;
    std::string_view text(reinterpret_cast<const char*>(property.data.data()),
                          property.data.size());
    names.emplace_back(text.substr(0, text.find('\0')));
  }
  return names;
}

Result<std::optional<std::string>> kind(const Attributes& link) {
  auto info = link.bytes(IFLA_LINKINFO);
  if (!info) return std::nullopt;
  auto attributes = Attributes::parse(*info);
  if (!attributes) return pass(attributes, "link kind");
  return attributes->string(IFLA_INFO_KIND);
}

void read_lower(Attributes& attributes, host::Link& link) {
  if (!link.kind || !sends_through_lower(*link.kind)) return;
  const auto lower = attributes.u32(IFLA_LINK);
  const auto netns = attributes.value<int32_t>(IFLA_LINK_NETNSID);
  // A link of a kind that stands on nothing now names itself.
  if (!lower || lower == 0U || (!netns && lower == link.index)) return;
  link.lower_index = lower;
  link.lower_netns = netns;
}

// The kernel always puts IFLA_XDP, with IFLA_XDP_ATTACHED none.
Result<std::optional<host::XdpPrograms>> xdp(const Attributes& link) {
  auto nested = link.bytes(IFLA_XDP);
  if (!nested) return std::nullopt;
  auto attributes = Attributes::parse(*nested);
  if (!attributes) return pass(attributes, "XDP");
  const host::XdpPrograms programs{.generic = attributes->u32(IFLA_XDP_SKB_PROG_ID),
                                   .driver = attributes->u32(IFLA_XDP_DRV_PROG_ID),
                                   .offload = attributes->u32(IFLA_XDP_HW_PROG_ID)};
  if (auto fits = attributes->verify(); !fits) return pass(fits, "XDP");
  if (programs == host::XdpPrograms{}) return std::nullopt;
  return programs;
}

}  // namespace

bool sends_through_lower(std::string_view kind) {
  static constexpr std::array<std::string_view, 8> kKinds = {
      "vlan", "macvlan", "macvtap", "ipvlan", "ipvtap", "macsec", "ipoib", "dsa"};
  return std::ranges::find(kKinds, kind) != kKinds.end();
}

Request get_links() { return {RTM_GETLINK, NLM_F_DUMP, link_header(0)}; }

Request get_link(uint32_t index) { return {RTM_GETLINK, 0, link_header(index)}; }

Request get_link(std::string_view name) {
  Request request(RTM_GETLINK, 0, link_header(0));
  // Looks at both kinds of names; IFLA_IFNAME would refuse one of more than 15 characters.
  request.put_string(IFLA_ALT_IFNAME, name);
  return request;
}

Request change_link(uint32_t index, const host::LinkChange& change) {
  auto header = link_header(index);
  const auto set_flag = [&](unsigned flag, std::optional<bool> on) {
    if (!on) return;
    header.ifi_change |= flag;
    if (*on) header.ifi_flags |= flag;
  };
  set_flag(IFF_UP, change.up);
  set_flag(IFF_PROMISC, change.promisc);
  set_flag(IFF_ALLMULTI, change.allmulti);
  if (change.modes) {
    header.ifi_change |= host::kLinkModes;
    header.ifi_flags |= *change.modes & host::kLinkModes;
  }
  Request request(RTM_NEWLINK, 0, header);
  if (change.netns_fd) request.put_u32(IFLA_NET_NS_FD, static_cast<uint32_t>(*change.netns_fd));
  if (change.name) request.put_string(IFLA_IFNAME, *change.name);
  if (change.address) request.put(IFLA_ADDRESS, std::as_bytes(change.address->bytes()));
  if (change.mtu) request.put_u32(IFLA_MTU, *change.mtu);
  // Without a NUL behind it: an alias of no bytes at all is what takes it off.
  if (change.alias) request.put(IFLA_IFALIAS, std::as_bytes(std::span(*change.alias)));
  if (change.broadcast) request.put(IFLA_BROADCAST, std::as_bytes(change.broadcast->bytes()));
  if (change.link_mode) request.put(IFLA_LINKMODE, bytes_of(*change.link_mode));
  return request;
}

Request remove_link(uint32_t index) { return {RTM_DELLINK, 0, link_header(index)}; }

Request detach_xdp(uint32_t index, XdpMode mode) {
  Request request(RTM_SETLINK, 0, link_header(index));
  request.nest(IFLA_XDP, [&] {
    constexpr int32_t kNoProgram = -1;
    request.put(IFLA_XDP_FD, bytes_of(kNoProgram));
    request.put_u32(IFLA_XDP_FLAGS, static_cast<uint32_t>(mode));
  });
  return request;
}

namespace {
Request change_alt_name(uint16_t type, uint16_t flags, uint32_t index, std::string_view name) {
  Request request(type, flags, link_header(index));
  request.nest(IFLA_PROP_LIST, [&] { request.put_string(IFLA_ALT_IFNAME, name); });
  return request;
}
}  // namespace

Request add_alt_name(uint32_t index, std::string_view name) {
  return change_alt_name(RTM_NEWLINKPROP, NLM_F_CREATE | NLM_F_EXCL | NLM_F_APPEND, index, name);
}

Request remove_alt_name(uint32_t index, std::string_view name) {
  return change_alt_name(RTM_DELLINKPROP, 0, index, name);
}

Result<host::Link> decode_link(const Message& message) {
  auto header = read_header<ifinfomsg>(message.payload);
  if (!header) return pass(header, "link");
  auto attributes = Attributes::parse(message.payload, sizeof(ifinfomsg));
  if (!attributes) return pass(attributes, "link");

  host::Link link;
  link.index = static_cast<uint32_t>(header->ifi_index);
  link.type = header->ifi_type;
  link.flags = header->ifi_flags;
  link.name = attributes->string(IFLA_IFNAME).value_or("");
  link.mtu = attributes->u32(IFLA_MTU).value_or(0);
  if (auto carrier = attributes->u8(IFLA_CARRIER)) link.carrier = *carrier != 0;
  link.parent_bus = attributes->string(IFLA_PARENT_DEV_BUS_NAME);
  link.parent_device = attributes->string(IFLA_PARENT_DEV_NAME);
  link.num_vfs = attributes->u32(IFLA_NUM_VF);
  link.master = attributes->u32(IFLA_MASTER);
  link.alias = attributes->string(IFLA_IFALIAS).value_or("");
  link.phys_port_name = attributes->string(IFLA_PHYS_PORT_NAME);
  if (auto id = attributes->bytes(IFLA_PHYS_SWITCH_ID)) link.phys_switch_id = hex(*id);

  link.link_mode = attributes->u8(IFLA_LINKMODE).value_or(0);
  auto broadcast = hw_address(*attributes, IFLA_BROADCAST);
  if (!broadcast) return pass(broadcast);
  link.broadcast = broadcast->value_or(HwAddress());
  auto address = hw_address(*attributes, IFLA_ADDRESS);
  if (!address) return pass(address, link.name);
  link.address = address->value_or(HwAddress{});
  auto permanent = hw_address(*attributes, IFLA_PERM_ADDRESS);
  if (!permanent) return pass(permanent, link.name);
  link.permanent_address = *permanent;
  auto names = alt_names(*attributes);
  if (!names) return pass(names, link.name);
  link.alt_names = std::move(*names);
  auto info_kind = kind(*attributes);
  if (!info_kind) return pass(info_kind, link.name);
  link.kind = std::move(*info_kind);
  read_lower(*attributes, link);
  auto programs = xdp(*attributes);
  if (!programs) return pass(programs, link.name);
  link.xdp = *programs;

  if (auto fits = attributes->verify(); !fits) return pass(fits, link.name);
  return link;
}

}  // namespace railhead::netlink
