#pragma once
// What an attachment found and did, kept on disk from before its first change until its undo is
// verified.
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "attach/attachment.hpp"
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
  uint32_t mtu = 0;
  bool up = false;
  std::map<std::string, std::string> sysctls;
  friend bool operator==(const LinkState&, const LinkState&) = default;
};

// The character devices of each RDMA device, by its name.
using RdmaState = std::map<std::string, std::vector<device::CharDevice>>;

struct Record {
  AttachmentKey key;
  std::string pod;  // "namespace/name", or empty
  std::string netns_path;
  host::NetnsId netns;

  PciAddress device;
  PciAddress pf;
  uint32_t vf_index = 0;

  // What stood there.
  std::optional<LinkState> link;  // absent: a userspace driver holds the VF
  host::VfAttributes vf;
  RdmaState rdma;

  // What was asked for.
  VfSettings settings;
  bool moves_rdma = false;  // the node was in exclusive mode

  friend bool operator==(const Record&, const Record&) = default;
};

// "net1 of container 1f3c… (pod ns/a) on network "rail"", for messages.
std::string describe(const AttachmentKey& key, std::string_view pod);

std::string to_json(const Record& record);
// decode: not JSON, or a field is missing, of a wrong type or out of its range; the message names
// the field, its value and what was expected. Unknown fields are ignored; a record
// of a newer schema than this program's next is refused.
Result<Record> record_from_json(std::string_view text);

}  // namespace railhead::attach
