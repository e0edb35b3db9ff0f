#include "test/support/fake_host.hpp"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include <fcntl.h>
#include <net/if.h>

#include "base/text.hpp"
#include "test/support/fake_host_links.hpp"
#include "test/support/must.hpp"

namespace railhead::test {
namespace {

constexpr uint64_t kNetnsDevice = 1;  // st_dev of all namespaces

}  // namespace

class FakeHost::Rdma final : public host::RdmaDevices {
 public:
  Rdma(FakeHost& fake, NetnsInode netns) : fake_(fake), netns_(netns) {}

  Result<std::vector<host::RdmaLink>> list() override {
    auto done = fake_.run("list", [] { return Result<void>(); });
    if (!done) return pass(done);
    return fake_.kernel.rdma_of(netns_);
  }
  Result<host::RdmaPort> port(uint32_t device_index, uint32_t number) override {
    auto done = fake_.run("port", [] { return Result<void>(); });
    if (!done) return pass(done);
    return fake_.kernel.rdma_port(netns_, device_index, number);
  }
  Result<std::optional<host::RdmaNetnsMode>> netns_mode() override {
    auto done = fake_.run("netns_mode", [] { return Result<void>(); });
    if (!done) return pass(done);
    return fake_.kernel.rdma_mode;
  }
  Result<void> move(std::string_view name, int netns_fd) override {
    const auto what = fmt::format("{}: netns={}", name, fake_.name_of_fd(netns_fd));
    return fake_.record(netns_, "move", what, [&]() -> Result<void> {
      auto target = fake_.kernel.netns_of_fd(netns_fd);
      if (!target) return pass(target);
      return fake_.kernel.move_rdma(netns_, name, *target);
    });
  }
  Result<void> rename(std::string_view name, std::string_view new_name) override {
    return fake_.record(netns_, "rename", fmt::format("{}: {}", name, new_name),
                        [&] { return fake_.kernel.rename_rdma(netns_, name, new_name); });
  }

 private:
  FakeHost& fake_;
  NetnsInode netns_;
};

class FakeHost::Netns final : public host::NetNamespaces {
 public:
  explicit Netns(FakeHost& fake) : fake_(fake) {}

  Result<host::Netns> open(const std::string& path) override {
    auto injected = fake_.run("open", [] { return Result<void>(); });
    if (!injected) return pass(injected);
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) return fail_errno(errno, "open network namespace {}", path);
    auto inode = fake_.kernel.netns_of_fd(fd.get());
    if (!inode) return fail(ErrorCode::not_found, "{} is not a network namespace (any more)", path);
    return host::Netns(std::move(fd), {kNetnsDevice, *inode}, path);
  }
  // Whoever unlinked its path left a process in it.
  Result<host::Netns> find(host::NetnsId id) override {
    auto injected = fake_.run("find", [] { return Result<void>(); });
    if (!injected) return pass(injected);
    auto found = fake_.kernel.netns.find(id.inode);
    if (id.device != kNetnsDevice || found == fake_.kernel.netns.end() || found->second.dying) {
      return fail(ErrorCode::not_found, "no process is in the network namespace {}", id.inode);
    }
    UniqueFd fd(::fcntl(found->second.keeps_inode, F_DUPFD_CLOEXEC, 0));
    if (!fd) return fail_errno(errno, "dup {}", found->second.path);
    return host::Netns(std::move(fd), id, fmt::format("/proc/{}/ns/net", id.inode));
  }
  Result<host::Netns> current() override {
    return open(fake_.kernel.netns[fake_.kernel.host_netns].path);
  }
  Result<std::unique_ptr<host::Links>> links(const host::Netns& netns) override {
    return std::make_unique<Links>(fake_, netns.id().inode);
  }
  Result<std::unique_ptr<host::RdmaDevices>> rdma(const host::Netns& netns) override {
    return std::make_unique<Rdma>(fake_, netns.id().inode);
  }
  Result<void> run(const host::Netns& netns, const std::function<Result<void>()>& work) override {
    fake_.kernel.show_sysctls_of(netns.id().inode);
    auto done = work();
    fake_.kernel.show_sysctls_of(fake_.kernel.host_netns);
    return done;
  }

 private:
  FakeHost& fake_;
};

class FakeHost::Devlink final : public host::Devlink {
 public:
  Result<std::optional<std::string>> firmware_app(std::string_view) override {
    return std::nullopt;
  }
};

