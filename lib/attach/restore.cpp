#include "attach/restore.hpp"

#include <algorithm>

#include "attach/store.hpp"
#include "attach/vf.hpp"
#include "attach/vf_settings.hpp"
#include "base/text.hpp"

namespace railhead::attach {

using host::Link;
using host::LinkChange;
using host::VfAttributes;

namespace {

// A namespace is taken down by a kernel worker after its last user went; under load that takes
// a while.
constexpr std::chrono::seconds kReturnLimit{10};
constexpr std::chrono::milliseconds kReturnPoll{20};

// Undoes one record; each step looks first at what stands there.
class Restorer {
 public:
  Restorer(host::Host& host, const Record& record, const host::Netns* netns, Logger& log)
      : host_(host), record_(record), netns_(netns), log_(log), bdf_(record.device.to_string()) {}

  Result<void> run() {
    // Before anything can fail: from here on nobody answers to the pod's addresses any more.
    if (auto done = silence(); !done) return done;
    auto place = locate_vf(host_, record_.device);
    if (is(place, ErrorCode::not_found) || is(place, ErrorCode::invalid_argument)) {
      log_.warning("the device no longer exists, nothing to give back", {{"device", bdf_}});
      return {};
    }
    if (!place) return pass(place);
    auto pf = pf_link(host_, record_.pf);
    if (!pf) return pass(pf);
    // RDMA before the netdev: on the way back the other order loses the device's port.
    if (auto done = bring_rdma_back(); !done) return done;
    has_netdev_ =
        record_.link && !place->driver.empty() && !device::is_userspace_driver(place->driver);
    if (record_.link && !has_netdev_) {
      log_.warning("its driver was changed, so it has no netdev to give back",
                   {{"device", bdf_}, {"driver", place->driver}});
    }
    if (auto done = has_netdev_ ? restore_netdev(pf->index) : restore_vf(pf->index); !done) {
      return done;
    }
    return verify(pf->index);
  }

 private:
  // --- RDMA -------------------------------------------------------------------------------------
  // By the function, not by name: a pod may have renamed its device.
  Result<void> bring_rdma_back() {
    if (!record_.moves_rdma) return {};
    auto devices = rdma_state(host_, record_.device);
    if (!devices) return pass(devices);
    for (const auto& [name, nodes] : *devices) {
      if (auto done = bring_rdma_back(name); !done) {
        return pass(done, fmt::format("RDMA device {}", name));
      }
    }
    return restore_rdma_names();
  }

  bool rdma_is_back(const std::string& name) {
    const auto names = rdma_in_host(host_, record_.device);
    return std::find(names.begin(), names.end(), name) != names.end();
  }

  Result<void> bring_rdma_back(const std::string& name) {
    if (rdma_is_back(name)) return {};
    if (netns_) {
      auto lock = host_.locks.lock(Store(host_.roots.run).rdma_lock(), kRdmaLockLimit);
      if (!lock) return pass(lock);
      auto here = host_.netns.current();
      if (!here) return pass(here);
      auto pod = host_.netns.rdma(*netns_);
      if (!pod) return pass(pod);
      auto moved = (*pod)->move(name, here->fd());
      if (!moved && !is(moved, ErrorCode::not_found)) return moved;
    }
    // Maybe still on its way back from a namespace that ended.
    if (!wait_until(host_.clock, kReturnLimit, kReturnPoll, [&] { return rdma_is_back(name); })) {
      return fail(ErrorCode::timeout, "it has not come back to the host's namespace within {} s",
                  kReturnLimit.count());
    }
    return {};
  }

  // A device that is under a new name gets its own; one that went with its driver is told.
  Result<void> restore_rdma_names() {
    std::vector<std::string> renamed;
    for (const auto& name : rdma_in_host(host_, record_.device)) {
      if (!record_.rdma.contains(name)) renamed.push_back(name);
    }
    for (const auto& [name, nodes] : record_.rdma) {
      if (rdma_is_back(name)) continue;
      if (renamed.empty()) {
        log_.warning("the RDMA device no longer exists", {{"device", bdf_}, {"rdma", name}});
        continue;
      }
      if (auto done = host_.rdma.rename(renamed.back(), name); !done) {
        return pass(done,
                    fmt::format("giving RDMA device {} its name {} back", renamed.back(), name));
      }
      renamed.pop_back();
    }
    return {};
  }

