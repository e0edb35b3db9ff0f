#pragma once
// Writes a sysfs tree of PCI functions into a folder, as the kernel shows it for mlx5-like devices.
#include <optional>
#include <string>
#include <vector>

#include "base/pci_address.hpp"

namespace railhead::test {

struct TreeNetdev {
  std::string name;
  unsigned type = 1;  // ARPHRD_ETHER
  unsigned mtu = 1500;
  std::string address = "02:00:00:00:00:01";
};

struct TreeRdma {
  std::string name;     // "mlx5_4"
  unsigned number = 0;  // of uverbsN, umadN, issmN
  std::string link_layer = "Ethernet";
  std::string node_guid = "0011:2233:4455:6677";
  bool in_host_namespace = true;  // false: infiniband/ does not show it, infiniband_verbs/ does
};

struct TreeFunction {
  std::string address;
  std::string path = "pci0000:00";  // of its parent below /sys/devices
  std::string pci_class = "020000";
  std::string vendor = "15b3";
  std::string device_id = "101d";
  std::string driver = "mlx5_core";  // "": none is bound
  int numa_node = -1;
  std::optional<unsigned> iommu_group = std::nullopt;
  std::optional<unsigned> total_vfs = std::nullopt;
  std::vector<TreeNetdev> netdevs = {};
  std::vector<TreeRdma> rdma = {};
};

struct TreeSubFunction {
  std::string name;  // "mlx5_core.sf.4"
  unsigned number = 0;
  std::string driver = "mlx5_core.sf";  // "": none is bound
  std::vector<TreeNetdev> netdevs = {};
  std::vector<TreeRdma> rdma = {};
};

class SysfsTree {
 public:
  // Everything goes below `root`, which stands for /sys.
  explicit SysfsTree(std::string root);

  void add(const TreeFunction& function);
  // The VF `index` of a PF that was added with total_vfs: virtfnN, physfn and sriov_numvfs too.
  void add_vf(const std::string& pf, unsigned index, const TreeFunction& vf);
  // The function goes, and a VF's link in its PF's folder.
  void remove(const std::string& address);
  void add_sub_function(const std::string& pf, const TreeSubFunction& sub_function);
  // A vDPA device of a function, with the folder "vhost-vdpa-<number>" when vhost_vdpa is bound.
  void add_vdpa(const std::string& function, const std::string& name, const std::string& driver,
                unsigned number = 0);
  // The folder of a function or sub-function that was added.
  [[nodiscard]] std::string folder(const std::string& address) const;
  // A file with a newline at its end, its folders made where missing.
  void write(const std::string& path, const std::string& text);

 private:
  void add_netdev(const std::string& folder, const TreeNetdev& netdev);
  void add_rdma(const std::string& folder, const TreeRdma& device);
  std::string root_;
};

// `pfs` mlx5-like PFs "0000:10:00.0", "0000:20:00.0", … with `vfs` VFs each (at most 8 PFs and 255
// VFs), half of them on NUMA node 0, half on 1; netdevs "p0", "p0v0", RDMA devices "mlx5_0" and on.
void add_mlx5_node(SysfsTree& tree, unsigned pfs, unsigned vfs);
// The address of a PF of that node, and of one of its VFs.
[[nodiscard]] PciAddress mlx5_pf(unsigned pf);
[[nodiscard]] PciAddress mlx5_vf(unsigned pf, unsigned vf);

}  // namespace railhead::test
