#include "plugin/config/config.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include <nlohmann/json.hpp>

#include "plugin/config/grammar.hpp"
#include "plugin/config/yaml.hpp"

namespace railhead::config {
namespace {

struct List {
  const char* key;
  void (*read_item)(const Json& json, const std::string& path, Draft& draft);
};
constexpr std::array kLists = {List{"resourceList", read_resource_list_item},
                               List{"configList", read_config_list_item},
                               List{"pools", read_pools_item}};

constexpr std::string_view kExpected = "an object with resourceList, configList or pools";

void read_top(const Json& json, Draft& draft) {
  if (!json.is_object()) {
    return draft.error("the configuration",
                       fmt::format("expected {}, got {}", kExpected, json.type_name()));
  }
  if (json.contains("apiVersion") && json.contains("kind")) {
    return draft.error(
        "the configuration",
        fmt::format("is a Kubernetes manifest; expected what stands under its data: {}",
                    kExpected));
  }
  Object top(json, "", draft.parsed.errors);
  bool any = false;
  for (const auto& list : kLists) {
    any |= top.value(list.key) != nullptr;
    const auto items = draft.items(top, list.key, "resources");
    if (const Json* value = top.value(list.key); value && value->is_array() && items.empty()) {
      draft.warning(fmt::format("{}: is empty; it offers no resource", list.key));
    }
    for (size_t i = 0; i < items.size(); ++i) {
      list.read_item(*items[i], fmt::format("{}[{}]", list.key, i), draft);
    }
  }
  if (!any) {
    top.error("resourceList", "missing, and so are configList and pools; expected one of them");
  }
  // 0: no rescan. Changes are noticed as they happen; this bounds how long a lost one goes unseen.
  constexpr uint32_t kMostSeconds = std::numeric_limits<int32_t>::max();
  const auto interval = draft.number(top, "periodicUpdateInterval", 0, kMostSeconds);
  if (interval && *interval > 0) draft.parsed.config.rescan = std::chrono::seconds(*interval);
  report_unknown_keys(top, Grammar::resource_list, draft);
}

Draft read(const Source& source, std::string_view default_prefix) {
  Draft draft;
  draft.default_prefix = default_prefix;
  if (source.text.size() > kMaxSize) {
    draft.parsed.errors.push_back(
        Error{ErrorCode::invalid_argument, 0,
              fmt::format("{} bytes; expected at most {}", source.text.size(), kMaxSize)});
    return draft;
  }
  if (trim(source.text).empty()) {
    draft.error("the configuration", fmt::format("is empty; expected {}", kExpected));
    return draft;
  }
  draft.numbers_are_text = !trim(source.text).starts_with('{');
  const auto json = draft.numbers_are_text ? parse_yaml(source.text) : go_json::parse(source.text);
  if (json) {
    read_top(*json, draft);
  } else {
    draft.parsed.errors.push_back(json.error());
  }
  return draft;
}

// "FILE: path", or the path alone where there is but one text.
std::string in_file(const Source& source, std::string_view path) {
  return source.file.empty() ? std::string(path) : fmt::format("{}: {}", source.file, path);
}

// What can be seen only with all resources at hand.
void check_names(const std::vector<std::string>& places, Parsed& all) {
  const auto& resources = all.config.resources;
  const auto error = [&](size_t at, const std::string& text) {
    all.errors.push_back(Error{ErrorCode::invalid_argument, 0,
                               fmt::format("{}.resourceName: {}", places[at], text)});
  };
  for (size_t i = 0; i < resources.size(); ++i) {
    if (resources[i].name.empty()) continue;
    for (size_t j = 0; j < i; ++j) {
      if (resources[i].full_name() == resources[j].full_name()) {
        error(i, fmt::format("{} is there already, at {}; each name once", resources[i].full_name(),
                             places[j]));
        break;
      }
      if (is_rail_of(resources[i], resources[j].full_name()) ||
          is_rail_of(resources[j], resources[i].full_name())) {
        error(i, fmt::format("{} and {} (at {}) can mean the same, since rails: auto adds numbers "
                             "to a name",
                             resources[i].full_name(), resources[j].full_name(), places[j]));
      }
    }
  }
}

void warn_of_nccl(const std::vector<std::string>& places, Parsed& all) {
  std::vector<std::string> with_env;
  bool several = false;
  for (size_t i = 0; i < places.size(); ++i) {
    if (!all.config.resources[i].nccl_env) continue;
    with_env.push_back(places[i]);
    several |= all.config.resources[i].rails_auto || with_env.size() > 1;
  }
  if (!several) return;
  all.warnings.push_back(fmt::format(
      "{}: env: nccl for more than one resource: a container with several of them would keep the "
      "variables of but one, so that each is named after its resource (NCCL_IB_HCA_RDMA_RAIL0), "
      "and programs do not find it by themselves; one resource for all rails is simpler",
      join(with_env, ", ")));
}

}  // namespace

Parsed parse(const std::vector<Source>& sources, std::string_view default_prefix) {
  Parsed all;
  std::vector<std::string> places;
  for (const auto& source : sources) {
    auto draft = read(source, default_prefix);
    for (auto& error : draft.parsed.errors) {
      all.errors.push_back(source.file.empty() ? std::move(error) : error.in(source.file));
    }
    for (const auto& warning : draft.parsed.warnings) {
      all.warnings.push_back(in_file(source, warning));
    }
    for (auto& resource : draft.parsed.config.resources) {
      all.config.resources.push_back(std::move(resource));
    }
    for (const auto& path : draft.paths) places.push_back(in_file(source, path));
    const auto& rescan = draft.parsed.config.rescan;
    if (rescan && (!all.config.rescan || *rescan < *all.config.rescan)) all.config.rescan = rescan;
  }
  check_names(places, all);
  warn_of_nccl(places, all);
  return all;
}

Parsed parse(std::string_view text, std::string_view default_prefix) {
  return parse({Source{"", std::string(text)}}, default_prefix);
}

bool is_rail_of(const Resource& rails, std::string_view full_name) {
  const auto all = rails.full_name();
  return rails.rails_auto && full_name.starts_with(all) &&
         parse_int<uint32_t>(full_name.substr(all.size()));
}

std::string rail_name(std::string_view name, size_t rail) {
  return fmt::format("{}{}", name, rail);
}

}  // namespace railhead::config
