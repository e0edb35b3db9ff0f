#pragma once
// Attachments that the Go programs made in whose place this one stands now. Each is taken over
// once: it becomes a record and a claim of our own, is undone as any other, and what that program
// kept of it is then renamed to "<name>.taken". Below Roots::cni_cache:
//   sriov/<container>-<ifname>            sriov-cni's cache (foreign_cache.hpp)
//   sriov/pci/<BDF>                       the path of the namespace that it gave the VF to
//   ib-sriov/<container>-<ifname>         ib-sriov-cni's cache
//   rdma/<network>-<container>-<ifname>   rdma-cni's cache
// host-device keeps nothing but the interface's ifalias, the name that it had in the host.
#include <string>

#include "attach/subject.hpp"

namespace railhead::attach {

// DEL, where `key` has no record: makes one of what the predecessor left. rdma_cni: also adds to
// one that is there, whose RDMA devices that program moved. True: there is something to be undone
// now. What cannot be read is logged and left alone, as these programs do; what is another's by
// now, or of a former boot, is logged and set aside. Errors: the device's lock, io.
[[nodiscard]] Result<bool> take_over(const Work& work, const AttachmentKey& key,
                                     const std::string& netns_path, Predecessor predecessor);

// ADD, with the device's lock held, where nobody has a record of the device. True: it has one now,
// whose pod is gone. busy (kHeld): sriov-cni gave the device to a namespace that lives.
[[nodiscard]] Result<bool> take_over_device(const Work& work, const device::DeviceId& device);

// After the undo. What is not there is no error; what cannot be renamed is logged.
void set_aside(const Work& work, const AttachmentKey& key, Predecessor predecessor);
// The same of whichever program attached the VF: where no DEL says which.
void set_aside_of_vf(const Work& work, const AttachmentKey& key);

}  // namespace railhead::attach
