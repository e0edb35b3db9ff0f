#pragma once
// Giving a device back, from whatever state it is found in: in the pod, in the host under any name,
// or half way.
#include <optional>
#include <vector>

#include "attach/subject.hpp"

namespace railhead::attach {

struct Undone {
  // What must not stay, and did: the device is nobody's before it is mended.
  std::optional<Error> left;
  // Trying again soon may mend it: something is busy, or a namespace still being taken down.
  bool retry_helps = false;
  // Nobody in the pod answers to its addresses any more.
  bool silent = true;
  std::vector<Debt> debts;  // what need not be as it was (debt.hpp)
  // Settings that wait for the legacy mode of the PF's switch: its baseline is to stay
  // (baseline.hpp).
  bool owes_settings = false;
};

// Finds the device by its own name, changes only what differs from the record, verifies by reading
// back. The caller holds the device's lock. A device that no longer exists needs nothing.
[[nodiscard]] Undone restore(Subject& subject);

// Who gives the addresses of an attachment back to IPAM when it is undone.
enum class Addresses {
  by_caller,  // its own DEL, or the ADD that failed
  by_gc,      // nobody here can: they are noted (Store::owe_addresses)
};

// The same, and forgets the record where nothing is left of it. Its namespace is looked for: by its
// path, by `hint` (a path, may be empty), and among the processes' own.
[[nodiscard]] Undone undo(const Work& work, const Record& record, Addresses addresses,
                          const std::string& hint = "");

// The namespace a record speaks of, while it is still that one: a path can come to name another.
// Nothing: no path and no process has it.
[[nodiscard]] Result<std::optional<host::Netns>> living_netns(host::Host& host,
                                                              const Record& record,
                                                              const std::string& hint = "");

// Kernel state dies with a boot: a record of another one has nothing to undo.
[[nodiscard]] bool is_of_another_boot(const Record& record, const std::string& boot_id);

// Whether the device of a record is in the host: its netdev, or, where it has none to move, the
// RDMA devices. A userspace driver's never leaves it. A netdev without a bus is told by its name
// and its address, or by the name that only an undo gives it: another one may have its name by now.
[[nodiscard]] Result<bool> is_in_host(host::Host& host, const Record& record);
// Whether its netdev stands in that namespace, the pod's.
[[nodiscard]] Result<bool> is_in_netns(host::Host& host, const host::Netns& netns,
                                       const Record& record);

}  // namespace railhead::attach
