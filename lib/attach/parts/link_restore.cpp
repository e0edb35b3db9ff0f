// In the host again: as it was before.
#include <algorithm>

#include "attach/parts/ib.hpp"
#include "attach/parts/link_common.hpp"
#include "attach/vf_settings.hpp"
#include "base/text.hpp"

namespace railhead::attach::link {

using host::LinkChange;

namespace {

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

bool has_route(const std::vector<host::Route>& routes, host::Route wanted) {
  return std::any_of(routes.begin(), routes.end(), [&](const host::Route& route) {
    wanted.out_index = route.out_index;
    return route == wanted;
  });
}

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

// IPoIB's comes with its partition.
bool has_other_broadcast(const Link& now, const Record& record) {
  const auto& was = record.link->before.broadcast;
  return was && record.kind != KindName::ib_vf && now.broadcast != *was;
}

}  // namespace

// Down while its addresses change: a VF that is up and trusted would write its own MAC over the
// admin MAC. The second time it stays up, in case it was its "up" that did so.
Result<void> down_in_host(Subject& subject) {
  const auto& before = subject.record.link->before;
  const auto& now = *subject.link;
  const auto& vf = subject.record.vf;
  const bool same = now.name == before.name && now.mtu == before.mtu &&
                    (!vf || difference(subject.vf, vf->before).empty());
  const bool may_stay =
      before.up && (now.address == before.address || ib::is_same_port(now.address, before.address));
  if (!now.is_up() || (may_stay && (same || subject.undo_tries > 0))) return {};
  if (auto done = change(subject, {.up = false}); !done) return done;
  subject.link->flags &= ~1U;  // IFF_UP
  return {};
}

Result<void> clean_in_host(Subject& subject) {
  const auto& before = subject.record.link->before;
  const auto& now = *subject.link;
  take_programs_off(subject);
  LinkChange one;
  if (now.is_promisc() != before.promisc) one.promisc = before.promisc;
  if (now.is_allmulti() != before.allmulti) one.allmulti = before.allmulti;
  if (before.modes && now.modes() != *before.modes) one.modes = before.modes;
  if (now.alias != before.alias) one.alias = before.alias;
  if (has_other_broadcast(now, subject.record)) one.broadcast = before.broadcast;
  if (before.link_mode && now.link_mode != *before.link_mode) one.link_mode = before.link_mode;
  auto done = one == LinkChange{} ? Result<void>() : change(subject, one);
  if (!done) return pass(done, fmt::format("cleaning {}", now.name));
  return {};
}

Result<void> restore_address(Subject& subject) {
  const auto& before = subject.record.link->before;
  if (subject.link->address == before.address) return {};
  LinkChange one;
  one.address = before.address;
  if (auto done = patiently(subject, [&] { return change(subject, one); }); !done) {
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
  if (auto done = patiently(subject, [&] { return change(subject, one); }); !done) {
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
  return patiently(subject, [&] { return change(subject, {.up = up}); });
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
  const bool is_ib = subject.record.kind == KindName::ib_vf;  // its QPN is new each time
  if (!is_ib && now.address != before.address) {
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
  if (has_other_broadcast(now, subject.record)) {
    left.must.push_back(fmt::format("its broadcast address is {}, was {}",
                                    now.broadcast.to_string(), before.broadcast->to_string()));
  }
  if (before.link_mode && now.link_mode != *before.link_mode) {
    left.must.push_back(
        fmt::format("its link mode is {}, was {}", now.link_mode, *before.link_mode));
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

}  // namespace railhead::attach::link
