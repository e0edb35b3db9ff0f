#pragma once
// Giving a VF to a pod and taking it back: record what stood there, apply, verify; and undo from
// the record, by the same code after a failed ADD, at DEL, and when a namespace has vanished.
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/hw_address.hpp"
#include "base/log.hpp"
#include "base/pci_address.hpp"
#include "device/values.hpp"
#include "host/host.hpp"

namespace railhead::attach {

// What names an attachment, as CNI does.
struct AttachmentKey {
  std::string network;
  std::string container_id;
  std::string ifname;
  friend bool operator==(const AttachmentKey&, const AttachmentKey&) = default;
};

// What a configuration asks of a VF; what is absent is left as it stands.
struct VfSettings {
  host::VfAttributes vf;        // set through the PF; `vf.mac` is the effective MAC too
  std::optional<uint32_t> mtu;  // bytes
  friend bool operator==(const VfSettings&, const VfSettings&) = default;
};

// What becomes of the RDMA devices of the function.
enum class RdmaUse {
  automatic,  // they go with it where the node is in exclusive mode
  require,    // the same, and one must be there
  off,        // they are left alone: another plugin of the chain moves them, or nobody does
};

struct AttachRequest {
  AttachmentKey key;
  std::string netns_path;
  PciAddress device;
  VfSettings settings;
  RdmaUse rdma = RdmaUse::automatic;
  std::string pod;  // "namespace/name" for messages; may be empty
};

// What stands in the pod after attach().
struct Attached {
  std::string ifname;
  bool has_netdev = true;        // false: a userspace driver holds the VF
  std::optional<HwAddress> mac;  // absent: no netdev, and no admin MAC
  uint32_t mtu = 0;              // bytes
  PciAddress device;
  std::vector<std::string> rdma;      // RDMA devices of the function
  std::vector<std::string> warnings;  // "PF pf0 is down: …"
  friend bool operator==(const Attached&, const Attached&) = default;
};

struct IpConfig {
  std::vector<host::IpPrefix> addresses;
  std::vector<host::Route> routes;  // out_index is filled in by activate()
};

// The pod's side of an attachment under way.
struct Pod {
  host::Netns netns;
  std::unique_ptr<host::Links> links;  // of the namespace
  host::Link link;                     // once it is attached; none for a userspace driver's VF
};

class Attacher {
 public:
  Attacher(host::Host& host, Logger& log) : host_(host), log_(log) {}

  // Moves the VF into the pod with all its settings, and its RDMA devices as RdmaUse says; the link
  // is still down. All or nothing: after an error everything stands as before, or the record says
  // what could not be undone and a later detach() takes it up. Errors: busy (held by another
  // attachment, which is named), already_exists (the name is taken in the pod), not_found (the
  // namespace), timeout (the device's lock), invalid_argument (no VF with a PF and a netdev is
  // there, or no RDMA device that is required; a setting that the driver refused), unsupported (an
  // InfiniBand VF; a setting that the driver does not know), io.
  [[nodiscard]] Result<Attached> attach(const AttachRequest& request);

  // Addresses, link up, routes, in the pod, on the netdev that attach() moved there before. Not
  // undone on failure: detach() does that.
  [[nodiscard]] Result<void> activate(const IpConfig& config);

  // Undoes what the record of `key` says; without a record there is nothing to do. The pod's
  // namespace is the one on record, and may be gone. The record stays until the undo is verified.
  [[nodiscard]] Result<void> detach(const AttachmentKey& key);

  // Compares what stands with the record: the PF's attributes of the VF, the interface (up, and
  // that VF's) and the RDMA devices in the pod. Not its MAC and MTU: plugins behind in a chain may
  // have changed them. Gives whether the pod has a netdev of it: a userspace driver's VF has none.
  [[nodiscard]] Result<bool> check(const AttachmentKey& key);

  // Undoes all attachments of `network` that are not in `valid`; goes on after an error and
  // returns the first.
  [[nodiscard]] Result<void> collect_garbage(const std::string& network,
                                             const std::vector<AttachmentKey>& valid);

  // Whether records can be written at all; the reason when not.
  [[nodiscard]] Result<void> status() const;

 private:
  host::Host& host_;
  Logger& log_;
  std::optional<Pod> pod_;  // of the last attach()
};

}  // namespace railhead::attach
