#include "attach/baseline.hpp"

#include <nlohmann/json.hpp>

#include "attach/attachments.hpp"
#include "attach/debt.hpp"
#include "attach/function.hpp"
#include "attach/inspect.hpp"
#include "attach/kinds.hpp"
#include "attach/parts/link.hpp"
#include "attach/undo.hpp"
#include "host/files.hpp"

namespace railhead::attach {
namespace {

using Json = nlohmann::ordered_json;

// Of this incarnation of the device. A file that cannot be read is none: then what stands there
// counts, as without an agent.
std::optional<Baseline> read(const Work& work, const device::DeviceId& device) {
  const auto text = host::read_private_file(work.store.baseline(device));
  if (!text) return std::nullopt;
  const auto json = Json::parse(*text, nullptr, false);
  if (!json.is_object() || !json.contains("state")) return std::nullopt;
  auto state = record_from_json(json["state"].dump());
  if (!state || state->device != device) return std::nullopt;
  const auto function = read_function(work.host, device);
  if (!function || function->inode != state->driver.inode) return std::nullopt;
  if (is_of_another_boot(*state, boot_id(work.host))) return std::nullopt;
  const auto owed = json.value("owed", Json());
  return Baseline{std::move(*state), owed.is_boolean() && owed.get<bool>()};
}

Result<void> write(const Work& work, const Baseline& baseline) {
  const Json json{
      {"schema", 1}, {"owed", baseline.owed}, {"state", Json::parse(to_json(baseline.state))}};
  const auto text = json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  return work.store.write_baseline(baseline.state.device, text);
}

// What differs from it; nothing when that cannot be told, because the device is not in the host, or
// somebody gave it another driver.
std::optional<bool> differs(const Work& work, const Baseline& baseline) {
  Subject subject{work, baseline.state, nullptr};
  if (subject.record.vf) {
    const auto& steps = *kind_of(subject.record.kind).vf;
    if (auto seen = steps.look(subject); !seen) return std::nullopt;
    const auto text = steps.difference_left(subject);
    if (!text) return std::nullopt;
    if (!text->empty()) return true;
  }
  if (!subject.record.link) return false;
  const auto left = link::differences(subject);
  if (!left) return std::nullopt;
  return !left->must.empty() || !left->debts.empty();
}

// Until the lock goes nobody is at work on the device, and no attachment has it.
Result<std::optional<host::FileLock>> lock_unattached(const Work& work,
                                                      const device::DeviceId& device) {
  if (auto ready = work.store.prepare(); !ready) return pass(ready);
  auto lock = work.host.locks.lock(work.store.device_lock(device), std::chrono::milliseconds(0));
  if (is(lock, ErrorCode::timeout)) return std::nullopt;
  if (!lock) return pass(lock);
  const auto owner = work.store.owner(device);
  if (!owner && !is(owner, ErrorCode::decode)) return pass(owner);
  if (!owner || *owner) return std::nullopt;
  return std::optional<host::FileLock>(std::move(*lock));
}

// The caller holds the lock.
Result<void> compare(const Work& work, Baseline& baseline) {
  const auto other = differs(work, baseline);
  if (!other || baseline.owed) return {};
  if (!*other) return host::remove_file(work.store.baseline(baseline.state.device));
  work.log.warning(
      "its holder is gone and it is not as it was before; the next attachment restores it",
      {{"device", baseline.state.device.name}});
  baseline.owed = true;
  return write(work, baseline);
}

}  // namespace

Result<void> note_held(const Work& work, const device::DeviceId& device) {
  auto lock = lock_unattached(work, device);
  if (!lock) return pass(lock);
  if (!*lock) return {};
  const auto function = read_function(work.host, device);
  if (!function) return pass(function);
  if (!function->pf) return {};
  if (auto kept = read(work, device)) {
    if (auto done = compare(work, *kept); !done || kept->owed) return done;
  }
  Subject subject{work, {}, nullptr};
  auto& state = subject.record;
  state.boot_id = boot_id(work.host);
  state.device = device;
  const auto layer = read_layer(work.host, device);
  if (!layer) return pass(layer);
  if (*layer == host::LinkLayer::infiniband) state.kind = KindName::ib_vf;
  state.vf.emplace();
  state.link.emplace();
  if (auto seen = inspect_settings(subject); !seen) return seen;
  return write(work, {std::move(state), false});
}

Result<void> note_free(const Work& work, const device::DeviceId& device) {
  auto lock = lock_unattached(work, device);
  if (!lock) return pass(lock);
  if (!*lock) return {};
  auto kept = read(work, device);
  return kept ? compare(work, *kept) : Result<void>();
}

Result<void> keep_baseline(const Work& work, const Record& record) {
  if (!record.vf) return {};
  Baseline baseline{{}, true};
  auto& state = baseline.state;
  state.boot_id = record.boot_id;
  state.device = record.device;
  state.kind = record.kind;
  state.vf = VfPart{record.vf->pf, record.vf->index, record.vf->before, record.vf->asked};
  if (record.link) state.link = LinkPart{record.link->before, {}, {}};
  state.driver = record.driver;
  return write(work, baseline);
}

Result<void> drop_kept_baseline(const Work& work, const Record& record) {
  if (!record.vf) return {};
  const auto kept = read(work, record.device);
  return kept && !kept->owed ? Result<void>()
                             : host::remove_file(work.store.baseline(record.device));
}

Result<bool> repair_to_baseline(const Work& work, const device::DeviceId& device) {
  const auto kept = read(work, device);
  if (!kept || !kept->owed) return false;
  auto here = is_in_host(work.host, kept->state);
  if (!here) return pass(here);
  if (!*here) return true;
  Subject subject{work, kept->state, nullptr};
  const auto restored = restore(subject);
  if (restored.left) {
    return fail(ErrorCode::busy,
                "{} is not as it was before its last holder, and is given to nobody before it is "
                "mended: {}",
                device.name, restored.left->message);
  }
  work.log.info("as it was before its last holder again", {{"device", device.name}});
  const Debts debts{kept->state.driver.inode, restored.debts};
  if (auto written = write_debts(work.store, device, debts); !written) return pass(written);
  if (restored.owes_settings) return true;
  if (auto gone = host::remove_file(work.store.baseline(device)); !gone) return pass(gone);
  return true;
}

}  // namespace railhead::attach