  // --- the netdev -------------------------------------------------------------------------------
  Result<void> restore_netdev(uint32_t pf_index) {
    if (auto done = leave_pod(); !done) return done;
    auto link = wait_in_host();
    if (!link) return pass(link);
    // Down while its addresses change: a VF that is up and trusted would write its own MAC over
    // the admin MAC.
    if (link->is_up() && (!record_.link->up || needs_change(*link, pf_index))) {
      if (auto done = host_.links.change(link->index, {.up = false}); !done) return done;
    }
    if (auto done = restore_addresses(*link, pf_index); !done) return done;
    return restore_names(*link);
  }

  bool needs_change(const Link& link, uint32_t pf_index) {
    auto now = host_.links.vf(pf_index, record_.vf_index);
    return link.address != record_.link->address || link.name != record_.link->name ||
           link.mtu != record_.link->mtu || !now || !difference(*now, record_.vf).empty();
  }

  // Down in the pod. Moving a link that is up would cost another RTNL hold of tens of ms, too.
  Result<void> silence() {
    if (!netns_ || !record_.link) return {};
    auto pod = host_.netns.links(*netns_);
    if (!pod) return pass(pod);
    pod_ = std::move(*pod);
    auto link = pod_->by_parent(bdf_);
    if (is(link, ErrorCode::not_found)) return {};
    if (!link) return pass(link);
    in_pod_ = *link;
    return link->is_up() ? pod_->change(link->index, {.up = false}) : Result<void>();
  }

  // Out of the pod, straight to its own name where that is free; else under a name that cannot
  // be taken, and restore_names() says who has the own one.
  Result<void> leave_pod() {
    if (!in_pod_) return {};
    if (auto done = remove_new_alt_names(*pod_, *in_pod_); !done) return done;
    auto here = host_.netns.current();
    if (!here) return pass(here);
    LinkChange move;
    move.netns_fd = here->fd();
    const bool free = is(host_.links.by_name(record_.link->name), ErrorCode::not_found);
    const auto& wanted = free ? record_.link->name : temporary_name();
    if (in_pod_->name != wanted) move.name = wanted;
    auto moved = pod_->change(in_pod_->index, move);
    if (!moved && !host_.links.by_parent(bdf_)) {
      return pass(moved, fmt::format("moving {} back to the host", in_pod_->name));
    }
    return {};
  }

  // Those that the pod gave it: they may be taken here, or be a name that the next pod wants.
  Result<void> remove_new_alt_names(host::Links& links, const Link& link) {
    const auto& own = record_.link->alt_names;
    for (const auto& name : link.alt_names) {
      if (std::find(own.begin(), own.end(), name) != own.end()) continue;
      if (auto done = links.remove_alt_name(link.index, name); !done) return done;
    }
    return {};
  }

  // "rh" and the BDF without its punctuation: unique on the node, at most 15 characters.
  std::string temporary_name() {
    return fmt::format("rh{:x}{:02x}{:02x}{:x}", record_.device.domain, record_.device.bus,
                       record_.device.device, record_.device.function);
  }

  Result<Link> wait_in_host() {
    Result<Link> link = host_.links.by_parent(bdf_);
    const auto back = [&] {
      link = host_.links.by_parent(bdf_);
      return !is(link, ErrorCode::not_found);
    };
    if (!link && !wait_until(host_.clock, kReturnLimit, kReturnPoll, back)) {
      return fail(ErrorCode::timeout,
                  "VF {} has not come back to the host's namespace within {} s; a process may "
                  "still hold the pod's namespace {}",
                  bdf_, kReturnLimit.count(), record_.netns_path);
    }
    return link;
  }

  // Admin MAC off, effective MAC, admin MAC on: with an admin MAC in force drivers refuse the
  // VF's own change of address (EADDRNOTAVAIL).
  Result<void> restore_addresses(const Link& link, uint32_t pf_index) {
    const LinkState& before = *record_.link;
    if (link.address != before.address) {
      auto now = host_.links.vf(pf_index, record_.vf_index);
      if (!now) return pass(now);
      const bool forced = now->mac && !now->mac->is_zero();
      auto done = take_off_admin_mac(host_.links, pf_index, record_.vf_index, *now);
      if (done && forced && now->trust == true) {
        done = apply(host_.links, pf_index, record_.vf_index, {.trust = false});
      }
      if (!done) return done;
    }
    if (auto done = restore_vf(pf_index, /*but_mac=*/link.address != before.address); !done) {
      return done;
    }
    LinkChange change;
    if (link.address != before.address) change.address = before.address;
    if (link.mtu != before.mtu) change.mtu = before.mtu;
    if (change != LinkChange{}) {
      if (auto done = host_.links.change(link.index, change); !done) {
        return pass(done, fmt::format("restoring address and MTU of {}", link.name));
      }
    }
    return restore_vf(pf_index);
  }

