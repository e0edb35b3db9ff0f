#pragma once
// Giving devices to a pod, all of them or none: plan, lock, record what stands there, apply phase
// by phase, verify; and undo from the records.
#include <deque>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "attach/attachment.hpp"
#include "attach/guid_pool.hpp"
#include "attach/kinds.hpp"
#include "attach/store.hpp"
#include "attach/subject.hpp"
#include "attach/undo.hpp"
#include "base/deadline.hpp"

namespace railhead::attach {

// Holds the locks of its devices, in DeviceId's order, until it goes. After those come the node's
// RDMA lock, around moves of RDMA devices only, and the records' files.
class Transaction {
 public:
  Transaction(host::Host& host, const Deadline& deadline, Logger& log);
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  // Moves the devices into their pod with all their settings; their links are still down. After an
  // error everything stands as before, or the records say what could not be undone, and a later
  // detach takes it up. A device whose RDMA devices only are asked for, and which this very
  // attachment has already, is given those too. Errors: busy (held by another attachment, which is
  // named; two requests for one device), already_exists (a name is taken in the pod, or asked for
  // twice), not_found (the namespace), timeout (a device's lock), invalid_argument (no such device,
  // or no RDMA device that is required; a setting that the driver refused), unsupported (an
  // InfiniBand device; a setting that the driver does not know), io.
  [[nodiscard]] Result<std::vector<Attached>> attach(std::span<const AttachRequest> requests);

  // Addresses, link up, routes, in the pod, on the netdev of the request of that number. Nothing of
  // it is undone on failure: undo() does that.
  [[nodiscard]] Result<void> activate(size_t number, const IpConfig& config);

  // The records say from here on that the attachments came to their end.
  [[nodiscard]] Result<void> commit();

  // Everything that attach() did, as far as it came; goes on after an error and gives the first.
  [[nodiscard]] Undone undo();

 private:
  struct Begun {
    Subject subject;
    bool is_appended = false;  // to a record of this attachment that stood there
    bool is_recorded = false;
    bool is_done = false;                     // nothing was left to do
    std::optional<GuidRange> guid_pool = {};  // where one of it is asked for
    // Its netdev comes anew with the move of its RDMA device.
    [[nodiscard]] bool follows() const {
      return is_appended && !is_done && subject.record.kind == KindName::ib_vf;
    }
  };

  [[nodiscard]] Result<void> plan(std::span<const AttachRequest> requests);
  [[nodiscard]] Result<std::shared_ptr<Pod>> open_pod(const std::string& path);
  [[nodiscard]] Result<void> lock();
  [[nodiscard]] Result<void> choose_guids();
  [[nodiscard]] Result<void> settle_guids(std::optional<host::FileLock>& lock);
  [[nodiscard]] Result<void> settle_pooled(Begun& begun, const Guids& used);
  [[nodiscard]] Result<void> check_asked(const Begun& begun);
  [[nodiscard]] bool may_hold(const Record& other);
  [[nodiscard]] Result<void> make_free(Begun& begun);
  [[nodiscard]] Result<void> undo_of_the_gone(const Subject& subject);
  [[nodiscard]] Result<void> inspect(Begun& begun);
  [[nodiscard]] Result<void> check_names();
  [[nodiscard]] Result<void> record();
  [[nodiscard]] Result<void> take_phase(AddPhase phase);
  [[nodiscard]] Attached attached(const Subject& subject) const;

  host::Host& host_;
  Logger& log_;
  const Store store_;
  const Deadline deadline_;
  const Deadline undo_deadline_;
  const Work work_;
  std::map<device::DeviceId, host::FileLock> locks_;
  std::map<std::string, std::shared_ptr<Pod>> pods_;  // by path
  Guids guids_in_force_;                              // where a GUID of a pool is taken
  std::deque<Begun> begun_;                           // in the order of the requests
};

}  // namespace railhead::attach
