#include "plugin/app/news.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "base/text.hpp"
#include "plugin/pool/list_size.hpp"

namespace railhead::app {

void News::tell(const config::Parsed& parsed, const std::string& file) {
  for (const auto& warning : parsed.warnings) log_.warning(warning, {{"file", file}});
  for (const auto& dropped : parsed.dropped) {
    for (const auto& error : dropped.errors) {
      log_.error("resource dropped, the others are in force",
                 {{"resource", dropped.resource}, {"error", error.message}, {"file", file}});
    }
  }
  for (const auto& error : parsed.errors) log_.error(error.message, {{"file", file}});
}

void News::tell_scan_warnings(const std::vector<std::string>& warnings) {
  for (const auto& warning : warnings) {
    if (scan_warnings_.contains(warning)) continue;
    log_.warning("cannot read all of the node's devices", {{"error", warning}});
  }
  scan_warnings_ = {warnings.begin(), warnings.end()};
}

void News::tell_unreadable_records(const std::vector<Error>& errors) {
  std::set<std::string> now;
  for (const auto& error : errors) {
    now.insert(error.message);
    if (unreadable_records_.contains(error.message)) continue;
    log_.error("cannot read a record", {{"error", error.message}});
  }
  unreadable_records_ = std::move(now);
}

void News::tell_left_out(const std::vector<pool::LeftOut>& left_out) {
  std::set<std::string> now;
  for (const auto& one : left_out) {
    const auto [text, is_first] = now.insert(one.device + ' ' + one.reason);
    if (!is_first || left_out_.contains(*text)) continue;
    log_.info("device left out", {{"device", one.device}, {"reason", one.reason}});
  }
  left_out_ = std::move(now);
}

void News::note_health(const pool::Pool& before, const pool::Pool& now) {
  const auto resource = now.resource.full_name();
  if (!now.sickness.empty() && now.sickness != before.sickness) {
    log_.warning("pool is unhealthy", {{"resource", resource}, {"reason", now.sickness}});
  } else if (now.sickness.empty() && !before.sickness.empty()) {
    log_.info("pool is healthy again", {{"resource", resource}});
  }
  tell_untold(before, now);
  std::map<std::string_view, const pool::Member*> known;
  for (const auto& member : before.members) known[member.id] = &member;
  for (const auto& member : now.members) {
    const auto found = known.find(member.id);
    note_health(resource, found == known.end() ? pool::Member{} : *found->second, member);
  }
}

void News::tell_untold(const pool::Pool& before, const pool::Pool& now) {
  const auto untold = pool::count_untold(now);
  if (untold == 0 || untold == pool::count_untold(before)) return;
  log_.error("kubelet takes no list of so many devices: some are not offered; lower perDevice",
             {{"resource", now.resource.full_name()},
              {"devices", pool::offers(now).size()},
              {"not_offered", untold},
              {"per_device_at_most", pool::most_shares_per_device(now)}});
}

void News::note_health(const std::string& resource, const pool::Member& before,
                       const pool::Member& now) {
  const auto note = [&](Change change, const std::string& reason) {
    auto& concerned = events_[{change, now.pf.value_or(now.address), reason}];
    concerned.devices.insert(now.id);
    concerned.resources.insert(resource);
  };
  if (!now.sickness.empty() && now.sickness != before.sickness) {
    note(Change::unhealthy, now.sickness);
  } else if (now.sickness.empty() && !before.sickness.empty()) {
    note(Change::healthy, "");
  }
  for (const auto& concern : now.concerns) {
    if (std::ranges::find(before.concerns, concern) != before.concerns.end()) continue;
    note(Change::degraded, concern);
  }
}

void News::tell_devices() {
  for (const auto& [event, concerned] : std::exchange(events_, {})) tell(event, concerned);
}

// One device by its id, several of a PF by their number: "devices are unhealthy" pf=… devices=12.
void News::tell(const Event& event, const Concerned& concerned) {
  const auto& [change, pf, reason] = event;
  const bool one = concerned.devices.size() == 1;
  const Field resource("resource",
                       join({concerned.resources.begin(), concerned.resources.end()}, ","));
  const Field device =
      one ? Field("device", *concerned.devices.begin()) : Field("pf", pf.to_string());
  const Field count("devices", concerned.devices.size());
  const std::string subject = one ? "device is " : "devices are ";
  switch (change) {
    case Change::unhealthy:
      return log_.warning(subject + "unhealthy", {resource, device, count, {"reason", reason}});
    case Change::degraded:
      return log_.warning(subject + "degraded, and offered all the same",
                          {resource, device, count, {"reason", reason}});
    case Change::healthy:
      return log_.info(subject + "healthy again", {resource, device, count});
  }
}

}  // namespace railhead::app
