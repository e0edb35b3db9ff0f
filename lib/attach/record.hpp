#pragma once
// What an attachment found and did, kept on disk from before its first change until its undo is
// verified.
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "attach/attachment.hpp"
#include "device/device_id.hpp"
#include "device/values.hpp"
#include "host/links.hpp"
#include "host/netns.hpp"

namespace railhead::attach {

// A netdev as it stood in the host. Sysctls are paths below /proc/sys/net with the interface name
// left out: "ipv4/conf/*/rp_filter".
struct LinkState {
  std::string name;
  std::vector<std::string> alt_names;
  HwAddress address;
  uint32_t mtu = 0;  // bytes
  bool up = false;
  std::map<std::string, std::string> sysctls;
  std::string alias = {};
  bool promisc = false;
  bool allmulti = false;
  std::optional<uint32_t> modes = {};  // host::kLinkModes; absent: not known
  std::optional<HwAddress> broadcast = {};
  std::optional<uint8_t> link_mode = {};
  // The bus device that is its parent, IFLA_PARENT_DEV_NAME: "0000:3b:00.2", "virtio0". "": it has
  // none, and is found by its name.
  std::string parent = {};
  // rtnetlink's kind of a virtual one ("veth"), which vanishes with its namespace; "" of hardware,
  // which comes back.
  std::string kind = {};
  // Of a whole NIC, which the host itself may have used, and of what takes its addresses along:
  // what the move takes from it.
  std::vector<host::IpPrefix> addresses = {};
  std::vector<host::Route> routes = {};
  friend bool operator==(const LinkState&, const LinkState&) = default;
};

// An RDMA device as it stood in the host. Its name may change, the node GUID tells which it is.
struct RdmaState {
  std::string name;
  Guid node_guid;  // all zero: not known
  std::vector<device::CharDevice> nodes;
  friend bool operator==(const RdmaState&, const RdmaState&) = default;
};

// The parts of a device that an attachment changes, each with what stood there and what was asked.

struct VfPart {  // what the PF keeps of a VF
  PciAddress pf;
  uint32_t index = 0;  // N of the PF's virtfnN
  host::VfAttributes before;
  host::VfAttributes asked;
  friend bool operator==(const VfPart&, const VfPart&) = default;
};

struct LinkPart {
  LinkState before;
  std::optional<HwAddress> asked_address;
  std::optional<uint32_t> asked_mtu;  // bytes
  // Its ifindex in the pod, by which a netdev without a bus is known there, however the pod calls
  // it; 0: not known.
  uint32_t pod_index = 0;
  friend bool operator==(const LinkPart&, const LinkPart&) = default;
};

struct RdmaPart {
  std::vector<RdmaState> before;  // by name
  bool moves = false;             // into the pod's namespace: the node was in exclusive mode
  friend bool operator==(const RdmaPart&, const RdmaPart&) = default;
};

struct DriverPart {
  std::string name;  // "" when none was bound
  // st_ino of the function's folder in sysfs: another one is another incarnation, made anew since.
  // 0: not known.
  uint64_t inode = 0;
  friend bool operator==(const DriverPart&, const DriverPart&) = default;
};

enum class Phase {
  adding,    // an ADD is at work, or was killed
  attached,  // it came to its end
};

// The reset that an undo makes of the function, where one is asked for. One that was cut off is
// made again.
enum class Reset {
  none,
  asked,
  begun,  // its driver may be off
  done,
};

// An undo that did not come to its end.
struct Undo {
  // Of the first DEL that failed: time since boot (Clock::now()).
  std::chrono::milliseconds first{0};
  std::string reason;  // of the last try
  // No DEL will come any more: the device is nobody's, and nobody gets it before it is mended.
  bool quarantined = false;
  friend bool operator==(const Undo&, const Undo&) = default;
};

struct Record {
  AttachmentKey key;
  // The attachment whose DEL finds this one: several interfaces may have been asked for by one.
  std::optional<AttachmentKey> group = {};
  std::string pod;      // "namespace/name", or empty
  std::string boot_id;  // /proc/sys/kernel/random/boot_id; "" where not known
  Phase phase = Phase::adding;
  std::string netns_path;
  host::NetnsId netns;

  device::DeviceId device;
  KindName kind = KindName::eth_vf;
  std::optional<VfPart> vf;
  std::optional<LinkPart> link;  // absent: a userspace driver holds the device
  std::optional<RdmaPart> rdma;
  DriverPart driver;
  Reset reset = Reset::none;
  std::optional<uint32_t> table;  // of the pod, that rules of this attachment name (own_table.hpp)

  std::optional<Undo> undo;

  // What a later program wrote and this one does not know, as JSON text: kept.
  std::string unknown = {};

  // Whether the RDMA devices were moved.
  [[nodiscard]] bool moves_rdma() const { return rdma && rdma->moves; }
  // Whether they may have other names and character devices than before: a reset makes them anew.
  [[nodiscard]] bool changes_rdma() const {
    return rdma && (rdma->moves || reset == Reset::begun || reset == Reset::done);
  }
  friend bool operator==(const Record&, const Record&) = default;
};

// "net1 of container 1f3c… (pod ns/a) on network "rail"", for messages.
std::string describe(const AttachmentKey& key, std::string_view pod);
std::string describe(const Record& record);

// A route but for the link it leaves by, as a record has it; nothing where it is none.
std::string to_text(const host::Route& route);
std::optional<host::Route> route_from_text(const std::string& text);

std::string to_json(const AttachmentKey& key);
std::optional<AttachmentKey> key_from_json(const std::string& text);

std::string to_json(const Record& record);
// decode: not JSON, or a field is missing, of a wrong type or out of its range; the message names
// the field, its value and what was expected. Reads the schema before this one's, and the next; a
// record of a later one is refused.
Result<Record> record_from_json(std::string_view text);

}  // namespace railhead::attach
