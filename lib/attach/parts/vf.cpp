#include "attach/parts/vf.hpp"

#include "attach/vf_settings.hpp"

namespace railhead::attach::vf {
namespace {

Failure not_located(Error error) {
  error.code = ErrorCode::invalid_argument;
  error.reason = reason::kNotLocated;
  return Failure(std::move(error));
}

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
  return {};
}

Result<void> give_back(Subject& subject, const host::VfAttributes& change) {
  auto done = attach::apply(subject.host().links, subject.pf_index, subject.record.vf->index,
                            change, OnError::go_on);
  if (!done) return pass(done, fmt::format("restoring VF {}", subject.name()));
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
    return not_located(
        {ErrorCode::invalid_argument, 0,
         fmt::format("{} is not an SR-IOV VF (it has no physfn link)", subject.name())});
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
  auto done = take_off_admin_mac(subject.host().links, subject.pf_index, subject.record.vf->index,
                                 subject.vf);
  if (!done) return pass(done, fmt::format("VF {}", subject.name()));
  return {};
}

Result<void> apply(Subject& subject) {
  const auto& part = *subject.record.vf;
  auto done = attach::apply(subject.host().links, subject.pf_index, part.index,
                            difference(subject.vf, part.asked));
  if (!done) return pass(done, fmt::format("VF {}", subject.name()));
  return {};
}

Result<void> read_back(Subject& subject) {
  const auto& asked = subject.record.vf->asked;
  if (asked.empty()) return {};
  if (auto seen = read(subject); !seen) return seen;
  auto wrong = describe_difference(subject.vf, asked);
  if (wrong.empty()) return {};
  return fail(ErrorCode::io, "VF {} did not take its settings: {}", subject.name(), wrong);
}

Result<void> look(Subject& subject) {
  if (auto found = find_pf(subject); !found) return found;
  return read(subject);
}

Result<void> restore_before_address(Subject& subject) {
  if (!changes_address(subject)) return {};
  const bool forced = subject.vf.mac && !subject.vf.mac->is_zero();
  auto done = take_off_admin_mac(subject.host().links, subject.pf_index, subject.record.vf->index,
                                 subject.vf);
  if (!done) return pass(done, fmt::format("restoring VF {}", subject.name()));
  if (forced && subject.vf.trust == true) {
    if (done = give_back(subject, {.trust = false}); !done) return done;
    subject.vf.trust = false;
  }
  auto change = difference(subject.vf, subject.record.vf->before);
  change.mac.reset();
  return give_back(subject, change);
}

Result<void> restore(Subject& subject) {
  if (auto seen = read(subject); !seen) return seen;
  return give_back(subject, difference(subject.vf, subject.record.vf->before));
}

Result<std::string> difference_left(Subject& subject) {
  if (auto seen = read(subject); !seen) return pass(seen);
  return describe_difference(subject.vf, subject.record.vf->before);
}

Result<std::string> difference_to_asked(Subject& subject) {
  if (auto seen = look(subject); !seen) return pass(seen);
  return describe_difference(subject.vf, subject.record.vf->asked);
}

}  // namespace railhead::attach::vf
