#pragma once
// A kernel in memory: network namespaces, links, VFs and RDMA devices that answer with the errno
// and the side effects of the real one (each is noted where it is made). What the real kernel
// shows as files stands as files below `root`: sysfs, /proc/sys/net and nsfs.
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "device/device_id.hpp"
#include "host/links.hpp"
#include "host/rdma.hpp"
#include "test/support/sysfs_tree.hpp"

namespace railhead::test {

using NetnsInode = uint64_t;

inline Failure kernel(int os_errno) { return fail_errno(os_errno, "fake kernel"); }

// How a PF's driver answers to VF attributes it does not know: an errno, or 0 for "takes it".
struct FakeDriver {
  std::string name = "mlx5_core";
  int link_state = 0;
  int min_rate = 0;
  int qinq = 0;                   // VLAN protocol 802.1ad
  int guids = 95;                 // EOPNOTSUPP: an Ethernet driver
  bool shows_chosen_mac = false;  // the PF tells the MAC that a VF without an admin MAC chose
  // A VF that goes down is reset: it takes its admin MAC, or, trusted, makes its own the admin MAC.
  // Of others, a trusted one does so when it comes up.
  bool resets_when_down = false;
  // ice: a VF is reset for another MAC, VLAN or trust, and begins anew a while later. Until then it
  // takes nothing (ice_check_vf_ready_for_cfg(), iavf_set_mac(), iavf_change_mtu(), iavf_open()).
  bool resets_for_settings = false;
  // mlx5_eswitch_set_vport_mac(): the VF's driver finds it at its next start.
  bool makes_node_guid = false;
  bool tells_trust = true;  // and spoofchk: taken all the same
  bool is_infiniband = false;
  // Rates, also 0, are EINVAL while the PF has no carrier (igb_ndo_set_vf_bw).
  bool rate_needs_carrier = false;

  // bnxt_re before the auxiliary bus: a VF's RDMA device goes with its netdev's move.
  bool loses_rdma = false;
  std::string vf_name = "mlx5_core";  // the VFs' driver

  static FakeDriver mlx5();
  static FakeDriver bnxt();
  static FakeDriver ice();
  static FakeDriver igb();
  static FakeDriver infiniband();
};

struct FakeVf {
  PciAddress address;
  host::VfAttributes attributes;
  bool admin_mac = false;  // the VF may not choose its MAC
  bool trusted = false;
  bool gone = false;           // taken away with its function
  std::string hardware_state;  // what a tenant left in it (flow rules, queues): for tests
  // In reset until then.
  std::optional<std::chrono::steady_clock::time_point> back_at = {};
  HwAddress own_mac = {};
  std::optional<Guid> made_node_guid = {};        // of the last admin MAC
  std::vector<host::RdmaLink> unbound_rdma = {};  // those its driver makes once it is bound
  Guid own_node_guid = {};  // InfiniBand: what it has where its PF gives it none
  Guid own_port_guid = {};
};

struct FakePf {
  PciAddress address;
  FakeDriver driver;
  std::vector<FakeVf> vfs;
  bool is_switchdev = false;
};

// A BPF program on a link. It stays there when the link moves.
struct FakeProgram {
  enum class Hook { xdp_generic, xdp_driver, tcx_ingress, tcx_egress };
  Hook hook = Hook::xdp_generic;
  uint32_t id = 1;
  bool held_by_link = false;  // a bpf_link holds it, which netlink cannot replace
  friend bool operator==(const FakeProgram&, const FakeProgram&) = default;
};

struct FakeLink {
  host::Link link;
  NetnsInode netns = 0;
  std::vector<host::IpPrefix> addresses = {};
  std::vector<host::IpPrefix> duplicates = {};  // of these, those that others have: for tests
  std::vector<host::Route> routes = {};
  std::map<std::string, HwAddress> neighbours = {};  // those that stay, by address
  std::vector<FakeProgram> programs = {};            // by FakeKernel::attach_program
  const FakeLink* lower = nullptr;  // what it stands on, by FakeKernel::add_stacked
  std::string ethtool = {};         // what was set of its rings and offloads: for tests
};

struct FakeRdma {
  host::RdmaLink device;
  NetnsInode netns = 0;
  device::DeviceId function;  // or sub-function
  unsigned char_number = 0;   // of its uverbs, umad and issm
};

struct FakeNetns {
  std::string name;
  std::string path;
  uint32_t next_index = 1;
  int keeps_inode = -1;  // an open file, so that the inode is not used again
  std::vector<host::Rule> rules = {};
  bool dying = false;  // nobody is in it any more; the kernel has not come to take it down
};

class FakeKernel {
 public:
  FakeKernel(std::string root, const Clock& clock);
  FakeKernel(const FakeKernel&) = delete;
  FakeKernel& operator=(const FakeKernel&) = delete;
  ~FakeKernel();

  // --- namespaces -------------------------------------------------------------------------------
  NetnsInode add_netns(const std::string& name, const std::string& path);
  // Its devices go back to the host's namespace, or vanish when they are not hardware.
  void end_netns(NetnsInode inode);
  [[nodiscard]] Result<NetnsInode> netns_of_fd(int fd) const;
  // /proc/sys/net shows that namespace from now on.
  void show_sysctls_of(NetnsInode inode);

