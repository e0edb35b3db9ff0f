#include "attach/foreign.hpp"

#include <algorithm>

#include "attach/attachments.hpp"
#include "attach/foreign_files.hpp"
#include "attach/function.hpp"
#include "attach/parts/ib.hpp"

namespace railhead::attach {

using foreign::Found;

namespace {

struct Place {
  std::string path;
  host::NetnsId netns;
  std::optional<host::Link> link;  // as it stands in the pod, or else in the host
};

// The first of the paths whose namespace has the device's netdev, else the first that lives.
Place find_place(const Work& work, const device::DeviceId& device, host::LinkLayer layer,
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
    const auto link = links ? (*links)->by_parent(device.name, layer) : pass(links);
    if (link) return {path, netns->id(), *link};
  }
  if (auto link = host.links.by_parent(device.name, layer)) place.link = std::move(*link);
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
  VfPart part{*function.pf, function.vf_index, cache.before, cache.asked};
  if (cache.layer == host::LinkLayer::infiniband) return part;  // no PF is asked for its VFs
  const auto pf = pf_link(work.host, part.pf);
  const auto now = pf ? work.host.links.vf(pf->index, part.index) : pass(pf);
  if (now) part.before = known_of(cache.before, *now);
  return part;
}

LinkPart link_part(const Work& work, const SriovCache& cache, const Place& place) {
  const bool is_ib = cache.layer == host::LinkLayer::infiniband;
  const uint32_t usual_mtu = is_ib ? 2044 : 1500;
  LinkPart part;
  part.before = netdev_before(work.host, cache.host_name, place.link);
  if (cache.address) part.before.address = *cache.address;
  if (is_ib) {
    // Where it changed none, nothing tells what stood before: a pod may have set its own.
    part.before.address = cache.before.port_guid
                              ? ib::with_port(part.before.address, *cache.before.port_guid)
                              : HwAddress();
  }
  part.before.parent = cache.device.name;
  if (cache.mtu) part.before.mtu = *cache.mtu;
  if (part.before.mtu == 0) part.before.mtu = usual_mtu;
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
  const bool is_ib = found.sriov->layer == host::LinkLayer::infiniband;
  record.kind = is_ib ? KindName::ib_user_vf : KindName::user_vf;
  record.vf = vf_part(work, *found.sriov, function);
  const bool has_netdev = !found.sriov->host_name.empty() && !function.driver.empty() &&
                          !device::is_userspace_driver(function.driver);
  if (!has_netdev) return record;
  record.kind = is_ib ? KindName::ib_vf : KindName::eth_vf;
  record.link = link_part(work, *found.sriov, place);
  return record;
}

std::string_view program_of(const Found& found) {
  if (!found.sriov) return "rdma-cni";
  return found.sriov->layer == host::LinkLayer::infiniband ? "ib-sriov-cni" : "sriov-cni";
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

// The caller holds the device's lock, and the device is nobody's by our records.
Result<bool> adopt(const Work& work, const Found& found, const std::string& netns_path) {
  if (const auto why = foreign::why_stale(work, found); !why.empty()) {
    foreign::set_aside(work, found, why);
    return false;
  }
  auto function = read_function(work.host, found.device());
  if (is(function, ErrorCode::not_found)) {
    foreign::set_aside(work, found, "the device no longer exists");
    return false;
  }
  if (!function) return pass(function);
  if (found.sriov && !function->pf) {
    foreign::set_aside(work, found, "the device is no VF any more");
    return false;
  }
  const auto layer = found.sriov ? found.sriov->layer : host::LinkLayer::ethernet;
  const auto place = find_place(work, found.device(), layer,
                                {netns_path, foreign::allocated_to(work.host, found.device())});
  const auto record = record_of(work, found, *function, place);
  if (auto kept = keep(work, record); !kept) return pass(kept);
  work.log.info("taking over an attachment of another program", {{"holder", describe(record)},
                                                                 {"device", record.device.name},
                                                                 {"program", program_of(found)}});
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
  auto found = foreign::look(work, key, predecessor);
  if (found.empty()) return false;
  auto lock = lock_device(work, found.device());
  if (!lock) return pass(lock);
  const auto device = found.device();
  found = foreign::look(work, key, predecessor);  // another DEL may have been at it
  if (found.empty() || found.device() != device) return false;
  auto holder = work.store.owner(device);
  if (!holder) return pass(holder);
  if (!*holder) return adopt(work, found, netns_path);
  if ((*holder)->key == key) {
    return predecessor == Predecessor::rdma_cni ? add_rdma(work, **holder, found) : false;
  }
  foreign::set_aside(work, found, fmt::format("the device is {}'s by now", describe(**holder)));
  return false;
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
  // Of a device: with one that it makes itself, a pod could choose a name to have in the host.
  if (link->name == key.ifname && link->parent_device && is_netdev_name(link->alias)) {
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
    case Predecessor::ib_sriov_cni:
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
  const auto path = foreign::allocated_to(host, device);
  if (path.empty()) return false;
  const auto netns = host.netns.open(path);
  if (!netns && !is(netns, ErrorCode::not_found)) return pass(netns);
  const auto here = host.netns.current();
  if (!here) return pass(here);
  if (netns && netns->id() != here->id()) {
    Error error{ErrorCode::busy, 0,
                fmt::format("the VF {} is held by a pod that sriov-cni attached (namespace {}, by "
                            "{}); it is released when that is deleted",
                            device.name, path, foreign::allocation_path(host, device)),
                reason::kHeld};
    return Failure(std::move(error));
  }
  auto caches = foreign::caches_of(work, device);
  if (caches.empty()) return false;
  for (size_t i = 1; i < caches.size(); ++i) {
    foreign::set_aside(work, caches[i], "a later pod had the device");
  }
  return adopt(work, caches.front(), "");
}

void set_aside(const Work& work, const AttachmentKey& key, Predecessor predecessor) {
  if (predecessor == Predecessor::none || predecessor == Predecessor::host_device) return;
  foreign::set_aside(work, foreign::look(work, key, predecessor));
}

void set_aside_of_vf(const Work& work, const AttachmentKey& key) {
  for (const auto predecessor : {Predecessor::sriov_cni, Predecessor::ib_sriov_cni}) {
    set_aside(work, key, predecessor);
  }
}

}  // namespace railhead::attach
