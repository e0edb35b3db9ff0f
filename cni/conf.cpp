#include "cni/conf.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "cni/meta/meta_conf.hpp"
#include "cni/types/type.hpp"

namespace railhead::cni {

using go_json::Object;
using Json = nlohmann::ordered_json;

namespace {

// Seconds.
constexpr int64_t kLeastBudget = 25;  // more than the undo's part of it
constexpr int64_t kMostBudget = 600;

constexpr size_t kToldKeys = 16;  // a NAD's author may write thousands into the node's log
constexpr size_t kToldKey = 64;   // characters of each

}  // namespace

LogConf read_log_conf(const Json& config) {
  std::vector<Error> errors;
  Object object(config, "", errors);
  return LogConf{object.string("logFile").value_or(""),
                 parse_log_level(object.string("logLevel").value_or("")).value_or(LogLevel::info)};
}

std::chrono::seconds read_budget(const Json& config, cnispec::Command command) {
  std::vector<Error> errors;
  Object object(config, "", errors);
  const bool is_add = command == cnispec::Command::add;
  const auto asked = object.integer(is_add ? "addTimeout" : "delTimeout");
  if (asked && *asked >= kLeastBudget && *asked <= kMostBudget) return std::chrono::seconds(*asked);
  if (is_meta_type(object.string("type").value_or(""))) {
    return std::chrono::seconds(is_add ? 200 : 100);
  }
  return std::chrono::seconds(is_add ? 90 : 45);
}

Result<void> check_budgets(const Json& config) {
  std::vector<Error> errors;
  Object object(config, "", errors);
  for (const auto* key : {"addTimeout", "delTimeout"}) {
    const auto asked = object.integer(key);
    if (!errors.empty()) return refuse("{}", errors.front().message);
    if (asked && (*asked < kLeastBudget || *asked > kMostBudget)) {
      return refuse("{} {}: expected {} to {} seconds", key, *asked, kLeastBudget, kMostBudget);
    }
  }
  return {};
}

Result<Ownership> read_ownership(const Json& config) {
  std::vector<Error> errors;
  Object object(config, "", errors);
  const auto word = object.string("ownership").value_or("");
  const bool is_own_type = type_of(object.string("type").value_or("")).name == "railhead";
  if (!errors.empty()) {
    return refuse("{}", errors.front().message);
  }
  if (word.empty()) return is_own_type ? Ownership::refuse : Ownership::warn;
  if (word == "require") return Ownership::require;
  if (word == "off") return Ownership::off;
  return refuse("invalid ownership value: {}: value must be 'require' or 'off'", word);
}

Result<std::vector<std::string>> read_ipam_dirs(const Json& config) {
  std::vector<Error> errors;
  Object object(config, "", errors);
  auto dirs = object.strings("ipamDirs").value_or(std::vector<std::string>{});
  if (!errors.empty()) return refuse("{}", errors.front().message);
  for (const auto& one : dirs) {
    const auto parts = split(one, '/');
    const bool leads_back = std::ranges::find(parts, "..") != parts.end();
    if (one.starts_with('/') && one.find_first_not_of('/') != std::string::npos && !leads_back) {
      continue;
    }
    return refuse("ipamDirs {}: expected an absolute path of a folder, without ..", one);
  }
  return dirs;
}

std::vector<std::string> told_keys(const Object& object) {
  std::vector<std::string> told;
  for (const auto& [path, meant] : object.unknown_keys()) {
    if (told.size() == kToldKeys) {
      told.emplace_back("…");
      break;
    }
    const auto key = path.size() > kToldKey ? path.substr(0, kToldKey) + "…" : path;
    told.push_back(meant.empty() ? key : fmt::format("{} ({}?)", key, meant));
  }
  return told;
}

}  // namespace railhead::cni
