#pragma once
// One device under work, by an ADD or by an undo: what the parts (attach/parts) work on.
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "attach/debt.hpp"
#include "attach/record.hpp"
#include "attach/store.hpp"
#include "base/deadline.hpp"
#include "base/log.hpp"
#include "host/host.hpp"

namespace railhead::attach {

// A pod's side: its namespace, with ports onto it that are opened when they are needed.
class Pod {
 public:
  explicit Pod(host::Netns opened) : netns(std::move(opened)) {}
  [[nodiscard]] Result<host::Links*> links(host::NetNamespaces& namespaces);

  host::Netns netns;

 private:
  std::unique_ptr<host::Links> links_;
};

// What the verbs were given, for all devices of a call.
struct Work {
  host::Host& host;
  const Store& store;
  const Deadline& deadline;
  Logger& log;
};

namespace vf {
class Looks;
}

struct Subject {
  const Work& work;
  Record record;
  std::shared_ptr<Pod> pod;  // null: its namespace is gone, or it cannot be seen

  // As found last.
  uint32_t pf_index = 0;
  host::VfAttributes vf;                 // what the PF keeps of it
  bool had_admin_mac = false;            // when its PF was asked, once at least
  std::optional<HwAddress> own_address;  // of an undo: its netdev's, which is no more
  std::optional<host::Link> link;        // its netdev, where `link_in_pod` says
  bool link_in_pod = false;
  std::vector<host::Link> beside;       // of an undo: all links of the pod
  std::string programs_left;            // of an undo: why BPF programs may still be on it
  std::string vf_left;                  // the same: what its PF did not take, and does not tell
  bool owes_settings = false;           // the same: what its PF takes in legacy mode alone
  unsigned undo_tries = 0;              // that have come to their end
  std::vector<std::string> rdma_names;  // of an ADD: as its RDMA devices are called now
  std::vector<std::string> warnings;    // of an ADD: for its user
  RdmaUse rdma = RdmaUse::automatic;    // of an ADD
  bool takes_host_use = false;          // the same
  std::chrono::nanoseconds patience = std::chrono::seconds(10);  // of all its steps together
  attach::vf::Looks* looks = nullptr;  // of an ADD of several, while it only looks

  [[nodiscard]] host::Host& host() const { return work.host; }
  [[nodiscard]] const std::string& name() const { return record.device.name; }
};

// A VF is not ready while its driver begins anew, as those of ice and i40e do whenever their PF
// gives a VF another MAC, VLAN or trust: what comes next is refused with EBUSY or EAGAIN. So `step`
// again and again, for 5 s at most, and no longer than the subject's patience; what it said last.
[[nodiscard]] Result<void> patiently(Subject& subject, const std::function<Result<void>()>& step);

// The node's RDMA lock. Its timeout has the reason kQueued.
[[nodiscard]] Result<host::FileLock> lock_rdma(const Work& work);
// While GUIDs are settled. timeout (kQueued).
[[nodiscard]] Result<host::FileLock> lock_guids(const Work& work);

// Unique on the node and at most 15 characters: "rh" and the device without its punctuation.
std::string temporary_name(const device::DeviceId& device);

}  // namespace railhead::attach
