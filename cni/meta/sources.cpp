#include "cni/meta/sources.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/go_json.hpp"
#include "host/files.hpp"

namespace railhead::cni {

using cnispec::NetworkList;

namespace {

// The files of a folder with one of these endings, by name.
Result<std::vector<std::string>> files_of(const std::string& folder,
                                          std::initializer_list<std::string_view> endings) {
  const auto directory = host::Directory::open(folder);
  auto names = directory ? directory->list(".") : pass(directory);
  if (!names) return pass(names, folder);
  std::erase_if(*names, [&](const std::string& name) {
    return name.starts_with('.') || std::ranges::none_of(endings, [&](std::string_view ending) {
             return name.ends_with(ending);
           });
  });
  std::ranges::sort(*names);
  return std::move(*names);
}

}  // namespace

Result<Nad> parse_nad(std::string_view text, std::string_view namespace_, std::string_view name) {
  const auto json = go_json::parse(text);
  if (!json) return pass(json);
  std::vector<Error> errors;
  if (!json->is_object()) {
    return fail(ErrorCode::decode, "expected a NetworkAttachmentDefinition, got {}",
                go_json::quote(*json));
  }
  go_json::Object object(*json, "", errors);
  const auto kind = object.string("kind").value_or("");
  Nad nad;
  if (auto metadata = object.object("metadata")) {
    const auto own_name = metadata->string("name").value_or(std::string(name));
    const auto own_namespace = metadata->string("namespace").value_or(std::string(namespace_));
    if (own_name != name || own_namespace != namespace_) {
      return fail(ErrorCode::invalid_argument, "it is {}/{}; expected {}/{}, as the file is called",
                  own_namespace, own_name, namespace_, name);
    }
    if (const auto annotations = metadata->string_map("annotations")) {
      const auto found = annotations->find(std::string(kResourceNameKey));
      if (found != annotations->end()) nad.resource = found->second;
    }
  }
  if (auto spec = object.object("spec")) nad.config = spec->string("config").value_or("");
  if (!errors.empty()) return fail(ErrorCode::decode, "{}", errors.front().message);
  if (kind != "NetworkAttachmentDefinition") {
    return fail(ErrorCode::invalid_argument,
                "kind: expected NetworkAttachmentDefinition, got \"{}\"", kind);
  }
  return nad;
}

Result<Nad> read_nad(const std::string& folder, std::string_view namespace_,
                     std::string_view name) {
  for (const auto* ending : {".json", ".yaml", ".yml"}) {
    const auto path = fmt::format("{}/{}/{}{}", folder, namespace_, name, ending);
    const auto text = host::read_own_file(path);
    if (is(text, ErrorCode::not_found)) continue;
    auto nad = text ? parse_nad(*text, namespace_, name) : pass(text);
    if (!nad) return pass(nad, path);
    return nad;
  }
  return fail(ErrorCode::not_found,
              "cannot find a network-attachment-definition ({}) in namespace ({}): there is no "
              "{}/{}/{}.json, .yaml or .yml",
              name, namespace_, folder, namespace_, name);
}

Result<void> append_plugins(const std::string& folder, NetworkList& list) {
  const auto names = files_of(folder, {".conf"});
  if (is(names, ErrorCode::not_found)) return {};
  if (!names) return pass(names);
  for (const auto& name : *names) {
    const auto file = fmt::format("{}/{}", folder, name);
    const auto text = host::read_own_file(file);
    const auto one = text ? cnispec::parse_network(*text, list.name) : pass(text);
    if (!one) return pass(one, file);
    list.plugins.push_back(one->plugins.front());
  }
  return {};
}

Result<NetworkList> read_network_file(const std::string& path) {
  const auto text = host::read_own_file(path);
  auto list = text ? cnispec::parse_network(*text, "") : pass(text);
  if (!list) return pass(list, path);
  if (path.ends_with(".conflist") && !list->only_inlined_plugins) {
    const auto folder = path.substr(0, path.rfind('/')) + "/" + list->name;
    if (auto appended = append_plugins(folder, *list); !appended) return pass(appended);
  }
  return list;
}

Result<NetworkList> find_network(const std::string& folder, std::string_view name) {
  const auto names = files_of(folder, {".conf", ".conflist", ".json"});
  if (!names) return pass(names);
  for (const auto& file : *names) {
    auto list = read_network_file(fmt::format("{}/{}", folder, file));
    if (list && list->name == name) return list;
  }
  return fail(ErrorCode::not_found, "no network configuration of the name {} in {}", name, folder);
}

Result<NetworkList> first_network(const std::string& folder) {
  const auto names = files_of(folder, {".conf", ".conflist", ".json"});
  if (!names) return pass(names);
  if (names->empty()) return fail(ErrorCode::not_found, "no networks found in {}", folder);
  return read_network_file(fmt::format("{}/{}", folder, names->front()));
}

}  // namespace railhead::cni
