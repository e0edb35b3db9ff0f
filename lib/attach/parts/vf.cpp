#include "attach/parts/vf.hpp"

#include <array>
#include <utility>

#include "attach/vf_settings.hpp"
#include "base/hash.hpp"

namespace railhead::attach::vf {
namespace {

Failure not_located(Error error) {
  error.code = ErrorCode::invalid_argument;
  error.reason = reason::kNotLocated;
  return Failure(std::move(error));
}

bool is_none(const std::optional<HwAddress>& mac) { return !mac || mac->is_zero(); }

Result<void> find_pf(Subject& subject) {
  auto pf = pf_link(subject.host(), subject.record.vf->pf);
  if (!pf) return pass(pf);
  subject.pf_index = pf->index;
  return {};
}

Result<void> read(Subject& subject) {
  const auto index = subject.record.vf->index;
  auto& links = subject.host().links;
  auto now = subject.looks ? subject.looks->vf(links, subject.pf_index, index)
                           : links.vf(subject.pf_index, index);
  if (!now) return pass(now, fmt::format("VF {} ({})", subject.name(), index));
  subject.vf = std::move(*now);
  subject.had_admin_mac = subject.had_admin_mac || !is_none(subject.vf.mac);
  return {};
}

// As far as the PF does not tell that it is so already; what it tells is read anew for each try.
Result<void> set(Subject& subject, const host::VfAttributes& wanted, OnError on_error) {
  bool is_first = true;
  return patiently(subject, [&]() -> Result<void> {
    if (!std::exchange(is_first, false)) {
      if (auto seen = read(subject); !seen) return seen;
    }
    return attach::apply(subject.host().links, subject.pf_index, subject.record.vf->index,
                         difference(subject.vf, wanted), on_error);
  });
}

Result<void> give_back(Subject& subject, const host::VfAttributes& wanted) {
  auto done = set(subject, wanted, OnError::go_on);
  if (!done) return pass(done, fmt::format("restoring VF {}", subject.name()));
  return {};
}

Result<void> take_off_admin_mac(Subject& subject) {
  return patiently(subject, [&] {
    return attach::take_off_admin_mac(subject.host().links, subject.pf_index,
                                      subject.record.vf->index, subject.vf);
  });
}

// Each admin MAC that mlx5 gives to a VF makes its node GUID, too (mlx5_eswitch_set_vport_mac()):
// of none it makes 0000:00ff:fe00:0000, for each VF the same, with which rdma_cm does not work.
// Nothing shows it before the VF's driver begins anew.
constexpr std::string_view kMakesNodeGuid = "mlx5_core";

Result<bool> makes_node_guid(const Subject& subject) {
  const auto driver = driver_of(subject.host(), subject.record.vf->pf);
  if (!driver) return pass(driver);
  return *driver == kMakesNodeGuid;
}

// Of a VF whose own nobody sees: one for each PF and index, locally administered. In a bond both
// PFs have the bond's address.
Result<HwAddress> made_address(const Subject& subject) {
  const auto pf = subject.host().links.by_index(subject.pf_index);
  if (!pf) return pass(pf);
  const auto address = pf->permanent_address.value_or(pf->address).bytes();
  auto text = std::string(address.begin(), address.end()) + subject.record.vf->pf.to_string();
  text += static_cast<char>(subject.record.vf->index);
  text += static_cast<char>(subject.record.vf->index >> 8);
  const auto hash = fnv1a(text);
  std::array<uint8_t, 6> bytes{0x02};
  for (size_t i = 1; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(hash >> (8 * i));
  return *HwAddress::from_bytes(bytes);
}

// What only the switch of the legacy mode has. In switchdev mode drivers refuse it, or take it and
// do nothing.
host::VfAttributes legacy_of(const host::VfAttributes& all) {
  host::VfAttributes legacy;
  legacy.vlan = all.vlan;
  legacy.spoofchk = all.spoofchk;
  legacy.trust = all.trust;
  return legacy;
}

// "vlan, trust": what of that `wanted` would change in vain; "": nothing.
Result<std::string> changes_in_vain(const Subject& subject, const host::VfAttributes& wanted) {
  const auto change = difference(subject.vf, legacy_of(wanted));
  if (change.empty()) return std::string();
  const auto mode = is_in_switchdev_mode(subject.host(), subject.record.vf->pf);
  if (!mode) return pass(mode);
  return *mode ? names_of(change) : std::string();
}

Result<void> refuse_legacy_settings(const Subject& subject, const host::Link& pf) {
  const auto names = changes_in_vain(subject, subject.record.vf->asked);
  if (!names) return pass(names);
  if (names->empty()) return {};
  return fail(
      ErrorCode::unsupported,
      "VF {}: the switch of its PF {} ({}) is in switchdev mode, which has no {}: leave the "
      "key out, and set it on the VF's representor",
      subject.name(), pf.name, subject.record.vf->pf.to_string(), *names);
}

// What the PF shall keep of it in the end: what stood before. Where that was no admin MAC, and mlx5
// was given one since, its own MAC; of what drivers take but do not tell, what they begin with; of
// what a PF that went to switchdev mode refuses, nothing.
Result<host::VfAttributes> wanted(const Subject& subject) {
  const auto& record = subject.record;
  const auto& part = *record.vf;
  auto wanted = part.before;
  if (part.asked.trust && !part.before.trust) wanted.trust = false;
  if (part.asked.spoofchk && !part.before.spoofchk) wanted.spoofchk = true;
  const auto in_vain = changes_in_vain(subject, wanted);
  if (!in_vain) return pass(in_vain);
  if (!in_vain->empty()) {  // the mode was changed since
    wanted.vlan.reset();
    wanted.spoofchk = wanted.trust = std::nullopt;
  }
  if (!is_none(part.before.mac) || !subject.had_admin_mac) return wanted;
  const auto made = makes_node_guid(subject);
  if (!made) return pass(made);
  if (!*made) return wanted;
  if (record.link) {
    wanted.mac = record.link->before.address;
  } else if (subject.own_address) {
    wanted.mac = subject.own_address;
  } else {
    const auto address = made_address(subject);
    if (!address) return pass(address);
    wanted.mac = *address;
  }
  return wanted;
}

// Its vports send frames of up to their own MTU, its port of up to the PF's: those between are
// lost.
constexpr std::string_view kPortHasPfsMtu = "mlx5_core";

Result<void> warn_of_mtu(Subject& subject, const host::Link& pf) {
  const auto mtu = subject.record.link ? subject.record.link->asked_mtu : std::nullopt;
  if (!mtu || *mtu <= pf.mtu) return {};
  const auto driver = driver_of(subject.host(), subject.record.vf->pf);
  if (!driver) return pass(driver);
  if (*driver != kPortHasPfsMtu) return {};
  subject.warnings.push_back(fmt::format(
      "mtu {} of {} is above that of its PF {} ({}), which is the port's: larger frames "
      "are lost; raise the PF's",
      *mtu, subject.name(), pf.name, pf.mtu));
  return {};
}

// Whether the netdev is to get another address than it has.
bool changes_address(const Subject& subject) {
  return subject.link && subject.record.link &&
         subject.link->address != subject.record.link->before.address;
}

}  // namespace

Result<host::Link> Looks::pf(host::Host& host, const PciAddress& address) {
  if (const auto known = pfs_.find(address); known != pfs_.end()) return known->second;
  auto link = pf_link(host, address);
  if (link) pfs_[address] = *link;
  return link;
}

Result<host::VfAttributes> Looks::vf(host::Links& links, uint32_t pf_index, uint32_t index) {
  auto known = vfs_.find(pf_index);
  if (known == vfs_.end()) {
    auto all = links.vfs(pf_index);
    if (!all) return pass(all);
    known = vfs_.emplace(pf_index, std::move(*all)).first;
  }
  const auto at = known->second.find(index);
  if (at == known->second.end()) {
    return fail(ErrorCode::not_found, "PF link {} tells of no VF {}", pf_index, index);
  }
  return at->second;
}

Result<void> inspect(Subject& subject, const Function& function) {
  if (!function.pf) {
    // EFA, an HCA that is a VM's.
    const auto rdma = rdma_of(subject.host(), subject.record.device);
    const bool is_rdma_alone = function.netdevs.empty() && rdma && !rdma->empty();
    return not_located(
        {ErrorCode::invalid_argument, 0,
         fmt::format("{} is not an SR-IOV VF (it has no physfn link){}", subject.name(),
                     is_rdma_alone ? " and has no netdev: with its resource a container has its "
                                     "RDMA device, and needs no network for it"
                                   : "")});
  }
  auto& part = *subject.record.vf;  // with what was asked for
  part.pf = *function.pf;
  part.index = function.vf_index;
  auto& host = subject.host();
  auto pf = subject.looks ? subject.looks->pf(host, part.pf) : pf_link(host, part.pf);
  if (is(pf, ErrorCode::not_found)) return not_located(pf.error());
  if (!pf) return pass(pf);
  subject.pf_index = pf->index;
  if (auto seen = read(subject); !seen) return seen;
  part.before = subject.vf;
  if (auto able = refuse_legacy_settings(subject, *pf); !able) return able;
  if (auto told = warn_of_mtu(subject, *pf); !told) return told;
  if (!pf->is_up() || pf->carrier == false) {
    subject.warnings.push_back(
        fmt::format("PF {} ({}) is {}: {} is attached without a link", pf->name,
                    part.pf.to_string(), pf->is_up() ? "without carrier" : "down", subject.name()));
  }
  return {};
}

Result<void> free_address(Subject& subject) {
  const auto& link = subject.record.link;
  if (!link || !link->asked_address || *link->asked_address == subject.link->address) return {};
  if (auto done = take_off_admin_mac(subject); !done) {
    return pass(done, fmt::format("VF {}", subject.name()));
  }
  return {};
}

Result<void> apply(Subject& subject) {
  auto done = set(subject, subject.record.vf->asked, OnError::stop);
  if (!done) return pass(done, fmt::format("VF {}", subject.name()));
  return {};
}

Result<void> read_back(Subject& subject) {
  const auto& asked = subject.record.vf->asked;
  if (asked.empty()) return {};
  if (auto seen = read(subject); !seen) return seen;
  auto wrong = describe_difference(subject.vf, told_of(subject.vf, asked));
  if (wrong.empty()) return {};
  return fail(ErrorCode::io, "VF {} did not take its settings: {}", subject.name(), wrong);
}

Result<void> look(Subject& subject) {
  if (auto found = find_pf(subject); !found) return found;
  return read(subject);
}

Result<void> restore_before_reset(Subject& subject) {
  const auto& record = subject.record;
  if (record.reset == Reset::none || record.reset == Reset::done || !record.link) return {};
  const auto made = makes_node_guid(subject);
  if (!made) return pass(made);
  if (!*made) return {};
  if (auto seen = look(subject); !seen) return seen;
  const auto target = wanted(subject);
  if (!target) return pass(target);
  if (is_none(target->mac)) return {};
  const auto done = give_back(subject, {.mac = target->mac});
  // What is refused for good may not keep the reset away.
  return !done && is_not_ready(done.error()) ? done : Result<void>();
}

Result<void> restore_before_address(Subject& subject) {
  if (!changes_address(subject)) return {};
  const bool forced = !is_none(subject.vf.mac);
  auto target = wanted(subject);
  if (!target) return pass(target);
  // At once its own, never none in between, from which nobody could tell that it had been given
  // one.
  if (is_none(subject.record.vf->before.mac) && !is_none(target->mac)) {
    return give_back(subject, *target);
  }
  auto done = take_off_admin_mac(subject);
  if (!done) return pass(done, fmt::format("restoring VF {}", subject.name()));
  if (forced && subject.vf.trust == true) {
    if (done = give_back(subject, {.trust = false}); !done) return done;
    subject.vf.trust = false;
  }
  target->mac.reset();
  return give_back(subject, *target);
}

Result<void> restore(Subject& subject) {
  if (auto seen = read(subject); !seen) return seen;
  const auto target = wanted(subject);
  if (!target) return pass(target);
  subject.vf_left.clear();
  const auto in_vain = changes_in_vain(subject, subject.record.vf->before);
  if (!in_vain) return pass(in_vain);
  subject.owes_settings = !in_vain->empty();
  if (subject.owes_settings) {
    subject.work.log.warning(
        "the switch of the PF is in switchdev mode by now: what only the legacy mode has is given "
        "back by the first attachment in that mode",
        {{"device", subject.name()}, {"settings", *in_vain}});
  }
  auto done = give_back(subject, *target);
  const bool is_untold = !(told_of(subject.vf, *target) == *target);
  if (!done && is_untold) subject.vf_left = done.error().message;
  return done;
}

Result<std::string> difference_left(Subject& subject) {
  if (auto seen = read(subject); !seen) return pass(seen);
  const auto target = wanted(subject);
  if (!target) return pass(target);
  const auto text = describe_difference(subject.vf, told_of(subject.vf, *target));
  if (text.empty() || subject.vf_left.empty()) return text + subject.vf_left;
  return text + "; " + subject.vf_left;
}

Result<std::string> difference_to_asked(Subject& subject) {
  if (auto seen = look(subject); !seen) return pass(seen);
  return describe_difference(subject.vf, told_of(subject.vf, subject.record.vf->asked));
}

}  // namespace railhead::attach::vf
