#include "attach/parts/ib.hpp"

#include <algorithm>
#include <array>
#include <cerrno>

#include "attach/parts/rdma.hpp"
#include "attach/parts/reset.hpp"
#include "attach/vf_settings.hpp"

namespace railhead::attach::ib {

using host::VfAttributes;

namespace {

constexpr size_t kAddressSize = 20;  // INFINIBAND_ALEN, linux/if_infiniband.h
constexpr size_t kGuidAt = 12;
constexpr Guid kUnset{~uint64_t{0}};  // what peers write where there was none

}  // namespace

std::optional<Guid> port_guid_of(const HwAddress& address) {
  if (address.size() != kAddressSize) return std::nullopt;
  Guid guid;
  for (const auto byte : address.bytes().subspan(kGuidAt)) guid.value = guid.value << 8U | byte;
  return guid;
}

namespace {

bool is_usable(const std::optional<Guid>& guid) {
  return guid && guid->value != 0 && *guid != kUnset;
}

Guid or_unset(const std::optional<Guid>& guid) { return guid && guid->value != 0 ? *guid : kUnset; }

// The GUIDs in force; what cannot be seen is absent.
VfAttributes in_force(const Subject& subject, const std::vector<host::RdmaLink>& devices) {
  VfAttributes now;
  if (!devices.empty()) now.node_guid = devices.front().node_guid;
  if (subject.link) now.port_guid = port_guid_of(subject.link->address);
  return now;
}

// busy: where there is an IPoIB netdev, there is an RDMA device, maybe renamed a moment ago.
Result<VfAttributes> in_force_in_host(const Subject& subject) {
  const auto devices = rdma::in_host(subject);
  if (!devices) return pass(devices);
  auto now = in_force(subject, *devices);
  if (now.node_guid && now.port_guid) return now;
  return fail(ErrorCode::busy, "the GUIDs of VF {} cannot be seen at this moment", subject.name());
}

// Of the GUIDs that were asked for, whether others are in force.
bool must_change(const VfAttributes& now, const VfAttributes& wanted) {
  const auto differs = [](const auto& is, const auto& want) { return want && is != want; };
  return differs(now.node_guid, wanted.node_guid) || differs(now.port_guid, wanted.port_guid);
}

// The GUIDs in force that are to be others: what stood before, or, where that was none, any but the
// pod's.
VfAttributes not_given_back(const VfPart& part, const VfAttributes& now) {
  VfAttributes left;
  const auto is_left = [](const auto& before, const auto& asked, const auto& is) {
    return before && (is_usable(before) ? is != before : is == asked);
  };
  if (is_left(part.before.node_guid, part.asked.node_guid, now.node_guid)) {
    left.node_guid = now.node_guid;
  }
  if (is_left(part.before.port_guid, part.asked.port_guid, now.port_guid)) {
    left.port_guid = now.port_guid;
  }
  return left;
}

// A netdev whose port GUID nobody was to change, where it is known.
bool has_another_port(const Subject& subject) {
  const auto& record = subject.record;
  return subject.link && record.link && !record.vf->before.port_guid &&
         port_guid_of(record.link->before.address) &&
         !is_same_port(subject.link->address, record.link->before.address);
}

// A baseline is none: a start of the driver that nothing records could leave it without one. So of
// a baseline the GUIDs are not looked at.
bool has_record(const Record& record) { return !record.key.container_id.empty(); }

// ib-kubernetes gives a GUID of its pool to another pod once that of the pod before is gone: what
// an attachment has by now is not put in force twice.
void forget_given_away(Subject& subject) {
  auto& part = *subject.record.vf;
  if (!is_usable(part.before.node_guid) && !is_usable(part.before.port_guid)) return;
  const auto all = subject.work.store.list();
  if (!all) {
    subject.work.log.warning("who else may have its former GUID cannot be told",
                             {{"device", subject.name()}, {"error", all.error().message}});
    return;
  }
  for (const auto& record : all->records) {
    if (record.device == subject.record.device || !record.vf) continue;
    for (auto* guid : {&part.before.node_guid, &part.before.port_guid}) {
      if (!is_usable(*guid)) continue;
      if (record.vf->asked.node_guid == *guid || record.vf->asked.port_guid == *guid) {
        *guid = Guid{};
      }
    }
  }
}

Result<void> write(Subject& subject, const VfAttributes& change) {
  return attach::apply(subject.host().links, subject.pf_index, subject.record.vf->index, change);
}

}  // namespace

bool is_same_port(const HwAddress& one, const HwAddress& other) {
  return one.size() == other.size() && port_guid_of(one) == port_guid_of(other);
}

HwAddress with_port(const HwAddress& address, const Guid& guid) {
  std::array<uint8_t, kAddressSize> bytes{};
  if (address.size() == kAddressSize) std::ranges::copy(address.bytes(), bytes.begin());
  for (size_t i = 0; i < sizeof guid.value; ++i) {
    bytes[kGuidAt + i] = static_cast<uint8_t>(guid.value >> (56 - 8 * i));
  }
  return *HwAddress::from_bytes(bytes);
}

Result<void> inspect(Subject& subject, const Function& function) {
  if (!function.pf) {
    Error error{ErrorCode::invalid_argument, 0,
                fmt::format("{} is not an SR-IOV VF (it has no physfn link)", subject.name()),
                reason::kNotLocated};
    return Failure(std::move(error));
  }
  auto& part = *subject.record.vf;
  part.pf = *function.pf;
  part.index = function.vf_index;
  auto pf = pf_link(subject.host(), part.pf, host::LinkLayer::infiniband);
  if (is(pf, ErrorCode::not_found)) {
    auto error = pf.error();
    error.code = ErrorCode::invalid_argument;
    error.reason = reason::kNotLocated;
    return Failure(std::move(error));
  }
  if (!pf) return pass(pf);
  subject.pf_index = pf->index;
  if (part.asked.link_state) part.before.link_state = host::VfLinkState::automatic;
  return {};
}

Result<void> inspect_guids(Subject& subject) {
  auto& part = *subject.record.vf;
  if (!subject.record.link) {  // a userspace driver's: nobody sees them
    if (part.asked.node_guid) part.before.node_guid = Guid{};
    if (part.asked.port_guid) part.before.port_guid = Guid{};
    return {};
  }
  auto now = in_force_in_host(subject);
  if (!now) return pass(now);
  if (!part.asked.port_guid && !is_usable(now->port_guid)) {
    Error error{ErrorCode::invalid_argument, 0,
                fmt::format("VF {} GUID is not valid", subject.name()), reason::kNoGuid};
    return Failure(std::move(error));
  }
  if (part.asked.node_guid) part.before.node_guid = now->node_guid.value_or(Guid{});
  if (part.asked.port_guid) part.before.port_guid = now->port_guid.value_or(Guid{});
  if (!must_change(*now, part.asked)) return {};
  return reset::check_rebind(subject, "its GUID cannot change");
}

Result<void> apply(Subject& subject) {
  const auto& asked = subject.record.vf->asked;
  VfAttributes change;
  change.link_state = asked.link_state;
  bool rebinds = false;
  if (!subject.record.link) {
    change = asked;
  } else if (must_change(subject.record.vf->before, asked)) {
    change.node_guid = asked.node_guid;
    change.port_guid = asked.port_guid;
    rebinds = true;
    if (auto noted = reset::ask(subject); !noted) return noted;
  }
  if (auto done = write(subject, change); !done) {
    return pass(done, fmt::format("VF {}", subject.name()));
  }
  return rebinds ? reset::renew(subject) : Result<void>();
}

Result<void> read_back(Subject& subject) {
  const auto& asked = subject.record.vf->asked;
  if (!asked.node_guid && !asked.port_guid) return {};
  std::unique_ptr<host::RdmaDevices> of_pod;
  if (subject.record.moves_rdma()) {
    auto opened = subject.host().netns.rdma(subject.pod->netns);
    if (!opened) return pass(opened);
    of_pod = std::move(*opened);
  }
  auto devices = of_pod ? of_pod->list() : subject.host().rdma.list();
  if (!devices) return pass(devices, "RDMA devices");
  std::erase_if(*devices, [&](const auto& device) {
    return std::ranges::find(subject.rdma_names, device.name) == subject.rdma_names.end();
  });
  const auto wrong = describe_difference(
      in_force(subject, *devices), {.node_guid = asked.node_guid, .port_guid = asked.port_guid});
  if (wrong.empty()) return {};
  return fail(ErrorCode::io, "VF {} did not take its settings: {}", subject.name(), wrong);
}

Result<void> look(Subject& subject) {
  auto pf = pf_link(subject.host(), subject.record.vf->pf, host::LinkLayer::infiniband);
  if (!pf) return pass(pf);
  subject.pf_index = pf->index;
  return {};
}

Result<void> restore(Subject& subject) {
  forget_given_away(subject);
  const auto& record = subject.record;
  const auto& before = record.vf->before;
  subject.vf_left.clear();
  Result<void> all;
  const auto give = [&](const VfAttributes& change) {
    const auto done = change.empty() ? Result<void>() : write(subject, change);
    // What the driver does not know no ADD has set.
    if (done || done.error().os_errno == EOPNOTSUPP) return;
    subject.vf_left += (subject.vf_left.empty() ? "" : "; ") + done.error().message;
    all = pass(done, fmt::format("restoring VF {}", subject.name()));
  };
  give({.link_state = before.link_state});
  VfAttributes guids;
  if (before.node_guid) guids.node_guid = or_unset(before.node_guid);
  if (before.port_guid) guids.port_guid = or_unset(before.port_guid);
  give(guids);
  if (!all || !subject.link) return all;
  const auto now = in_force_in_host(subject);
  if (!now) return pass(now);
  if (!has_record(record)) return {};
  if (not_given_back(*record.vf, *now).empty() && !has_another_port(subject)) return {};
  // What one start of its driver did not bring another one will not.
  const bool is_tried = record.reset == Reset::done &&
                        (subject.undo_tries > 0 || (record.undo && record.undo->quarantined));
  return is_tried ? Result<void>() : reset::ask(subject);
}

Result<std::string> difference_left(Subject& subject) {
  const auto& record = subject.record;
  if (!subject.vf_left.empty() || !record.link || !has_record(record)) return subject.vf_left;
  auto link = subject.host().links.by_parent(subject.name(), host::LinkLayer::infiniband);
  if (!link) return pass(link);
  subject.link = std::move(*link);
  subject.link_in_pod = false;
  const auto now = in_force_in_host(subject);
  if (!now) return pass(now);
  const auto left = not_given_back(*subject.record.vf, *now);
  std::string text;
  if (left.node_guid) text += "node GUID is " + left.node_guid->to_string();
  if (left.port_guid) {
    text += fmt::format("{}port GUID is {}", text.empty() ? "" : "; ", left.port_guid->to_string());
  }
  if (has_another_port(subject)) text += "port GUID is " + now->port_guid->to_string();
  return text;
}

std::string wrong_guid(const VfPart& part, const host::Link& link) {
  return describe_difference({.port_guid = port_guid_of(link.address)},
                             {.port_guid = part.asked.port_guid});
}

}  // namespace railhead::attach::ib
