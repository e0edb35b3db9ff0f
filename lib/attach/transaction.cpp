#include "attach/transaction.hpp"

#include <algorithm>

#include <net/if_arp.h>

#include "attach/restore.hpp"
#include "attach/vf.hpp"
#include "attach/vf_settings.hpp"
#include "base/text.hpp"
#include "device/allocation.hpp"

namespace railhead::attach {

using host::LinkChange;

namespace {

// One ADD, after the device's lock is held.
class Attachment {
 public:
  Attachment(host::Host& host, const Store& store, const AttachRequest& request, Pod& pod,
             Logger& log)
      : host_(host),
        store_(store),
        request_(request),
        pod_(pod),
        log_(log),
        bdf_(request.device.to_string()) {}

  Result<Attached> run() {
    if (auto free = refuse_if_held(); !free) return pass(free);
    if (auto seen = look(); !seen) return pass(seen);
    if (auto good = check_names(); !good) return pass(good);
    if (auto same = compare_nodes(record_.rdma, "before the attachment"); !same) return pass(same);
    if (auto saved = store_.save(record_); !saved) return pass(saved);
    auto done = store_.claim(record_);
    if (done) done = apply_all();
    if (done) done = finish();
    if (done) return attached_;
    auto undone = undo(host_, store_, record_, log_);
    if (!undone) {
      return fail(done.error().code, "{}; and the undo failed, the device stays held: {}",
                  done.error().message, undone.error().message);
    }
    return pass(done);
  }

 private:
  // A device whose holder is gone was not given back (its DEL never came, or failed): do it now.
  Result<void> refuse_if_held() {
    auto mine = store_.load(request_.key);
    if (!mine) return pass(mine);
    if (*mine && (*mine)->device != request_.device) return held_by(**mine);
    if (auto done = undo_of_the_gone(); !done || !*mine) return done;
    // What a killed ADD wrote before it claimed the device, or left of its undo: it holds nothing.
    return store_.remove(**mine);
  }

  Result<void> undo_of_the_gone() {
    auto holder = store_.owner(request_.device);
    if (!holder) return pass(holder);
    if (!*holder) return store_.remove_empty_claim(request_.device);
    auto holds = still_holds(**holder);
    if (!holds) return pass(holds);
    if (*holds) return held_by(**holder);
    log_.warning("taking up the undo of an attachment that no longer has its device",
                 {{"device", bdf_}, {"holder", describe((*holder)->key, (*holder)->pod)}});
    return undo(host_, store_, **holder, log_);
  }

  static Result<void> held_by(const Record& holder) {
    return fail(
        ErrorCode::busy,
        "pci address {} is already allocated: the VF is held by {}; it is released when that "
        "is deleted",
        holder.device.to_string(), describe(holder.key, holder.pod));
  }

  // Its namespace lives, and the VF is not in the host again. (A namespace made anew can come by
  // the path and the inode number of an old one.)
  Result<bool> still_holds(const Record& holder) {
    auto netns = living_netns(host_, holder);
    if (!netns) return pass(netns);
    if (!*netns || !holder.link) return netns->has_value();
    auto back = host_.links.by_parent(bdf_);
    if (!back && !is(back, ErrorCode::not_found)) return pass(back);
    return !back;
  }

  // What the configuration names cannot be attached. Here and in held_by() the first words are
  // sriov-cni's, which looks for the device while it loads its configuration.
  static Failure wrong_device(std::string_view why) {
    return fail(ErrorCode::invalid_argument, "SRIOV-CNI failed to load netconf: LoadConf(): {}",
                why);
  }
  template <class T>
  static Failure not_located(const Result<T>& failed) {
    if (!is(failed, ErrorCode::not_found) && !is(failed, ErrorCode::invalid_argument)) {
      return pass(failed);
    }
    return wrong_device(
        fmt::format("failed to get VF information: {}", go_quoted(failed.error().message)));
  }

  // Everything that stands there, before anything is changed.
  Result<void> look() {
    auto place = locate_vf(host_, request_.device);
    if (!place) return not_located(place);
    auto pf = pf_link(host_, place->pf);
    if (!pf) return not_located(pf);
    pf_index_ = pf->index;
    record_.key = request_.key;
    record_.pod = request_.pod;
    record_.netns_path = request_.netns_path;
    record_.netns = pod_.netns.id();
    record_.device = request_.device;
    record_.pf = place->pf;
    record_.vf_index = place->index;
    record_.settings = request_.settings;
    auto vf = host_.links.vf(pf_index_, place->index);
    if (!vf) return pass(vf, fmt::format("VF {} of {}", place->index, pf->name));
    record_.vf = vf_ = *vf;
    if (auto link = look_at_link(*place); !link) return link;
    if (!pf->is_up() || pf->carrier == false) {
      attached_.warnings.push_back(fmt::format("PF {} ({}) is {}: {} is attached without a link",
                                               pf->name, place->pf.to_string(),
                                               pf->is_up() ? "without carrier" : "down", bdf_));
    }
    return look_at_rdma();
  }

