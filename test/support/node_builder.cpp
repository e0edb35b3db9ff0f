#include "test/support/node_builder.hpp"

#include <fmt/format.h>

namespace railhead::test {

using device::PciFunction;

Slot NodeBuilder::bridge(const std::string& name, std::optional<int> numa_node) {
  return {{name}, numa_node, false};
}

std::vector<std::string> NodeBuilder::ports_above(const Slot& slot) {
  auto path = slot.path;
  path.push_back(fmt::format("0000:f0:{:02x}.{}", bridges_ / 8, bridges_ % 8));
  ++bridges_;
  return path;
}

Slot NodeBuilder::pcie_switch(const std::string& bridge_name, std::optional<int> numa_node) {
  return pcie_switch(bridge(bridge_name, numa_node));
}

Slot NodeBuilder::pcie_switch(const Slot& above) {
  auto path = ports_above(above);
  path.push_back(fmt::format("0000:f1:{:02x}.{}", bridges_ / 8, bridges_ % 8));
  ++bridges_;
  return {std::move(path), above.numa_node, true};
}

PciFunction& NodeBuilder::add(const std::string& address, const Slot& slot) {
  auto& function = functions_.emplace_back();
  function.address = PciAddress::parse(address).value();
  function.path = ports_above(slot);
  function.numa_node = slot.numa_node;
  return function;
}

PciFunction& NodeBuilder::gpu(const std::string& address, const Slot& slot) {
  auto& function = add(address, slot);
  function.vendor = "10de";
  function.device_id = "2330";
  function.driver = "nvidia";
  function.pci_class = 0x030200;
  function.is_gpu = true;
  return function;
}

PciFunction& NodeBuilder::pf(const std::string& address, const Slot& slot, unsigned vfs) {
  auto& pf = add(address, slot);
  pf.vendor = "15b3";
  pf.device_id = "1021";
  pf.driver = "mlx5_core";
  pf.pci_class = 0x020000;
  if (vfs == 0) return pf;
  pf.total_vfs = vfs;
  for (unsigned i = 0; i < vfs; ++i) {
    auto& vf = functions_.emplace_back(pf);
    vf.total_vfs.reset();
    vf.vfs.clear();
    vf.device_id = "101e";
    vf.address.device = static_cast<uint8_t>((i + 1) / 8);
    vf.address.function = static_cast<uint8_t>((i + 1) % 8);
    vf.pf = pf.address;
    vf.vf_index = i;
    pf.vfs.emplace_back(vf.address);
  }
  return pf;
}

device::Inventory NodeBuilder::inventory() const {
  return {{functions_.begin(), functions_.end()}, std::nullopt, {}};
}

NodeBuilder eight_gpu_node(unsigned vfs) {
  NodeBuilder node;
  for (unsigned i = 0; i < 8; ++i) {
    const auto below =
        node.pcie_switch(fmt::format("pci0000:{}0", i / 2 * 2 + 1), static_cast<int>(i / 4));
    node.gpu(fmt::format("0000:{}1:00.0", i + 1), below);
    node.pf(fmt::format("0000:{}2:00.0", i + 1), below, vfs);
  }
  return node;
}

NodeBuilder ten_nic_node() {
  NodeBuilder node;
  for (unsigned i = 0; i < 8; ++i) {
    const auto below = NodeBuilder::bridge(fmt::format("pci0000:{}0", i + 1), 0);
    node.gpu(fmt::format("0000:{}1:00.0", i + 1), below);
    for (unsigned nic = 0; nic < (i == 0 ? 3U : 1U); ++nic) {
      node.pf(fmt::format("0000:{}{}:00.0", i + 1, nic + 2), below);
    }
  }
  return node;
}

}  // namespace railhead::test
