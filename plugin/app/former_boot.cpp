#include "plugin/app/former_boot.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "host/files.hpp"

namespace railhead::app {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kSchema = 1;

}  // namespace

FormerBoot::FormerBoot(std::string state_dir, const std::string& proc_root, Logger& log)
    : file_(std::move(state_dir) + "/boot.json"), log_(log) {
  const auto boot = host::read_file(proc_root + "/sys/kernel/random/boot_id");
  if (boot) boot_ = trim(*boot);
  auto former = load();
  is_first_look_ = !former;
  former_ = std::move(former).value_or(std::set<Offer>{});
}

std::optional<std::set<FormerBoot::Offer>> FormerBoot::load() {
  std::set<Offer> former;
  const auto text = host::read_file(file_);
  if (boot_.empty() || is(text, ErrorCode::not_found)) return former;
  auto error = text ? std::string() : text.error().message;
  try {
    if (text) {
      const Json json = Json::parse(*text);
      if (json.at("boot").get<std::string>() != boot_) return std::nullopt;
      for (const auto& [resource, ids] : json.at("former").items()) {
        for (const Json& id : ids) former.emplace(resource, id.get<std::string>());
      }
    }
  } catch (const Json::exception& exception) {
    error = fmt::format("{}: {}", file_, exception.what());
    former.clear();
  }
  if (!error.empty()) {
    log_.error("what pods were given before this boot is not known", {{"error", error}});
  }
  return former;
}

void FormerBoot::strike(Result<std::vector<ledger::Saved>>& saved) {
  const std::lock_guard lock(mutex_);
  const bool is_first = std::exchange(is_first_look_, false);
  if (saved) {
    for (auto& one : *saved) {
      for (const auto& id : one.ids) {
        if (is_first) former_.emplace(one.resource, id);
      }
      const auto is_former = [&](const auto& id) {
        return former_.contains(Offer(one.resource, id));
      };
      if (std::ranges::any_of(one.ids, is_former)) one.nodes.clear();
    }
  }
  if (is_first && keeps_) write();
}

bool FormerBoot::started(const std::string& resource, const std::vector<std::string>& ids) {
  const std::lock_guard lock(mutex_);
  size_t erased = 0;
  for (const auto& id : ids) erased += former_.erase(Offer(resource, id));
  if (erased == 0) return false;
  if (keeps_) write();
  return true;
}

void FormerBoot::keep() {
  const std::lock_guard lock(mutex_);
  keeps_ = true;
  if (boot_.empty() || is_first_look_) return;
  if (auto there = load()) former_ = std::move(*there);
  write();
}

void FormerBoot::write() {
  if (boot_.empty()) return;
  Json former = Json::object();
  for (const auto& [resource, id] : former_) former[resource].push_back(id);
  const Json json = {{"schema", kSchema}, {"boot", boot_}, {"former", std::move(former)}};
  if (auto written = host::write_file_atomically(file_, json.dump(), 0600); !written) {
    log_.warning("a restart will not know what pods were given before this boot",
                 {{"error", written.error().message}});
  }
}

}  // namespace railhead::app