  // --- links: all errors carry the kernel's errno
  // ---------------------------------------------------
  FakeLink& add_link(NetnsInode netns, host::Link link);
  Result<FakeLink*> find(NetnsInode netns, uint32_t index);
  Result<FakeLink*> find(NetnsInode netns, std::string_view name);  // or alternative name
  Result<void> change(NetnsInode netns, uint32_t index, const host::LinkChange& change);
  // A link of that kind ("vlan", "macvlan") on another, in the other's namespace, where it stays
  // when the other moves.
  FakeLink& add_stacked(FakeLink& lower, const std::string& kind, const std::string& name);
  Result<void> remove(NetnsInode netns, uint32_t index);
  void attach_program(FakeLink& link, const FakeProgram& program);
  Result<unsigned> detach_programs(NetnsInode netns, uint32_t index);
  Result<void> add_alt_name(NetnsInode netns, uint32_t index, std::string_view name);
  Result<void> remove_alt_name(NetnsInode netns, uint32_t index, std::string_view name);

  // --- VFs
  // ----------------------------------------------------------------------------------------
  // EMSGSIZE of an InfiniBand PF from 16 VFs on: rtnl_vfinfo_size() leaves no room for GUIDs.
  Result<void> tells_vfs(NetnsInode netns, uint32_t pf_index);
  Result<FakeVf*> find_vf(NetnsInode netns, uint32_t pf_index, uint32_t vf);
  Result<void> change_vf(NetnsInode netns, uint32_t pf_index, uint32_t vf,
                         const host::VfAttributes& change);
  // Whose time has come, begin anew.
  void end_vf_resets();

  // The function goes with its link and its RDMA device, as when it is unplugged.
  void remove_vf(const PciAddress& address);

  // --- drivers and resets of VFs (host::Functions)
  // ----------------------------------------------------------------
  Result<void> unbind(const PciAddress& function, std::string_view driver);
  // The netdev comes under a name of the kernel's with a MAC of its own, unless an admin MAC says
  // which; RDMA devices under the first free names.
  Result<void> bind(const PciAddress& function, std::string_view driver);
  Result<void> reset(const PciAddress& function);

  // --- RDMA
  // ---------------------------------------------------------------------------------------
  FakeRdma& add_rdma(const device::DeviceId& function, const std::string& name,
                     const std::string& protocol);
  Result<FakeRdma*> find_rdma(NetnsInode netns, std::string_view name);
  [[nodiscard]] std::vector<host::RdmaLink> rdma_of(NetnsInode netns) const;
  [[nodiscard]] Result<host::RdmaPort> rdma_port(NetnsInode netns, uint32_t index,
                                                 uint32_t number) const;
  Result<void> move_rdma(NetnsInode from, std::string_view name, NetnsInode to);
  Result<void> rename_rdma(NetnsInode netns, std::string_view name, std::string_view new_name);

  // The state, for tests to set up and to look at.
  NetnsInode host_netns = 0;
  bool renames_only_down = false;  // EBUSY for links that are up: kernels before 6.2
  host::RdmaNetnsMode rdma_mode = host::RdmaNetnsMode::exclusive;
  std::map<NetnsInode, FakeNetns> netns;
  std::vector<std::unique_ptr<FakeLink>> links;
  std::vector<std::unique_ptr<FakePf>> pfs;
  std::vector<std::unique_ptr<FakeRdma>> rdma;
  // Char device numbers somebody else has, and what happens while a moving device has none.
  std::set<unsigned> taken_char_numbers;
  std::function<void()> on_rdma_gone;
  // The VF that goes (remove_vf) at the next move of its link, which is ENODEV then.
  std::optional<PciAddress> vanishes_when_moved;
  // What a driver makes when it is bound is there only when this is called: set by a test that
  // wants it to come late.
  std::function<void(std::function<void()>)> later;
  SysfsTree sysfs;

 private:
  bool name_in_use(NetnsInode netns, std::string_view name) const;
  Result<void> move_link(FakeLink& link, NetnsInode to, const std::string* fallback_name);
  Result<void> set_name(FakeLink& link, const std::string& name);
  Result<void> set_address(FakeLink& link, const HwAddress& address);
  void set_up(FakeLink& link, bool up);
  FakePf* pf_of(const FakeLink& link);
  std::pair<FakePf*, FakeVf*> vf_of(const FakeLink& link);
  std::pair<FakePf*, FakeVf*> vf_at(const PciAddress& address);
  void remove_devices(const PciAddress& function);
  void remove_rdma(const PciAddress& function);
  void make_devices(const PciAddress& function);
  void make_rdma_anew(FakeVf& vf);
  FakeLink* link_of(const FakeVf& vf);
  void begin_reset(FakeVf& vf);
  void make_ipoib(const PciAddress& function, const Guid& port_guid);
  void make_ipoib_anew(const device::DeviceId& function);
  void show_in_sysfs(const FakeLink& link, bool show);
  void make_sysctls(const FakeLink& link);
  void rename_sysctls(const FakeLink& link, const std::string& old_name);
  void remove_sysctls(const FakeLink& link);
  std::string sysctl_root(NetnsInode netns) const;
  void show_rdma(FakeRdma& device);
  void show_name(const FakeRdma& device);
  void hide_rdma(const FakeRdma& device);
  void give_back(FakeLink& link);
  void tell_uppers(const FakeLink& lower);
  void erase(const FakeLink& link);

  std::string root_;
  const Clock& clock_;
  uint32_t rdma_made_ = 0;
  uint8_t macs_made_ = 0;
  uint8_t qpns_made_ = 0;
};

}  // namespace railhead::test
