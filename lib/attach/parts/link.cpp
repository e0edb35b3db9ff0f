#include "attach/parts/link.hpp"

#include <algorithm>

#include <net/if_arp.h>

#include "attach/vf_settings.hpp"
#include "base/text.hpp"

namespace railhead::attach::link {

bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

using host::Link;
using host::LinkChange;

namespace {

// The first netdev of the function, and no other: between the look at sysfs and the one by name
// udev may have renamed both.
Result<Link> find_own(Subject& subject, const Function& function) {
  auto& links = subject.host().links;
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
  if (link.type == ARPHRD_INFINIBAND) {
    return fail(ErrorCode::unsupported,
                "{} {} ({}) is an InfiniBand one: InfiniBand {}s are not attached yet", what,
                subject.name(), link.name, what);
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

// Of the record's device, where it stands for something else than itself; else by its names.
Result<Link> find(host::Links& links, const Subject& subject,
                  const std::vector<std::string>& names) {
  const auto& before = subject.record.link->before;
  if (!before.parent.empty()) return links.by_parent(before.parent);
  for (const auto& name : names) {
    auto found = links.by_name(name);
    if (found && found->kind.value_or("") == before.kind) return found;
    if (!found && !is(found, ErrorCode::not_found)) return found;
  }
  return fail(ErrorCode::not_found, "{} is not here", before.name);
}

// The same among the links of the pod: one dump tells what stands on it, too.
const Link* find_in_pod(const Subject& subject) {
  for (const auto& link : subject.beside) {
    if (stands_for(link, subject.record)) return &link;
  }
  return nullptr;
}

Result<Link> find_in_host(const Subject& subject) {
  return find(subject.host().links, subject,
              {subject.record.link->before.name, temporary_name(subject.record.device)});
}

Result<void> change(Subject& subject, const LinkChange& what) {
  return subject.host().links.change(subject.link->index, what);
}

// Those that the pod gave it: they may be taken here, or be a name that the next pod wants.
Result<void> remove_new_alt_names(host::Links& links, const Subject& subject) {
  const auto& own = subject.record.link->before.alt_names;
  for (const auto& name : subject.link->alt_names) {
    if (has(own, name)) continue;
    if (auto done = links.remove_alt_name(subject.link->index, name); !done) return done;
  }
  return {};
}

std::string who_has(Subject& subject, const std::string& name) {
  const auto link = subject.host().links.by_name(name);
  if (!link) return {};
  return fmt::format(" (which {} has, {}; rename that)", link->name,
                     link->parent_device.value_or("no PCI device"));
}

void warn(const Subject& subject, std::string_view what, const Result<void>& failed) {
  if (failed) return;
  subject.work.log.warning(
      "not restored, tried again later",
      {{"device", subject.name()}, {"what", std::string(what)}, {"error", failed.error().message}});
}

bool is_link_local(const host::IpPrefix& address) {  // fe80::/10, RFC 4291
  return address.v6 && address.bytes[0] == 0xfe && (address.bytes[1] & 0xc0) == 0x80;
}

// A namespace is taken down by a kernel worker after its last user went; under load that takes
// a while.
constexpr std::chrono::seconds kReturnLimit{10};
constexpr std::chrono::milliseconds kReturnPoll{20};

bool is_multicast(const host::IpPrefix& address) {  // ff00::/8, RFC 4291
  return address.v6 && address.bytes[0] == 0xff;
}

// Addresses and routes, but for those that the kernel makes itself when the link is up.
Result<void> inspect_host_use(host::Links& links, const Link& link, LinkState& state) {
  auto addresses = links.addresses(link.index);
  if (!addresses) return pass(addresses, link.name);
  std::erase_if(*addresses, is_link_local);
  state.addresses = std::move(*addresses);
  if (!link.is_up()) return {};  // it has no routes
  auto routes = links.routes(link.index);
  if (!routes) return pass(routes, link.name);
  std::erase_if(*routes, [](const auto& route) {
    return is_link_local(route.destination) || is_multicast(route.destination);
  });
  state.routes = std::move(*routes);
  return {};
}

bool has_route(const std::vector<host::Route>& routes, host::Route wanted) {
  return std::any_of(routes.begin(), routes.end(), [&](const host::Route& route) {
    wanted.out_index = route.out_index;
    return route == wanted;
  });
}

}  // namespace

// --- ADD
// ------------------------------------------------------------------------------------------

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
  if (function.netdevs.size() > 1) {
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
  before.parent = link->parent_device.value_or("");
  before.kind = link->kind.value_or("");
  if (record.kind == KindName::whole_nic) {
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
  if (part.asked_mtu && *part.asked_mtu != subject.link->mtu) moved.mtu = part.asked_mtu;
  auto done = change(subject, moved);
  if (done) return done;
  return pass(done, fmt::format("moving {} ({}) into {} as {}", subject.link->name, subject.name(),
                                subject.record.netns_path, ifname));
}

Result<void> read_back(Subject& subject) {
  auto links = subject.pod->links(subject.host().netns);
  if (!links) return pass(links);
  auto link = (*links)->by_name(subject.record.key.ifname);
  if (!link) return pass(link);
  const auto& parent = subject.record.link->before.parent;
  if (!parent.empty() && link->parent_device != parent) {
    return fail(ErrorCode::io, "{} in {} is {}, not {}", link->name, subject.record.netns_path,
                link->parent_device.value_or("no bus device"), parent);
  }
  subject.record.link->pod_index = link->index;
  subject.link = std::move(*link);
  subject.link_in_pod = true;
  return {};
}

// --- undo
// -----------------------------------------------------------------------------------------

Result<void> silence(Subject& subject) {
  subject.link.reset();
  subject.link_in_pod = false;
  subject.beside.clear();
  if (!subject.record.link || !subject.pod) return {};
  auto links = subject.pod->links(subject.host().netns);
  if (!links) return pass(links);
  auto all = (*links)->list();
  if (!all) return pass(all);
  subject.beside = std::move(*all);
  const auto* link = find_in_pod(subject);
  if (!link) return {};
  subject.link = *link;
  subject.link_in_pod = true;
  if (!link->is_up()) return {};
  return (*links)->change(link->index, {.up = false});
}

namespace {

// First those on top; `depth` bounds what a pod can make of this.
Result<void> remove_uppers(const Deadline& deadline, host::Links& links,
                           const std::vector<Link>& all, uint32_t index, unsigned depth = 0) {
  constexpr unsigned kMaxDepth = 16;  // the kernel nests no more than 8 (MAX_NEST_DEV)
  if (depth > kMaxDepth) return {};
  for (const auto& link : all) {
    if (link.lower() != index || link.index == index) continue;
    if (auto done = remove_uppers(deadline, links, all, link.index, depth + 1); !done) return done;
    if (deadline.left().count() == 0) {
      return fail(ErrorCode::timeout, "the pod made more links on it than can be removed in time");
    }
    auto done = links.remove(link.index);
    if (!done && !is(done, ErrorCode::not_found)) {
      return pass(done, fmt::format("removing {}, which the pod made on it", link.name));
    }
  }
  return {};
}

}  // namespace

Result<void> clean(Subject& subject) {
  if (!subject.link_in_pod) return {};
  auto links = subject.pod->links(subject.host().netns);
  if (!links) return pass(links);
  if (auto done =
          remove_uppers(subject.work.deadline, **links, subject.beside, subject.link->index);
      !done)
    return done;
  return remove_new_alt_names(**links, subject);
}

Result<void> leave_pod(Subject& subject) {
  if (!subject.link_in_pod) return {};
  auto links = subject.pod->links(subject.host().netns);
  if (!links) return pass(links);
  auto here = subject.host().netns.current();
  if (!here) return pass(here);
  const auto& own = subject.record.link->before.name;
  LinkChange moved;
  moved.netns_fd = here->fd();
  const bool free = is(subject.host().links.by_name(own), ErrorCode::not_found);
  const auto wanted = free ? own : temporary_name(subject.record.device);
  if (subject.link->name != wanted) moved.name = wanted;
  auto done = (*links)->change(subject.link->index, moved);
  if (done || find_in_host(subject)) return {};
  return pass(done, fmt::format("moving {} back to the host", subject.link->name));
}

Result<void> arrive(Subject& subject) {
  if (!subject.record.link) return {};
  Result<Link> link = find_in_host(subject);
  // In no namespace: a reset that was cut off, which is made again.
  if (is(link, ErrorCode::not_found) && subject.record.reset == Reset::begun) return {};
  if (!link && !subject.link_in_pod) {
    // Our own handle on a namespace that has ended would keep it, and what is in it, for ever.
    subject.pod.reset();
    const auto back = [&] {
      link = find_in_host(subject);
      return !is(link, ErrorCode::not_found);
    };
    const auto limit = subject.work.deadline.left(kReturnLimit);
    if (!wait_until(subject.host().clock, limit, kReturnPoll, back)) {
      return fail(ErrorCode::timeout,
                  "{} {} has not come back to the host's namespace within {} s; a process may "
                  "still hold the pod's namespace {}",
                  noun(subject.record.kind), subject.name(),
                  std::chrono::duration_cast<std::chrono::seconds>(limit).count(),
                  subject.record.netns_path);
    }
  }
  if (!link) return pass(link);
  subject.link = std::move(*link);
  subject.link_in_pod = false;
  return {};
}

Result<void> arrive_anew(Subject& subject) {
  const auto limit = subject.work.deadline.left(kReturnLimit);
  auto link = find_in_host(subject);
  const auto made = [&] {
    link = find_in_host(subject);
    return !is(link, ErrorCode::not_found);
  };
  if (!wait_until(subject.host().clock, limit, kReturnPoll, made)) {
    return fail(ErrorCode::timeout, "its driver {} has made no netdev for it within {} s",
                subject.record.driver.name,
                std::chrono::duration_cast<std::chrono::seconds>(limit).count());
  }
  if (!link) return pass(link);
  subject.link = std::move(*link);
  subject.link_in_pod = false;
  return {};
}

// Down while its addresses change: a VF that is up and trusted would write its own MAC over the
// admin MAC. The second time it stays up, in case it was its "up" that did so.
Result<void> down_in_host(Subject& subject) {
  const auto& before = subject.record.link->before;
  const auto& now = *subject.link;
  const auto& vf = subject.record.vf;
  const bool same = now.name == before.name && now.mtu == before.mtu &&
                    (!vf || difference(subject.vf, vf->before).empty());
  const bool may_stay = before.up && now.address == before.address;
  if (!now.is_up() || (may_stay && (same || subject.undo_tries > 0))) return {};
  if (auto done = change(subject, {.up = false}); !done) return done;
  subject.link->flags &= ~1U;  // IFF_UP
  return {};
}

namespace {

// Until none is found: one may be attached while others are taken off.
void take_programs_off(Subject& subject) {
  constexpr unsigned kTries = 3;
  subject.programs_left = "BPF programs are attached to it again and again";
  for (unsigned i = 0; i < kTries; ++i) {
    auto taken_off = subject.host().links.detach_programs(subject.link->index);
    if (taken_off && *taken_off == 0) {
      subject.programs_left.clear();
      return;
    }
    if (!taken_off) {
      subject.programs_left = "BPF programs may be left on it: " + taken_off.error().message;
      continue;
    }
    subject.work.log.info("took off what the pod left on it",
                          {{"device", subject.name()}, {"programs", *taken_off}});
  }
}

}  // namespace

Result<void> clean_in_host(Subject& subject) {
  const auto& before = subject.record.link->before;
  const auto& now = *subject.link;
  take_programs_off(subject);
  LinkChange one;
  if (now.is_promisc() != before.promisc) one.promisc = before.promisc;
  if (now.is_allmulti() != before.allmulti) one.allmulti = before.allmulti;
  if (before.modes && now.modes() != *before.modes) one.modes = before.modes;
  if (now.alias != before.alias) one.alias = before.alias;
  auto done = one == LinkChange{} ? Result<void>() : change(subject, one);
  if (!done) return pass(done, fmt::format("cleaning {}", now.name));
  return {};
}

Result<void> restore_address(Subject& subject) {
  const auto& before = subject.record.link->before;
  if (subject.link->address == before.address) return {};
  LinkChange one;
  one.address = before.address;
  if (auto done = change(subject, one); !done) {
    return pass(done, fmt::format("restoring the address of {}", subject.link->name));
  }
  subject.link->address = before.address;
  return {};
}

Result<void> restore_mtu(Subject& subject) {
  const auto& before = subject.record.link->before;
  if (subject.link->mtu == before.mtu) return {};
  LinkChange one;
  one.mtu = before.mtu;
  if (auto done = change(subject, one); !done) {
    return pass(done, fmt::format("restoring the MTU of {}", subject.link->name));
  }
  return {};
}

Result<void> restore_names(Subject& subject) {
  auto& links = subject.host().links;
  const auto& before = subject.record.link->before;
  if (auto done = remove_new_alt_names(links, subject); !done) return done;
  for (const auto& name : before.alt_names) {
    if (has(subject.link->alt_names, name)) continue;
    warn(subject, "alternative name " + name, links.add_alt_name(subject.link->index, name));
  }
  if (subject.link->name == before.name) return {};
  LinkChange one;
  one.name = before.name;
  auto done = change(subject, one);
  if (done) {
    subject.link->name = before.name;
    return {};
  }
  return pass(
      done, fmt::format("giving {} its name {} back{}", subject.link->name, before.name,
                        is(done, ErrorCode::already_exists) ? who_has(subject, before.name) : ""));
}

Result<void> restore_sysctls(Subject& subject) {
  const auto& name = subject.link->name;
  const auto now = read_sysctls(subject.host(), name);
  for (const auto& [key, value] : subject.record.link->before.sysctls) {
    if (auto at = now.find(key); at != now.end() && at->second == value) continue;
    warn(subject, fmt::format("{}={}", key, value), write_sysctl(subject.host(), key, name, value));
  }
  return {};
}

Result<void> restore_up(Subject& subject) {
  const bool up = subject.record.link->before.up;
  if (up == subject.link->is_up()) return {};
  return change(subject, {.up = up});
}

Result<void> restore_host_use(Subject& subject) {
  const auto& before = subject.record.link->before;
  auto& links = subject.host().links;
  if (before.addresses.empty() && before.routes.empty()) return {};
  const auto present = links.addresses(subject.link->index);
  if (!present) return pass(present);
  for (const auto& address : before.addresses) {
    if (std::find(present->begin(), present->end(), address) != present->end()) continue;
    warn(subject, "address " + address.to_string(),
         links.add_address(subject.link->index, address));
  }
  for (auto route : before.routes) {
    route.out_index = subject.link->index;
    auto done = links.add_route(route);
    if (is(done, ErrorCode::already_exists)) continue;
    warn(subject, "route " + route.destination.to_string(), done);
  }
  return {};
}

Result<Differences> differences(Subject& subject) {
  Differences left;
  auto link = find_in_host(subject);
  if (!link) return pass(link);
  subject.link = std::move(*link);
  const auto& now = *subject.link;
  const auto& before = subject.record.link->before;
  if (now.address != before.address) {
    left.must.push_back(
        fmt::format("MAC is {}, was {}", now.address.to_string(), before.address.to_string()));
  }
  if (now.is_up() && !before.up) left.must.emplace_back("it is up, was down");
  if (now.is_promisc() && !before.promisc) left.must.emplace_back("it is promiscuous");
  if (now.is_allmulti() && !before.allmulti) left.must.emplace_back("it takes all multicasts");
  if (before.modes && now.modes() != *before.modes) {
    left.must.push_back(fmt::format("its flags for ARP and multicast are {:#x}, were {:#x}",
                                    now.modes(), *before.modes));
  }
  if (!subject.programs_left.empty()) left.must.push_back(subject.programs_left);
  const auto owe = [&](const std::string& what, const std::string& was, const std::string& is) {
    if (was != is) left.debts.push_back({what, was, is});
  };
  owe("name", before.name, now.name);
  owe("mtu", std::to_string(before.mtu), std::to_string(now.mtu));
  owe("alias", before.alias, now.alias);
  if (before.up && !now.is_up()) owe("up", "up", "down");
  for (const auto& name : before.alt_names) {
    if (!has(now.alt_names, name)) left.debts.push_back({"altname", name, ""});
  }
  for (const auto& name : now.alt_names) {
    if (!has(before.alt_names, name)) left.debts.push_back({"altname", "", name});
  }
  auto sysctls = read_sysctls(subject.host(), now.name);
  for (const auto& [key, value] : before.sysctls) {
    if (sysctls.contains(key)) owe("sysctl " + key, value, sysctls[key]);
  }
  if (before.addresses.empty() && before.routes.empty()) return left;
  LinkState use;
  if (auto seen = inspect_host_use(subject.host().links, now, use); !seen) return pass(seen);
  for (const auto& address : before.addresses) {
    if (std::ranges::find(use.addresses, address) != use.addresses.end()) continue;
    left.debts.push_back({std::string(kAddressDebt), address.to_string(), ""});
  }
  for (const auto& route : before.routes) {
    if (has_route(use.routes, route)) continue;
    left.debts.push_back({std::string(kRouteDebt), to_text(route), ""});
  }
  return left;
}

// --- CHECK
// ----------------------------------------------------------------------------------------
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
  return wrong;
}

}  // namespace railhead::attach::link