  Result<void> restore_vf(uint32_t pf_index, bool but_mac = false) {
    auto now = host_.links.vf(pf_index, record_.vf_index);
    if (!now) return pass(now);
    auto change = difference(*now, record_.vf);
    if (but_mac) change.mac.reset();
    auto done = apply(host_.links, pf_index, record_.vf_index, change);
    return done ? done : pass(done, fmt::format("restoring VF {}", bdf_));
  }

  Result<void> restore_names(const Link& link) {
    const LinkState& before = *record_.link;
    if (auto done = remove_new_alt_names(host_.links, link); !done) return done;
    if (link.name != before.name) {
      LinkChange change;
      change.name = before.name;
      if (auto done = host_.links.change(link.index, change); !done) {
        return pass(done,
                    fmt::format("giving {} its name {} back{}", link.name, before.name,
                                is(done, ErrorCode::already_exists) ? who_has(before.name) : ""));
      }
    }
    for (const auto& name : before.alt_names) {
      if (std::find(link.alt_names.begin(), link.alt_names.end(), name) != link.alt_names.end()) {
        continue;
      }
      warn_of(host_.links.add_alt_name(link.index, name), "alternative name " + name);
    }
    const auto now = read_sysctls(host_, before.name);
    for (const auto& [key, value] : before.sysctls) {
      if (auto at = now.find(key); at != now.end() && at->second == value) continue;
      warn_of(write_sysctl(host_, key, before.name, value), fmt::format("{}={}", key, value));
    }
    if (before.up) return host_.links.change(link.index, {.up = true});
    return {};
  }

  std::string who_has(const std::string& name) {
    const auto link = host_.links.by_name(name);
    if (!link) return {};
    return fmt::format(" (which {} has, {}; rename that)", link->name,
                       link->parent_device.value_or("no PCI device"));
  }

  // What another program took meanwhile, or the kernel no longer lets be set, does not keep the
  // device from being given back.
  void warn_of(const Result<void>& done, const std::string& what) {
    if (done) return;
    log_.warning("not restored",
                 {{"device", bdf_}, {"what", what}, {"error", done.error().message}});
  }

  // --- verified ---------------------------------------------------------------------------------
  Result<void> verify(uint32_t pf_index) {
    auto vf = host_.links.vf(pf_index, record_.vf_index);
    if (!vf) return pass(vf);
    std::vector<std::string> wrong;
    if (auto text = describe_difference(*vf, record_.vf); !text.empty()) wrong.push_back(text);
    if (has_netdev_) {
      auto link = host_.links.by_parent(bdf_);
      if (!link) return pass(link);
      const LinkState& before = *record_.link;
      // Not whether it is up: a network manager may have taken it up as soon as it appeared.
      const auto compare = [&](std::string_view what, const auto& now, const auto& was) {
        if (now != was) wrong.push_back(fmt::format("{} is {}, was {}", what, now, was));
      };
      compare("name", link->name, before.name);
      compare("MAC", link->address.to_string(), before.address.to_string());
      compare("MTU", link->mtu, before.mtu);
    }
    if (wrong.empty()) return {};
    return fail(ErrorCode::io, "VF {} is back, but not as it was: {}", bdf_, join(wrong, "; "));
  }

  host::Host& host_;
  const Record& record_;
  const host::Netns* netns_;
  Logger& log_;
  std::string bdf_;
  std::unique_ptr<host::Links> pod_;
  std::optional<Link> in_pod_;  // as silence() found it
  bool has_netdev_ = false;     // to be given back
};

}  // namespace

Result<void> restore(host::Host& host, const Record& record, const host::Netns* netns,
                     Logger& log) {
  return Restorer(host, record, netns, log).run();
}

}  // namespace railhead::attach
