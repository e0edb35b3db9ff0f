#include "cnispec/net_conf.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/go_json.hpp"
#include "base/text.hpp"
#include "cnispec/cni_error.hpp"
#include "cnispec/names.hpp"
#include "cnispec/version.hpp"

namespace railhead::cnispec {

using Json = nlohmann::ordered_json;

namespace {

Failure refuse_config(std::string_view why) {
  return fail(ErrorCode::decode, "error unmarshall network config: {}", why);
}

// The verb needs a configuration of at least `first`, and one that is not newer than we are.
Result<> need_version(const Request& request, const NetConf& conf, Version first) {
  const auto version = Version::parse(conf.cni_version);
  if (!version) {
    return fail(ErrorCode::decode,
                "cniVersion \"{}\" is not of the form "
                "major.minor.micro",
                conf.cni_version);
  }
  if (*version < first) {
    return fail_cni(code::kIncompatibleVersion,
                    fmt::format("config version does not allow {}", request.verb));
  }
  if (*version > *Version::parse(kCurrentVersion)) {
    return fail_cni(code::kIncompatibleVersion,
                    fmt::format("plugin version does not allow {}", request.verb));
  }
  return {};
}

Result<> check_version(std::string_view version) {
  if (is_supported(version)) return {};
  return fail_cni(code::kIncompatibleVersion, "incompatible CNI versions",
                  fmt::format("config is \"{}\", plugin supports [\"{}\"]", version,
                              fmt::join(kSupportedVersions, "\" \"")));
}

// Whether the object has that key at all, null or not.
bool has_key(const Json& object, std::string_view key) {
  return std::any_of(object.items().begin(), object.items().end(),
                     [&](const auto& item) { return equal_ignoring_case(item.key(), key); });
}

}  // namespace

Result<Json> parse_config(std::string_view text) {
  auto json = go_json::parse(text);
  if (!json) return refuse_config(json.error().message);
  if (json->is_null()) return Json(Json::object());
  if (!json->is_object()) {
    return refuse_config(fmt::format("expected an object, got {}", json->type_name()));
  }
  return std::move(*json);
}

Result<NetConf> read_net_conf(const Json& config) {
  std::vector<Error> errors;
  go_json::Object object(config, "", errors);
  NetConf conf;
  conf.type = object.string("type").value_or("");
  conf.cni_version = object.string("cniVersion").value_or("");
  if (conf.cni_version.empty()) conf.cni_version = kImpliedVersion;
  if (auto ipam = object.object("ipam")) conf.ipam_type = ipam->string("type").value_or("");
  if (!errors.empty()) return refuse_config(errors.front().message);
  auto name = read_network_name(config);
  if (!name) return pass(name);
  conf.name = std::move(*name);
  return conf;
}

Result<std::string> read_network_name(const Json& config) {
  std::vector<Error> errors;
  auto name = go_json::Object(config, "", errors).string("name").value_or("");
  if (!errors.empty()) return refuse_config(errors.front().message);
  if (auto good = check_network_name(name); !good) return pass(good);
  return name;
}

Result<Dns> read_conf_dns(const Json& config) {
  std::vector<Error> errors;
  auto dns = read_dns(go_json::Object(config, "", errors).value("dns"), errors);
  if (!errors.empty()) return refuse_config(errors.front().message);
  return dns;
}

Result<Command> admit(const Request& request, const NetConf& conf) {
  if (!request.command) {
    return fail_cni(code::kInvalidEnvironment,
                    fmt::format("unknown CNI_COMMAND: {}", request.verb));
  }
  Result<> allowed;
  switch (*request.command) {
    case Command::check:
      allowed = need_version(request, conf, {0, 4, 0});
      break;
    case Command::gc:
    case Command::status:
      allowed = need_version(request, conf, {1, 1, 0});
      break;
    case Command::add:
    case Command::del:
    case Command::version:
      break;
  }
  if (allowed) allowed = check_version(conf.cni_version);
  if (!allowed) return pass(allowed);
  return *request.command;
}

Result<std::optional<PluginResult>> read_prev_result(const Json& config) {
  std::vector<Error> errors;
  const Json* json = go_json::Object(config, "", errors).value("prevResult");
  if (!json) return std::nullopt;
  auto result = read_result(*json);
  if (!result) return pass(result, "could not parse prevResult");
  return std::move(*result);
}

Result<std::vector<ValidAttachment>> read_valid_attachments(const Json& config) {
  std::vector<Error> errors;
  std::vector<ValidAttachment> valid;
  go_json::Object object(config, "", errors);
  bool found = false;
  for (std::string_view key : {"cni.dev/valid-attachments", "cni.dev/attachments"}) {
    found = found || has_key(config, key);
    const Json* list = object.value(key);
    if (!list) continue;
    if (!list->is_array()) {
      return fail(ErrorCode::invalid_argument, "{}: expected a list, got {}", key,
                  list->type_name());
    }
    for (const auto& item : *list) {
      go_json::Object entry(item, std::string(key), errors);
      ValidAttachment attachment{entry.string("containerID").value_or(""),
                                 entry.string("ifname").value_or("")};
      if (attachment.container_id.empty() || attachment.ifname.empty() || !errors.empty()) {
        return fail(ErrorCode::invalid_argument, "{}: each entry needs containerID and ifname",
                    key);
      }
      if (std::find(valid.begin(), valid.end(), attachment) == valid.end()) {
        valid.push_back(std::move(attachment));
      }
    }
  }
  if (!found) {
    return fail(ErrorCode::invalid_argument, "GC needs the key cni.dev/valid-attachments");
  }
  return valid;
}

}  // namespace railhead::cnispec
