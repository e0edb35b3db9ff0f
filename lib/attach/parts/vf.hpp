#pragma once
// What a PF keeps of its VF: MAC, VLAN, rates, trust and so on.
#include "attach/function.hpp"
#include "attach/subject.hpp"

namespace railhead::attach::vf {

// What PFs say of their VFs while nothing of it is changed: each is asked once, for all of them.
class Looks {
 public:
  [[nodiscard]] Result<host::Link> pf(host::Host& host, const PciAddress& address);
  [[nodiscard]] Result<host::VfAttributes> vf(host::Links& links, uint32_t pf_index,
                                              uint32_t index);

 private:
  std::map<PciAddress, host::Link> pfs_;
  std::map<uint32_t, std::map<uint32_t, host::VfAttributes>> vfs_;  // by the PF's ifindex
};

// ADD. invalid_argument (kNotLocated): the device is no VF, or its PF has no netdev here.
[[nodiscard]] Result<void> inspect(Subject& subject, const Function& function);
// With an admin MAC in force drivers refuse the VF's own change of address (EADDRNOTAVAIL): takes
// it off where the move will change the address.
[[nodiscard]] Result<void> free_address(Subject& subject);
[[nodiscard]] Result<void> apply(Subject& subject);
// io: the driver did not take what was set.
[[nodiscard]] Result<void> read_back(Subject& subject);

// Undo. The PF, and what it keeps of the VF now.
[[nodiscard]] Result<void> look(Subject& subject);
// Where a reset is due, the admin MAC of before: of the one that it has then mlx5 makes the node
// GUID that its RDMA device shows.
[[nodiscard]] Result<void> restore_before_reset(Subject& subject);
// All but the admin MAC, which comes off, and trust with it, where the VF's own address is to be
// set back: a VF that is trusted writes its own MAC over the admin MAC at its next "up" (igb).
[[nodiscard]] Result<void> restore_before_address(Subject& subject);
[[nodiscard]] Result<void> restore(Subject& subject);
// "trust is off, not on"; "" when all is as it was. Asks the PF anew.
[[nodiscard]] Result<std::string> difference_left(Subject& subject);

// CHECK: the same against what was asked for.
[[nodiscard]] Result<std::string> difference_to_asked(Subject& subject);

}  // namespace railhead::attach::vf
