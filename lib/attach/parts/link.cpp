#include "attach/parts/link.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <net/if_arp.h>

#include "attach/parts/ib.hpp"
#include "attach/parts/link_common.hpp"
#include "base/text.hpp"

namespace railhead::attach::link {

using host::Link;
using host::LinkChange;

namespace {

// What IPoIB takes in the mode that it is made in, of a link of 4096 bytes (RFC 4391, 7).
constexpr uint32_t kLargestDatagram = 4092;

// The first netdev of the function, and no other: between the look at sysfs and the one by name
// udev may have renamed both.
Result<Link> find_own(Subject& subject, const Function& function) {
  auto& links = subject.host().links;
  if (layer_of(subject.record.kind) == host::LinkLayer::infiniband) {
    return links.by_parent(subject.name(), host::LinkLayer::infiniband);
  }
  const bool is_bare = is_bare_netdev(subject.record.device);
  auto link = links.by_name(is_bare ? subject.name() : function.netdevs.front());
  if (!link && (is_bare || !is(link, ErrorCode::not_found))) return link;
  if (link && !link->parent_device && (!is_bare || !link->kind)) {
    return fail(ErrorCode::unsupported,
                "the kernel does not say which device {} belongs to (IFLA_PARENT_DEV_NAME, Linux "
                "5.14 or later): nothing can be moved safely",
                link->name);
  }
  if (is_bare) return link;
  const auto is_virtio = [](const Link& one) { return one.parent_device->starts_with("virtio"); };
  if (link && (*link->parent_device == subject.name() || is_virtio(*link))) return link;
  return links.by_parent(subject.name());
}

Result<void> refuse_kinds(const Subject& subject, const Link& link) {
  const auto what = noun(subject.record.kind);
  if (link.type == ARPHRD_INFINIBAND && subject.record.kind != KindName::ib_vf) {
    return fail(ErrorCode::unsupported,
                "{} {} ({}) is an InfiniBand one: of these VFs alone are attached, by the types "
                "ib-sriov and railhead",
                what, subject.name(), link.name);
  }
  // The move takes it out, and nobody would put it back.
  if (link.master) {
    return fail(ErrorCode::busy,
                "{} {} ({}) is part of a bond, bridge or VRF of the host (ip link show dev {}); it "
                "can be attached when it is taken out of that",
                what, subject.name(), link.name, link.name);
  }
  return {};
}

// Partitions that the host made on it would go with it.
Result<void> refuse_partitions(const Subject& subject, const Link& link) {
  const auto all = subject.host().links.list();
  if (!all) return pass(all);
  for (const auto& other : *all) {
    if (other.index == link.index) continue;
    if (other.parent_device == link.parent_device && other.is_of(host::LinkLayer::infiniband)) {
      return fail(ErrorCode::unsupported,
                  "{} has several IPoIB netdevs ({}, {}), of which nothing says which is meant: it "
                  "is not attached",
                  subject.name(), link.name, other.name);
    }
    if (other.lower() != link.index) continue;
    return fail(ErrorCode::busy, "{} stands on {} ({}): it is attached when that is removed",
                other.name, subject.name(), link.name);
  }
  return {};
}

// Of a move that was refused in the midst: what do_setlink() had done by then stands, and the move
// to the namespace comes first.
Result<void> move_on(Subject& subject, LinkChange moved) {
  auto links = subject.pod->links(subject.host().netns);
  if (!links) return pass(links);
  const auto& parent = subject.record.link->before.parent;
  auto there = parent.empty() ? (*links)->by_name(subject.record.key.ifname)
                              : (*links)->by_parent(parent, layer_of(subject.record.kind));
  if (!there && !is(there, ErrorCode::not_found)) return pass(there);
  if (!there) return change(subject, moved);
  moved.netns_fd.reset();
  if (moved.address == there->address) moved.address.reset();
  if (moved.mtu == there->mtu) moved.mtu.reset();
  return (*links)->change(there->index, moved);
}

}  // namespace

Result<void> inspect(Subject& subject, const Function& function) {
  auto& record = subject.record;
  if (function.netdevs.empty() && !is_bare_netdev(record.device)) {
    // With a driver it has one, in another namespace: maybe only for a while.
    Error error{function.driver.empty() ? ErrorCode::invalid_argument : ErrorCode::busy, 0,
                fmt::format("the {} {} does not have a interface name or a dpdk driver (driver: "
                            "{}; a {} that is in another namespace must be given back first)",
                            noun(record.kind), subject.name(),
                            function.driver.empty() ? "none" : function.driver, noun(record.kind)),
                reason::kNoNetdev};
    return Failure(std::move(error));
  }
  auto link = find_own(subject, function);
  if (!link) return pass(link);
  if (auto good = refuse_kinds(subject, *link); !good) return good;
  if (link->type == ARPHRD_INFINIBAND) {
    if (auto free = refuse_partitions(subject, *link); !free) return free;
  } else if (function.netdevs.size() > 1) {
    return fail(ErrorCode::unsupported,
                "{} has several netdevs ({}), of which the kernel does not say which is meant: it "
                "is not attached",
                subject.name(), join(function.netdevs, ", "));
  }
  auto& before = record.link->before;
  before.name = link->name;
  before.alt_names = link->alt_names;
  before.address = link->address;
  before.mtu = link->mtu;
  before.up = link->is_up();
  before.sysctls = read_sysctls(subject.host(), link->name);
  before.alias = link->alias;
  before.promisc = link->is_promisc();
  before.allmulti = link->is_allmulti();
  before.modes = link->modes();
  before.broadcast = link->broadcast;
  before.link_mode = link->link_mode;
  before.parent = link->parent_device.value_or("");
  before.kind = link->kind.value_or("");
  if (subject.takes_host_use) {
    if (auto seen = inspect_host_use(subject.host().links, *link, before); !seen) return seen;
  }
  subject.link = std::move(*link);
  return {};
}

Result<void> drop_equal_alt_name(Subject& subject) {
  const auto& ifname = subject.record.key.ifname;
  if (!has(subject.link->alt_names, ifname)) return {};
  return subject.host().links.remove_alt_name(subject.link->index, ifname);
}

Result<void> down(Subject& subject) {
  return subject.link->is_up() ? change(subject, {.up = false}) : Result<void>();
}

Result<void> move(Subject& subject) {
  const auto& part = *subject.record.link;
  const auto& ifname = subject.record.key.ifname;
  LinkChange moved;
  moved.netns_fd = subject.pod->netns.fd();
  if (subject.link->name != ifname) moved.name = ifname;
  if (part.asked_address && *part.asked_address != subject.link->address) {
    moved.address = part.asked_address;
  }
  // A netdev that came anew has the kernel's own.
  const bool is_anew = subject.record.kind == KindName::ib_vf && subject.record.moves_rdma() &&
                       part.before.mtu <= kLargestDatagram;
  const auto mtu = part.asked_mtu || !is_anew ? part.asked_mtu : std::optional(part.before.mtu);
  if (mtu && *mtu != subject.link->mtu) moved.mtu = mtu;
  bool is_begun = false;
  const auto done = patiently(subject, [&] {
    return std::exchange(is_begun, true) ? move_on(subject, moved) : change(subject, moved);
  });
  if (done) return done;
  return pass(done, fmt::format("moving {} ({}) into {} as {}", subject.link->name, subject.name(),
                                subject.record.netns_path, ifname));
}

Result<void> read_back(Subject& subject) {
  auto links = subject.pod->links(subject.host().netns);
  if (!links) return pass(links);
  const auto& part = *subject.record.link;
  auto link = (*links)->by_name(subject.record.key.ifname);
  const auto carries = patiently(subject, [&]() -> Result<void> {
    if (!link || !part.asked_address || link->address == *part.asked_address) return {};
    const auto has = link->address.to_string();
    link = (*links)->by_name(subject.record.key.ifname);
    return fail_errno(EAGAIN, "{} has the MAC {}, not {}", subject.record.key.ifname, has,
                      part.asked_address->to_string());
  });
  if (!carries) return carries;
  if (!link) return pass(link);
  const auto& parent = part.before.parent;
  if (!parent.empty() && link->parent_device != parent) {
    return fail(ErrorCode::io, "{} in {} is {}, not {}", link->name, subject.record.netns_path,
                link->parent_device.value_or("no bus device"), parent);
  }
  subject.record.link->pod_index = link->index;
  subject.link = std::move(*link);
  subject.link_in_pod = true;
  return {};
}

Result<std::vector<std::string>> check(const Subject& subject, host::Links& links) {
  const auto& ifname = subject.record.key.ifname;
  const auto link = links.by_name(ifname);
  if (!link) return pass(link);
  std::vector<std::string> wrong;
  const auto& parent = subject.record.link->before.parent;
  if (!parent.empty() && link->parent_device != parent) {
    wrong.push_back(fmt::format("{} is {}, not the {} {}", ifname,
                                link->parent_device.value_or("no PCI device"),
                                noun(subject.record.kind), subject.name()));
  }
  if (!link->is_up()) wrong.push_back(fmt::format("{} is down", ifname));
  if (subject.record.kind == KindName::ib_vf) {
    if (auto text = ib::wrong_guid(*subject.record.vf, *link); !text.empty()) {
      wrong.push_back(std::move(text));
    }
  }
  return wrong;
}

}  // namespace railhead::attach::link
