#include "attach/foreign.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include <sys/stat.h>

#include "attach/attachments.hpp"
#include "attach/foreign_cache.hpp"
#include "attach/function.hpp"
#include "base/text.hpp"

namespace railhead::attach {
namespace {

constexpr std::string_view kTaken = ".taken";
constexpr size_t kMostOfCache = 1 << 20;  // a configuration, maybe with a prevResult
constexpr size_t kMostOfPath = 4096;      // PATH_MAX

std::string sriov_folder(const host::Host& host) { return host.roots.cni_cache + "/sriov"; }
std::string sriov_path(const host::Host& host, const AttachmentKey& key) {
  return fmt::format("{}/{}-{}", sriov_folder(host), key.container_id, key.ifname);
}
std::string allocation_path(const host::Host& host, const device::DeviceId& device) {
  return fmt::format("{}/pci/{}", sriov_folder(host), device.name);
}
std::string rdma_path(const host::Host& host, const AttachmentKey& key) {
  return fmt::format("{}/rdma/{}-{}-{}", host.roots.cni_cache, key.network, key.container_id,
                     key.ifname);
}

void rename_taken(const Work& work, const std::string& path) {
  const auto to = path + std::string(kTaken);
  if (std::rename(path.c_str(), to.c_str()) == 0 || errno == ENOENT || errno == ENOTDIR) return;
  work.log.warning("what another program kept of an attachment that is given back stays",
                   {{"file", path}, {"errno", errno}});
}

// Nothing: it is not there, or cannot be read, which the log tells.
template <class Cache>
std::optional<Cache> read_cache(const Work& work, const std::string& path,
                                Result<Cache> (*read)(std::string_view)) {
  const auto text = host::read_regular_file(path, kMostOfCache);
  if (is(text, ErrorCode::not_found)) return std::nullopt;
  auto cache = text ? read(*text) : pass(text);
  if (cache) return std::move(*cache);
  work.log.warning(
      "what another program kept of an attachment cannot be read: nothing is given "
      "back by it",
      {{"file", path}, {"error", cache.error().message}});
  return std::nullopt;
}

// Where sriov-cni says that the device is; "" where it does not.
std::string allocated_to(const host::Host& host, const device::DeviceId& device) {
  const auto text = host::read_regular_file(allocation_path(host, device), kMostOfPath);
  return text ? std::string(trim(*text)) : "";
}

// Seconds since 1970; nothing where it is not there.
std::optional<timespec> modified(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return std::nullopt;
  return status.st_mtim;
}

bool is_newer(const timespec& a, const timespec& b) {
  return a.tv_sec != b.tv_sec ? a.tv_sec > b.tv_sec : a.tv_nsec > b.tv_nsec;
}

// What it tells of went with the kernel that it ran on.
bool is_of_former_boot(const host::Host& host, const std::string& path) {
  const auto stat = host::read_file(host.roots.proc + "/stat");
  const auto written = modified(path);
  if (!stat || !written) return false;
  constexpr std::string_view kKey = "\nbtime ";
  const auto at = stat->find(kKey);
  if (at == std::string::npos) return false;
  const auto rest = std::string_view(*stat).substr(at + kKey.size());
  const auto booted = parse_int<int64_t>(rest.substr(0, rest.find('\n')));
  return booted && written->tv_sec < *booted;
}

struct Found {
  AttachmentKey key;
  std::optional<SriovCache> sriov;
  std::optional<RdmaCache> rdma;
  [[nodiscard]] bool empty() const { return !sriov && !rdma; }
  [[nodiscard]] const device::DeviceId& device() const {
    return sriov ? sriov->device : rdma->device;
  }
};

Found look(const Work& work, const AttachmentKey& key, Predecessor predecessor) {
  Found found{key, {}, {}};
  if (predecessor == Predecessor::sriov_cni) {
    found.sriov = read_cache(work, sriov_path(work.host, key), read_sriov_cache);
  }
  found.rdma = read_cache(work, rdma_path(work.host, key), read_rdma_cache);
  if (found.sriov && found.rdma && found.sriov->device != found.rdma->device) found.rdma.reset();
  return found;
}

// Container ids of container runtimes are 64 hexadecimal digits; others may have a '-', as
// interfaces may.
AttachmentKey key_of(const std::string& file, const SriovCache& cache) {
  constexpr size_t kIdSize = 64;
  const auto at = file.find('-') == kIdSize ? kIdSize : file.rfind('-');
  return {cache.network, file.substr(0, at), file.substr(at + 1)};
}

// sriov-cni's caches of the device, the newest first: an older one is of a pod whose DEL never
// came, or came to nothing.
std::vector<Found> caches_of(const Work& work, const device::DeviceId& device) {
  std::vector<std::pair<timespec, Found>> all;
  const auto folder = host::Directory::open(sriov_folder(work.host));
  const auto names = folder ? folder->list(".") : pass(folder);
  if (!names) return {};
  for (const auto& name : *names) {
    const auto path = fmt::format("{}/{}", sriov_folder(work.host), name);
    const auto written = modified(path);
    if (name == "pci" || name.ends_with(kTaken) || name.find('-') == std::string::npos) continue;
    auto cache = read_cache(work, path, read_sriov_cache);
    if (!cache || cache->device != device || !written) continue;
    auto found = look(work, key_of(name, *cache), Predecessor::sriov_cni);
    if (found.sriov) all.emplace_back(*written, std::move(found));
  }
  std::stable_sort(all.begin(), all.end(),
                   [](const auto& a, const auto& b) { return is_newer(a.first, b.first); });
  std::vector<Found> found;
  for (auto& [written, one] : all) found.push_back(std::move(one));
  return found;
}

struct Place {
  std::string path;
  host::NetnsId netns;
  std::optional<host::Link> link;  // as it stands in the pod, or else in the host
};

// The first of the paths whose namespace has the device's netdev, else the first that lives.
Place find_place(const Work& work, const device::DeviceId& device,
                 const std::vector<std::string>& paths) {
  Place place;
  auto& host = work.host;
  const auto here = host.netns.current();
  for (const auto& path : paths) {
    if (path.empty()) continue;
    if (place.path.empty()) place.path = path;
    const auto netns = host.netns.open(path);
    if (!netns || (here && netns->id() == here->id())) continue;
    if (place.netns == host::NetnsId{}) place = {path, netns->id(), {}};
    const auto links = host.netns.links(*netns);
    const auto link = links ? (*links)->by_parent(device.name) : pass(links);
    if (link) return {path, netns->id(), *link};
  }
  if (auto link = host.links.by_parent(device.name)) place.link = std::move(*link);
  return place;
}

// Those that the host's other netdevs have meanwhile would keep the device in the pod.
std::vector<std::string> free_alt_names(const host::Host& host, const host::Link& link) {
  auto names = link.alt_names;
  std::erase_if(names, [&](const auto& name) {
    const auto other = host.links.by_name(name);
    return other && other->parent_device != link.parent_device;
  });
  return names;
}

// The netdev as these programs leave it in the host: down.
LinkState netdev_before(const host::Host& host, const std::string& name,
                        const std::optional<host::Link>& now) {
  LinkState before;
  before.name = name;
  if (!now) return before;
  before.alt_names = free_alt_names(host, *now);
  before.address = now->address;
  before.mtu = now->mtu;
  before.parent = now->parent_device.value_or("");
  before.kind = now->kind.value_or("");
  return before;
}

// What Go has no value for is written as 0 there: only what the driver tells can be given back.
host::VfAttributes known_of(const host::VfAttributes& before, const host::VfAttributes& now) {
  auto known = before;
  if (!now.mac) known.mac.reset();
  if (!now.vlan) known.vlan.reset();
  if (!now.rate) known.rate.reset();
  if (!now.spoofchk) known.spoofchk.reset();
  if (!now.trust) known.trust.reset();
  if (!now.link_state) known.link_state.reset();
  return known;
}

VfPart vf_part(const Work& work, const SriovCache& cache, const Function& function) {
  VfPart part{*function.pf, function.vf_index, cache.before, {}};
  const auto pf = pf_link(work.host, part.pf);
  const auto now = pf ? work.host.links.vf(pf->index, part.index) : pass(pf);
  if (now) part.before = known_of(cache.before, *now);
  return part;
}

LinkPart link_part(const Work& work, const SriovCache& cache, const Place& place) {
  constexpr uint32_t kUsualMtu = 1500;
  LinkPart part;
  part.before = netdev_before(work.host, cache.host_name, place.link);
  part.before.address = *cache.address;
  part.before.parent = cache.device.name;
  if (cache.mtu) part.before.mtu = *cache.mtu;
  if (part.before.mtu == 0) part.before.mtu = kUsualMtu;
  return part;
}

Record record_of(const Work& work, const Found& found, const Function& function,
                 const Place& place) {
  Record record;
  record.key = found.key;
  record.boot_id = boot_id(work.host);
  record.phase = Phase::attached;
  record.netns_path = place.path;
  record.netns = place.netns;
  record.device = found.device();
  record.driver = {function.driver, function.inode};
  record.kind = KindName::rdma_only;
  if (found.rdma) record.rdma = RdmaPart{{{found.rdma->host_name, Guid{}, {}}}, true};
  if (!found.sriov) return record;
  record.kind = KindName::user_vf;
  record.vf = vf_part(work, *found.sriov, function);
  const bool has_netdev = !found.sriov->host_name.empty() && !function.driver.empty() &&
                          !device::is_userspace_driver(function.driver);
  if (!has_netdev) return record;
  record.kind = KindName::eth_vf;
  record.link = link_part(work, *found.sriov, place);
  return record;
}

// The claim first: a record without one would be taken for one that had not begun. A claim without
// record is empty, and made anew the next time.
Result<void> keep(const Work& work, const Record& record) {
  if (auto ready = work.store.prepare(); !ready) return ready;
  auto own = work.store.load(record.key);
  if (!own) return pass(own);
  if (*own && (*own)->device == record.device) {
    // An ADD wrote it, and was killed before it had claimed the device.
    if (auto removed = work.store.remove(**own); !removed) return removed;
  } else if (*own) {
    return fail(ErrorCode::busy, "{} is to be taken over, and has the {} {} already",
                describe(record), noun((*own)->kind), (*own)->device.name);
  }
  if (auto cleared = work.store.remove_empty_claim(record.device); !cleared) return cleared;
  if (auto claimed = work.store.claim(record); !claimed) return claimed;
  return work.store.save(record);
}

// Of what is nobody's any more, and not to be undone.
void set_aside_caches(const Work& work, const Found& found, std::string_view why) {
  work.log.warning("another program's attachment is not given back",
                   {{"holder", describe(found.key, "")},
                    {"device", found.device().name},
                    {"why", std::string(why)}});
  if (found.sriov) rename_taken(work, sriov_path(work.host, found.key));
  if (found.rdma) rename_taken(work, rdma_path(work.host, found.key));
}

// What keeps a cache from being of any worth; "" where nothing does.
std::string why_stale(const Work& work, const Found& found) {
  const auto path =
      found.sriov ? sriov_path(work.host, found.key) : rdma_path(work.host, found.key);
  if (is_of_former_boot(work.host, path)) return "it is of a former boot";
  const auto written = modified(path);
  for (const auto& other : caches_of(work, found.device())) {
    const auto later = modified(sriov_path(work.host, other.key));
    const bool is_own = other.key.container_id == found.key.container_id;
    if (is_own || !written || !later || !is_newer(*later, *written)) continue;
    return fmt::format("the device is {}'s by now", describe(other.key, ""));
  }
  return "";
}

// The caller holds the device's lock, and the device is nobody's by our records.
Result<bool> adopt(const Work& work, const Found& found, const std::string& netns_path) {
  if (const auto why = why_stale(work, found); !why.empty()) {
    set_aside_caches(work, found, why);
    return false;
  }
  auto function = read_function(work.host, found.device());
  if (is(function, ErrorCode::not_found)) {
    set_aside_caches(work, found, "the device no longer exists");
    return false;
  }
  if (!function) return pass(function);
  if (found.sriov && !function->pf) {
    set_aside_caches(work, found, "the device is no VF any more");
    return false;
  }
  const auto place =
      find_place(work, found.device(), {netns_path, allocated_to(work.host, found.device())});
  const auto record = record_of(work, found, *function, place);
  if (auto kept = keep(work, record); !kept) return pass(kept);
  work.log.info("taking over an attachment of another program",
                {{"holder", describe(record)},
                 {"device", record.device.name},
                 {"program", found.sriov ? "sriov-cni" : "rdma-cni"}});
  return true;
}

// rdma-cni moved the RDMA devices of what is our own attachment for the rest.
Result<bool> add_rdma(const Work& work, Record record, const Found& found) {
  if (!found.rdma || found.rdma->device != record.device) return false;
  if (!record.rdma || record.rdma->before.empty()) {
    record.rdma = RdmaPart{{{found.rdma->host_name, Guid{}, {}}}, false};
  }
  record.rdma->moves = true;
  if (auto saved = work.store.update(record); !saved) return pass(saved);
  return true;
}

Result<bool> take_over_caches(const Work& work, const AttachmentKey& key,
                              const std::string& netns_path, Predecessor predecessor) {
  auto found = look(work, key, predecessor);
  if (found.empty()) return false;
  auto lock = lock_device(work, found.device());
  if (!lock) return pass(lock);
  const auto device = found.device();
  found = look(work, key, predecessor);  // another DEL may have been at it
  if (found.empty() || found.device() != device) return false;
  auto holder = work.store.owner(device);
  if (!holder) return pass(holder);
  if (!*holder) return adopt(work, found, netns_path);
  if ((*holder)->key == key) {
    return predecessor == Predecessor::rdma_cni ? add_rdma(work, **holder, found) : false;
  }
  set_aside_caches(work, found, fmt::format("the device is {}'s by now", describe(**holder)));
  return false;
}

bool is_rdma_back(const host::Host& host, const device::DeviceId& device) {
  const auto names = rdma_in_host(host, device);
  return names ? !names->empty() : is(names, ErrorCode::not_found);
}

// What host-device attached, by the interface's alias.
Result<bool> adopt_alias(const Work& work, const AttachmentKey& key, const host::Netns& netns,
                         const host::Link& link) {
  auto device = device_of(work.host, link);
  if (is_bare_netdev(device)) device.name = link.alias;
  auto lock = lock_device(work, device);
  if (!lock) return pass(lock);
  auto holder = work.store.owner(device);
  if (!holder) return pass(holder);
  if (*holder) return false;
  Record record;
  record.key = key;
  record.boot_id = boot_id(work.host);
  record.phase = Phase::attached;
  record.netns_path = netns.path();
  record.netns = netns.id();
  record.device = device;
  record.kind = KindName::whole_nic;
  record.link = LinkPart{netdev_before(work.host, link.alias, link), {}, {}};
  if (is_bare_netdev(device)) record.link->before.parent.clear();
  if (const auto function = read_function(work.host, device)) {
    record.driver = {function->driver, function->inode};
  }
  if (auto kept = keep(work, record); !kept) return pass(kept);
  work.log.info(
      "taking over an attachment of another program",
      {{"holder", describe(record)}, {"device", record.device.name}, {"program", "host-device"}});
  return true;
}

Result<bool> take_over_alias(const Work& work, const AttachmentKey& key,
                             const std::string& netns_path) {
  auto& host = work.host;
  if (netns_path.empty()) return false;
  const auto netns = host.netns.open(netns_path);
  if (is(netns, ErrorCode::not_found)) return false;
  if (!netns) return pass(netns);
  const auto here = host.netns.current();
  if (!here) return pass(here);
  if (netns->id() == here->id()) return false;
  const auto links = host.netns.links(*netns);
  if (!links) return pass(links);
  const auto link = (*links)->by_name(key.ifname);
  if (is(link, ErrorCode::not_found)) return false;
  if (!link) return pass(link);
  if (link->name == key.ifname && is_netdev_name(link->alias)) {
    return adopt_alias(work, key, *netns, *link);
  }
  work.log.warning(
      "failed to find original ifname: the interface has no record, and its alias is "
      "no name of one",
      {{"holder", describe(key, "")}, {"alias", link->alias}});
  return false;
}

}  // namespace

Result<bool> take_over(const Work& work, const AttachmentKey& key, const std::string& netns_path,
                       Predecessor predecessor) {
  switch (predecessor) {
    case Predecessor::sriov_cni:
    case Predecessor::rdma_cni:
      return take_over_caches(work, key, netns_path, predecessor);
    case Predecessor::host_device:
      return take_over_alias(work, key, netns_path);
    case Predecessor::none:
      break;
  }
  return false;
}

Result<bool> take_over_device(const Work& work, const device::DeviceId& device) {
  auto& host = work.host;
  const auto path = allocated_to(host, device);
  if (path.empty()) return false;
  const auto netns = host.netns.open(path);
  if (!netns && !is(netns, ErrorCode::not_found)) return pass(netns);
  const auto here = host.netns.current();
  if (!here) return pass(here);
  if (netns && netns->id() != here->id()) {
    Error error{ErrorCode::busy, 0,
                fmt::format("the VF {} is held by a pod that sriov-cni attached (namespace {}, by "
                            "{}); it is released when that is deleted",
                            device.name, path, allocation_path(host, device)),
                reason::kHeld};
    return Failure(std::move(error));
  }
  auto caches = caches_of(work, device);
  if (caches.empty()) return false;
  for (size_t i = 1; i < caches.size(); ++i) {
    set_aside_caches(work, caches[i], "a later pod had the device");
  }
  return adopt(work, caches.front(), "");
}

void set_aside(const Work& work, const AttachmentKey& key, Predecessor predecessor) {
  if (predecessor != Predecessor::sriov_cni && predecessor != Predecessor::rdma_cni) return;
  auto found = look(work, key, predecessor);
  // While it is away rdma-cni, behind us in the chain, may still have to bring it back.
  if (found.rdma && !is_rdma_back(work.host, found.rdma->device)) found.rdma.reset();
  if (found.sriov) {
    rename_taken(work, allocation_path(work.host, found.sriov->device));
    rename_taken(work, sriov_path(work.host, key));
  }
  if (found.rdma) rename_taken(work, rdma_path(work.host, key));
}

}  // namespace railhead::attach
