#pragma once
// What is on record looked at from outside of any ADD or DEL: whose each device is, and giving back
// what is nobody's, on positive evidence only.
#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "attach/debt.hpp"
#include "attach/store.hpp"
#include "attach/subject.hpp"

namespace railhead::attach {

// What stands of one record.
struct Standing {
  enum class State {
    held,         // its namespace lives and has the device, or may have it
    in_work,      // an ADD or DEL is at it
    gone,         // the device is back in the host and not given back yet, or exists no longer
    quarantined,  // an undo left what must not stay
    stale,        // of another boot: there is nothing to undo
    unknown,      // what stands cannot be read
  };
  Record record;
  State state = State::unknown;
  std::string why;  // what is known beside: a reason, an error
};
std::string_view to_string(Standing::State state);  // "held", "in work", …

struct Overview {
  std::vector<Standing> records;                   // by device
  std::vector<Error> unreadable;                   // files that are no records
  std::map<std::string, std::vector<Debt>> debts;  // by device
  std::vector<AttachmentKey> addresses;            // Store::owed_addresses, of all networks
};
// Changes nothing. A record whose lock is held is not judged.
[[nodiscard]] Result<Overview> look_around(const Work& work);

struct Reconciled {
  std::vector<std::string> done;  // "0000:3b:00.2: given back, was net1 of container …"
  std::vector<std::string> left;  // what is not as it must be, and why it was left
  friend bool operator==(const Reconciled&, const Reconciled&) = default;
};

enum class Doing {
  it,       // what there is evidence for
  dry_run,  // nothing: says what it would do
};
// A try to mend a device makes events of its own, which would make the next try: what a try left
// stands for a while without another one.
class Pauses {
 public:
  static constexpr std::chrono::seconds kPause{25};

  explicit Pauses(const Clock& clock) : clock_(clock) {}
  // What the last try left, while it is not time for the next one; null: it is.
  [[nodiscard]] const std::vector<std::string>* of(const device::DeviceId& device) const;
  void begin(const device::DeviceId& device, std::vector<std::string> left);

 private:
  struct Pause {
    std::chrono::steady_clock::time_point until;
    std::vector<std::string> left;
  };
  const Clock& clock_;
  std::map<device::DeviceId, Pause> pauses_;
};

// Gives back what is `gone`, mends what is in quarantine where its device is in the host, forgets
// what is stale, and pays debts of free devices. Never takes a device out of a namespace that
// exists, nor one of a userspace driver, which never leaves the host.
[[nodiscard]] Result<Reconciled> reconcile(const Work& work, Doing doing, Pauses& pauses);

// By hand: gives back one device, also where evidence is short; one that a living pod holds only
// where that is said. One whose record cannot be read, where that is said, too: as it was before
// (attach/baseline.hpp), once it is in the host. Nothing on record of it: not_found.
enum class Even { not_if_held, if_held };
[[nodiscard]] Result<Reconciled> release(const Work& work, const device::DeviceId& device,
                                         Even even);
// Every device that is not held; what is held is listed in `left`.
[[nodiscard]] Result<Reconciled> release_all(const Work& work);

}  // namespace railhead::attach
