#include "test/vm/watchers/dump_node/links.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <map>

#include <arpa/inet.h>
#include <linux/bpf.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "test/vm/watchers/dump_node/netlink.hpp"

namespace dump_node {
namespace {

struct Link {
  int index = 0;
  unsigned flags = 0;
  unsigned type = 0;
  std::string name;
  std::vector<char> message;
  [[nodiscard]] Attributes attributes() const {
    return Attributes(Bytes(message).subspan(NLMSG_ALIGN(sizeof(ifinfomsg))));
  }
};

using Links = std::map<int, Link>;

Links read_links() {
  Links links;
  constexpr uint32_t kNoStatistics = 1U << 3;  // RTEXT_FILTER_SKIP_STATS
  for (auto& message : ask(NETLINK_ROUTE, {RTM_GETLINK, IFLA_EXT_MASK,
                                           RTEXT_FILTER_VF | kNoStatistics, sizeof(ifinfomsg)})) {
    if (message.size() < sizeof(ifinfomsg)) die("link message");
    ifinfomsg header{};
    std::memcpy(&header, message.data(), sizeof header);
    Link link{header.ifi_index, header.ifi_flags, header.ifi_type, {}, std::move(message)};
    link.name = link.attributes().string(IFLA_IFNAME);
    links.emplace(link.index, std::move(link));
  }
  return links;
}

std::string name_of(const Links& links, uint32_t index) {
  const auto found = links.find(static_cast<int>(index));
  return found == links.end() ? "?" : found->second.name;
}

std::string vf_line(const Attributes& vf, size_t address_bytes) {
  std::string out;
  if (const auto mac = vf.value<ifla_vf_mac>(IFLA_VF_MAC)) {
    const auto* bytes = reinterpret_cast<const char*>(mac->mac);
    out +=
        text(" %u: mac ", mac->vf) + hex({bytes, std::min<size_t>(address_bytes, sizeof mac->mac)});
  }
  for (const auto& [number, bytes] : vf.nested(IFLA_VF_VLAN_LIST).all()) {
    ifla_vf_vlan_info vlan{};
    std::memcpy(&vlan, bytes.data(), std::min(bytes.size(), sizeof vlan));
    out += text(" vlan %u qos %u proto %04x", vlan.vlan, vlan.qos, ntohs(vlan.vlan_proto));
  }
  if (const auto rate = vf.value<ifla_vf_rate>(IFLA_VF_RATE)) {
    out += text(" rate %u-%u", rate->min_tx_rate, rate->max_tx_rate);
  }
  constexpr std::array<std::pair<int, const char*>, 4> kSettings{{{IFLA_VF_SPOOFCHK, "spoofchk"},
                                                                  {IFLA_VF_TRUST, "trust"},
                                                                  {IFLA_VF_LINK_STATE, "state"},
                                                                  {IFLA_VF_RSS_QUERY_EN, "rss"}}};
  for (const auto& [number, word] : kSettings) {
    if (const auto now = vf.value<ifla_vf_spoofchk>(number)) {
      out += text(" %s %d", word, static_cast<int>(now->setting));
    }
  }
  constexpr std::array<std::pair<int, const char*>, 2> kGuids{
      {{IFLA_VF_IB_NODE_GUID, "node_guid"}, {IFLA_VF_IB_PORT_GUID, "port_guid"}}};
  for (const auto& [number, word] : kGuids) {
    if (const auto guid = vf.value<ifla_vf_guid>(number)) {
      out += text(" %s %016llx", word, static_cast<unsigned long long>(guid->guid));
    }
  }
  return out;
}

// The programs at tcx's hooks, which rtnetlink does not tell.
std::string tcx(int index) {
  constexpr std::array<std::pair<unsigned, const char*>, 2> kHooks{
      {{46, "ingress"}, {47, "egress"}}};
  std::string out;
  for (const auto& [hook, word] : kHooks) {
    std::array<uint32_t, 64> ids{};
    bpf_attr query{};
    query.query.target_fd = static_cast<uint32_t>(index);
    query.query.attach_type = hook;
    query.query.prog_ids = reinterpret_cast<uint64_t>(ids.data());
    query.query.prog_cnt = ids.size();
    if (syscall(SYS_bpf, BPF_PROG_QUERY, &query, sizeof query) != 0) continue;
    for (uint32_t i = 0; i < query.query.prog_cnt; ++i) out += text(" tcx-%s %u", word, ids.at(i));
  }
  return out;
}

std::string programs(const Attributes& xdp, int index) {
  std::string out;
  if (xdp.value<uint8_t>(IFLA_XDP_ATTACHED).value_or(0) != 0) {
    for (const int number :
         {IFLA_XDP_PROG_ID, IFLA_XDP_DRV_PROG_ID, IFLA_XDP_SKB_PROG_ID, IFLA_XDP_HW_PROG_ID}) {
      if (const auto id = xdp.value<uint32_t>(number)) out += text(" xdp-%d %u", number, *id);
    }
  }
  return out + tcx(index);
}

std::string link_line(const Links& links, const Link& link) {
  const auto attributes = link.attributes();
  std::string out = text(" type %u", link.type);
  constexpr std::array<std::pair<unsigned, const char*>, 6> kFlags{{{IFF_UP, "up"},
                                                                    {IFF_NOTRAILERS, "notrailers"},
                                                                    {IFF_PROMISC, "promisc"},
                                                                    {IFF_ALLMULTI, "allmulti"},
                                                                    {IFF_NOARP, "noarp"},
                                                                    {IFF_DYNAMIC, "dynamic"}}};
  for (const auto& [flag, word] : kFlags) {
    if ((link.flags & flag) != 0) out += text(" %s", word);
  }
  constexpr std::array<std::pair<int, const char*>, 6> kNumbers{
      {{IFLA_MTU, "mtu"},
       {IFLA_MIN_MTU, "min_mtu"},
       {IFLA_MAX_MTU, "max_mtu"},
       {IFLA_PROMISCUITY, "promiscuity"},
       {61 /* IFLA_ALLMULTI */, "allmulti"},
       {IFLA_GROUP, "group"}}};
  for (const auto& [number, word] : kNumbers) {
    if (const auto now = attributes.value<uint32_t>(number); now.value_or(0) != 0) {
      out += text(" %s %u", word, *now);
    }
  }
  // Of IPoIB without flags and QPN: another one whenever it is made anew.
  if (const auto address = attributes.find(IFLA_ADDRESS)) {
    out += " address " + hex(address->size() == 20 ? address->subspan(4) : *address);
  }
  if (const auto broadcast = attributes.find(IFLA_BROADCAST); broadcast && broadcast->size() == 6) {
    out += " broadcast " + hex(*broadcast);
  }
  if (const auto mode = attributes.value<uint8_t>(IFLA_LINKMODE); mode.value_or(0) != 0) {
    out += text(" link mode %u", *mode);
  }
  if (const auto alias = attributes.string(IFLA_IFALIAS); !alias.empty()) {
    out += " alias '" + alias + "'";
  }
  Lines alt_names;
  for (const auto& [number, bytes] : attributes.nested(IFLA_PROP_LIST).all()) {
    if (number == IFLA_ALT_IFNAME) alt_names.emplace_back(bytes.data());
  }
  if (!alt_names.empty()) out += " altnames " + joined(alt_names);
  if (const auto kind = attributes.nested(IFLA_LINKINFO).string(IFLA_INFO_KIND); !kind.empty()) {
    out += " kind " + kind;
  }
  if (const auto master = attributes.value<uint32_t>(IFLA_MASTER)) {
    out += " master " + name_of(links, *master);
  }
  if (attributes.find(IFLA_LINK_NETNSID)) {
    out += " lower-elsewhere";
  } else if (const auto lower = attributes.value<uint32_t>(IFLA_LINK); lower.value_or(0) != 0) {
    out += " lower " + name_of(links, *lower);
  }
  Lines uppers;
  for (const auto& [index, other] : links) {
    const auto of_other = other.attributes();
    const auto lower = of_other.value<uint32_t>(IFLA_LINK);
    if (lower == static_cast<uint32_t>(link.index) && index != link.index &&
        !of_other.find(IFLA_LINK_NETNSID)) {
      uppers.push_back(other.name);
    }
  }
  if (!uppers.empty()) out += " uppers " + joined(uppers);
  if (const auto parent = attributes.string(IFLA_PARENT_DEV_NAME); !parent.empty()) {
    out += " device " + parent;
  }
  return out + programs(attributes.nested(IFLA_XDP), link.index);
}

std::string sysctl_line(const std::string& link) {
  constexpr std::array kKeys{
      "ipv4/conf/*/forwarding",   "ipv4/conf/*/rp_filter",    "ipv4/conf/*/arp_ignore",
      "ipv4/conf/*/arp_announce", "ipv4/conf/*/arp_notify",   "ipv6/conf/*/forwarding",
      "ipv6/conf/*/accept_ra",    "ipv6/conf/*/accept_dad",   "ipv6/conf/*/addr_gen_mode",
      "ipv6/conf/*/disable_ipv6", "ipv6/conf/*/ndisc_notify", "ipv6/conf/*/keep_addr_on_down",
  };
  std::string out;
  for (std::string key : kKeys) {
    const auto star = key.find('*');
    const auto value =
        first_line("/proc/sys/net/" + key.substr(0, star) + link + key.substr(star + 1));
    if (!value.empty()) out += " " + key.substr(0, 5) + key.substr(star + 2) + "=" + value;
  }
  return out;
}

void add_links(const std::string& where, const Links& links, Lines& lines) {
  for (const auto& [index, link] : links) {
    const auto head = where + " link " + link.name;
    lines.push_back(head + link_line(links, link));
    lines.push_back(head + " sysctls" + sysctl_line(link.name));
    const auto attributes = link.attributes();
    const auto address = attributes.find(IFLA_ADDRESS);
    for (const auto& [number, bytes] : attributes.nested(IFLA_VFINFO_LIST).all()) {
      lines.push_back(head + " vf" + vf_line(Attributes(bytes), address ? address->size() : 6));
    }
  }
}

void add_addresses(const std::string& where, const Links& links, Lines& lines) {
  constexpr int kAddressProtocol = 11;  // IFA_PROTO
  constexpr uint8_t kLinkLocal = 3;     // IFAPROT_KERNEL_LL: comes and goes with the carrier
  for (const auto& message : ask(NETLINK_ROUTE, {RTM_GETADDR, 0, 0, sizeof(ifaddrmsg)})) {
    ifaddrmsg header{};
    std::memcpy(&header, message.data(), sizeof header);
    const Attributes attributes(Bytes(message).subspan(NLMSG_ALIGN(sizeof header)));
    if (attributes.value<uint8_t>(kAddressProtocol) == kLinkLocal) continue;
    auto bytes = attributes.find(IFA_LOCAL);
    if (!bytes) bytes = attributes.find(IFA_ADDRESS);
    std::array<char, INET6_ADDRSTRLEN> address{};
    if (!bytes || !inet_ntop(header.ifa_family, bytes->data(), address.data(), address.size()))
      continue;
    const auto flags = attributes.value<uint32_t>(IFA_FLAGS).value_or(header.ifa_flags);
    lines.push_back(where + " address " + name_of(links, header.ifa_index) +
                    text(" %s/%u scope %u%s", address.data(), header.ifa_prefixlen,
                         header.ifa_scope, (flags & IFA_F_DADFAILED) != 0 ? " dadfailed" : ""));
  }
}

}  // namespace

void add_links_and_addresses(const std::string& where, Lines& lines) {
  const auto links = read_links();
  add_links(where, links, lines);
  add_addresses(where, links, lines);
}

}  // namespace dump_node
