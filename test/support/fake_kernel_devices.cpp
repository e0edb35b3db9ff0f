// VFs and RDMA devices of test/support/fake_kernel.hpp.
#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>

#include "device/port_name.hpp"
#include "test/support/fake_kernel.hpp"

namespace railhead::test {

namespace fs = std::filesystem;

// --- VFs
// ------------------------------------------------------------------------------------------

FakePf* FakeKernel::pf_of(const FakeLink& link) {
  for (auto& pf : pfs) {
    if (link.link.parent_device == pf->address.to_string()) return pf.get();
  }
  return nullptr;
}

std::pair<FakePf*, FakeVf*> FakeKernel::vf_of(const FakeLink& link) {
  for (auto& pf : pfs) {
    for (auto& vf : pf->vfs) {
      if (link.link.parent_device == vf.address.to_string()) return {pf.get(), &vf};
    }
  }
  return {nullptr, nullptr};
}

Result<void> FakeKernel::tells_vfs(NetnsInode inode, uint32_t pf_index) {
  constexpr size_t kFewest = 16;
  auto link = find(inode, pf_index);
  if (!link) return pass(link);
  const FakePf* pf = pf_of(**link);
  if (pf && pf->driver.is_infiniband && pf->vfs.size() >= kFewest) return kernel(EMSGSIZE);
  return {};
}

Result<FakeVf*> FakeKernel::find_vf(NetnsInode inode, uint32_t pf_index, uint32_t vf) {
  auto link = find(inode, pf_index);
  if (!link) return pass(link);
  FakePf* pf = pf_of(**link);
  if (!pf || vf >= pf->vfs.size() || pf->vfs[vf].gone) return kernel(ENODEV);
  return &pf->vfs[vf];
}

namespace {

// mlx5's node_guid_gen_from_mac(): an EUI-64 without the bit turned over.
Guid node_guid_of(const HwAddress& mac) {
  const auto bytes = mac.bytes();
  Guid guid;
  for (const uint8_t byte :
       {bytes[0], bytes[1], bytes[2], uint8_t{0xff}, uint8_t{0xfe}, bytes[3], bytes[4], bytes[5]}) {
    guid.value = guid.value << 8U | byte;
  }
  return guid;
}

}  // namespace

// The order of do_setvfinfo(): what was set before a refusal stays set.
namespace {

bool is_representor(const FakeLink& link) {
  return device::is_representor_port(link.link.phys_port_name.value_or(""));
}

}  // namespace

Result<void> FakeKernel::change_vf(NetnsInode inode, uint32_t pf_index, uint32_t index,
                                   const host::VfAttributes& change) {
  auto link = find(inode, pf_index);
  if (!link) return pass(link);
  const FakePf* pf = pf_of(**link);
  if (!pf || is_representor(**link)) return kernel(EOPNOTSUPP);
  auto found = find_vf(inode, pf_index, index);
  if (!found) return kernel(EINVAL);
  FakeVf& vf = **found;
  const FakeDriver& driver = pf->driver;
  if (vf.back_at) return kernel(EBUSY);
  // mlx5_eswitch_set_vport_{vlan,spoofchk,trust}()
  if (pf->is_switchdev && ((change.vlan && change.vlan->id) || change.spoofchk || change.trust)) {
    return kernel(EOPNOTSUPP);
  }

  if (change.mac) {
    if (driver.is_infiniband) return kernel(EOPNOTSUPP);  // ipoib has no ndo_set_vf_mac
    if (change.mac->size() != (*link)->link.address.size() || (change.mac->bytes()[0] & 1)) {
      return kernel(EINVAL);
    }
    vf.attributes.mac = change.mac;
    vf.admin_mac = !change.mac->is_zero();
    if (driver.makes_node_guid) vf.made_node_guid = node_guid_of(*change.mac);
  }
  if (change.vlan) {
    if (change.vlan->id > 4095 || change.vlan->qos > 7) return kernel(EINVAL);
    if (change.vlan->protocol != 0x8100 && driver.qinq) return kernel(driver.qinq);
    vf.attributes.vlan = change.vlan;
  }
  if (change.rate) {
    if (driver.rate_needs_carrier && (*link)->link.carrier != true) return kernel(EINVAL);
    if (change.rate->min_tx && driver.min_rate) return kernel(driver.min_rate);
    if (change.rate->max_tx && change.rate->min_tx > change.rate->max_tx) return kernel(EINVAL);
    vf.attributes.rate = change.rate;
  }
  if (change.spoofchk && driver.tells_trust) vf.attributes.spoofchk = change.spoofchk;
  if (change.link_state) {
    if (driver.link_state) return kernel(driver.link_state);
    vf.attributes.link_state = change.link_state;
  }
  if (change.trust) vf.trusted = *change.trust;
  if (change.trust && driver.tells_trust) vf.attributes.trust = change.trust;
  if ((change.node_guid || change.port_guid) && driver.guids) return kernel(driver.guids);
  if (change.node_guid) vf.attributes.node_guid = change.node_guid;
  if (change.port_guid) vf.attributes.port_guid = change.port_guid;
  if (driver.resets_for_settings && (change.mac || change.vlan || change.trust)) begin_reset(vf);
  return {};
}

FakeLink* FakeKernel::link_of(const FakeVf& vf) {
  const auto function = vf.address.to_string();
  const auto at = std::ranges::find_if(
      links, [&](const auto& link) { return link->link.parent_device == function; });
  return at == links.end() ? nullptr : at->get();
}

// iavf_reset_task(): it takes the MAC that its PF has for it, or tells the PF its own.
void FakeKernel::begin_reset(FakeVf& vf) {
  if (link_of(vf)) vf.back_at = clock_.now() + std::chrono::milliseconds(300);
}

void FakeKernel::end_vf_resets() {
  for (auto& pf : pfs) {
    for (auto& vf : pf->vfs) {
      if (!vf.back_at || clock_.now() < *vf.back_at) continue;
      vf.back_at.reset();
      auto* link = link_of(vf);
      if (!link) continue;
      if (vf.admin_mac) {
        link->link.address = *vf.attributes.mac;
      } else {
        vf.attributes.mac = link->link.address;
      }
    }
  }
}

void FakeKernel::remove_vf(const PciAddress& address) {
  const auto function = address.to_string();
  for (auto& pf : pfs) {
    for (auto& vf : pf->vfs) vf.gone = vf.gone || vf.address == address;
  }
  remove_devices(address);
  sysfs.remove(function);
}

void FakeKernel::remove_devices(const PciAddress& address) {
  const auto function = address.to_string();
  const auto next = [&] {
    return std::ranges::find_if(
        links, [&](const auto& link) { return link->link.parent_device == function; });
  };
  for (auto at = next(); at != links.end(); at = next()) erase(**at);
  remove_rdma(address);
}

void FakeKernel::remove_rdma(const PciAddress& address) {
  std::erase_if(rdma, [&](const auto& device) {
    if (device->function != address) return false;
    hide_rdma(*device);
    return true;
  });
}

// --- RDMA
// -----------------------------------------------------------------------------------------

FakeRdma& FakeKernel::add_rdma(const device::DeviceId& function, const std::string& name,
                               const std::string& protocol) {
  FakeRdma device;
  device.device.index = rdma_made_;
  device.device.name = name;
  device.device.node_guid.value = 0x0c42a10300000000 + rdma_made_++;
  device.device.protocol = protocol;
  device.device.port_count = 1;
  device.netns = host_netns;
  device.function = function;
  rdma.push_back(std::make_unique<FakeRdma>(std::move(device)));
  show_rdma(*rdma.back());
  return *rdma.back();
}

// A device that becomes visible takes the lowest number that is free for its char devices.
void FakeKernel::show_rdma(FakeRdma& device) {
  unsigned number = 0;
  while (!taken_char_numbers.insert(number).second) ++number;
  device.char_number = number;
  const auto folder = sysfs.folder(device.function.name);
  const auto write_char = [&](const std::string& name, unsigned minor) {
    sysfs.write(fmt::format("{}/{}{}/ibdev", folder, name, number), device.device.name);
    sysfs.write(fmt::format("{}/{}{}/dev", folder, name, number), fmt::format("231:{}", minor));
  };
  write_char("infiniband_verbs/uverbs", 192 + number);
  write_char("infiniband_mad/umad", number);
  write_char("infiniband_mad/issm", 64 + number);
  if (device.netns != host_netns && rdma_mode == host::RdmaNetnsMode::exclusive) return;
  show_name(device);
}

namespace {

// sysfs has no folder of such a name (the real one shows an entry that nothing can be done with).
bool is_shown(std::string_view name) {
  return name != "." && name != ".." && name.find('/') == std::string_view::npos;
}

}  // namespace

void FakeKernel::show_name(const FakeRdma& device) {
  if (!is_shown(device.device.name)) return;
  const auto shown =
      fmt::format("{}/infiniband/{}", sysfs.folder(device.function.name), device.device.name);
  sysfs.write(shown + "/node_guid", device.device.node_guid.to_string());
  sysfs.write(shown + "/ports/1/link_layer",
              device.device.protocol == "ib" ? "InfiniBand" : "Ethernet");
}

void FakeKernel::hide_rdma(const FakeRdma& device) {
  const auto folder = sysfs.folder(device.function.name);
  const auto number = device.char_number;
  if (is_shown(device.device.name)) {
    fs::remove_all(fmt::format("{}/infiniband/{}", folder, device.device.name));
  }
  fs::remove_all(fmt::format("{}/infiniband_verbs/uverbs{}", folder, number));
  fs::remove_all(fmt::format("{}/infiniband_mad/umad{}", folder, number));
  fs::remove_all(fmt::format("{}/infiniband_mad/issm{}", folder, number));
  taken_char_numbers.erase(number);
}

Result<FakeRdma*> FakeKernel::find_rdma(NetnsInode inode, std::string_view name) {
  for (auto& device : rdma) {
    const bool visible = rdma_mode == host::RdmaNetnsMode::shared || device->netns == inode;
    if (visible && device->device.name == name) return device.get();
  }
  return kernel(ENODEV);
}

std::vector<host::RdmaLink> FakeKernel::rdma_of(NetnsInode inode) const {
  std::vector<host::RdmaLink> visible;
  for (const auto& device : rdma) {
    if (rdma_mode == host::RdmaNetnsMode::exclusive && device->netns != inode) continue;
    visible.push_back(device->device);
  }
  return visible;
}

Result<host::RdmaPort> FakeKernel::rdma_port(NetnsInode inode, uint32_t index,
                                             uint32_t number) const {
  for (const auto& device : rdma) {
    if (rdma_mode == host::RdmaNetnsMode::exclusive && device->netns != inode) continue;
    if (device->device.index != index || number != 1) continue;
    host::RdmaPort port{.number = 1, .state = 4, .physical_state = 5, .netdev = std::nullopt};
    for (const auto& link : links) {
      if (link->netns == inode && link->link.parent_device == device->function.name) {
        port.netdev = link->link.name;
      }
    }
    return port;
  }
  return kernel(ENODEV);
}

// rdma_dev_change_netns(): all clients, and so all char devices, are taken off and made anew.
Result<void> FakeKernel::move_rdma(NetnsInode from, std::string_view name, NetnsInode to) {
  auto device = find_rdma(from, name);
  if (!device) return pass(device);
  if (rdma_mode == host::RdmaNetnsMode::shared) return kernel(EOPNOTSUPP);
  hide_rdma(**device);
  if (on_rdma_gone) on_rdma_gone();
  (*device)->netns = to;
  show_rdma(**device);
  make_ipoib_anew((*device)->function);
  return {};
}

namespace {

// RFC 4391: flags and QPN, and the port's GID.
HwAddress ipoib_address(uint8_t qpn, const Guid& port_guid) {
  std::array<uint8_t, 20> bytes{0x80, 0, 0, qpn, 0xfe, 0x80};
  for (size_t i = 0; i < 8; ++i)
    bytes[12 + i] = static_cast<uint8_t>(port_guid.value >> (56 - 8 * i));
  return *HwAddress::from_bytes(bytes);
}

}  // namespace

// ipoib_add_port(): in the host's namespace, whatever its RDMA device's.
void FakeKernel::make_ipoib(const PciAddress& function, const Guid& port_guid) {
  unsigned number = 0;
  while (name_in_use(host_netns, fmt::format("ib{}", number))) ++number;
  host::Link link;
  link.name = fmt::format("ib{}", number);
  link.type = 32;
  link.mtu = 2044;
  link.kind = "ipoib";
  link.flags = 0x1000;  // IFF_MULTICAST
  link.address = ipoib_address(++qpns_made_, port_guid);
  link.parent_bus = "pci";
  link.parent_device = function.to_string();
  add_link(host_netns, std::move(link));
}

// Its client goes from a device that changes its namespace, and comes again.
void FakeKernel::make_ipoib_anew(const device::DeviceId& device) {
  const auto address = device.pci();
  if (!address) return;
  const auto function = *address;
  auto [pf, vf] = vf_at(function);
  const auto old = std::ranges::find_if(links, [&](const auto& link) {
    return link->link.type == 32 && link->link.parent_device == function.to_string();
  });
  if (!vf || old == links.end()) return;
  Guid guid;
  for (const auto byte : (*old)->link.address.bytes().subspan(12))
    guid.value = guid.value << 8U | byte;
  erase(**old);
  make_ipoib(function, guid);
}

// ib_device_rename(): the names of all namespaces are one set.
Result<void> FakeKernel::rename_rdma(NetnsInode inode, std::string_view name,
                                     std::string_view new_name) {
  auto device = find_rdma(inode, name);
  if (!device) return pass(device);
  if (name == new_name) return {};
  for (const auto& other : rdma) {
    if (other->device.name == new_name) return kernel(EEXIST);
  }
  const auto number = (*device)->char_number;
  const auto folder = sysfs.folder((*device)->function.to_string());
  const bool in_sysfs = inode == host_netns || rdma_mode == host::RdmaNetnsMode::shared;
  if (is_shown(name)) fs::remove_all(folder + "/infiniband/" + std::string(name));
  (*device)->device.name = new_name;
  if (in_sysfs) show_name(**device);
  for (const char* node :
       {"infiniband_verbs/uverbs", "infiniband_mad/umad", "infiniband_mad/issm"}) {
    sysfs.write(fmt::format("{}/{}{}/ibdev", folder, node, number), std::string(new_name));
  }
  return {};
}

}  // namespace railhead::test
