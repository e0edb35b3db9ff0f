#pragma once
// The attachments that there are: taking them back, comparing them, and which are nobody's.
#include <string>
#include <vector>

#include "attach/attachment.hpp"
#include "attach/store.hpp"
#include "attach/subject.hpp"
#include "attach/undo.hpp"
#include "base/deadline.hpp"

namespace railhead::attach {

// A lock of a device within what the deadline leaves. timeout (kLocked).
[[nodiscard]] Result<host::FileLock> lock_device(const Work& work, const device::DeviceId& device);

// Takes the RDMA devices back of an attachment that keeps the rest.
[[nodiscard]] Undone undo_rdma(const Work& work, const Record& record, Addresses addresses,
                               const std::string& hint = "");

// "" where the kernel does not say.
[[nodiscard]] std::string boot_id(const host::Host& host);

struct Detached {
  // What a retry may mend.
  std::optional<Error> error;
  // Nobody in the pod answers to its addresses any more: others may be given them.
  bool is_silent = true;
  // What the undo has left, where no DEL can mend it: the device is unhealthy until `railhead
  // reconcile` or the next ADD could.
  std::optional<std::string> quarantined;
};

class Attachments {
 public:
  Attachments(host::Host& host, const Deadline& deadline, Logger& log)
      : host_(host), store_(host.roots.run), work_{host_, store_, deadline, log} {}

  // Undoes what the records of `key`, and of those that were asked for by it, say; without one
  // there is nothing to do. `netns_path` is where the caller thinks that the pod is, or "". An
  // error is one that a retry may mend, for a minute after the first; after that, and where none
  // can, the device is put into quarantine, which is no error. Goes on after an error with the
  // other records, and gives the first.
  // Without a record what the predecessor left of it is taken over first.
  [[nodiscard]] Detached detach(const AttachmentKey& key, const std::string& netns_path,
                                Predecessor predecessor = Predecessor::none);
  // The same of its RDMA devices alone, rdma-cni's too: a chain's other plugin has the rest.
  [[nodiscard]] Detached detach_rdma(const AttachmentKey& key, const std::string& netns_path);

  // Compares what stands with the record: the PF's attributes of the VF, the interface (up, and
  // that VF's) and the RDMA devices in the pod. Not its MAC and MTU: plugins behind in a chain may
  // have changed them. Gives whether the pod has a netdev of it: a userspace driver's VF has none.
  [[nodiscard]] Result<bool> check(const AttachmentKey& key);

  // Undoes all attachments of `network` that are not in `valid`, and notes their addresses
  // (Store::owed_addresses); goes on after an error and gives the first.
  [[nodiscard]] Result<void> collect_garbage(const std::string& network,
                                             const std::vector<AttachmentKey>& valid);

  // Whether records can be written at all; the reason when not.
  [[nodiscard]] Result<void> status() const;

 private:
  using UndoOne = Undone (*)(const Work&, const Record&, Addresses, const std::string&);
  [[nodiscard]] Detached detach_one(const AttachmentKey& key, const std::string& netns_path,
                                    UndoOne undo_one, Addresses addresses);

  [[nodiscard]] Detached quarantine_unreadable(const Error& unreadable);

  host::Host& host_;
  const Store store_;
  const Work work_;
};

}  // namespace railhead::attach
