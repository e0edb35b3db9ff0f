#include "test/support/sysfs_tree.hpp"

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include <fmt/format.h>

#include "base/text.hpp"

namespace railhead::test {

namespace fs = std::filesystem;

SysfsTree::SysfsTree(std::string root) : root_(std::move(root)) {
  fs::create_directories(root_ + "/bus/pci/devices");
  write("class/misc/rdma_cm/dev", "10:58");
}

std::string SysfsTree::folder(const std::string& address) const {
  const bool is_pci = PciAddress::parse(address).has_value();
  return fs::canonical(root_ + (is_pci ? "/bus/pci/devices/" : "/bus/auxiliary/devices/") +
                       address);
}

void SysfsTree::write(const std::string& path, const std::string& text) {
  const fs::path file = path.starts_with('/') ? fs::path(path) : fs::path(root_) / path;
  fs::create_directories(file.parent_path());
  std::ofstream stream(file);
  stream << text << '\n';
  if (!stream.flush()) throw std::runtime_error("write " + file.string());
}

void SysfsTree::add(const TreeFunction& function) {
  const std::string below = fmt::format("devices/{}/{}", function.path, function.address);
  const std::string folder = root_ + '/' + below;
  fs::create_directories(folder);
  fs::create_symlink("../../../" + below, root_ + "/bus/pci/devices/" + function.address);

  auto pci_class = function.pci_class;
  pci_class.erase(0, pci_class.find_first_not_of('0'));  // the kernel prints %04X of 24 bits
  std::string uevent;
  if (!function.driver.empty()) {
    uevent = fmt::format("DRIVER={}\n", function.driver);
    fs::create_symlink("../../../bus/pci/drivers/" + function.driver, folder + "/driver");
  }
  const auto hex = [](const std::string& id) { return parse_int<unsigned>(id, 16).value(); };
  uevent += fmt::format("PCI_CLASS={}\nPCI_ID={:04X}:{:04X}\nPCI_SLOT_NAME={}", pci_class,
                        hex(function.vendor), hex(function.device_id), function.address);
  write(folder + "/uevent", uevent);
  write(folder + "/class", "0x" + function.pci_class);
  write(folder + "/numa_node", std::to_string(function.numa_node));
  if (function.iommu_group) {
    const auto group = fmt::format("{}/kernel/iommu_groups/{}", root_, *function.iommu_group);
    fs::create_directories(group + "/devices");
    fs::create_symlink(folder, group + "/devices/" + function.address);
    fs::create_symlink(group, folder + "/iommu_group");
  }
  if (function.total_vfs) {
    write(folder + "/sriov_totalvfs", std::to_string(*function.total_vfs));
    write(folder + "/sriov_numvfs", "0");
  }
  for (const auto& netdev : function.netdevs) add_netdev(folder, netdev);
  for (const auto& device : function.rdma) add_rdma(folder, device);
}

void SysfsTree::add_netdev(const std::string& folder, const TreeNetdev& netdev) {
  const std::string net = fmt::format("{}/net/{}", folder, netdev.name);
  write(net + "/type", std::to_string(netdev.type));
  write(net + "/mtu", std::to_string(netdev.mtu));
  write(net + "/address", netdev.address);
}

void SysfsTree::add_rdma(const std::string& folder, const TreeRdma& device) {
  if (device.in_host_namespace) {
    const std::string rdma = fmt::format("{}/infiniband/{}", folder, device.name);
    write(rdma + "/node_guid", device.node_guid);
    write(rdma + "/ports/1/link_layer", device.link_layer);
  }
  const auto add_char = [&](const std::string& path, unsigned major, unsigned minor) {
    write(fmt::format("{}/{}{}/ibdev", folder, path, device.number), device.name);
    write(fmt::format("{}/{}{}/dev", folder, path, device.number),
          fmt::format("{}:{}", major, minor));
  };
  add_char("infiniband_verbs/uverbs", 231, 192 + device.number);
  add_char("infiniband_mad/umad", 231, device.number);
  add_char("infiniband_mad/issm", 231, 64 + device.number);
}

void SysfsTree::add_vf(const std::string& pf, unsigned index, const TreeFunction& vf) {
  add(vf);
  const std::string pf_folder = folder(pf);
  fs::create_symlink("../" + vf.address, fmt::format("{}/virtfn{}", pf_folder, index));
  fs::create_symlink("../" + pf, folder(vf.address) + "/physfn");
  unsigned number = 0;
  std::ifstream(pf_folder + "/sriov_numvfs") >> number;
  write(pf_folder + "/sriov_numvfs", std::to_string(number + 1));
}

void SysfsTree::remove(const std::string& address) {
  const auto own = folder(address);
  if (fs::exists(own + "/physfn")) {
    const fs::path pf = fs::canonical(own + "/physfn");
    for (unsigned index = 0; fs::is_symlink(pf / fmt::format("virtfn{}", index)); ++index) {
      const auto link = pf / fmt::format("virtfn{}", index);
      if (fs::canonical(link) == own) fs::remove(link);
    }
  }
  fs::remove_all(own);
  fs::remove(root_ + "/bus/pci/devices/" + address);
}

void SysfsTree::add_sub_function(const std::string& pf, const TreeSubFunction& sub_function) {
  const std::string below = folder(pf) + '/' + sub_function.name;
  write(below + "/sfnum", std::to_string(sub_function.number));
  if (!sub_function.driver.empty()) {
    fs::create_symlink("../../../bus/auxiliary/drivers/" + sub_function.driver, below + "/driver");
  }
  for (const auto& netdev : sub_function.netdevs) add_netdev(below, netdev);
  for (const auto& device : sub_function.rdma) add_rdma(below, device);
  fs::create_directories(root_ + "/bus/auxiliary/devices");
  fs::create_symlink(below, root_ + "/bus/auxiliary/devices/" + sub_function.name);
}

void SysfsTree::add_vdpa(const std::string& function, const std::string& name,
                         const std::string& driver, unsigned number) {
  const std::string below = folder(function) + '/' + name;
  fs::create_directories(below);
  if (!driver.empty()) {
    fs::create_symlink("../../../bus/vdpa/drivers/" + driver, below + "/driver");
  }
  if (driver == "vhost_vdpa")
    fs::create_directories(fmt::format("{}/vhost-vdpa-{}", below, number));
  fs::create_directories(root_ + "/bus/vdpa/devices");
  fs::create_symlink(below, root_ + "/bus/vdpa/devices/" + name);
}

PciAddress mlx5_pf(unsigned pf) { return {0, static_cast<uint8_t>(0x10 + 0x10 * pf), 0, 0}; }

PciAddress mlx5_vf(unsigned pf, unsigned vf) {
  return {0, static_cast<uint8_t>(0x11 + 0x10 * pf), static_cast<uint8_t>(vf / 8),
          static_cast<uint8_t>(vf % 8)};
}

void add_mlx5_node(SysfsTree& tree, unsigned pfs, unsigned vfs) {
  unsigned number = 0;
  const auto rdma = [&] {
    const unsigned n = number++;
    return TreeRdma{fmt::format("mlx5_{}", n), n, "Ethernet",
                    fmt::format("0c42:a103:{:04x}:0001", n), true};
  };
  for (unsigned i = 0; i < pfs; ++i) {
    TreeFunction pf;
    pf.address = mlx5_pf(i).to_string();
    pf.path = fmt::format("pci0000:{:02x}/0000:{:02x}:01.0", 0x10 * i, 0x10 * i);
    pf.numa_node = i < (pfs + 1) / 2 ? 0 : 1;
    pf.iommu_group = 1000 * (i + 1);
    pf.total_vfs = vfs;
    pf.netdevs = {{fmt::format("p{}", i)}};
    pf.rdma = {rdma()};
    tree.add(pf);
    for (unsigned j = 0; j < vfs; ++j) {
      TreeFunction vf = pf;
      vf.address = mlx5_vf(i, j).to_string();
      vf.device_id = "101e";
      vf.iommu_group = *pf.iommu_group + 1 + j;
      vf.total_vfs.reset();
      vf.netdevs = {{fmt::format("p{}v{}", i, j)}};
      vf.rdma = {rdma()};
      tree.add_vf(pf.address, j, vf);
    }
  }
}

}  // namespace railhead::test