class FakeHost::Functions final : public host::Functions {
 public:
  explicit Functions(FakeHost& fake) : fake_(fake) {}

  Result<void> unbind(const PciAddress& function, std::string_view driver,
                      std::chrono::milliseconds limit) override {
    return act("unbind", function, fmt::format("{} {}", function.to_string(), driver), limit,
               [&] { return fake_.kernel.unbind(function, driver); });
  }
  Result<void> bind(const PciAddress& function, std::string_view driver,
                    std::chrono::milliseconds limit) override {
    return act("bind", function, fmt::format("{} {}", function.to_string(), driver), limit,
               [&] { return fake_.kernel.bind(function, driver); });
  }
  Result<void> reset(const PciAddress& function, std::chrono::milliseconds limit) override {
    return act("reset", function, function.to_string(), limit,
               [&] { return fake_.kernel.reset(function); });
  }

 private:
  Result<void> act(const std::string& name, const PciAddress& function, const std::string& what,
                   std::chrono::milliseconds limit, const std::function<Result<void>()>& work) {
    if (fake_.hanging.empty()) at_work_.reset();
    if (limit.count() <= 0) return fail(ErrorCode::timeout, "{}: no time is left for it", what);
    if (at_work_ == function) return fail(ErrorCode::busy, "{}: an earlier one still hangs", what);
    if (fake_.hanging != name) return fake_.record(fake_.kernel.host_netns, name, what, work);
    at_work_ = function;
    fake_.clock.advance(limit);
    return fail(ErrorCode::timeout, "{} {} hangs", name, what);
  }

  FakeHost& fake_;
  std::optional<PciAddress> at_work_;
};

FakeHost::FakeHost()
    : kernel(folder.path(), clock),
      links_(std::make_unique<Links>(*this, kernel.host_netns)),
      rdma_(std::make_unique<Rdma>(*this, kernel.host_netns)),
      netns_(std::make_unique<Netns>(*this)),
      devlink_(std::make_unique<Devlink>()),
      functions_(std::make_unique<Functions>(*this)),
      processes_(clock),
      locks_(clock),
      host{*links_,
           *rdma_,
           *devlink_,
           *netns_,
           *functions_,
           processes_,
           locks_,
           clock,
           {.sysfs = folder.path() + "/sys",
            .proc = folder.path() + "/proc",
            .run = folder.path() + "/run",
            .cni_cache = folder.path() + "/cni",
            .state = folder.path() + "/state"}} {
  std::filesystem::create_directories(host.roots.proc + "/self");
  std::ofstream(host.roots.proc + "/self/mountinfo") << "22 1 0:20 / / rw - ext4 /dev/root rw\n";
}

FakeHost::~FakeHost() = default;

namespace {

void make_switchdev(FakeKernel& kernel, FakePf& pf, FakeLink& uplink, const std::string& netdev) {
  const std::string switch_id = "c4e2dc0003fe5524";
  pf.is_switchdev = true;
  uplink.link.phys_port_name = "p0";
  uplink.link.phys_switch_id = switch_id;
  for (size_t n = 0; n < pf.vfs.size(); ++n) {
    host::Link link;
    link.name = fmt::format("{}rep{}", netdev, n);
    link.type = 1;
    link.mtu = 1500;
    link.address = *HwAddress::parse(fmt::format("02:00:00:00:01:{:02x}", n));
    link.parent_bus = "pci";
    link.parent_device = pf.address.to_string();
    link.phys_port_name = fmt::format("pf0vf{}", n);
    link.phys_switch_id = switch_id;
    kernel.add_link(kernel.host_netns, std::move(link));
  }
}

}  // namespace

