#include "plugin/config/config.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include <nlohmann/json.hpp>

#include "plugin/config/grammar.hpp"
#include "plugin/config/node_keys.hpp"
#include "plugin/config/yaml.hpp"

namespace railhead::config {
namespace {

struct List {
  const char* key;
  Grammar grammar;
  void (*read_item)(Object& object, Resource& resource, Draft& draft);
};
constexpr std::array kLists = {
    List{"resourceList", Grammar::resource_list, read_resource_list_item},
    List{"configList", Grammar::config_list, read_config_list_item},
    List{"pools", Grammar::pools, read_pools_item}};

constexpr std::string_view kExpected = "an object with resourceList, configList or pools";

// An item of a list, and what is wrong in it.
struct Item {
  Resource resource;
  Grammar grammar;
  std::string place;  // "pools[0]", with the file where there are several
  std::vector<Error> errors;
};

// One file.
struct File {
  std::vector<Item> items;
  std::optional<std::chrono::seconds> rescan;
  std::vector<std::vector<PciAddress>> rail_map;
  std::optional<ipam::NodeRule> ipam_node;
  Draft draft;  // of what does not stand in an item
};

Item read_item(const List& list, const Json& json, std::string place, File& file) {
  Draft draft = {file.draft.default_prefix, file.draft.numbers_are_text, {}, {}};
  Item item{{}, list.grammar, std::move(place), {}};
  if (json.is_object()) {
    Object object(json, item.place, draft.errors);
    list.read_item(object, item.resource, draft);
  } else {
    draft.error(item.place, fmt::format("expected an object, got {}", go_json::quote(json)));
  }
  for (auto& warning : draft.warnings) file.draft.warning(std::move(warning));
  item.errors = std::move(draft.errors);
  return item;
}

void read_list(const List& list, Object& top, File& file) {
  const Json* json = top.value(list.key);
  if (json && !json->is_array()) {
    return top.error(list.key,
                     fmt::format("expected a list of resources, got {}", go_json::quote(*json)));
  }
  if (!json || json->empty()) {
    return file.draft.warning(fmt::format("{}: is empty; it offers no resource", list.key));
  }
  for (size_t i = 0; i < json->size(); ++i) {
    file.items.push_back(read_item(list, (*json)[i], fmt::format("{}[{}]", list.key, i), file));
  }
}

// 0: no rescan. Changes are noticed as they happen; this bounds how long a lost one goes unseen,
// and a wrong value costs no more than that.
void read_interval(const Json& json, File& file) {
  constexpr uint32_t kMostSeconds = std::numeric_limits<int32_t>::max();
  std::vector<Error> errors;
  Object top(json, "", errors);
  const auto interval = file.draft.number(top, "periodicUpdateInterval", 0, kMostSeconds);
  if (interval && *interval > 0) file.rescan = std::chrono::seconds(*interval);
  for (const auto& error : errors) file.draft.warning(error.message + "; ignored");
}

void read_top(const Json& json, File& file) {
  auto& draft = file.draft;
  if (!json.is_object()) {
    return draft.error("the configuration",
                       fmt::format("expected {}, got {}", kExpected, go_json::quote(json)));
  }
  if (json.contains("apiVersion") && json.contains("kind")) {
    return draft.error(
        "the configuration",
        fmt::format("is a Kubernetes manifest; expected what stands under its data: {}",
                    kExpected));
  }
  Object top(json, "", draft.errors);
  bool any = false;
  for (const auto& list : kLists) {
    if (!top.has(list.key)) continue;
    any = true;
    read_list(list, top, file);
  }
  if (!any) {
    top.error("resourceList", "missing, and so are configList and pools; expected one of them");
  }
  if (top.has("periodicUpdateInterval")) read_interval(json, file);
  if (const auto* rails = top.value("railMap")) file.rail_map = read_rail_map(*rails, draft);
  if (auto node = top.object("ipamNode")) file.ipam_node = read_ipam_node(*node, draft);
  report_unknown_keys(top, Grammar::resource_list, Level::top, draft);
}

// A text that is neither JSON nor what a person would call YAML.
bool has_comment_before_brace(std::string_view text) {
  bool has_comment = false;
  for (text = trim(text); !text.empty(); text = trim(text)) {
    const bool is_block = text.starts_with("/*");
    if (!is_block && !text.starts_with('#') && !text.starts_with("//")) break;
    has_comment = true;
    const auto end = is_block ? text.find("*/") : text.find('\n');
    if (end == std::string_view::npos) return false;
    text.remove_prefix(end + (is_block ? 2 : 1));
  }
  return has_comment && text.starts_with('{');
}

File read(const Source& source, std::string_view default_prefix) {
  File file;
  auto& draft = file.draft;
  draft.default_prefix = default_prefix;
  const auto text = trim(source.text);
  if (source.text.size() > kMaxSize) {
    draft.error("the configuration",
                fmt::format("{} bytes; expected at most {}", source.text.size(), kMaxSize));
  } else if (text.empty()) {
    draft.error("the configuration", fmt::format("is empty; expected {}", kExpected));
  } else if (has_comment_before_brace(text)) {
    draft.error("the configuration",
                "is not JSON: a comment stands before the {, and JSON has none; remove it, or "
                "write YAML, without the outer braces");
  } else {
    draft.numbers_are_text = !text.starts_with('{');
    const auto json = draft.numbers_are_text ? parse_yaml(source.text)
                                             : go_json::parse_keeping_numbers(source.text);
    if (json) {
      read_top(*json, file);
    } else {
      draft.errors.push_back(json.error());
    }
  }
  return file;
}

// Tells with each what it is of where there is more than one text.
void put_file_in_front(const std::string& name, File& file) {
  if (name.empty()) return;
  for (auto& error : file.draft.errors) error = error.in(name);
  for (auto& warning : file.draft.warnings) warning = fmt::format("{}: {}", name, warning);
  for (auto& item : file.items) {
    item.place = fmt::format("{}: {}", name, item.place);
    for (auto& error : item.errors) error = error.in(name);
  }
}

// What can be seen only with all resources at hand. Of two that are one to kubelet the first stays.
void check_names(std::vector<Item>& items) {
  for (size_t i = 0; i < items.size(); ++i) {
    const auto& resource = items[i].resource;
    const auto error = [&](const std::string& text) {
      items[i].errors.push_back(Error{ErrorCode::invalid_argument, 0,
                                      fmt::format("{}.resourceName: {}", items[i].place, text)});
    };
    for (size_t j = 0; j < i && items[i].errors.empty(); ++j) {
      if (!items[j].errors.empty()) continue;
      const auto& other = items[j].resource;
      if (resource.full_name() == other.full_name()) {
        error(fmt::format("{} is there already, at {}; each name once", resource.full_name(),
                          items[j].place));
      } else if (is_rail_of(resource, other.full_name()) ||
                 is_rail_of(other, resource.full_name())) {
        error(fmt::format(
            "{} and {} (at {}) can mean the same, since rails: auto adds numbers to a name",
            resource.full_name(), other.full_name(), items[j].place));
      }
    }
  }
}

void warn_of_nccl(const std::vector<Item>& items, Parsed& all) {
  std::vector<std::string> with_env;
  bool several = false;
  for (const auto& item : items) {
    if (!item.resource.nccl_env || !item.errors.empty()) continue;
    with_env.push_back(item.place);
    several |= item.resource.rails_auto || with_env.size() > 1;
  }
  if (!several) return;
  all.warnings.push_back(fmt::format(
      "{}: env: nccl for more than one resource: a container with several of them would keep the "
      "variables of but one, so that each is named after its resource (NCCL_IB_HCA_RDMA_RAIL0), "
      "and programs do not find it by themselves; one resource for all rails is simpler",
      join(with_env, ", ")));
}

void add(Item item, Parsed& all) {
  if (item.errors.empty()) {
    all.config.resources.push_back(std::move(item.resource));
  } else if (item.grammar == Grammar::pools) {
    std::ranges::move(item.errors, std::back_inserter(all.errors));
  } else {
    const auto name = item.resource.name.empty() ? "" : item.resource.full_name();
    all.dropped.push_back({std::move(item.place), name, std::move(item.errors)});
  }
}

}  // namespace

Parsed parse(const std::vector<Source>& sources, std::string_view default_prefix) {
  Parsed all;
  std::vector<Item> items;
  for (const auto& source : sources) {
    auto file = read(source, default_prefix);
    put_file_in_front(source.file, file);
    std::ranges::move(file.draft.errors, std::back_inserter(all.errors));
    std::ranges::move(file.draft.warnings, std::back_inserter(all.warnings));
    std::ranges::move(file.items, std::back_inserter(items));
    auto& rescan = all.config.rescan;
    if (file.rescan && (!rescan || *file.rescan < *rescan)) rescan = file.rescan;
    const auto differs = [&](std::string_view key) {
      all.errors.push_back(Error{
          ErrorCode::invalid_argument, 0,
          fmt::format("{}: {}: another file has it already, and they differ; once for the node",
                      source.file, key)});
    };
    auto& rail_map = all.config.rail_map;
    if (!rail_map.empty() && !file.rail_map.empty() && rail_map != file.rail_map) {
      differs("railMap");
    } else if (!file.rail_map.empty()) {
      rail_map = std::move(file.rail_map);
    }
    auto& ipam_node = all.config.ipam_node;
    if (ipam_node && file.ipam_node && ipam_node != file.ipam_node) {
      differs("ipamNode");
    } else if (file.ipam_node) {
      ipam_node = std::move(file.ipam_node);
    }
  }
  check_names(items);
  warn_of_nccl(items, all);
  for (auto& item : items) add(std::move(item), all);
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
