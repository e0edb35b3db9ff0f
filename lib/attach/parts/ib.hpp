#pragma once
// What the PF keeps of an InfiniBand VF: its GUIDs and link state.
//
// They are written by the VF's number and never read: the PF's list of VFs is EMSGSIZE from some
// sixteen VFs on (rtnl_vfinfo_size() knows no GUIDs). Which GUIDs are in force the VF itself says:
// its RDMA device the node's, the last eight bytes of its IPoIB address (RFC 4391) the port's. They
// come into force when its driver is bound again.
#include "attach/function.hpp"
#include "attach/subject.hpp"

namespace railhead::attach::ib {

// ADD. Errors: invalid_argument (kNotLocated), unsupported (its driver could not be bound again).
[[nodiscard]] Result<void> inspect(Subject& subject, const Function& function);
// What stands in force of what was asked for; after the netdev and the RDMA devices. Errors:
// invalid_argument (kNoGuid: it has none that can be used, and none was asked for).
[[nodiscard]] Result<void> inspect_guids(Subject& subject);
// Binds the driver again where a GUID has to change, under the node's RDMA lock: the character
// devices of two that come anew at once might be swapped.
[[nodiscard]] Result<void> apply(Subject& subject);
[[nodiscard]] Result<void> read_back(Subject& subject);

// Undo.
[[nodiscard]] Result<void> look(Subject& subject);
// Before its reset, which brings them into force, and is asked for where that is needed.
[[nodiscard]] Result<void> restore(Subject& subject);
// "port GUID is …, was …"; empty: all is as it was.
[[nodiscard]] Result<std::string> difference_left(Subject& subject);

// CHECK, of the netdev in the pod: its port GUID; "" where it is what was asked for.
[[nodiscard]] std::string wrong_guid(const VfPart& part, const host::Link& link);
// Of an IPoIB address; nothing of another.
[[nodiscard]] std::optional<Guid> port_guid_of(const HwAddress& address);
// Whether two addresses are of one port: what stands before the GUID changes by itself.
[[nodiscard]] bool is_same_port(const HwAddress& one, const HwAddress& other);
// An IPoIB address with that GUID of its port; the rest is of `address`, where that is one.
[[nodiscard]] HwAddress with_port(const HwAddress& address, const Guid& guid);

}  // namespace railhead::attach::ib
