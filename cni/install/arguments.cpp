#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "cni/install/install.hpp"
#include "cni/install/programs.hpp"
#include "cnispec/names.hpp"

namespace railhead::cni {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kUsage =
    "usage: railhead install [--take-over] [--name NAME]... [--watch] [OPTION...]\n"
    "       railhead install --uninstall [--drain] [OPTION...]\n";

constexpr std::string_view kHelp =
    "\n"
    "Copies this program into the node's CNI folder as railhead and railhead-meta, waits for the\n"
    "cluster network's configuration, and writes 00-railhead.conflist, by which the container\n"
    "runtime calls railhead-meta in front of it. What is right already is left alone; several may\n"
    "run at once. Does not touch a pod.\n"
    "\n"
    "  --take-over       also as multus, sriov and rdma, and where a foreign program "
    "has\n"
    "                    one of the names: that is kept beside it as .NAME.railhead-original\n"
    "  --name NAME       also under this name (one of those, host-device or amd-host-device), and\n"
    "                    where a foreign program has it; may be given several times\n"
    "  --programs-only   no conflist: another meta plugin calls this program\n"
    "  --watch           stays: follows the cluster network's file, and tells when another\n"
    "                    installer has put its program over this one (with --take-over or --name\n"
    "                    it is taken over again); ends at SIGTERM\n"
    "  --uninstall       removes the conflist and the programs, and puts the kept ones back; not\n"
    "                    while a pod has something of this program's\n"
    "  --drain           with --uninstall: waits until no pod has\n"
    "\n"
    "The cluster network:\n"
    "\n"
    "  --cluster-network NAME|FILE  the network of that name, or that file: a name in the\n"
    "                               configuration folder, or a path\n"
    "  --readiness-file FILE        nothing is chosen before this file is there\n"
    "  --settle SECONDS             where neither is given, the first configuration by file name "
    "is\n"
    "                               taken when it has been the same for so long; default 5\n"
    "  --timeout SECONDS            how long to wait for it, or for --drain; default: as long as "
    "it\n"
    "                               takes, and what is waited for is told every 30 s\n"
    "  --network-name NAME          the conflist's name; default: the cluster network's. CRI-O "
    "takes\n"
    "                               the one that its cni_default_network names\n"
    "  --settings FILE              JSON object of keys of Multus' node configuration, as\n"
    "                               namespaceIsolation, for railhead-meta\n"
    "  --setting KEY=VALUE          one such key, in place of the file's; VALUE is JSON, else "
    "text;\n"
    "                               may be given several times\n"
    "\n"
    "Folders, as the host sees them:\n"
    "\n"
    "  --cni-bin-dir DIR   default /opt/cni/bin\n"
    "  --cni-conf-dir DIR  default /etc/cni/net.d\n"
    "  --nad-dir DIR       NetworkAttachmentDefinitions as files; default:\n"
    "                      /etc/railhead/nads\n"
    "  --nad-conf-dir DIR  configurations that a NetworkAttachmentDefinition names without having\n"
    "                      one (confDir); default: as Multus\n"
    "  --state-dir DIR     default /var/lib/railhead\n"
    "  --run-dir DIR       default /run/railhead\n"
    "  --agent-dir DIR     where the agent that follows the cluster has its --run-dir; default: "
    "the\n"
    "                      same\n"
    "  --host-root DIR     where the host's root is seen from this container, \"/host\"\n"
    "\n"
    "Exit code 0: done; 1: it could not be done; 2: wrong arguments; 3: pods have something of "
    "this\n"
    "program's still, which are told, and nothing was changed.\n";

// The switch of that name.
bool* switch_of(InstallCommand& command, std::string_view name) {
  if (name == "--take-over") return &command.take_over;
  if (name == "--programs-only") return &command.programs_only;
  if (name == "--watch") return &command.watch;
  if (name == "--uninstall") return &command.uninstall;
  if (name == "--drain") return &command.drain;
  return nullptr;
}

// The folder of that name.
std::string* folder_of(NodeFolders& folders, std::string_view name) {
  if (name == "--cni-bin-dir") return &folders.bin;
  if (name == "--cni-conf-dir") return &folders.conf;
  if (name == "--nad-dir") return &folders.nads;
  if (name == "--nad-conf-dir") return &folders.nad_confs;
  if (name == "--state-dir") return &folders.state;
  if (name == "--run-dir") return &folders.run;
  if (name == "--agent-dir") return &folders.agent;
  if (name == "--host-root") return &folders.root;
  return nullptr;
}

Result<> take_folder(std::string& folder, std::string_view name, std::string_view value) {
  if (!value.starts_with('/')) {
    return fail(ErrorCode::invalid_argument, "{} {}: expected an absolute path", name, value);
  }
  while (value.ends_with('/')) value.remove_suffix(1);
  folder = value;
  return {};
}

Result<std::chrono::seconds> seconds(std::string_view name, std::string_view value) {
  constexpr uint32_t kMost = 7 * 24 * 3600;
  const auto number = parse_int<uint32_t>(value);
  if (number && *number <= kMost) return std::chrono::seconds(*number);
  return fail(ErrorCode::invalid_argument, "{} {}: expected seconds, 0 to {}", name, value, kMost);
}

// "namespaceIsolation=true", "logFile=/var/log/railhead/cni.log"
Result<> take_setting(std::string& settings, std::string_view setting) {
  const auto equals = setting.find('=');
  if (equals == 0 || equals == std::string_view::npos) {
    return fail(ErrorCode::invalid_argument, "--setting {}: expected KEY=VALUE", setting);
  }
  auto all = settings.empty() ? Json::object() : Json::parse(settings);
  const auto text = setting.substr(equals + 1);
  auto value = Json::parse(text, nullptr, false);
  all[std::string(setting.substr(0, equals))] = value.is_discarded() ? Json(text) : value;
  settings = all.dump(-1, ' ', false, Json::error_handler_t::replace);
  return {};
}

// An option with a value.
Result<> take(InstallCommand& command, std::string_view name, std::string_view value) {
  if (auto* folder = folder_of(command.folders, name)) return take_folder(*folder, name, value);
  if (value.empty()) return fail(ErrorCode::invalid_argument, "{}: expected a value", name);
  if (name == "--name") {
    const auto& known = program_names();
    if (std::find(known.begin(), known.end(), value) == known.end()) {
      return fail(ErrorCode::invalid_argument, "--name {}: expected one of {}", value,
                  join(known, ", "));
    }
    command.names.emplace_back(value);
  } else if (name == "--cluster-network") {
    command.cluster_network = value;
  } else if (name == "--readiness-file") {
    return take_folder(command.readiness_file, name, value);
  } else if (name == "--network-name") {
    auto named = cnispec::check_network_name(value);
    if (!named) return pass(named, fmt::format("{} {}", name, value));
    command.network_name = value;
  } else if (name == "--settings") {
    command.settings_file = value;
  } else if (name == "--setting") {
    return take_setting(command.settings, value);
  } else if (name == "--settle" || name == "--timeout") {
    const auto read = seconds(name, value);
    if (!read) return pass(read);
    if (name == "--settle") {
      command.settle = *read;
    } else {
      command.timeout = *read;
    }
  } else {
    return fail(ErrorCode::invalid_argument, "unknown argument '{}'", name);
  }
  return {};
}

bool has_value(InstallCommand& command, std::string_view name) {
  for (const auto* option : {"--name", "--cluster-network", "--network-name", "--readiness-file",
                             "--settings", "--setting", "--settle", "--timeout"}) {
    if (name == option) return true;
  }
  return folder_of(command.folders, name) != nullptr;
}

Result<> check(const InstallCommand& command) {
  const auto wrong = [](std::string_view why) {
    return fail(ErrorCode::invalid_argument, "{}", why);
  };
  if (command.uninstall && (command.watch || command.take_over || !command.names.empty())) {
    return wrong(
        "--uninstall is of all names, and goes with neither of --watch, --take-over, "
        "--name");
  }
  if (command.drain && !command.uninstall) return wrong("--drain goes with --uninstall");
  if (command.programs_only && (!command.cluster_network.empty() ||
                                !command.settings_file.empty() || !command.settings.empty())) {
    return wrong(
        "--programs-only writes no conflist: --cluster-network, --settings and --setting mean "
        "nothing");
  }
  if (command.watch && command.timeout) return wrong("--watch and --timeout exclude each other");
  const auto& network = command.cluster_network;
  if (network.find('/') != std::string::npos && !network.starts_with('/')) {
    return wrong("--cluster-network: expected a name, or an absolute path");
  }
  return {};
}

}  // namespace

