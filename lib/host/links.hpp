#pragma once
// PORT: network links of ONE network namespace (rtnetlink(7), linux/if_link.h).
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <netinet/in.h>

#include "base/error.hpp"
#include "base/guid.hpp"
#include "base/hw_address.hpp"

namespace railhead::host {

// The XDP programs of a link (IFLA_XDP), by how each is attached: the kernel's id of the program.
struct XdpPrograms {
  std::optional<uint32_t> generic;  // IFLA_XDP_SKB_PROG_ID: in the network stack
  std::optional<uint32_t> driver;   // IFLA_XDP_DRV_PROG_ID
  std::optional<uint32_t> offload;  // IFLA_XDP_HW_PROG_ID: in the NIC
  friend bool operator==(const XdpPrograms&, const XdpPrograms&) = default;
};

// IFF_DEBUG, IFF_NOTRAILERS, IFF_NOARP, IFF_MULTICAST, IFF_PORTSEL, IFF_AUTOMEDIA, IFF_DYNAMIC: how
// a link is used, as somebody set it (__dev_change_flags() of net/core/dev.c).
inline constexpr uint32_t kLinkModes = 0x0004 | 0x0020 | 0x0080 | 0x1000 | 0x2000 | 0x4000 | 0x8000;

// Which of a function's netdevs is meant: IPoIB's, or one of any other type.
enum class LinkLayer { ethernet, infiniband };

// A link as RTM_GETLINK tells it. An absent optional: the kernel did not say.
struct Link {
  uint32_t index = 0;  // valid in this namespace only; a move may change it
  std::string name;
  std::vector<std::string> alt_names;
  uint16_t type = 0;   // ARPHRD_*: 1 Ethernet, 32 InfiniBand
  uint32_t flags = 0;  // IFF_*; IFF_PROMISC and IFF_ALLMULTI only where somebody set these flags
  uint32_t mtu = 0;    // bytes
  HwAddress address;
  HwAddress broadcast;
  // IFLA_LINKMODE: 1 where a link that has carrier stays dormant until a program says otherwise.
  uint8_t link_mode = 0;
  std::optional<HwAddress> permanent_address;
  std::optional<bool> carrier;
  std::optional<std::string> kind;           // IFLA_INFO_KIND: "veth"; absent on hardware
  std::optional<std::string> parent_bus;     // IFLA_PARENT_DEV_BUS_NAME: "pci"
  std::optional<std::string> parent_device;  // IFLA_PARENT_DEV_NAME: "0000:3b:00.2"
  std::optional<uint32_t> num_vfs;           // IFLA_NUM_VF
  std::optional<uint32_t> master;            // ifindex of its bond, bridge, VRF
  // What a VLAN, macvlan, … stands on (IFLA_LINK): its ifindex in its own namespace. It outlives a
  // move of what it stands on to another namespace.
  std::optional<uint32_t> lower_index;
  // IFLA_LINK_NETNSID: that is in another namespace, which is called so here (-1: it has no
  // number).
  std::optional<int32_t> lower_netns;
  std::string alias;               // IFLA_IFALIAS; "": none
  std::optional<XdpPrograms> xdp;  // absent: no program is attached
  std::optional<std::string> phys_port_name;
  std::optional<std::string> phys_switch_id;  // hex digits