FakePf& FakeHost::add_pf(const FakePfRequest& request) {
  auto pf = std::make_unique<FakePf>();
  pf->address = *PciAddress::parse(request.address);
  pf->driver = request.infiniband ? FakeDriver::infiniband() : request.driver;
  const auto hw_address = [&](unsigned n) {
    std::vector<uint8_t> bytes(request.infiniband ? 20 : 6);
    bytes.front() = request.infiniband ? 0x80 : 0x02;
    if (request.infiniband) bytes[12] = 0x02;
    bytes[bytes.size() - 2] = pf->address.bus;
    bytes.back() = static_cast<uint8_t>(n);
    return *HwAddress::from_bytes(bytes);
  };
  const auto add_function = [&](const PciAddress& address, const std::string& netdev, unsigned n) {
    if (request.rdma) {
      kernel.add_rdma(address, fmt::format("mlx5_{}", kernel.rdma.size()),
                      request.infiniband ? "ib" : "roce");
    }
    host::Link link;
    link.name = netdev;
    link.type = request.infiniband ? 32 : 1;
    link.mtu = request.infiniband ? 2044 : 1500;
    link.address = hw_address(n);
    link.parent_bus = "pci";
    link.parent_device = address.to_string();
    if (request.infiniband) link.kind = "ipoib";
    return &kernel.add_link(kernel.host_netns, std::move(link));
  };
  kernel.sysfs.add(
      {.address = request.address, .driver = pf->driver.name, .total_vfs = request.vfs});
  auto* link = add_function(pf->address, request.netdev, 0xff);
  link->link.flags |= IFF_UP;
  link->link.carrier = true;
  for (unsigned n = 0; n < request.vfs; ++n) {
    FakeVf vf;
    vf.address = {pf->address.domain, static_cast<uint8_t>(pf->address.bus + 1),
                  static_cast<uint8_t>(n / 8), static_cast<uint8_t>(n % 8)};
    std::vector<uint8_t> zero(link->link.address.size());
    vf.attributes = {.mac = HwAddress::from_bytes(zero),
                     .vlan = host::VfVlan{},
                     .rate = host::VfRate{},
                     .spoofchk = true,
                     .trust = false,
                     .link_state = host::VfLinkState::automatic};
    kernel.sysfs.add_vf(request.address, n,
                        {.address = vf.address.to_string(), .driver = pf->driver.vf_name});
    const auto folder = kernel.sysfs.folder(vf.address.to_string());
    if (request.flr) kernel.sysfs.write(folder + "/reset", "");
    kernel.sysfs.write(folder + "/reset_method", request.flr ? "flr bus" : "");
    const auto* made = add_function(vf.address, fmt::format("{}v{}", request.netdev, n), n);
    vf.own_mac = made->link.address;
    if (pf->driver.resets_for_settings) vf.attributes.mac = vf.own_mac;  // iavf tells its PF
    if (!pf->driver.tells_trust) vf.attributes.trust = vf.attributes.spoofchk = std::nullopt;
    if (pf->driver.is_infiniband) {
      for (const auto byte : made->link.address.bytes().subspan(12)) {
        vf.own_port_guid.value = vf.own_port_guid.value << 8U | byte;
      }
      if (request.rdma) vf.own_node_guid = kernel.rdma.back()->device.node_guid;
      vf.attributes.node_guid = vf.own_node_guid;
      vf.attributes.port_guid = vf.own_port_guid;
    }
    pf->vfs.push_back(vf);
  }
  if (request.switchdev) test::make_switchdev(kernel, *pf, *link, request.netdev);
  kernel.pfs.push_back(std::move(pf));
  return *kernel.pfs.back();
}

void FakeHost::make_switchdev(const std::string& netdev) {
  auto* uplink = must(kernel.find(kernel.host_netns, netdev));
  for (const auto& pf : kernel.pfs) {
    if (uplink->link.parent_device != pf->address.to_string()) continue;
    test::make_switchdev(kernel, *pf, *uplink, netdev);
  }
}

void FakeHost::add_sub_function(const FakePf& pf, unsigned number, const std::string& netdev) {
  const auto name = fmt::format("mlx5_core.sf.{}", number);
  kernel.sysfs.add_sub_function(pf.address.to_string(), {.name = name, .number = number});
  kernel.add_rdma({device::DeviceId::Kind::auxiliary, name},
                  fmt::format("mlx5_{}", kernel.rdma.size()), "roce");
  host::Link link;
  link.name = netdev;
  link.type = 1;
  link.mtu = 1500;
  link.address = *HwAddress::parse(fmt::format("02:00:00:00:02:{:02x}", number));
  link.parent_bus = "auxiliary";
  link.parent_device = name;
  kernel.add_link(kernel.host_netns, std::move(link));
}

void FakeHost::give_admin_mac(const PciAddress& address, const std::string& mac) {
  for (const auto& pf : kernel.pfs) {
    for (uint32_t n = 0; n < pf->vfs.size(); ++n) {
      if (pf->vfs[n].address != address) continue;
      for (const auto& link : kernel.links) {
        if (link->link.parent_device != pf->address.to_string()) continue;
        must(kernel.change_vf(kernel.host_netns, link->link.index, n,
                              {.mac = HwAddress::parse(mac)}));
      }
      for (const auto& device : kernel.rdma) {
        if (device->function == address && pf->vfs[n].made_node_guid) {
          device->device.node_guid = *pf->vfs[n].made_node_guid;
        }
      }
    }
  }
}

