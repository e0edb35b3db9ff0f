#include "test/support/fake_kernel.hpp"

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include <fcntl.h>
#include <net/if.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/files.hpp"
#include "test/support/must.hpp"

namespace railhead::test {

namespace fs = std::filesystem;

namespace {

// Its values are the kernel's defaults.
constexpr std::pair<const char*, const char*> kSysctls[] = {
    {"ipv4/conf/{}/arp_announce", "0"},  {"ipv4/conf/{}/arp_ignore", "0"},
    {"ipv4/conf/{}/arp_notify", "0"},    {"ipv4/conf/{}/forwarding", "0"},
    {"ipv4/conf/{}/rp_filter", "0"},     {"ipv6/conf/{}/accept_ra", "1"},
    {"ipv6/conf/{}/addr_gen_mode", "0"}, {"ipv6/conf/{}/disable_ipv6", "0"},
    {"ipv6/conf/{}/forwarding", "0"},    {"ipv6/conf/{}/keep_addr_on_down", "0"},
    {"ipv6/conf/{}/ndisc_notify", "0"}};

// dev_valid_name()
bool valid_name(std::string_view name) {
  return !name.empty() && name.size() < IFNAMSIZ && name != "." && name != ".." &&
         name.find_first_of("/: \t\n") == std::string_view::npos;
}

bool has_name(const host::Link& link, std::string_view name) {
  return link.name == name || std::ranges::find(link.alt_names, name) != link.alt_names.end();
}

constexpr size_t kAliasSize = 256;  // IFALIASZ, with its NUL

void set_flag(host::Link& link, unsigned flag, bool on) {
  link.flags = on ? link.flags | flag : link.flags & ~flag;
}

}  // namespace

FakeDriver FakeDriver::mlx5() { return {.makes_node_guid = true}; }

FakeDriver FakeDriver::igb() {
  return {.name = "igb",
          .link_state = EOPNOTSUPP,
          .min_rate = EINVAL,
          .qinq = EPROTONOSUPPORT,
          .guids = EOPNOTSUPP,
          .shows_chosen_mac = true,
          .resets_when_down = true,
          .rate_needs_carrier = true};
}

FakeDriver FakeDriver::bnxt() {
  return {.name = "bnxt_en", .loses_rdma = true, .vf_name = "bnxt_en"};
}

FakeDriver FakeDriver::ice() {
  return {.name = "ice", .shows_chosen_mac = true, .resets_for_settings = true};
}

FakeDriver FakeDriver::infiniband() { return {.guids = 0, .is_infiniband = true}; }

FakeKernel::FakeKernel(std::string root, const Clock& clock)
    : sysfs(root + "/sys"), root_(std::move(root)), clock_(clock) {
  fs::create_directories(root_ + "/proc/sys");
  host_netns = add_netns("host", root_ + "/proc/host-netns");
  show_sysctls_of(host_netns);
  add_link(host_netns, {.name = "lo", .type = 772, .mtu = 65536});
}

FakeKernel::~FakeKernel() {
  for (auto& [inode, space] : netns) ::close(space.keeps_inode);
}

// --- namespaces
// -----------------------------------------------------------------------------------

NetnsInode FakeKernel::add_netns(const std::string& name, const std::string& path) {
  fs::create_directories(fs::path(path).parent_path());
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
  REQUIRE(fd >= 0);
  struct stat status {};
  REQUIRE(::fstat(fd, &status) == 0);
  netns[status.st_ino] = {name, path, 1, fd};
  fs::create_directories(sysctl_root(status.st_ino));
  if (host_netns) add_link(status.st_ino, {.name = "lo", .type = 772, .mtu = 65536});
  return status.st_ino;
}

void FakeKernel::end_netns(NetnsInode inode) {
  for (auto& link : links) {
    if (link->netns == inode && link->link.parent_device) give_back(*link);
  }
  // Virtual links die with their namespace.
  const auto next = [&] {
    return std::ranges::find_if(links, [&](const auto& link) { return link->netns == inode; });
  };
  for (auto at = next(); at != links.end(); at = next()) erase(**at);
  for (auto& device : rdma) {
    if (device->netns != inode) continue;
    hide_rdma(*device);
    device->netns = host_netns;
    show_rdma(*device);
    make_ipoib_anew(device->function);
  }
  ::close(netns[inode].keeps_inode);
  netns.erase(inode);
}

// default_device_exit_net(): under its own name where that is free, else "dev" and its index;
// alternative names that are taken are dropped.
void FakeKernel::give_back(FakeLink& link) {
  std::erase_if(link.link.alt_names,
                [&](const auto& name) { return name_in_use(host_netns, name); });
  const auto fallback = fmt::format("dev{}", link.link.index);
  must(move_link(link, host_netns, &fallback));
}

Result<NetnsInode> FakeKernel::netns_of_fd(int fd) const {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return kernel(errno);
  if (!netns.contains(status.st_ino)) return kernel(EINVAL);
  return status.st_ino;
}

std::string FakeKernel::sysctl_root(NetnsInode inode) const {
  return fmt::format("{}/sysctl/{}", root_, inode);
}

void FakeKernel::show_sysctls_of(NetnsInode inode) {
  fs::remove(root_ + "/proc/sys/net");
  fs::create_symlink(sysctl_root(inode), root_ + "/proc/sys/net");
}

void FakeKernel::make_sysctls(const FakeLink& link) {
  for (const auto& [path, value] : kSysctls) {
    sysfs.write(sysctl_root(link.netns) + '/' + fmt::format(fmt::runtime(path), link.link.name),
                value);
  }
}

void FakeKernel::remove_sysctls(const FakeLink& link) {
  for (const char* family : {"ipv4", "ipv6"}) {
    fs::remove_all(fmt::format("{}/{}/conf/{}", sysctl_root(link.netns), family, link.link.name));
  }
}

void FakeKernel::rename_sysctls(const FakeLink& link, const std::string& old_name) {
  for (const char* family : {"ipv4", "ipv6"}) {
    const auto folder = fmt::format("{}/{}/conf/", sysctl_root(link.netns), family);
    fs::rename(folder + old_name, folder + link.link.name);
  }
}

// --- links
// ----------------------------------------------------------------------------------------

FakeLink& FakeKernel::add_link(NetnsInode inode, host::Link link) {
  REQUIRE_FALSE(name_in_use(inode, link.name));
  if (link.index == 0) link.index = netns[inode].next_index++;
  links.push_back(std::make_unique<FakeLink>(FakeLink{.link = std::move(link), .netns = inode}));
  show_in_sysfs(*links.back(), true);
  make_sysctls(*links.back());
  return *links.back();
}

Result<FakeLink*> FakeKernel::find(NetnsInode inode, uint32_t index) {
  for (auto& link : links) {
    if (link->netns == inode && link->link.index == index) return link.get();
  }
  return kernel(ENODEV);
}

Result<FakeLink*> FakeKernel::find(NetnsInode inode, std::string_view name) {
  for (auto& link : links) {
    if (link->netns == inode && has_name(link->link, name)) return link.get();
  }
  return kernel(ENODEV);
}

bool FakeKernel::name_in_use(NetnsInode inode, std::string_view name) const {
  return std::ranges::any_of(
      links, [&](const auto& link) { return link->netns == inode && has_name(link->link, name); });
}

// The folder net/ of a function shows the links of the host's namespace only.
void FakeKernel::show_in_sysfs(const FakeLink& link, bool show) {
  if (!link.link.parent_device || link.netns != host_netns) return;
  const auto bus = link.link.parent_bus.value_or("pci");
  if (bus != "pci" && bus != "auxiliary") return;  // no folder of it is made here
  const auto folder =
      fmt::format("{}/net/{}", sysfs.folder(*link.link.parent_device), link.link.name);
  fs::remove_all(folder);
  if (!show) return;
  sysfs.write(folder + "/type", std::to_string(link.link.type));
  sysfs.write(folder + "/mtu", std::to_string(link.link.mtu));
  sysfs.write(folder + "/address", link.link.address.to_string());
}

// The order of do_setlink(): what was done before a refusal stays done.
Result<void> FakeKernel::change(NetnsInode inode, uint32_t index, const host::LinkChange& change) {
  auto found = find(inode, index);
  if (!found) return pass(found);
  FakeLink& link = **found;
  if (change.name && !valid_name(*change.name)) return kernel(EINVAL);
  if (change.netns_fd && vanishes_when_moved &&
      link.link.parent_device == vanishes_when_moved->to_string()) {
    remove_vf(*std::exchange(vanishes_when_moved, std::nullopt));
    return kernel(ENODEV);
  }
  Result<void> done;
  if (change.netns_fd) {
    auto target = netns_of_fd(*change.netns_fd);
    if (!target) return pass(target);
    done = move_link(link, *target, change.name ? &*change.name : nullptr);
  }
  show_in_sysfs(link, false);
  const auto [pf, vf] = vf_of(link);
  if (done && change.netns_fd && vf && pf->driver.loses_rdma) remove_rdma(vf->address);
  const bool in_reset = vf && vf->back_at;
  if (done && in_reset && change.address && *change.address != link.link.address) {
    done = kernel(EAGAIN);
  }
  if (done && in_reset && (change.mtu || change.up == true)) done = kernel(EBUSY);
  if (done && change.address) done = set_address(link, *change.address);
  if (done && change.mtu) {
    if (*change.mtu < 68 || *change.mtu > 9978) {
      done = kernel(EINVAL);
    } else {
      link.link.mtu = *change.mtu;
    }
  }
  if (done && change.name) done = set_name(link, *change.name);
  if (done && change.alias) {
    if (change.alias->size() >= kAliasSize) {
      done = kernel(ERANGE);
    } else {
      link.link.alias = *change.alias;
    }
  }
  if (done && change.promisc) set_flag(link.link, IFF_PROMISC, *change.promisc);
  if (done && change.allmulti) set_flag(link.link, IFF_ALLMULTI, *change.allmulti);
  if (done && change.modes) {
    link.link.flags = (link.link.flags & ~host::kLinkModes) | (*change.modes & host::kLinkModes);
  }
  if (done && change.broadcast) link.link.broadcast = *change.broadcast;
  if (done && change.link_mode) link.link.link_mode = *change.link_mode;
  if (done && change.up) set_up(link, *change.up);
  show_in_sysfs(link, true);
  return done;
}

// __dev_change_net_namespace(): the link keeps its name where that is free there, else it takes
// the new one; it is closed, loses its addresses, and keeps its index where that is free.
Result<void> FakeKernel::move_link(FakeLink& link, NetnsInode to,
                                   const std::string* fallback_name) {
  if (link.netns == to) return {};
  std::string name = link.link.name;
  if (name_in_use(to, name)) {
    if (!fallback_name || name_in_use(to, *fallback_name)) return kernel(EEXIST);
    name = *fallback_name;
  }
  for (const auto& alt_name : link.link.alt_names) {
    if (name_in_use(to, alt_name)) return kernel(EEXIST);
  }
  show_in_sysfs(link, false);
  remove_sysctls(link);
  set_up(link, false);
  link.addresses.clear();
  link.neighbours.clear();
  link.link.master.reset();
  if (find(to, link.link.index)) link.link.index = netns[to].next_index++;
  netns[to].next_index = std::max(netns[to].next_index, link.link.index + 1);
  link.netns = to;
  link.link.name = name;
  make_sysctls(link);
  show_in_sysfs(link, true);
  tell_uppers(link);
  return {};
}

// dev_change_name(): a name that is its own alternative name is taken, too.
Result<void> FakeKernel::set_name(FakeLink& link, const std::string& name) {
  if (link.link.name == name) return {};
  if (renames_only_down && link.link.is_up()) return kernel(EBUSY);
  if (name_in_use(link.netns, name)) return kernel(EEXIST);
  const auto old_name = std::exchange(link.link.name, name);
  rename_sysctls(link, old_name);
  return {};
}

// With an admin MAC in force the PF refuses what an untrusted VF chooses.
Result<void> FakeKernel::set_address(FakeLink& link, const HwAddress& address) {
  if (address.size() != link.link.address.size()) return kernel(EINVAL);
  if (address.is_zero() || (address.bytes()[0] & 1)) return kernel(EADDRNOTAVAIL);
  auto [pf, vf] = vf_of(link);
  if (vf && vf->admin_mac && !vf->trusted && address != *vf->attributes.mac) {
    return kernel(EADDRNOTAVAIL);
  }
  link.link.address = address;
  if (vf && pf->driver.shows_chosen_mac && !vf->admin_mac) vf->attributes.mac = address;
  return {};
}

void FakeKernel::set_up(FakeLink& link, bool up) {
  const bool goes_down = link.link.is_up() && !up;
  set_flag(link.link, IFF_UP, up);
  link.link.carrier = up;
  if (!up) link.routes.clear();
  auto [pf, vf] = vf_of(link);
  if (!vf) return;
  if (pf->driver.resets_when_down ? !goes_down : !up) return;
  if (vf->trusted) {
    vf->attributes.mac = link.link.address;
  } else if (vf->admin_mac && goes_down) {
    link.link.address = *vf->attributes.mac;
  }
}

Result<void> FakeKernel::add_alt_name(NetnsInode inode, uint32_t index, std::string_view name) {
  auto link = find(inode, index);
  if (!link) return pass(link);
  if (name.empty() || name.size() > 127) return kernel(EINVAL);
  if (name_in_use(inode, name)) return kernel(EEXIST);
  (*link)->link.alt_names.emplace_back(name);
  return {};
}

Result<void> FakeKernel::remove_alt_name(NetnsInode inode, uint32_t index, std::string_view name) {
  auto link = find(inode, index);
  if (!link) return pass(link);
  if (std::erase((*link)->link.alt_names, name) == 0) return kernel(ENOENT);
  return {};
}

}  // namespace railhead::test