  [[nodiscard]] bool is_up() const;  // IFF_UP
  // Of InfiniBand's none that stands on another, as a partition's does.
  [[nodiscard]] bool is_of(LinkLayer layer) const;
  [[nodiscard]] bool is_promisc() const;   // IFF_PROMISC; not what a sniffer's socket asks for
  [[nodiscard]] bool is_allmulti() const;  // IFF_ALLMULTI
  [[nodiscard]] uint32_t modes() const { return flags & kLinkModes; }
  // The ifindex of what it stands on, where that is in this namespace.
  [[nodiscard]] std::optional<uint32_t> lower() const;
  // A device of a bus, not one that only the kernel's software makes. Kernels before 5.14 name no
  // parent; drivers of hardware have no kind.
  [[nodiscard]] bool is_hardware() const;
  friend bool operator==(const Link&, const Link&) = default;
};

enum class VfLinkState : uint32_t {
  automatic = 0,
  enable = 1,
  disable = 2
};                                              // IFLA_VF_LINK_STATE_*
std::string_view to_string(VfLinkState state);  // "auto", "enable", "disable"

struct VfVlan {
  uint32_t id = 0;             // 0-4095; 0: no VLAN
  uint32_t qos = 0;            // PCP, 0-7
  uint16_t protocol = 0x8100;  // 0x8100 802.1Q, 0x88a8 802.1ad
  friend bool operator==(const VfVlan&, const VfVlan&) = default;
};

struct VfRate {
  uint32_t min_tx = 0;  // Mbit/s, 0: no limit
  uint32_t max_tx = 0;  // Mbit/s, 0: no limit
  friend bool operator==(const VfRate&, const VfRate&) = default;
};

// What a PF says of one VF (IFLA_VF_INFO), and, with the same fields, what to change of it. The
// kernel leaves out what the driver does not know.
struct VfAttributes {
  std::optional<HwAddress> mac;  // the admin MAC; all zero: none, the VF may choose
  std::optional<VfVlan> vlan;
  std::optional<VfRate> rate;  // the kernel takes both at once, or refuses both
  std::optional<bool> spoofchk;
  std::optional<bool> trust;
  std::optional<VfLinkState> link_state;
  std::optional<Guid> node_guid;  // InfiniBand only
  std::optional<Guid> port_guid;
  [[nodiscard]] bool empty() const { return *this == VfAttributes{}; }
  friend bool operator==(const VfAttributes&, const VfAttributes&) = default;
};

// What one RTM_NEWLINK changes. With `netns_fd` the link moves first and the rest happens there.
// An error does not mean that nothing happened: the kernel stops where it failed.
struct LinkChange {
  std::optional<int> netns_fd;       // open file of the namespace to move to
  std::optional<std::string> name;   // EEXIST when taken; EBUSY while up on kernels before 6.2
  std::optional<HwAddress> address;  // EADDRNOTAVAIL where the driver forbids it
  std::optional<uint32_t> mtu;       // bytes
  std::optional<bool> up;
  std::optional<bool> promisc;       // IFF_PROMISC
  std::optional<bool> allmulti;      // IFF_ALLMULTI
  std::optional<uint32_t> modes;     // of kLinkModes those that are to be on
  std::optional<std::string> alias;  // at most 255 bytes, or ERANGE; "": none
  std::optional<HwAddress> broadcast;
  std::optional<uint8_t> link_mode;
  friend bool operator==(const LinkChange&, const LinkChange&) = default;
};

// An IPv4 or IPv6 address with its prefix length, and "10.1.2.3/24" of it.
struct IpPrefix {
  bool v6 = false;
  std::array<uint8_t, 16> bytes{};  // network order; the first four for IPv4
  uint8_t length = 0;               // bits
  // Takes "a.b.c.d/len", "x::y/len", and without "/len" the host's full length.
  static std::optional<IpPrefix> parse(std::string_view text);
  [[nodiscard]] std::string to_string() const;
  [[nodiscard]] std::string address_string() const;  // without "/len"
  [[nodiscard]] IpPrefix network() const;            // without the bits behind the prefix
  friend bool operator==(const IpPrefix&, const IpPrefix&) = default;
};

// An address of a link.
struct LinkAddress {
  uint32_t index = 0;  // of the link
  IpPrefix address;
  uint8_t scope = 0;  // RT_SCOPE_*
  // IFA_F_DADFAILED: another host has this IPv6 address; it stays here, and is not used.
  bool is_duplicate = false;
  [[nodiscard]] bool is_global() const { return scope == 0; }  // RT_SCOPE_UNIVERSE
  friend bool operator==(const LinkAddress&, const LinkAddress&) = default;
};

// What is absent is the kernel's choice: metric 0 (IPv4) or 1024 (IPv6), the main table.
struct Route {
  IpPrefix destination;             // length 0: the default route
  std::optional<IpPrefix> gateway;  // its length is not looked at
  uint32_t out_index = 0;
  std::optional<uint32_t> metric;  // RTA_PRIORITY
  std::optional<uint32_t> table;
  std::optional<uint8_t> scope;  // RT_SCOPE_*
  std::optional<uint32_t> mtu;
  std::optional<uint32_t> advmss;
  std::optional<IpPrefix> source;   // RTA_PREFSRC; its length is not looked at
  std::optional<uint8_t> protocol;  // RTPROT_*; absent: RTPROT_BOOT, as `ip route` sets it
  [[nodiscard]] uint32_t kernel_metric() const;
  [[nodiscard]] uint32_t kernel_table() const;
  [[nodiscard]] bool is_default() const { return destination.length == 0; }
  // Whether the kernel takes them for one where they leave by the same link.
  [[nodiscard]] bool is_same_way(const Route& other) const;
  friend bool operator==(const Route&, const Route&) = default;
};

// A rule of the routing policy (FRA_* of linux/fib_rules.h): which table is asked. What is absent
// takes all.
struct Rule {
  bool v6 = false;
  uint32_t priority = 0;  // the lower the earlier
  uint32_t table = 0;
  std::optional<IpPrefix> from;
  std::string out_link;  // by name; "": any
  uint8_t protocol = 0;  // RTPROT_*: who made it
  friend bool operator==(const Rule&, const Rule&) = default;
};

// Errors carry the kernel's errno: ENODEV no such link, EEXIST a name or address is taken,
// EOPNOTSUPP the driver cannot, EBUSY, EINVAL, EPERM.
class Links {
 public:
  virtual ~Links() = default;