  Result<void> look_at_link(const VfPlace& place) {
    if (device::is_userspace_driver(place.driver)) return {};
    if (place.netdevs.empty()) {
      return wrong_device(
          fmt::format("the VF {} does not have a interface name or a dpdk driver (driver: {}; a VF "
                      "that is in another namespace must be given back first)",
                      bdf_, place.driver.empty() ? "none" : place.driver));
    }
    auto link = host_.links.by_name(place.netdevs.front());
    if (!link) return pass(link);
    if (link->type == ARPHRD_INFINIBAND) {
      return fail(ErrorCode::unsupported,
                  "VF {} ({}) is an InfiniBand one: InfiniBand VFs are not attached yet", bdf_,
                  link->name);
    }
    // The move takes it out, and nobody would put it back.
    if (link->master) {
      return fail(
          ErrorCode::busy,
          "VF {} ({}) is part of a bond, bridge or VRF of the host (ip link show dev {}); it "
          "can be attached when it is taken out of that",
          bdf_, link->name, link->name);
    }
    link_index_ = link->index;
    record_.link = LinkState{link->name, link->alt_names, link->address,
                             link->mtu,  link->is_up(),   read_sysctls(host_, link->name)};
    return {};
  }

  Result<void> look_at_rdma() {
    auto rdma = rdma_state(host_, request_.device);
    if (!rdma) return pass(rdma);
    record_.rdma = *rdma;
    if (rdma->empty() && request_.rdma == RdmaUse::require) {
      return wrong_device(fmt::format(
          "rdma: require: VF {} has no RDMA device (is its RDMA driver loaded?)", bdf_));
    }
    if (rdma->empty() || request_.rdma == RdmaUse::off) return {};
    auto mode = host_.rdma.netns_mode();
    if (!mode) return pass(mode);
    record_.moves_rdma = *mode == host::RdmaNetnsMode::exclusive;
    return {};
  }

  // Names taken in the pod are found before anything is changed; the kernel moves the alternative
  // names along. One that is the new name is taken off, and given back by the undo.
  Result<void> check_names() {
    if (!record_.link) return {};
    auto links = host_.netns.links(pod_.netns);
    if (!links) return pass(links);
    pod_.links = std::move(*links);
    const auto present = pod_.links->list();
    if (!present) return pass(present);
    auto names = record_.link->alt_names;
    names.insert(names.begin(), request_.key.ifname);
    for (const auto& name : names) {
      const auto has_it = [&name](const host::Link& link) {
        const auto& alt = link.alt_names;
        return link.name == name || std::find(alt.begin(), alt.end(), name) != alt.end();
      };
      if (std::none_of(present->begin(), present->end(), has_it)) continue;
      return fail(ErrorCode::already_exists, "the name {} is already taken in {}{}", name,
                  request_.netns_path,
                  name == request_.key.ifname
                      ? ""
                      : fmt::format(" (it is an alternative name of {})", record_.link->name));
    }
    return {};
  }

  // The container was given these character devices at Allocate, maybe not all that the device has;
  // it must never open another device's. One that was given none can open none. Without an Allocate
  // the move must not change them.
  Result<void> compare_nodes(const RdmaState& now, std::string_view when) {
    auto allocation = device::read_allocation(host_.roots.run, request_.device);
    if (!allocation) return pass(allocation);
    const auto present = all_nodes(now);
    const auto given = *allocation ? (*allocation)->char_devices : all_nodes(record_.rdma);
    const bool all_stand = std::ranges::all_of(
        given, [&](const auto& one) { return std::ranges::find(present, one) != present.end(); });
    if (all_stand) return {};
    return fail(ErrorCode::busy,
                "the RDMA character devices of {} changed: {} they are {}, but {} were given to "
                "the container; delete the pod so that it is allocated anew (where no agent "
                "allocates any more, remove {}/allocations)",
                bdf_, when, node_list(present), node_list(given), host_.roots.run);
  }

  static std::vector<device::CharDevice> all_nodes(const RdmaState& rdma) {
    std::vector<device::CharDevice> all;
    for (const auto& [name, devices] : rdma) all.insert(all.end(), devices.begin(), devices.end());
    return all;
  }

  Result<void> apply_all() {
    if (record_.link) {
      if (auto done = move_netdev(); !done) return done;
    }
    const auto change = difference(vf_, record_.settings.vf);
    if (auto done = apply(host_.links, pf_index_, record_.vf_index, change); !done) {
      return pass(done, fmt::format("VF {}", bdf_));
    }
    return record_.moves_rdma ? move_rdma() : Result<void>();
  }

