#pragma once
// The files in which sriov-cni, ib-sriov-cni and rdma-cni keep what they attached: see foreign.hpp.
#include <optional>
#include <string>
#include <vector>

#include "attach/foreign_cache.hpp"
#include "attach/subject.hpp"

namespace railhead::attach::foreign {

// What there is of one attachment.
struct Found {
  AttachmentKey key;
  std::optional<SriovCache> sriov;  // or ib-sriov-cni's
  std::optional<RdmaCache> rdma;
  [[nodiscard]] bool empty() const { return !sriov && !rdma; }
  [[nodiscard]] const device::DeviceId& device() const {
    return sriov ? sriov->device : rdma->device;
  }
};

// What cannot be read is as if it were not there, and logged.
[[nodiscard]] Found look(const Work& work, const AttachmentKey& key, Predecessor predecessor);
// sriov-cni's and ib-sriov-cni's of the device, the newest first: an older one is of a pod whose
// DEL never came, or came to nothing.
[[nodiscard]] std::vector<Found> caches_of(const Work& work, const device::DeviceId& device);

// The path of the namespace that sriov-cni gave the device to; "" where it gave it to none.
[[nodiscard]] std::string allocated_to(const host::Host& host, const device::DeviceId& device);
[[nodiscard]] std::string allocation_path(const host::Host& host, const device::DeviceId& device);

// What keeps it from being of any worth; "" where nothing does.
[[nodiscard]] std::string why_stale(const Work& work, const Found& found);
// Renames them, of what is nobody's any more and not to be undone.
void set_aside(const Work& work, const Found& found, std::string_view why);
// Renames them, of what was undone.
void set_aside(const Work& work, const Found& found);

}  // namespace railhead::attach::foreign