  // All links, one dump without VF information.
  [[nodiscard]] virtual Result<std::vector<Link>> list() = 0;
  // ENODEV when there is none. by_name looks at alternative names too, as the kernel does.
  [[nodiscard]] virtual Result<Link> by_index(uint32_t index) = 0;
  [[nodiscard]] virtual Result<Link> by_name(std::string_view name) = 0;
  // The link of the PCI function "0000:3b:00.2" in this namespace (the first, by ifindex, that
  // is_of() the layer).
  [[nodiscard]] virtual Result<Link> by_parent(std::string_view pci_address,
                                               LinkLayer layer = LinkLayer::ethernet) = 0;

  [[nodiscard]] virtual Result<void> change(uint32_t index, const LinkChange& change) = 0;
  // RTM_DELLINK: a VLAN, macvlan, veth, …; EOPNOTSUPP for hardware and the loopback.
  [[nodiscard]] virtual Result<void> remove(uint32_t index) = 0;
  // Takes off the BPF programs that stay with a link when it changes its namespace: XDP in every
  // mode and tcx (Linux 6.6), held by a bpf_link or not (those of tc's qdiscs and of nftables go
  // by themselves). How many there were; 0 is usual and costs little. What is attached meanwhile
  // by somebody else may be left: 0 the next time says that nothing is.
  // Errors: ENODEV; EPERM (it takes CAP_NET_ADMIN, CAP_SYS_ADMIN where a bpf_link holds one);
  // EBUSY: which bpf_link holds an XDP program cannot be told.
  [[nodiscard]] virtual Result<unsigned> detach_programs(uint32_t index) = 0;
  [[nodiscard]] virtual Result<void> add_alt_name(uint32_t index, std::string_view name) = 0;
  [[nodiscard]] virtual Result<void> remove_alt_name(uint32_t index, std::string_view name) = 0;

  // Asks the PF for its VFs; EMSGSIZE is possible on PFs with many VFs (the kernel's limit).
  [[nodiscard]] virtual Result<VfAttributes> vf(uint32_t pf_index, uint32_t vf) = 0;
  // The same of all of them, by their number: one message.
  [[nodiscard]] virtual Result<std::map<uint32_t, VfAttributes>> vfs(uint32_t pf_index) = 0;
  // One RTM_SETLINK per call. Drivers refuse single attributes with EOPNOTSUPP or EINVAL.
  [[nodiscard]] virtual Result<void> change_vf(uint32_t pf_index, uint32_t vf,
                                               const VfAttributes& change) = 0;

  [[nodiscard]] virtual Result<std::vector<IpPrefix>> addresses(uint32_t index) = 0;
  // Of all links, both families, one dump.
  [[nodiscard]] virtual Result<std::vector<LinkAddress>> all_addresses() = 0;
  // An IPv6 one is asked to be optimistic, which the sysctl optimistic_dad must permit.
  [[nodiscard]] virtual Result<void> add_address(uint32_t index, const IpPrefix& address) = 0;
  // EEXIST: it is there, with the same gateway, link, metric and table. One that differs in its
  // gateway or link only goes before the others (IPv4), or shares with them (IPv6).
  [[nodiscard]] virtual Result<void> add_route(const Route& route) = 0;
  // The one with the same destination, gateway, link, metric and table. ESRCH: there is none.
  [[nodiscard]] virtual Result<void> remove_route(const Route& route) = 0;
  [[nodiscard]] virtual Result<std::vector<Route>> routes(uint32_t index) = 0;
  // Of a table, both families, one for each next hop; none where nobody made that table.
  [[nodiscard]] virtual Result<std::vector<Route>> table_routes(uint32_t table) = 0;
  // The rules of a family that ask a table, whatever else they look at. EAFNOSUPPORT: the kernel
  // has no such family, or no rules.
  [[nodiscard]] virtual Result<std::vector<Rule>> rules(bool v6) = 0;
  // EEXIST: there is one that is equal.
  [[nodiscard]] virtual Result<void> add_rule(const Rule& rule) = 0;
  // The one that is equal in all that a Rule has. ENOENT: there is none.
  [[nodiscard]] virtual Result<void> remove_rule(const Rule& rule) = 0;
  // Keeps a neighbour's address for good (NUD_PERMANENT); its prefix length is not looked at. Of an
  // address that is there the new one stays.
  [[nodiscard]] virtual Result<void> set_neighbour(uint32_t index, const IpPrefix& address,
                                                   const HwAddress& mac) = 0;
  // The default routes of the main table, IPv4 and IPv6, one for each next hop. Those of other
  // tables are not the node's own: hosts with many NICs have one per NIC, chosen by `ip rule`.
  [[nodiscard]] virtual Result<std::vector<Route>> default_routes() = 0;
};

}  // namespace railhead::host