  // The device down, then ONE message that moves and names it and sets address and MTU: each
  // further message would be another wait for RTNL. The old admin MAC goes before it, the new one
  // comes after.
  Result<void> move_netdev() {
    const LinkState& link = *record_.link;
    const std::string& ifname = request_.key.ifname;
    if (std::find(link.alt_names.begin(), link.alt_names.end(), ifname) != link.alt_names.end()) {
      if (auto done = host_.links.remove_alt_name(link_index_, ifname); !done) return done;
    }
    if (link.up) {
      if (auto done = host_.links.change(link_index_, {.up = false}); !done) return done;
    }
    LinkChange move;
    move.netns_fd = pod_.netns.fd();
    if (link.name != ifname) move.name = ifname;
    const auto& mac = record_.settings.vf.mac;
    if (mac && *mac != link.address) {
      auto done = take_off_admin_mac(host_.links, pf_index_, record_.vf_index, vf_);
      if (!done) return pass(done, fmt::format("VF {}", bdf_));
      move.address = mac;
    }
    if (record_.settings.mtu && *record_.settings.mtu != link.mtu) move.mtu = record_.settings.mtu;
    auto done = host_.links.change(link_index_, move);
    if (done) return done;
    return pass(done, fmt::format("moving {} ({}) into {} as {}", link.name, bdf_,
                                  request_.netns_path, ifname));
  }

  // One move at a time on the node: concurrent ones permute the minors of the character devices.
  Result<void> move_rdma() {
    auto lock = host_.locks.lock(store_.rdma_lock(), kRdmaLockLimit);
    if (!lock) return pass(lock);
    for (const auto& [name, devices] : record_.rdma) {
      if (auto done = host_.rdma.move(name, pod_.netns.fd()); !done) {
        return pass(done, fmt::format("moving RDMA device {} of {} into {}", name, bdf_,
                                      request_.netns_path));
      }
    }
    auto now = rdma_state(host_, request_.device);
    if (!now) return pass(now);
    return compare_nodes(*now, "after the move");
  }

  // Reads back what was set.
  Result<void> finish() {
    auto vf = record_.settings.vf.empty() ? Result<host::VfAttributes>(record_.vf)
                                          : host_.links.vf(pf_index_, record_.vf_index);
    if (!vf) return pass(vf);
    if (auto wrong = describe_difference(*vf, record_.settings.vf); !wrong.empty()) {
      return fail(ErrorCode::io, "VF {} did not take its settings: {}", bdf_, wrong);
    }
    attached_.device = request_.device;
    attached_.ifname = request_.key.ifname;
    for (const auto& [name, devices] : record_.rdma) attached_.rdma.push_back(name);
    attached_.has_netdev = record_.link.has_value();
    if (record_.link) {
      auto link = pod_.links->by_name(request_.key.ifname);
      if (!link) return pass(link);
      attached_.mac = link->address;
      attached_.mtu = link->mtu;
      pod_.link = std::move(*link);
    } else if (vf->mac && !vf->mac->is_zero()) {
      attached_.mac = vf->mac;
    }
    return {};
  }

  host::Host& host_;
  const Store& store_;
  const AttachRequest& request_;
  Pod& pod_;
  Logger& log_;
  std::string bdf_;

  Record record_;
  Attached attached_;
  uint32_t pf_index_ = 0;
  uint32_t link_index_ = 0;
  host::VfAttributes vf_;  // as they stand now; record_.vf is as they stood before
};

}  // namespace

Result<std::optional<host::Netns>> living_netns(host::Host& host, const Record& record) {
  auto netns = host.netns.open(record.netns_path);
  if (is(netns, ErrorCode::not_found)) return std::nullopt;
  if (!netns) return pass(netns);
  if (netns->id() != record.netns) return std::nullopt;
  return std::optional<host::Netns>(std::move(*netns));
}

Result<void> undo(host::Host& host, const Store& store, const Record& record, Logger& log) {
  auto holder = store.owner(record.device);
  if (!holder) return pass(holder);
  // Killed before it had claimed the device, or after it had given it up: there is nothing to
  // undo, and by now the device may be another's.
  if (!*holder || (*holder)->key != record.key) return store.remove(record);
  auto netns = living_netns(host, record);
  if (!netns) return pass(netns);
  auto done = restore(host, record, *netns ? &**netns : nullptr, log);
  if (!done) return pass(done, fmt::format("giving {} back", record.device.to_string()));
  return store.remove(record);
}

Result<Attached> add(host::Host& host, const Store& store, const AttachRequest& request, Pod& pod,
                     Logger& log) {
  return Attachment(host, store, request, pod, log).run();
}

}  // namespace railhead::attach
