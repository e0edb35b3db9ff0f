#pragma once
// The node's network functions and GPUs at one moment.
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "device/topology.hpp"
#include "device/values.hpp"
#include "host/host.hpp"

namespace railhead::device {

// Which PCI functions count as GPUs: those of one of these classes, and, when vendors are named,
// of one of these vendors.
struct GpuPredicate {
  // Base class and sub class (pci.ids): 3D controller, display controller (AMD Instinct up to
  // MI200), processing accelerator (MI300 and later).
  std::vector<uint16_t> classes = {0x0302, 0x0380, 0x1200};
  std::vector<std::string> vendors = {"10de", "1002"};  // as PciFunction::vendor; empty: any
  [[nodiscard]] bool takes(const PciFunction& function) const;
  friend bool operator==(const GpuPredicate&, const GpuPredicate&) = default;
};

// What few configurations ask for is read only then: each costs files or questions per function.
struct ScanOptions {
  GpuPredicate gpu;
  std::optional<Topology> topology;  // in place of what sysfs says, for the functions it names
  bool accelerators = false;
  bool sub_functions = false;
  bool acpi_indexes = false;
  bool p_keys = false;
  bool firmware_apps = false;
  // RDMA ports are asked of PFs and of functions that are none's VF, and of these VFs: each costs a
  // question to the driver.
  std::set<PciAddress> ports_of;
  bool all_ports = false;  // of every VF
  friend bool operator==(const ScanOptions&, const ScanOptions&) = default;
};

// An immutable snapshot. A VF or RDMA device that is in a pod's network namespace is still in it:
// its PCI function stays where it is.
class Inventory {
 public:
  // Sorts the functions by address.
  Inventory(std::vector<PciFunction> functions, std::optional<host::RdmaNetnsMode> rdma_netns_mode,
            std::vector<std::string> warnings);

  // In PCI order.
  [[nodiscard]] const std::vector<PciFunction>& functions() const { return functions_; }
  // Null when there is no such network function or GPU.
  [[nodiscard]] const PciFunction* find(const PciAddress& address) const;
  // Nothing when the kernel has no RDMA subsystem.
  [[nodiscard]] std::optional<host::RdmaNetnsMode> rdma_netns_mode() const {
    return rdma_netns_mode_;
  }
  // What could not be read and is therefore left out, each with what it is of and why.
  [[nodiscard]] const std::vector<std::string>& warnings() const { return warnings_; }
  friend bool operator==(const Inventory&, const Inventory&) = default;

 private:
  std::vector<PciFunction> functions_;
  std::optional<host::RdmaNetnsMode> rdma_netns_mode_;
  std::vector<std::string> warnings_;
};

}  // namespace railhead::device
