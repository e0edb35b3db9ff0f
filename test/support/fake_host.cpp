#include "test/support/fake_host.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include <fcntl.h>
#include <net/if.h>

#include "base/text.hpp"
#include "test/support/must.hpp"

namespace railhead::test {
namespace {

constexpr uint8_t kScopeUniverse = 0;  // linux/rtnetlink.h
constexpr uint8_t kScopeLink = 253;
constexpr uint32_t kMainTable = 254;
constexpr uint64_t kNetnsDevice = 1;  // st_dev of all namespaces

std::string describe(const host::VfAttributes& change) {
  std::vector<std::string> words;
  if (change.mac) words.push_back("mac=" + change.mac->to_string());
  if (change.vlan) words.push_back(fmt::format("vlan={}", change.vlan->id));
  if (change.rate) words.emplace_back("rate");
  if (change.spoofchk) words.push_back(fmt::format("spoofchk={}", *change.spoofchk));
  if (change.link_state)
    words.push_back(fmt::format("link_state={}", to_string(*change.link_state)));
  if (change.trust) words.push_back(fmt::format("trust={}", *change.trust));
  if (change.node_guid) words.emplace_back("node_guid");
  if (change.port_guid) words.emplace_back("port_guid");
  return join(words, " ");
}

}  // namespace

class FakeHost::Links final : public host::Links {
 public:
  Links(FakeHost& fake, NetnsInode netns) : fake_(fake), netns_(netns) {}

  Result<std::vector<host::Link>> list() override {
    std::vector<host::Link> all;
    auto done = fake_.run("list", [&]() -> Result<void> {
      for (const auto& link : fake_.kernel.links) {
        if (link->netns == netns_) all.push_back(link->link);
      }
      return {};
    });
    if (!done) return pass(done);
    return all;
  }
  Result<host::Link> by_index(uint32_t index) override {
    return get("by_index", [&] { return fake_.kernel.find(netns_, index); });
  }
  Result<host::Link> by_name(std::string_view name) override {
    return get("by_name", [&] { return fake_.kernel.find(netns_, name); });
  }
  Result<host::Link> by_parent(std::string_view pci) override {
    return get("by_parent", [&]() -> Result<FakeLink*> {
      FakeLink* first = nullptr;
      for (auto& link : fake_.kernel.links) {
        if (link->netns != netns_ || link->link.parent_device != pci) continue;
        if (!first || link->link.index < first->link.index) first = link.get();
      }
      if (!first) return fail_errno(ENODEV, "link of {}", pci);
      return first;
    });
  }

  Result<void> change(uint32_t index, const host::LinkChange& change) override {
    std::vector<std::string> words;
    if (change.netns_fd) words.push_back("netns=" + fake_.name_of_fd(*change.netns_fd));
    if (change.name) words.push_back("name=" + *change.name);
    if (change.address) words.push_back("address=" + change.address->to_string());
    if (change.mtu) words.push_back(fmt::format("mtu={}", *change.mtu));
    if (change.up) words.emplace_back(*change.up ? "up" : "down");
    if (change.promisc) words.push_back(fmt::format("promisc={}", *change.promisc));
    if (change.allmulti) words.push_back(fmt::format("allmulti={}", *change.allmulti));
    if (change.alias) words.push_back("alias=" + *change.alias);
    return fake_.record(netns_, "change", fmt::format("{}: {}", name(index), join(words, " ")),
                        [&] { return fake_.kernel.change(netns_, index, change); });
  }
  Result<void> remove(uint32_t index) override {
    return fake_.record(netns_, "remove", name(index),
                        [&] { return fake_.kernel.remove(netns_, index); });
  }
  // On record only where there is something to take off: mostly nothing is.
  Result<unsigned> detach_programs(uint32_t index) override {
    unsigned count = 0;
    const auto detach = [&]() -> Result<void> {
      auto detached = fake_.kernel.detach_programs(netns_, index);
      if (!detached) return pass(detached);
      count = *detached;
      return {};
    };
    auto link = fake_.kernel.find(netns_, index);
    const bool is_change = link && !(*link)->programs.empty();
    auto done = is_change ? fake_.record(netns_, "detach_programs", name(index), detach)
                          : fake_.run("detach_programs", detach);
    if (!done) return pass(done);
    return count;
  }
  Result<void> add_alt_name(uint32_t index, std::string_view alt) override {
    return fake_.record(netns_, "add_alt_name", fmt::format("{}: {}", name(index), alt),
                        [&] { return fake_.kernel.add_alt_name(netns_, index, alt); });
  }
  Result<void> remove_alt_name(uint32_t index, std::string_view alt) override {
    return fake_.record(netns_, "remove_alt_name", fmt::format("{}: {}", name(index), alt),
                        [&] { return fake_.kernel.remove_alt_name(netns_, index, alt); });
  }

  Result<host::VfAttributes> vf(uint32_t pf_index, uint32_t vf) override {
    host::VfAttributes attributes;
    auto done = fake_.run("vf", [&]() -> Result<void> {
      auto found = fake_.kernel.find_vf(netns_, pf_index, vf);
      if (!found) return pass(found);
      attributes = (*found)->attributes;
      return {};
    });
    if (!done) return pass(done);
    return attributes;
  }
  Result<void> change_vf(uint32_t pf_index, uint32_t vf,
                         const host::VfAttributes& change) override {
    return fake_.record(netns_, "change_vf",
                        fmt::format("{} {}: {}", name(pf_index), vf, describe(change)),
                        [&] { return fake_.kernel.change_vf(netns_, pf_index, vf, change); });
  }

