#pragma once
// A device that a resource may be made of, and the reasons against giving it to one.
#include <optional>
#include <string>
#include <vector>

#include "device/inventory.hpp"
#include "plugin/config/config.hpp"
#include "plugin/pool/select.hpp"

namespace railhead::pool {

// Points into the inventory that it was made from.
struct Candidate {
  const device::PciFunction* function = nullptr;  // of a sub-function, its PF
  const device::SubFunction* sub_function = nullptr;
  const device::PciFunction* pf = nullptr;  // of a VF or sub-function

  [[nodiscard]] std::string id() const;  // PCI address, or the sub-function's name
  [[nodiscard]] config::DeviceType type() const;
  [[nodiscard]] const std::string& driver() const;
  [[nodiscard]] const std::vector<device::Netdev>& netdevs() const;  // of its own
  [[nodiscard]] const std::vector<device::RdmaDevice>& rdma() const;
  [[nodiscard]] std::optional<uint32_t> index() const;  // of a VF, or the sub-function's number
  [[nodiscard]] config::FunctionKind function_kind() const;  // of its PCI function
  // Its netdev that has an address of the host's, or on which something that has one stands.
  [[nodiscard]] const device::Netdev* addressed_netdev() const;
  // The function whose port it uses: its PF, or itself.
  [[nodiscard]] const device::PciFunction& port() const { return pf ? *pf : *function; }
  // "ether" or "infiniband". A device whose netdev is in a pod has none to look at: its PF tells,
  // or its RDMA device, or its PCI class, which follows the port's protocol.
  [[nodiscard]] std::string_view link_type() const;
  // "VF 3 of p0", for people.
  [[nodiscard]] std::string description() const;
};

// In PCI order, sub-functions behind their PF.
[[nodiscard]] std::vector<Candidate> candidates(const device::Inventory& inventory);

// The netdev that a function is called by: in switchdev mode its VFs' representors hang off it
// too. Null when it has none in the host's namespace.
[[nodiscard]] const device::Netdev* main_netdev(const device::PciFunction& function);

// Why no container may have the device to itself, whatever the configuration; nothing when one may.
[[nodiscard]] std::optional<std::string> reason_against(const Candidate& candidate);
// Why this resource may not have it, whatever its selectors.
[[nodiscard]] std::optional<std::string> reason_against(const Candidate& candidate,
                                                        const config::Resource& resource);

// Why a selector does not take the device; nothing when it does.
struct Refusal {
  std::string key;   // the selector's: "pfNames"
  std::string fact;  // "its PF is p1"
  friend bool operator==(const Refusal&, const Refusal&) = default;
};
// Of a device that the resource had before, what cannot be seen of it while it is in a pod does not
// count: its netdev, and in exclusive mode its RDMA device.
enum class Before { not_taken, taken };
[[nodiscard]] Before before_of(const config::Resource& resource, const Candidate& candidate,
                               const Knowledge& knowledge);
[[nodiscard]] std::optional<Refusal> refusal(const config::Selector& selector,
                                             const Candidate& candidate, Before before);

}  // namespace railhead::pool
