#pragma once
// What an undo could not give back to a device, and need not have: names, alternative names, MTU,
// sysctls, being up. It keeps nobody from the device; the next ADD and `reconcile` try again.
#include <string>
#include <vector>

#include "attach/store.hpp"

namespace railhead::attach {

inline constexpr std::string_view kRdmaNameDebt = "rdma name";

struct Debt {
  std::string what;  // "name", "mtu", "up", "altname", "sysctl ipv4/conf/*/rp_filter", "rdma name"
  std::string wanted;  // as it stood before
  // As it stands instead: where it is something else by now, somebody set it on purpose, and the
  // debt is void.
  std::string found;
  friend bool operator==(const Debt&, const Debt&) = default;
};

// "name is rh0110, was eth0"
std::string to_string(const Debt& debt);

struct Debts {
  uint64_t inode = 0;  // DriverPart::inode: those of a former incarnation of the device are void
  std::vector<Debt> debts;
  friend bool operator==(const Debts&, const Debts&) = default;
};

// The caller holds the device's lock. A file that cannot be read is no debt: nothing depends on it.
[[nodiscard]] Debts read_debts(const Store& store, const device::DeviceId& device);
// Without debts there is no file.
[[nodiscard]] Result<void> write_debts(const Store& store, const device::DeviceId& device,
                                       const Debts& debts);

// Those of an undo in place of the former ones, but for those of parts that its record does not
// have.
[[nodiscard]] Result<void> keep_debts(const Store& store, const Record& record,
                                      std::vector<Debt> debts);

struct Work;
// Tries to give a free device what it is owed; gives what it is still. The caller holds the
// device's lock. A device that is gone owes nothing.
[[nodiscard]] Result<std::vector<Debt>> pay_debts(const Work& work, const device::DeviceId& device,
                                                  const Debts& owed);

}  // namespace railhead::attach
