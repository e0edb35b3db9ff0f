#include "attach/parts/rdma.hpp"

#include <algorithm>

#include "attach/function.hpp"
#include "base/text.hpp"
#include "device/allocation.hpp"

namespace railhead::attach::rdma {
namespace {

constexpr std::chrono::seconds kReturnLimit{10};
constexpr std::chrono::milliseconds kReturnPoll{20};

std::vector<device::CharDevice> all_nodes(const std::vector<RdmaState>& rdma) {
  std::vector<device::CharDevice> all;
  for (const auto& device : rdma) all.insert(all.end(), device.nodes.begin(), device.nodes.end());
  return all;
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// The kernel takes any name, but sysfs, where a device's function is looked for, shows none that is
// no file's: a pod could hide its device, and make the folder unreadable for all.
Result<void> make_names_visible(host::RdmaDevices& devices, const Subject& subject) {
  const auto all = devices.list();
  if (!all) return pass(all, "RDMA devices");
  unsigned number = 0;
  for (const auto& device : *all) {
    const auto& name = device.name;
    if (name != "." && name != ".." && name.find('/') == std::string::npos) continue;
    const auto visible = fmt::format("{}_v{}", temporary_name(subject.record.device), number++);
    if (auto done = devices.rename(name, visible); !done) {
      return pass(done, fmt::format("renaming RDMA device {}", name));
    }
  }
  return {};
}

Result<bool> is_back(const Subject& subject, const std::string& name) {
  auto names = rdma_in_host(subject.host(), subject.record.device);
  if (!names) return pass(names);
  return contains(*names, name);
}

Result<void> bring_back(Subject& subject, const std::string& name) {
  auto back = is_back(subject, name);
  if (!back) return pass(back);
  if (*back) return {};
  const auto& work = subject.work;
  if (subject.pod) {
    auto lock = lock_rdma(work);
    if (!lock) return pass(lock);
    auto here = work.host.netns.current();
    if (!here) return pass(here);
    auto pod = work.host.netns.rdma(subject.pod->netns);
    if (!pod) return pass(pod);
    auto moved = (*pod)->move(name, here->fd());
    if (!moved && !is(moved, ErrorCode::not_found)) return moved;
  }
  // Maybe still on its way back from a namespace that ended.
  const auto limit = work.deadline.left(kReturnLimit);
  const auto returned = [&] {
    back = is_back(subject, name);
    return !back || *back;
  };
  if (!wait_until(work.host.clock, limit, kReturnPoll, returned)) {
    return fail(ErrorCode::timeout, "it has not come back to the host's namespace within {} s",
                std::chrono::duration_cast<std::chrono::seconds>(limit).count());
  }
  return back ? Result<void>() : pass(back);
}

// Which of `now` each of the record's devices is: by its GUID, else by its name, else what is left.
using Pairs = std::vector<std::pair<const RdmaState*, std::string>>;  // before, name now
Pairs pair_up(const std::vector<RdmaState>& before, std::vector<host::RdmaLink> now) {
  Pairs pairs;
  std::vector<const RdmaState*> open;
  const auto take = [&](const RdmaState& device, auto same) {
    const auto at = std::find_if(now.begin(), now.end(), same);
    if (at == now.end()) return false;
    pairs.emplace_back(&device, at->name);
    now.erase(at);
    return true;
  };
  for (const auto& device : before) {
    const bool unique = std::count_if(now.begin(), now.end(), [&](const auto& one) {
                          return one.node_guid == device.node_guid;
                        }) == 1;
    const auto same_guid = [&](const auto& one) { return one.node_guid == device.node_guid; };
    if (device.node_guid.value == 0 || !unique || !take(device, same_guid)) open.push_back(&device);
  }
  std::erase_if(open, [&](const RdmaState* device) {
    return take(*device, [&](const auto& one) { return one.name == device->name; });
  });
  for (const auto* device : open) {
    if (now.empty()) break;
    pairs.emplace_back(device, now.back().name);
    now.pop_back();
  }
  return pairs;
}

}  // namespace

Result<std::vector<host::RdmaLink>> in_host(const Subject& subject) {
  auto names = rdma_in_host(subject.host(), subject.record.device);
  if (!names) return pass(names);
  if (names->empty()) return std::vector<host::RdmaLink>{};
  auto devices = subject.host().rdma.list();
  if (!devices) return pass(devices, "RDMA devices");
  std::erase_if(*devices, [&](const auto& device) { return !contains(*names, device.name); });
  return devices;
}

Result<void> inspect(Subject& subject) {
  auto now = rdma_of(subject.host(), subject.record.device);
  if (!now) return pass(now);
  if (now->empty() && subject.rdma == RdmaUse::require) {
    Error error{ErrorCode::invalid_argument, 0,
                fmt::format("rdma: require: {} {} has no RDMA device (is its RDMA driver loaded?)",
                            noun(subject.record.kind), subject.name()),
                reason::kNoRdma};
    return Failure(std::move(error));
  }
  RdmaPart part{std::move(*now), false};
  if (!part.before.empty() && subject.rdma != RdmaUse::off) {
    auto mode = subject.host().rdma.netns_mode();
    if (!mode) return pass(mode);
    part.moves = *mode == host::RdmaNetnsMode::exclusive;
  }
  // The GUIDs say which is which when they come back, whether a move or a reset makes them anew.
  const bool comes_anew = part.moves || subject.record.reset != Reset::none;
  if (!part.before.empty() && (comes_anew || subject.rdma != RdmaUse::off)) {
    auto devices = subject.host().rdma.list();
    if (!devices) return pass(devices, "RDMA devices");
    for (auto& state : part.before) {
      for (const auto& device : *devices) {
        if (device.name == state.name) state.node_guid = device.node_guid;
      }
    }
  }
  for (const auto& state : part.before) subject.rdma_names.push_back(state.name);
  subject.record.rdma = std::move(part);
  return compare_nodes(subject, subject.record.rdma->before, "before the attachment");
}

Result<void> check_that_it_stays(Subject& subject) {
  const auto& record = subject.record;
  if (!record.link || !record.rdma || record.rdma->before.empty()) return {};
  const auto goes = loses_rdma_with_netdev(subject.host(), record.device);
  if (!goes) return pass(goes);
  if (!*goes) return {};
  const auto what = fmt::format(
      "the RDMA device {} of {} goes when its netdev moves, and comes again only when bnxt_re is "
      "loaded again (before Linux 6.3)",
      record.rdma->before.front().name, subject.name());
  // host-device asks for no RDMA device.
  if (subject.rdma == RdmaUse::off || record.kind == KindName::whole_nic) {
    subject.warnings.push_back(what);
    subject.record.rdma->moves = false;
    return {};
  }
  return fail(ErrorCode::unsupported,
              "{}: use a newer kernel, or \"rdma\": \"off\" where the pod needs none", what);
}

Result<void> compare_nodes(const Subject& subject, const std::vector<RdmaState>& now,
                           std::string_view when) {
  const auto& run = subject.host().roots.run;
  // Allocate's records are of PCI functions; a sub-function's nodes must be those of before.
  const auto address = subject.record.device.pci();
  auto allocation = address ? device::read_allocation(run, *address)
                            : Result<std::optional<device::Allocation>>(std::nullopt);
  if (!allocation) return pass(allocation);
  const auto present = all_nodes(now);
  const auto given =
      *allocation ? (*allocation)->char_devices : all_nodes(subject.record.rdma->before);
  const bool all_stand = std::ranges::all_of(
      given, [&](const auto& one) { return std::ranges::find(present, one) != present.end(); });
  if (all_stand) return {};
  return fail(ErrorCode::busy,
              "the RDMA character devices of {} changed: {} they are {}, but {} were given to "
              "the container; delete the pod so that it is allocated anew (where no agent "
              "allocates any more, remove {}/allocations)",
              subject.name(), when, node_list(present), node_list(given), run);
}

Result<void> move(Subject& subject) {
  if (!subject.record.moves_rdma()) return {};
  for (const auto& name : subject.rdma_names) {
    if (auto done = subject.host().rdma.move(name, subject.pod->netns.fd()); !done) {
      return pass(done, fmt::format("moving RDMA device {} of {} into {}", name, subject.name(),
                                    subject.record.netns_path));
    }
  }
  auto now = rdma_of(subject.host(), subject.record.device);
  if (!now) return pass(now);
  return compare_nodes(subject, *now, "after the move");
}

Result<void> bring_back(Subject& subject) {
  if (!subject.record.moves_rdma()) return {};
  if (subject.pod) {
    auto pod = subject.host().netns.rdma(subject.pod->netns);
    if (!pod) return pass(pod);
    if (auto done = make_names_visible(**pod, subject); !done) return done;
  }
  if (auto done = make_names_visible(subject.host().rdma, subject); !done) return done;
  auto devices = rdma_of(subject.host(), subject.record.device);
  if (!devices) return pass(devices);
  for (const auto& device : *devices) {
    if (auto done = bring_back(subject, device.name); !done) {
      return pass(done, fmt::format("RDMA device {}", device.name));
    }
  }
  return {};
}

Result<void> arrive_anew(Subject& subject) {
  const auto& part = subject.record.rdma;
  if (!part || part->before.empty()) return {};
  auto names = rdma_in_host(subject.host(), subject.record.device);
  const auto made = [&] {
    names = rdma_in_host(subject.host(), subject.record.device);
    return !names || names->size() >= part->before.size();
  };
  const auto limit = subject.work.deadline.left(kReturnLimit);
  if (!wait_until(subject.host().clock, limit, kReturnPoll, made)) {
    subject.work.log.warning(
        "the reset has not brought all its RDMA devices back",
        {{"device", subject.name()}, {"were", part->before.size()}, {"are", names->size()}});
  }
  return names ? Result<void>() : pass(names);
}

Result<void> restore_names(Subject& subject) {
  if (!subject.record.changes_rdma()) return {};
  auto now = in_host(subject);
  if (!now) return pass(now);
  auto pairs = pair_up(subject.record.rdma->before, *now);
  for (const auto& device : subject.record.rdma->before) {
    if (std::none_of(pairs.begin(), pairs.end(),
                     [&](const auto& pair) { return pair.first == &device; })) {
      subject.work.log.warning("the RDMA device no longer exists",
                               {{"device", subject.name()}, {"rdma", device.name}});
    }
  }
  std::erase_if(pairs, [](const auto& pair) { return pair.first->name == pair.second; });
  auto& rdma = subject.host().rdma;
  if (pairs.size() > 1) {
    for (size_t i = 0; i < pairs.size(); ++i) {
      const auto between = fmt::format("{}_{}", temporary_name(subject.record.device), i);
      if (auto done = rdma.rename(pairs[i].second, between); !done) {
        return pass(done, fmt::format("renaming RDMA device {}", pairs[i].second));
      }
      pairs[i].second = between;
    }
  }
  Result<void> first;
  for (const auto& [before, name] : pairs) {
    auto done = rdma.rename(name, before->name);
    if (done || !first) continue;
    first = pass(done, fmt::format("giving RDMA device {} its name {} back", name, before->name));
  }
  return first;
}

Result<void> restore_names_anew(Subject& subject) {
  return subject.record.reset == Reset::none ? Result<void>() : restore_names(subject);
}

Result<Differences> differences(Subject& subject) {
  Differences left;
  if (!subject.record.changes_rdma()) return left;
  auto names = rdma_in_host(subject.host(), subject.record.device);
  auto all = rdma_of(subject.host(), subject.record.device);
  auto now = in_host(subject);
  if (!names) return pass(names);
  if (!all) return pass(all);
  if (!now) return pass(now);
  for (const auto& device : *all) {
    if (contains(*names, device.name)) continue;
    left.must.push_back(fmt::format("RDMA device {} is not in the host's namespace", device.name));
  }
  for (const auto& [before, name] : pair_up(subject.record.rdma->before, *now)) {
    if (before->name != name)
      left.debts.push_back({std::string(kRdmaNameDebt), before->name, name});
  }
  return left;
}

void settle(Subject& subject, const std::vector<Debt>& debts) {
  for (const auto& debt : debts) {
    if (debt.what != kRdmaNameDebt) continue;
    auto& before = subject.record.rdma->before;
    const auto at = std::find_if(before.begin(), before.end(),
                                 [&](const auto& state) { return state.name == debt.found; });
    if (at == before.end()) continue;
    at->name = debt.wanted;  // the next undo tries again, where this does not come about
    if (auto done = subject.host().rdma.rename(debt.found, debt.wanted); !done) {
      subject.work.log.warning(
          "still not restored",
          {{"device", subject.name()}, {"what", to_string(debt)}, {"error", done.error().message}});
      continue;
    }
    std::replace(subject.rdma_names.begin(), subject.rdma_names.end(), debt.found, debt.wanted);
  }
}

Result<std::vector<std::string>> check(const Subject& subject, const host::Netns& netns) {
  std::vector<std::string> wrong;
  auto rdma = subject.host().netns.rdma(netns);
  auto devices = rdma ? (*rdma)->list() : pass(rdma);
  if (!devices) return pass(devices);
  for (const auto& before : subject.record.rdma->before) {
    if (std::none_of(devices->begin(), devices->end(), [&](const auto& device) {
          return device.name == before.name ||
                 (before.node_guid.value != 0 && device.node_guid == before.node_guid);
        })) {
      wrong.push_back(fmt::format("RDMA device {} is missing", before.name));
    }
  }
  return wrong;
}

}  // namespace railhead::attach::rdma
