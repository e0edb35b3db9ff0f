#include "cnispec/request.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/text.hpp"
#include "cnispec/cni_error.hpp"
#include "cnispec/names.hpp"

namespace railhead::cnispec {
namespace {

constexpr std::array<std::pair<std::string_view, Command>, 6> kVerbs = {
    {{"ADD", Command::add},
     {"DEL", Command::del},
     {"CHECK", Command::check},
     {"GC", Command::gc},
     {"STATUS", Command::status},
     {"VERSION", Command::version}}};

std::optional<Command> command_of(std::string_view verb) {
  for (const auto& [name, command] : kVerbs) {
    if (name == verb) return command;
  }
  return std::nullopt;
}

bool needs_interface(std::optional<Command> command) {
  return command == Command::add || command == Command::del || command == Command::check;
}

bool needs_netns(std::optional<Command> command) {
  return command == Command::add || command == Command::check;
}

std::optional<bool> parse_go_bool(std::string_view text) {
  const auto lower = to_lower(text);
  if (lower == "1" || lower == "true") return true;
  if (lower == "0" || lower == "false") return false;
  return std::nullopt;
}

}  // namespace

std::string_view to_string(Command command) {
  for (const auto& [name, known] : kVerbs) {
    if (known == command) return name;
  }
  return "unknown";
}

std::string_view value_of(const Environment& environment, std::string_view key) {
  for (std::string_view entry : environment) {
    if (entry.size() > key.size() && entry.starts_with(key) && entry[key.size()] == '=') {
      return entry.substr(key.size() + 1);
    }
  }
  return {};
}

Environment with(Environment environment, std::string_view key, std::string_view value) {
  const auto prefix = fmt::format("{}=", key);
  std::erase_if(environment, [&](const std::string& entry) { return entry.starts_with(prefix); });
  environment.push_back(prefix + std::string(value));
  return environment;
}

Result<Request> read_request(const Environment& environment) {
  Request request;
  request.verb = value_of(environment, "CNI_COMMAND");
  request.command = command_of(request.verb);
  request.container_id = value_of(environment, "CNI_CONTAINERID");
  request.netns = value_of(environment, "CNI_NETNS");
  request.ifname = value_of(environment, "CNI_IFNAME");
  request.args = value_of(environment, "CNI_ARGS");
  request.path = value_of(environment, "CNI_PATH");
  request.netns_override =
      parse_go_bool(value_of(environment, "CNI_NETNS_OVERRIDE")).value_or(false);

  const auto command = request.command;
  const bool needs_path = command && command != Command::version;
  std::vector<std::string> missing;
  const auto require = [&](bool needed, const std::string& value, const char* name) {
    if (needed && value.empty()) missing.emplace_back(name);
    return needed && !value.empty();
  };
  require(true, request.verb, "CNI_COMMAND");
  if (require(needs_interface(command), request.container_id, "CNI_CONTAINERID")) {
    if (auto good = check_container_id(request.container_id); !good) return pass(good);
  }
  require(needs_netns(command), request.netns, "CNI_NETNS");
  if (require(needs_interface(command), request.ifname, "CNI_IFNAME")) {
    if (auto good = check_interface_name(request.ifname); !good) return pass(good);
  }
  require(needs_path, request.path, "CNI_PATH");
  if (!missing.empty()) {
    return fail_cni(code::kInvalidEnvironment,
                    fmt::format("required env variables [{}] missing", join(missing, ",")));
  }
  return request;
}

Result<CniArgs> read_args(std::string_view text) {
  CniArgs args;
  if (text.empty()) return args;
  bool ignore_unknown = false;
  std::vector<std::string> unknown;
  for (std::string_view pair : split(text, ';')) {
    const auto parts = split(pair, '=');
    if (parts.size() != 2) {
      return fail_cni(code::kInvalidEnvironment,
                      fmt::format("ARGS: invalid pair {}", go_quoted(pair)));
    }
    const auto key = parts[0];
    const auto value = parts[1];
    if (key == "MAC") {
      args.mac = value;
    } else if (key == "K8S_POD_NAME") {
      args.pod_name = value;
    } else if (key == "K8S_POD_NAMESPACE") {
      args.pod_namespace = value;
    } else if (key == "K8S_POD_UID") {
      args.pod_uid = value;
    } else if (key == "IgnoreUnknown") {
      const auto flag = parse_go_bool(value);
      if (!flag) {
        return fail_cni(
            code::kInvalidEnvironment,
            fmt::format("ARGS: error parsing value of pair {}: boolean unmarshal error: "
                        "invalid input {}",
                        go_quoted(pair), value));
      }
      ignore_unknown = *flag;
    } else {
      unknown.push_back(go_quoted(pair));
    }
  }
  if (!unknown.empty() && !ignore_unknown) {
    return fail_cni(code::kInvalidEnvironment,
                    fmt::format("ARGS: unknown args [{}]", join(unknown, " ")));
  }
  return args;
}

std::vector<std::pair<std::string, std::string>> arg_pairs(std::string_view text) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const auto pair : split(text, ';')) {
    const auto at = pair.find('=');
    if (at != std::string_view::npos) pairs.emplace_back(pair.substr(0, at), pair.substr(at + 1));
  }
  return pairs;
}

}  // namespace railhead::cnispec