ReadInstall read_install(const std::vector<std::string>& arguments) {
  if (arguments.empty() || arguments[0] != "install") return {};
  InstallCommand command;
  const auto wrong = [&](const std::string& why) {
    return ReadInstall{
        {},
        Answer{
            2,
            {},
            fmt::format("railhead install: {}\n\n{}Try: railhead install --help\n", why, kUsage)}};
  };
  for (size_t i = 1; i < arguments.size(); ++i) {
    const auto& argument = arguments[i];
    if (argument == "--help" || argument == "-h") {
      return {{}, Answer{0, fmt::format("{}{}", kUsage, kHelp), {}}};
    }
    if (auto* value = switch_of(command, argument)) {
      *value = true;
      continue;
    }
    // "--option=value", or the two after each other
    const auto equals = argument.find('=');
    const auto name = argument.substr(0, equals);
    if (!has_value(command, name)) return wrong(fmt::format("unknown argument '{}'", argument));
    const bool is_next = equals == std::string::npos;
    if (is_next && ++i == arguments.size()) return wrong(name + ": expected a value");
    auto taken = take(command, name, is_next ? arguments[i] : argument.substr(equals + 1));
    if (!taken) return wrong(taken.error().message);
  }
  if (auto checked = check(command); !checked) return wrong(checked.error().message);
  return {command, {}};
}

}  // namespace railhead::cni