std::string FakeHost::add_netns(const std::string& name) {
  const auto path = folder.path() + "/netns/" + name;
  kernel.add_netns(name, path);
  return path;
}

void FakeHost::unlink_netns(const std::string& name) {
  must(host::remove_file(kernel.netns[inode_of(name)].path));
}

void FakeHost::end_netns(const std::string& name) { kernel.end_netns(inode_of(name)); }

void FakeHost::delete_netns(const std::string& name) {
  unlink_netns(name);
  end_netns(name);
}

void FakeHost::delete_netns_later(const std::string& name, unsigned calls,
                                  std::chrono::nanoseconds time) {
  unlink_netns(name);
  const auto inode = inode_of(name);
  kernel.netns[inode].dying = true;
  ending_.push_back({inode, calls, clock.now() + time});
  clock.on_advance = [this] { end_what_is_due(); };
}

void FakeHost::end_what_is_due() {
  ending_.remove_if([&](const Ending& ending) {
    if (ending.calls > 0 && clock.now() < ending.due) return false;
    kernel.end_netns(ending.inode);
    return true;
  });
}

FakeLink& FakeHost::add_stacked(const std::string& netns, const std::string& lower,
                                const std::string& kind, const std::string& name) {
  return kernel.add_stacked(*must(kernel.find(inode_of(netns), lower)), kind, name);
}

void FakeHost::attach_program(const std::string& netns, const std::string& link,
                              const FakeProgram& program) {
  kernel.attach_program(*must(kernel.find(inode_of(netns), link)), program);
}

std::vector<FakeProgram> FakeHost::programs(const std::string& netns, const std::string& link) {
  return must(kernel.find(inode_of(netns), link))->programs;
}

host::Link* FakeHost::link(const std::string& netns, const std::string& name) {
  auto found = kernel.find(inode_of(netns), name);
  return found ? &(*found)->link : nullptr;
}

host::VfAttributes& FakeHost::vf(const PciAddress& address) {
  for (auto& pf : kernel.pfs) {
    for (auto& vf : pf->vfs) {
      if (vf.address == address) return vf.attributes;
    }
  }
  throw std::logic_error("no VF " + address.to_string());
}

std::string FakeHost::netns_of_rdma(const std::string& name) {
  for (const auto& device : kernel.rdma) {
    if (device->device.name == name) return name_of(device->netns);
  }
  return "";
}

void FakeHost::fail_next(const std::string& function, int os_errno, Effect effect, unsigned skip) {
  injected_.push_back({function, os_errno, effect, skip});
}

NetnsInode FakeHost::inode_of(const std::string& name) const {
  for (const auto& [inode, space] : kernel.netns) {
    if (space.name == name) return inode;
  }
  throw std::logic_error("no namespace " + name);
}

std::string FakeHost::name_of(NetnsInode inode) const {
  auto found = kernel.netns.find(inode);
  return found == kernel.netns.end() ? "?" : found->second.name;
}

std::string FakeHost::name_of_fd(int fd) const {
  auto inode = kernel.netns_of_fd(fd);
  return inode ? name_of(*inode) : "?";
}

Result<void> FakeHost::run(const std::string& function, const std::function<Result<void>()>& work) {
  end_what_is_due();
  kernel.end_vf_resets();
  ++calls[function];
  for (auto& ending : ending_) --ending.calls;
  for (auto at = injected_.begin(); at != injected_.end(); ++at) {
    if (at->function != function) continue;
    if (at->skip > 0) {
      --at->skip;
      continue;
    }
    const auto failure = *at;
    injected_.erase(at);
    if (failure.effect == Effect::done) (void)work();
    return fail_errno(failure.os_errno, "{}", function);
  }
  return work();
}

Result<void> FakeHost::record(NetnsInode netns, const std::string& function,
                              const std::string& what, const std::function<Result<void>()>& work) {
  if (calls_to_kill_ > 0 && --calls_to_kill_ == 0) throw Killed{};
  auto line = fmt::format("{}: {} {}", name_of(netns), function, what);
  auto done = run(function, work);
  if (!done) line += fmt::format(" -> {}", strerrorname_np(done.error().os_errno));
  operations.push_back(std::move(line));
  return done;
}

}  // namespace railhead::test
