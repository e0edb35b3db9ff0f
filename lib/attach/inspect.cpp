#include "attach/inspect.hpp"

#include "attach/kinds.hpp"
#include "attach/parts/driver.hpp"
#include "attach/parts/ib.hpp"
#include "attach/parts/link.hpp"
#include "attach/parts/rdma.hpp"
#include "attach/parts/reset.hpp"

namespace railhead::attach {

namespace {

// Who has the PF sets what its VFs and sub-functions may do, and a VF's undo asks it.
Result<void> refuse_pf_of_held_parts(const Subject& subject) {
  const auto parts = parts_of(subject.host(), subject.record.device);
  if (!parts) return pass(parts);
  for (const auto& part : *parts) {
    const auto holder = subject.work.store.owner(part);
    if (holder && !*holder) continue;
    Error error{
        ErrorCode::busy, 0,
        fmt::format("{} of the device {} is held{}; it is released when that is deleted",
                    part.pci() ? "VF " + part.name : "sub-function " + part.name, subject.name(),
                    holder ? " by " + describe(**holder) : ": " + holder.error().message),
        reason::kHeld};
    return Failure(std::move(error));
  }
  return {};
}

}  // namespace

Result<void> inspect_settings(Subject& subject) {
  auto& record = subject.record;
  auto function =
      is_bare_netdev(record.device) ? Result<Function>(Function{}) : driver::inspect(subject);
  if (!function) return pass(function);
  const bool is_whole = record.kind == KindName::whole_nic;
  if (device::is_userspace_driver(function->driver)) {
    record.link.reset();
    record.kind = without_netdev(record.kind);
  } else {
    record.kind = with_netdev(record.kind);
  }
  if (auto able = reset::check_ability(subject, *function); !able) return able;
  if (record.vf) {
    if (auto seen = kind_of(record.kind).vf->inspect(subject, *function); !seen) return seen;
  }
  if (is_whole) {
    if (auto free = refuse_pf_of_held_parts(subject); !free) return free;
  }
  if (record.link) {
    return link::inspect(subject, *function);
  }
  return {};
}

Result<void> inspect_device(Subject& subject) {
  if (auto seen = inspect_settings(subject); !seen) return seen;
  if (auto seen = rdma::inspect(subject); !seen) return seen;
  if (auto stays = rdma::check_that_it_stays(subject); !stays) return stays;
  const bool has_guids =
      subject.record.vf && layer_of(subject.record.kind) == host::LinkLayer::infiniband;
  return has_guids ? ib::inspect_guids(subject) : Result<void>();
}

void settle(Subject& subject, const Debts& owed) {
  if (owed.debts.empty() || owed.inode != subject.record.driver.inode) return;
  if (subject.record.link) link::settle(subject, owed.debts);
  if (subject.record.rdma) rdma::settle(subject, owed.debts);
}

Result<std::vector<Debt>> pay_debts(const Work& work, const device::DeviceId& device,
                                    const Debts& owed) {
  Subject subject{work, {}, nullptr};
  subject.record.device = device;
  const auto layer = read_layer(work.host, device);
  if (!layer) return pass(layer);
  const bool is_ib = *layer == host::LinkLayer::infiniband;
  subject.record.kind = is_ib ? KindName::ib_vf : KindName::whole_nic;
  subject.record.link.emplace();
  const auto function =
      is_bare_netdev(device) ? Result<Function>(Function{}) : read_function(work.host, device);
  if (is(function, ErrorCode::not_found)) return std::vector<Debt>{};
  if (!function) return pass(function);
  if (function->inode != owed.inode) return std::vector<Debt>{};
  subject.record.driver = {function->driver, function->inode};
  auto seen_link = link::inspect(subject, *function);
  if (is(seen_link, ErrorCode::invalid_argument)) return owed.debts;  // it has no netdev for now
  if (!seen_link) return pass(seen_link);
  if (auto seen = rdma::inspect(subject); !seen && !is(seen, ErrorCode::busy)) return pass(seen);
  if (subject.record.rdma) subject.record.rdma->moves = true;  // so that the names are compared
  settle(subject, owed);
  auto of_link = link::differences(subject);
  if (!of_link) return pass(of_link);
  auto of_rdma = rdma::differences(subject);
  if (!of_rdma) return pass(of_rdma);
  auto rest = std::move(of_link->debts);
  rest.insert(rest.end(), of_rdma->debts.begin(), of_rdma->debts.end());
  return rest;
}

}  // namespace railhead::attach
