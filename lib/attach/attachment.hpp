#pragma once
// What is asked for and what comes of it: the values that transaction.hpp and attachments.hpp take
// and give.
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/guid.hpp"
#include "base/hw_address.hpp"
#include "device/device_id.hpp"
#include "host/host.hpp"

namespace railhead::attach {

// What names an attachment, as CNI does.
struct AttachmentKey {
  std::string network;
  std::string container_id;
  std::string ifname;
  friend bool operator==(const AttachmentKey&, const AttachmentKey&) = default;
};

// What a configuration asks of a device; what is absent is left as it stands.
struct Settings {
  host::VfAttributes vf;        // set through the PF; `vf.mac` is the effective MAC too
  std::optional<uint32_t> mtu;  // bytes
  // Of an InfiniBand VF for which no GUID is asked: one of these that no attachment has.
  std::optional<GuidRange> guid_pool = {};
  friend bool operator==(const Settings&, const Settings&) = default;
};

// What becomes of the RDMA devices of the function.
enum class RdmaUse {
  automatic,  // they go with it where the node is in exclusive mode
  require,    // the same, and one must be there
  off,        // they are left alone: another plugin of the chain moves them, or nobody does
};

// Which way a device is handled; attach/kinds.hpp has their steps.
enum class KindName {
  eth_vf,      // a VF with its netdev and RDMA devices
  user_vf,     // a VF of a userspace driver: what its PF keeps of it is all there is
  whole_nic,   // a netdev with its RDMA devices, and no PF that answers for it
  rdma_only,   // its RDMA devices: another plugin of the chain has the netdev
  ib_vf,       // an InfiniBand VF with its IPoIB netdev and RDMA device
  ib_user_vf,  // one of a userspace driver
};
[[nodiscard]] bool is_vf(KindName kind);
[[nodiscard]] bool is_of_userspace(KindName kind);  // it has no netdev
[[nodiscard]] host::LinkLayer layer_of(KindName kind);
std::string_view to_string(KindName kind);

struct AttachRequest {
  AttachmentKey key;
  std::string netns_path;
  device::DeviceId device;
  Settings settings = {};
  RdmaUse rdma = RdmaUse::automatic;
  std::string pod = {};  // "namespace/name" for messages; may be empty
  // Of a VF its driver says whether it is one with a netdev (eth_vf, ib_vf) or without.
  KindName kind = KindName::eth_vf;
  std::optional<AttachmentKey> group = {};  // the attachment whose DEL finds this one too
  std::optional<uint32_t> table = {};       // OwnTable's
  bool reset = false;                       // of a VF: its undo resets it (attach/parts/reset.hpp)
  // Its addresses and routes of the host go along, and come back; those of a whole NIC always do.
  bool takes_host_use = false;
};

// The program that stood in this one's place before, whose attachments are taken over
// (attach/foreign.hpp).
enum class Predecessor {
  none,
  sriov_cni,  // with rdma-cni behind it
  ib_sriov_cni,
  rdma_cni,  // it alone
  host_device,
};

// What stands in the pod then.
struct Attached {
  std::string ifname;
  bool has_netdev = true;        // false: a userspace driver holds the device
  std::optional<HwAddress> mac;  // absent: no netdev, and no admin MAC
  uint32_t mtu = 0;              // bytes
  // What it had on the host, which the move took: of a whole NIC, and with takes_host_use.
  std::vector<host::IpPrefix> host_addresses;
  std::vector<host::Route> host_routes;
  device::DeviceId device;
  bool came_anew = false;             // the netdev, which has lost the addresses it had in the pod
  std::vector<std::string> rdma;      // RDMA devices of the function
  std::vector<std::string> warnings;  // "PF pf0 is down: …"
  friend bool operator==(const Attached&, const Attached&) = default;
};

// What becomes of a default route where the pod has one of the same family and metric already, its
// cluster network's: it would take that one's place (IPv4), or half of its traffic (IPv6).
enum class SecondDefault {
  refuse,
  warn,  // as the Go plugins do, which add it silently
};

// Routing tables of a rail's interfaces: the first one of rail 0, and how many each rail has.
constexpr uint32_t kFirstTable = 1000;
constexpr uint32_t kTablesOfRail = 16;

// Of one of several NICs in a pod: what leaves by its addresses, or is bound to it, goes by a
// routing table of its own, whatever the others' subnets are.
struct OwnTable {
  uint32_t table = 0;
  bool arp = true;              // it answers and asks for its own addresses alone
  bool loose_rp_filter = true;  // what comes in by another way than it goes is taken
  bool in_main_table = false;   // IPAM's routes stand in the main table too, but for a default
  struct Neighbour {
    host::IpPrefix address;
    HwAddress mac;
    friend bool operator==(const Neighbour&, const Neighbour&) = default;
  };
  std::vector<Neighbour> neighbours = {};  // for good
  friend bool operator==(const OwnTable&, const OwnTable&) = default;
};

struct IpConfig {
  std::vector<host::IpPrefix> addresses;
  std::vector<host::Route> routes;  // out_index is filled in by activate()
  std::optional<OwnTable> own_table = {};
  bool announces = true;  // neighbours are told of the addresses
  SecondDefault second_default = SecondDefault::refuse;
};

// Error::reason of what lib/attach refuses, for callers that say it in a peer's words.
namespace reason {
inline constexpr std::string_view kLocked = "locked";  // the device's lock, for too long
inline constexpr std::string_view kQueued = "queued";  // for the node's RDMA lock, the same
inline constexpr std::string_view kHeld = "held";      // another attachment has the device
inline constexpr std::string_view kNotLocated =
    "not located";                                             // no such device, or not of the kind
inline constexpr std::string_view kNoNetdev = "no netdev";     // nor a userspace driver
inline constexpr std::string_view kNoRdma = "no RDMA device";  // one is required
inline constexpr std::string_view kNoGuid = "no GUID";         // of an InfiniBand VF
}  // namespace reason

}  // namespace railhead::attach
