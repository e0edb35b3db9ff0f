#pragma once
// The reset of a function, where `reset: true` asks for it: an undo makes it anew once it is back
// in the host, and restores its settings after that. What nobody looks at is gone then: rings,
// offloads, flow rules, links on it in a namespace nested in the pod's.
//
// With a netdev, its driver is taken off and put on again, in between the function level reset
// where it has one: under its driver that would leave what the driver keeps. A userspace driver's
// VF has that reset alone: taken from its driver, others of its IOMMU group would not be viable.
#include "attach/function.hpp"
#include "attach/subject.hpp"

namespace railhead::attach::reset {

// ADD. unsupported: it could not be reset.
[[nodiscard]] Result<void> check_ability(const Subject& subject, const Function& function);

// The same of a driver that is to be bound again; the text begins with `why`.
[[nodiscard]] Result<void> check_rebind(const Subject& subject, std::string_view why);
// What is written by way of the PF comes into force with the driver alone: off and on, under the
// names as before. Takes the RDMA lock. busy: the character devices changed; timeout.
[[nodiscard]] Result<void> renew(Subject& subject);
// The undo is to make it anew; on record.
[[nodiscard]] Result<void> ask(Subject& subject);

// Undo. The record says when it begins and when it is done; one that was cut off is made again, and
// one that is done is not. Takes the RDMA lock. timeout: it hangs, or the netdev does not come;
// busy: an earlier one hangs still.
[[nodiscard]] Result<void> run(Subject& subject);

}  // namespace railhead::attach::reset
