#pragma once
// The netdev of a device: into the pod and back, under its names, with its addresses.
#include "attach/function.hpp"
#include "attach/subject.hpp"

namespace railhead::attach::link {

// ADD.

// Fills in record.link->before; what was asked stands there already. Errors: invalid_argument
// (kNoNetdev: no driver is bound), busy (kNoNetdev: it is in another namespace), unsupported
// (InfiniBand, but as a VF of its own kind; a kernel that does not name a netdev's parent), busy
// (part of a bond, bridge or VRF of the host; another netdev stands on it).
[[nodiscard]] Result<void> inspect(Subject& subject, const Function& function);
// The name asked for, where it is an alternative name of the device's own: the move would fail.
[[nodiscard]] Result<void> drop_equal_alt_name(Subject& subject);
[[nodiscard]] Result<void> down(Subject& subject);
// ONE message that moves and names it and sets address and MTU: each further one would be another
// wait for RTNL.
[[nodiscard]] Result<void> move(Subject& subject);
[[nodiscard]] Result<void> read_back(Subject& subject);
// Of InfiniBand, where the RDMA device has moved: the netdev that came for it in the host. timeout.
[[nodiscard]] Result<void> find_anew(Subject& subject);

// Undo. Each looks first at what stands there; what is in the host already is not taken back again.

// Down in the pod: from here on nobody answers to its addresses any more. Moving a link that is up
// would cost another RTNL hold of tens of ms, too.
[[nodiscard]] Result<void> silence(Subject& subject);
// What the pod made on it: links that stand on it would stay in the pod and reach the next tenant's
// network; alternative names would go along, and may be taken in the host.
[[nodiscard]] Result<void> clean(Subject& subject);
// Out of the pod, straight to its own name where that is free, else under a name that cannot be
// taken.
[[nodiscard]] Result<void> leave_pod(Subject& subject);
// timeout: it did not come back: a process may still hold the namespace.
[[nodiscard]] Result<void> arrive(Subject& subject);
// After a reset: its driver makes the netdev anew, maybe only a while after it was bound. timeout.
[[nodiscard]] Result<void> arrive_anew(Subject& subject);
[[nodiscard]] Result<void> down_in_host(Subject& subject);
// BPF programs, promiscuous mode, alias: they come along from the pod, also when its namespace
// ends.
[[nodiscard]] Result<void> clean_in_host(Subject& subject);
[[nodiscard]] Result<void> restore_address(Subject& subject);
[[nodiscard]] Result<void> restore_mtu(Subject& subject);
[[nodiscard]] Result<void> restore_names(Subject& subject);
[[nodiscard]] Result<void> restore_sysctls(Subject& subject);
// Up, or down, as it was.
[[nodiscard]] Result<void> restore_up(Subject& subject);
// Addresses and routes, of a NIC that the host itself used.
[[nodiscard]] Result<void> restore_host_use(Subject& subject);

// Debts of these are settled after the link's being up.
inline constexpr std::string_view kAddressDebt = "address";
inline constexpr std::string_view kRouteDebt = "route";

struct Differences {
  std::vector<std::string> must;  // a next tenant would suffer
  std::vector<Debt> debts;
};
[[nodiscard]] Result<Differences> differences(Subject& subject);

// Tries to settle what a former undo left; what remains of it becomes part of what stood before.
void settle(Subject& subject, const std::vector<Debt>& debts);

// CHECK: "net1 is down"; nothing when all is well.
[[nodiscard]] Result<std::vector<std::string>> check(const Subject& subject, host::Links& links);

}  // namespace railhead::attach::link
