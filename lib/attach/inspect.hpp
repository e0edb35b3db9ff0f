#pragma once
// What stands of a device that nobody has.
#include "attach/debt.hpp"
#include "attach/subject.hpp"

namespace railhead::attach {

// Fills in the parts of the record that the kind has, with what stands there; what was asked for
// stands in them already. A userspace driver's device has no link part then. Changes nothing.
[[nodiscard]] Result<void> inspect_device(Subject& subject);
// The same without its RDMA devices.
[[nodiscard]] Result<void> inspect_settings(Subject& subject);

// Tries to pay; what remains becomes part of what stood before, for the next undo to try again.
void settle(Subject& subject, const Debts& owed);

}  // namespace railhead::attach
