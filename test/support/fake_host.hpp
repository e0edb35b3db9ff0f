#pragma once
// A host::Host over the in-memory FakeKernel, for tests of what attaches devices:
//
//   FakeHost fake;
//   fake.add_pf({.netdev = "p0", .vfs = 2});          // VFs "p0v0", "p0v1", RDMA "mlx5_0", …
//   auto path = fake.add_netns("pod0");
//   fake.fail_next("change_vf", EBUSY);
//   … use fake.host …
//   CHECK(fake.operations == std::vector<std::string>{"host: change p0v0: netns=pod0 name=net1"});
//
// Files (sysfs, proc, run) stand in a temporary folder; locks and processes are the real ones.
// Not for use by several threads at once.
#include <chrono>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "host/host.hpp"
#include "linux/file_locks.hpp"
#include "linux/processes.hpp"
#include "test/support/fake_clock.hpp"
#include "test/support/fake_kernel.hpp"
#include "test/support/temporary_folder.hpp"

namespace railhead::test {

struct FakePfRequest {
  std::string address = "0000:10:00.0";
  std::string netdev = "p0";
  unsigned vfs = 1;  // VF n is 0000:11:00.n and so on: the PF's bus plus one
  FakeDriver driver = FakeDriver::mlx5();
  bool infiniband = false;
  bool rdma = true;        // PF and VFs have RDMA devices "mlx5_N", numbered over the host
  bool flr = true;         // the VFs have a function level reset
  bool switchdev = false;  // with a representor "<pf>repN" for each VF
};

class FakeHost {
 public:
  FakeHost();
  ~FakeHost();
  FakeHost(const FakeHost&) = delete;
  FakeHost& operator=(const FakeHost&) = delete;

  // A PF that is up, with its VFs (netdev "<pf>vN", down), in the host's namespace.
  FakePf& add_pf(const FakePfRequest& request = {});
  // As the operator switches the PF of that netdev, with VFs on it.
  void make_switchdev(const std::string& netdev);
  // A sub-function "mlx5_core.sf.4" of the PF with a netdev and an RDMA device.
  void add_sub_function(const FakePf& pf, unsigned number, const std::string& netdev);
  // A namespace with only `lo`; returns its path.
  std::string add_netns(const std::string& name);
  // As `ip netns del`, with nobody left in it: path and namespace go, devices return.
  void delete_netns(const std::string& name);
  // The path goes, the namespace stays: a process is still in it. end_netns() ends it.
  void unlink_netns(const std::string& name);
  void end_netns(const std::string& name);
  // As delete_netns(), but the kernel takes the namespace down in its own time, as it really does:
  // at the port's call after `calls` others from now, or when the clock has gone on by `time`,
  // whatever is first. Until then nobody finds the namespace, and its devices are nowhere.
  void delete_netns_later(const std::string& name, unsigned calls,
                          std::chrono::nanoseconds time = std::chrono::hours{24});

  // As an operator gives it an admin MAC: its RDMA device shows what mlx5 makes of that.
  void give_admin_mac(const PciAddress& vf, const std::string& mac);

  // The link of that name in a namespace ("host", "pod0"); null when there is none.
  host::Link* link(const std::string& netns, const std::string& name);
  // What a pod may leave on a link of its: see FakeKernel.
  FakeLink& add_stacked(const std::string& netns, const std::string& lower, const std::string& kind,
                        const std::string& name);
  void attach_program(const std::string& netns, const std::string& link,
                      const FakeProgram& program = {});
  std::vector<FakeProgram> programs(const std::string& netns, const std::string& link);
  // The VF's attributes as the PF has them.
  host::VfAttributes& vf(const PciAddress& address);
  // The namespace ("host", "pod0") an RDMA device is in.
  std::string netns_of_rdma(const std::string& name);

  enum class Effect { none, done };  // done: it happens, and fails all the same
  // The next call (after `skip` others) of a port's function fails: "change", "change_vf",
  // "remove", "detach_programs", "unbind", "bind", "reset", "add_alt_name", "remove_alt_name",
  // "add_address", "add_route", "move", "rename", or one that reads: "list", "by_index", "by_name",
  // "by_parent", "vf", "addresses", "routes", "all_addresses", "default_routes", "open", "find",
  // "netns_mode". May be called several times.
  void fail_next(const std::string& function, int os_errno, Effect effect = Effect::none,
                 unsigned skip = 0);
  // Whether a failure that was ordered has not come about yet.
  [[nodiscard]] bool fails_yet() const { return !injected_.empty(); }
  void fail_no_more() { injected_.clear(); }

  // From now on a call of host::Functions ("unbind", "bind", "reset") hangs in the kernel, and all
  // that follow find it at work; empty: it has come to its end, or is to.
  std::string hanging;

  // As a SIGKILL right before the `call`th call from now, from 1, that would change the kernel's
  // state: it throws Killed. 0: none.
  struct Killed {};
  void kill_before(unsigned call) { calls_to_kill_ = call; }

  // What changed the kernel's state, in order, the refused too (with " -> ENODEV" behind):
  // "host: change p0v0: netns=pod0 name=net1 up", "host: change_vf p0 0: vlan trust",
  // "pod0: move mlx5_1: netns=host". Tests may clear it.
  std::vector<std::string> operations;

  FakeClock clock;
  std::map<std::string, unsigned> calls;  // of a port's functions, "vfs"
  TemporaryFolder folder;
  FakeKernel kernel;

 private:
  class Links;
  class Rdma;
  class Netns;
  class Devlink;
  class Functions;
  struct Injected {
    std::string function;
    int os_errno = 0;
    Effect effect = Effect::none;
    unsigned skip = 0;
  };

  struct Ending {
    NetnsInode inode = 0;
    unsigned calls = 0;
    std::chrono::steady_clock::time_point due;
  };

  void end_what_is_due();
  NetnsInode inode_of(const std::string& name) const;
  std::string name_of(NetnsInode inode) const;
  std::string name_of_fd(int fd) const;
  // Does `work`, unless a failure was ordered for this function.
  Result<void> run(const std::string& function, const std::function<Result<void>()>& work);
  Result<void> record(NetnsInode netns, const std::string& function, const std::string& what,
                      const std::function<Result<void>()>& work);

  std::list<Injected> injected_;
  std::list<Ending> ending_;
  unsigned calls_to_kill_ = 0;
  std::unique_ptr<Links> links_;
  std::unique_ptr<Rdma> rdma_;
  std::unique_ptr<Netns> netns_;
  std::unique_ptr<Devlink> devlink_;
  std::unique_ptr<Functions> functions_;
  linux::LinuxProcesses processes_;
  linux::LinuxFileLocks locks_;

 public:
  host::Host host;
};

}  // namespace railhead::test
