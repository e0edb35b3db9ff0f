#include "attach/attachment.hpp"

#include <algorithm>

#include "attach/store.hpp"
#include "attach/transaction.hpp"
#include "attach/vf.hpp"
#include "attach/vf_settings.hpp"
#include "base/text.hpp"

namespace railhead::attach {
namespace {

// As long as the existing plugins wait for a device (sriov-cni): under kubelet's 4-minute limit.
constexpr std::chrono::seconds kDeviceLockLimit{60};

// The first words of a timeout are sriov-cni's.
Result<host::FileLock> lock_device(host::Host& host, const Store& store, const PciAddress& device) {
  const auto path = store.device_lock(device);
  auto lock = host.locks.lock(path, kDeviceLockLimit);
  if (is(lock, ErrorCode::timeout)) {
    return fail(ErrorCode::timeout,
                "time out while waiting to acquire exclusive lock on [{}]: another ADD or DEL of "
                "VF {} has been at work for {} s",
                path, device.to_string(), kDeviceLockLimit.count());
  }
  if (!lock) return pass(lock, fmt::format("VF {}", device.to_string()));
  return lock;
}

}  // namespace

Result<Attached> Attacher::attach(const AttachRequest& request) {
  const Store store(host_.roots.run);
  if (auto ready = store.prepare(); !ready) return pass(ready);
  auto netns = host_.netns.open(request.netns_path);
  if (!netns) return pass(netns, "network namespace");
  auto lock = lock_device(host_, store, request.device);
  if (!lock) return pass(lock);
  pod_ = Pod{std::move(*netns), nullptr, {}};
  return add(host_, store, request, *pod_, log_);
}

Result<void> Attacher::activate(const IpConfig& config) {
  if (!pod_ || pod_->link.index == 0) {
    return fail(ErrorCode::internal, "there is no netdev in the pod to activate");
  }
  host::Links& links = *pod_->links;
  const host::Link& link = pod_->link;
  // Neighbours are told of an IPv4 address by the kernel when the link is taken up, if it has
  // carrier by then; where IPv6 was switched off for new interfaces an address needs it on. Without
  // the sysctl: nothing lost.
  const bool v6 = std::any_of(config.addresses.begin(), config.addresses.end(),
                              [](const auto& address) { return address.v6; });
  auto prepared = host_.netns.run(pod_->netns, [&]() -> Result<void> {
    std::ignore = write_sysctl(host_, "ipv4/conf/*/arp_notify", link.name, "1");
    std::ignore = write_sysctl(host_, "ipv6/conf/*/ndisc_notify", link.name, "0");
    if (v6) {
      std::ignore = write_sysctl(host_, "ipv6/conf/*/disable_ipv6", link.name, "0");
      // Permits what add_address() asks for.
      std::ignore = write_sysctl(host_, "ipv6/conf/*/optimistic_dad", link.name, "1");
    }
    return {};
  });
  if (!prepared) return prepared;
  for (const auto& address : config.addresses) {
    if (auto done = links.add_address(link.index, address); !done) {
      return pass(done, fmt::format("address {} on {}", address.to_string(), link.name));
    }
  }
  if (auto done = links.change(link.index, {.up = true}); !done) {
    return pass(done, fmt::format("bringing {} up", link.name));
  }
  // Only now: an announcement at the link's up would come while the address is looked for
  // duplicates. A NIC's switch that gives a VF its own multicasts back would then make the kernel
  // take the address for one, and drop it; the nonce of RFC 7527 is in solicitations only.
  std::ignore = host_.netns.run(pod_->netns, [&]() -> Result<void> {
    return write_sysctl(host_, "ipv6/conf/*/ndisc_notify", link.name, "1");
  });
  for (auto route : config.routes) {
    route.out_index = link.index;
    if (auto done = links.add_route(route); !done) {
      return pass(done, fmt::format("route {} on {}", route.destination.to_string(), link.name));
    }
  }
  return {};
}

Result<void> Attacher::detach(const AttachmentKey& key) {
  const Store store(host_.roots.run);
  auto record = store.load(key);
  if (!record) return pass(record);
  if (!*record) return {};
  auto lock = lock_device(host_, store, (*record)->device);
  if (!lock) return pass(lock);
  record = store.load(key);  // another DEL may have been at it
  if (!record) return pass(record);
  if (!*record) return {};
  return undo(host_, store, **record, log_);
}

Result<bool> Attacher::check(const AttachmentKey& key) {
  const Store store(host_.roots.run);
  auto record = store.load(key);
  if (!record) return pass(record);
  if (!*record) {
    return fail(ErrorCode::not_found, "there is no attachment {}", describe(key, ""));
  }
  auto netns = living_netns(host_, **record);
  if (!netns) return pass(netns);
  if (!*netns) {
    return fail(ErrorCode::not_found, "the namespace {} is gone", (*record)->netns_path);
  }
  auto pf = pf_link(host_, (*record)->pf);
  if (!pf) return pass(pf);
  auto vf = host_.links.vf(pf->index, (*record)->vf_index);
  if (!vf) return pass(vf);
  std::vector<std::string> wrong;
  if (auto text = describe_difference(*vf, (*record)->settings.vf); !text.empty()) {
    wrong.push_back(text);
  }
  if ((*record)->link) {
    auto links = host_.netns.links(**netns);
    if (!links) return pass(links);
    auto link = (*links)->by_name(key.ifname);
    if (!link) return pass(link);
    if (link->parent_device != (*record)->device.to_string()) {
      wrong.push_back(fmt::format("{} is {}, not the VF {}", key.ifname,
                                  link->parent_device.value_or("no PCI device"),
                                  (*record)->device.to_string()));
    }
    if (!link->is_up()) wrong.push_back(fmt::format("{} is down", key.ifname));
  }
  if ((*record)->moves_rdma) {
    auto rdma = host_.netns.rdma(**netns);
    auto devices = rdma ? (*rdma)->list() : pass(rdma);
    if (!devices) return pass(devices);
    for (const auto& [name, nodes] : (*record)->rdma) {
      if (std::none_of(devices->begin(), devices->end(),
                       [&name = name](const auto& device) { return device.name == name; })) {
        wrong.push_back(fmt::format("RDMA device {} is missing", name));
      }
    }
  }
  if (wrong.empty()) return (*record)->link.has_value();
  return fail(ErrorCode::io, "{}: {}", describe(key, (*record)->pod), join(wrong, "; "));
}

Result<void> Attacher::collect_garbage(const std::string& network,
                                       const std::vector<AttachmentKey>& valid) {
  auto listing = Store(host_.roots.run).list();
  if (!listing) return pass(listing);
  Result<void> first;
  for (const auto& error : listing->unreadable) {
    if (first) first = Failure(error);
  }
  for (const auto& record : listing->records) {
    if (record.key.network != network ||
        std::find(valid.begin(), valid.end(), record.key) != valid.end()) {
      continue;
    }
    if (auto done = detach(record.key); !done && first) first = done;
  }
  return first;
}

Result<void> Attacher::status() const {
  const Store store(host_.roots.run);
  if (auto ready = store.prepare(); !ready) return ready;
  return store.probe();
}

}  // namespace railhead::attach
