#include "plugin/app/former_boot.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "host/files.hpp"

namespace railhead::app {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kFormerSchema = 1;

}  // namespace

FormerBoot::FormerBoot(std::string state_dir, std::string run_root, const std::string& proc_root,
                       Logger& log)
    : boot_file_(std::move(state_dir) + "/boot"),
      file_(std::move(run_root) + "/former.json"),
      log_(log) {
  const auto boot = host::read_file(proc_root + "/sys/kernel/random/boot_id");
  if (boot) boot_ = trim(*boot);
  auto known = load();
  if (!known) {
    log_.error("what pods were given before this boot is not known",
               {{"error", known.error().message}});
  } else if (*known) {
    former_ = std::move(**known);
  } else if (const auto last = host::read_own_file(boot_file_); last && !boot_.empty()) {
    is_first_look_ = trim(*last) != boot_;
  }
}

Result<std::optional<FormerBoot::Offers>> FormerBoot::load() const {
  const auto text = host::read_own_file(file_);
  if (is(text, ErrorCode::not_found)) return std::nullopt;
  if (!text) return pass(text);
  try {
    Offers former;
    const Json json = Json::parse(*text);
    for (const auto& [resource, ids] : json.at("former").items()) {
      for (const Json& id : ids) former.emplace(resource, id.get<std::string>());
    }
    return std::optional(std::move(former));
  } catch (const Json::exception& error) {
    return fail(ErrorCode::decode, "{}: {}", file_, error.what());
  }
}

void FormerBoot::mark(Result<std::vector<ledger::Saved>>& saved) {
  const std::lock_guard lock(mutex_);
  if (!saved && !is(saved, ErrorCode::not_found)) return;
  const bool is_first = std::exchange(is_first_look_, false);
  if (saved) {
    for (auto& one : *saved) {
      for (const auto& id : one.ids) {
        if (is_first) former_.emplace(one.resource, id);
        one.former |= former_.contains({one.resource, id});
      }
    }
  }
  if (is_first && keeps_) write();
}

bool FormerBoot::started(const std::string& resource, const std::vector<std::string>& ids) {
  const std::lock_guard lock(mutex_);
  size_t erased = 0;
  for (const auto& id : ids) erased += former_.erase({resource, id});
  if (erased == 0) return false;
  if (keeps_) write();
  return true;
}

void FormerBoot::keep() {
  const std::lock_guard lock(mutex_);
  keeps_ = true;
  auto known = load();
  if (!known) return;  // it was told
  if (*known) {
    former_ = std::move(**known);
    is_first_look_ = false;
  }
  if (!is_first_look_) write();
}

// The boot's name last: until it is there the next agent takes this boot for a new one, and finds
// the other file.
void FormerBoot::write() {
  if (boot_.empty()) return;
  Json former = Json::object();
  for (const auto& [resource, id] : former_) former[resource].push_back(id);
  const Json json = {{"schema", kFormerSchema}, {"former", std::move(former)}};
  auto written = host::make_directories(file_.substr(0, file_.rfind('/')), 0700);
  if (written) written = host::write_file_atomically(file_, json.dump(), 0600);
  if (written) {
    written = host::make_directories(boot_file_.substr(0, boot_file_.rfind('/')), 0700);
  }
  if (written) written = host::write_file_atomically(boot_file_, boot_ + '\n', 0600);
  if (!written) {
    log_.warning("a restart may take nodes of this boot for those of the last one, or the reverse",
                 {{"error", written.error().message}});
  }
}

}  // namespace railhead::app
