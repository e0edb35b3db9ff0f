#pragma once
// The RDMA devices of a function: into the pod and back, and whether the container's nodes are
// still theirs.
#include "attach/subject.hpp"

namespace railhead::attach::rdma {

// The function's devices in the host, with their GUIDs.
[[nodiscard]] Result<std::vector<host::RdmaLink>> in_host(const Subject& subject);

// ADD. Fills in record.rdma. invalid_argument (kNoRdma): one is required, and none is there.
[[nodiscard]] Result<void> inspect(Subject& subject);
// ADD, behind it. unsupported: the netdev's move would lose them for good.
[[nodiscard]] Result<void> check_that_it_stays(Subject& subject);
// The container was given these character devices at Allocate, maybe not all that the device has;
// it must never open another device's. One that was given none can open none. Without an Allocate
// the move must not change them. busy: they changed.
[[nodiscard]] Result<void> compare_nodes(const Subject& subject, const std::vector<RdmaState>& now,
                                         std::string_view when);
// The caller holds the node's RDMA lock: concurrent moves permute the minors of the nodes.
[[nodiscard]] Result<void> move(Subject& subject);

// Undo. By the function, not by name: a pod may have renamed its device. Takes the RDMA lock where
// something is to be moved. timeout: it has not come back from a namespace that ended.
[[nodiscard]] Result<void> bring_back(Subject& subject);
// After a reset: its driver makes them anew, maybe only a while after it was bound. One that does
// not come is warned of.
[[nodiscard]] Result<void> arrive_anew(Subject& subject);
// By their node GUIDs; over names of their own first, where two have each other's.
[[nodiscard]] Result<void> restore_names(Subject& subject);
// The same after a reset, where there was one.
[[nodiscard]] Result<void> restore_names_anew(Subject& subject);
// Those that are not in the host (must), and names.
struct Differences {
  std::vector<std::string> must;
  std::vector<Debt> debts;
};
[[nodiscard]] Result<Differences> differences(Subject& subject);
void settle(Subject& subject, const std::vector<Debt>& debts);

// CHECK.
[[nodiscard]] Result<std::vector<std::string>> check(const Subject& subject,
                                                     const host::Netns& netns);

}  // namespace railhead::attach::rdma
