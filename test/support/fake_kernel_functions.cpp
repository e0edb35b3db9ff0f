// Drivers and resets of VFs of test/support/fake_kernel.hpp.
#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "test/support/fake_kernel.hpp"

namespace railhead::test {

namespace fs = std::filesystem;

std::pair<FakePf*, FakeVf*> FakeKernel::vf_at(const PciAddress& address) {
  for (auto& pf : pfs) {
    for (auto& vf : pf->vfs) {
      if (vf.address == address && !vf.gone) return {pf.get(), &vf};
    }
  }
  return {nullptr, nullptr};
}

// unbind_store(): ENODEV where the function is not that driver's.
Result<void> FakeKernel::unbind(const PciAddress& function, std::string_view driver) {
  auto [pf, vf] = vf_at(function);
  if (!vf) return kernel(ENODEV);
  const auto link = fs::path(sysfs.folder(function.to_string())) / "driver";
  if (!fs::is_symlink(link) || fs::read_symlink(link).filename() != driver) return kernel(ENODEV);
  for (const auto& device : rdma) {
    if (device->function == function) vf->unbound_rdma.push_back(device->device);
  }
  remove_devices(function);
  fs::remove(link);
  return {};
}

// bind_store(): EBUSY where it has a driver.
Result<void> FakeKernel::bind(const PciAddress& function, std::string_view driver) {
  auto [pf, vf] = vf_at(function);
  if (!vf) return kernel(ENODEV);
  const auto link = fs::path(sysfs.folder(function.to_string())) / "driver";
  if (fs::is_symlink(link)) return kernel(EBUSY);
  fs::create_symlink(fmt::format("../../../bus/pci/drivers/{}", driver), link);
  vf->hardware_state.clear();
  const auto make = [this, function] { make_devices(function); };
  if (later) {
    later(make);
  } else {
    make();
  }
  return {};
}

void FakeKernel::make_devices(const PciAddress& function) {
  auto [pf, vf] = vf_at(function);
  if (pf->driver.is_infiniband) {
    const auto in_force = [](const std::optional<Guid>& set, const Guid& own) {
      return set && set->value != 0 && set->value != ~uint64_t{0} ? *set : own;
    };
    make_ipoib(function, in_force(vf->attributes.port_guid, vf->own_port_guid));
    for (auto& known : vf->unbound_rdma) {
      known.node_guid = in_force(vf->attributes.node_guid, vf->own_node_guid);
    }
    return make_rdma_anew(*vf);
  }
  unsigned number = 0;
  while (name_in_use(host_netns, fmt::format("eth{}", number))) ++number;
  host::Link link;
  link.name = fmt::format("eth{}", number);
  link.type = 1;
  link.mtu = 1500;
  link.address = *HwAddress::from_bytes(std::array<uint8_t, 6>{2, 0xfe, 0, 0, 0, ++macs_made_});
  link.parent_bus = "pci";
  link.parent_device = function.to_string();
  if (vf->admin_mac) {
    link.address = *vf->attributes.mac;
  } else if (pf->driver.shows_chosen_mac) {
    vf->attributes.mac = link.address;
  }
  add_link(host_netns, std::move(link));
  // The GUIDs that the devices have at first count as made of the VF's own MAC.
  for (auto& known : vf->unbound_rdma) {
    if (vf->made_node_guid && vf->attributes.mac != vf->own_mac) {
      known.node_guid = *vf->made_node_guid;
    }
  }
  make_rdma_anew(*vf);
}

void FakeKernel::make_rdma_anew(FakeVf& vf) {
  for (const auto& known : std::exchange(vf.unbound_rdma, {})) {
    const auto taken = [&](const std::string& name) {
      return std::ranges::any_of(rdma, [&](const auto& one) { return one->device.name == name; });
    };
    unsigned free = 0;
    while (taken(fmt::format("mlx5_{}", free))) ++free;
    auto& made = add_rdma(vf.address, fmt::format("mlx5_{}", free), known.protocol);
    hide_rdma(made);
    made.device.node_guid = known.node_guid;
    show_rdma(made);
  }
}

// What the driver keeps stays: the kernel takes the function for unused.
Result<void> FakeKernel::reset(const PciAddress& function) {
  auto [pf, vf] = vf_at(function);
  if (!vf) return kernel(ENODEV);
  if (!fs::exists(sysfs.folder(function.to_string()) + "/reset")) return kernel(ENOENT);
  vf->hardware_state.clear();
  return {};
}

}  // namespace railhead::test