  Result<std::vector<host::IpPrefix>> addresses(uint32_t index) override {
    return read<std::vector<host::IpPrefix>>("addresses", index, &FakeLink::addresses);
  }
  Result<void> add_address(uint32_t index, const host::IpPrefix& address) override {
    const auto what = fmt::format("{}: {}", name(index), address.to_string());
    return fake_.record(netns_, "add_address", what,
                        [&] { return insert(index, &FakeLink::addresses, address); });
  }
  Result<void> add_route(const host::Route& route) override {
    const auto what = fmt::format("{}: {}", name(route.out_index), route.destination.to_string());
    return fake_.record(netns_, "add_route", what, [&]() -> Result<void> {
      auto link = fake_.kernel.find(netns_, route.out_index);
      if (!link) return pass(link);
      if (!(*link)->link.is_up()) return fail_errno(ENETDOWN, "route");
      return insert(route.out_index, &FakeLink::routes, route);
    });
  }
  Result<std::vector<host::Route>> routes(uint32_t index) override {
    return read<std::vector<host::Route>>("routes", index, &FakeLink::routes);
  }
  // Scopes as programs that set addresses give them: a link-local one's is its link.
  Result<std::vector<host::LinkAddress>> all_addresses() override {
    std::vector<host::LinkAddress> all;
    auto done = fake_.run("all_addresses", [&]() -> Result<void> {
      for (const auto& link : fake_.kernel.links) {
        if (link->netns != netns_) continue;
        for (const auto& address : link->addresses) {
          const bool is_local =
              address.v6 && address.bytes[0] == 0xfe && (address.bytes[1] & 0xc0) == 0x80;
          all.push_back({link->link.index, address, is_local ? kScopeLink : kScopeUniverse});
        }
      }
      return {};
    });
    if (!done) return pass(done);
    return all;
  }
  Result<std::vector<host::Route>> default_routes() override {
    std::vector<host::Route> found;
    auto done = fake_.run("default_routes", [&]() -> Result<void> {
      for (const auto& link : fake_.kernel.links) {
        if (link->netns != netns_) continue;
        std::ranges::copy_if(link->routes, std::back_inserter(found), [](const auto& route) {
          return route.destination.length == 0 && route.table.value_or(kMainTable) == kMainTable;
        });
      }
      return {};
    });
    if (!done) return pass(done);
    return found;
  }

 private:
  std::string name(uint32_t index) {
    auto link = fake_.kernel.find(netns_, index);
    return link ? (*link)->link.name : fmt::format("#{}", index);
  }
  Result<host::Link> get(const char* function, const std::function<Result<FakeLink*>()>& find) {
    Result<host::Link> link;
    auto done = fake_.run(function, [&]() -> Result<void> {
      auto found = find();
      if (!found) return pass(found);
      link = (*found)->link;
      return {};
    });
    if (!done) return pass(done);
    return link;
  }
  template <class T>
  Result<T> read(const char* function, uint32_t index, T FakeLink::*member) {
    T value;
    auto done = fake_.run(function, [&]() -> Result<void> {
      auto link = fake_.kernel.find(netns_, index);
      if (link) value = (**link).*member;
      return {};
    });
    if (!done) return pass(done);
    return value;
  }
  template <class T>
  Result<void> insert(uint32_t index, std::vector<T> FakeLink::*member, const T& value) {
    auto link = fake_.kernel.find(netns_, index);
    if (!link) return pass(link);
    auto& all = (**link).*member;
    if (std::ranges::find(all, value) != all.end()) return fail_errno(EEXIST, "add");
    all.push_back(value);
    return {};
  }

  FakeHost& fake_;
  NetnsInode netns_;
};

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
    if (id.device != kNetnsDevice || found == fake_.kernel.netns.end()) {
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

FakeHost::FakeHost()
    : kernel(folder.path()),
      links_(std::make_unique<Links>(*this, kernel.host_netns)),
      rdma_(std::make_unique<Rdma>(*this, kernel.host_netns)),
      netns_(std::make_unique<Netns>(*this)),
      devlink_(std::make_unique<Devlink>()),
      processes_(clock),
      locks_(clock),
      host{*links_,
           *rdma_,
           *devlink_,
           *netns_,
           processes_,
           locks_,
           clock,
           {.sysfs = folder.path() + "/sys",
            .proc = folder.path() + "/proc",
            .run = folder.path() + "/run"}} {}

FakeHost::~FakeHost() = default;

FakePf& FakeHost::add_pf(const FakePfRequest& request) {
  auto pf = std::make_unique<FakePf>();
  pf->address = *PciAddress::parse(request.address);
  pf->driver = request.infiniband ? FakeDriver::infiniband() : request.driver;
  const auto hw_address = [&](unsigned n) {
    std::vector<uint8_t> bytes(request.infiniband ? 20 : 6);
    bytes.front() = 0x02;
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
    return &kernel.add_link(kernel.host_netns, std::move(link));
  };
  kernel.sysfs.add({.address = request.address, .total_vfs = request.vfs});
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
    if (!pf->driver.guids) vf.attributes.node_guid = vf.attributes.port_guid = Guid{};
    kernel.sysfs.add_vf(request.address, n, {.address = vf.address.to_string()});
    add_function(vf.address, fmt::format("{}v{}", request.netdev, n), n);
    pf->vfs.push_back(vf);
  }
  kernel.pfs.push_back(std::move(pf));
  return *kernel.pfs.back();
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
