#include "plugin/app/command_line.hpp"

#include <CLI/CLI.hpp>

#include "base/text.hpp"

namespace railhead::app {
namespace {

// Names, or a verbosity as glog's -v: 0 informs, more debugs.
LogLevel log_level_of(const std::string& text) {
  if (const auto level = parse_log_level(text)) return *level;
  if (const auto verbosity = parse_int<unsigned>(text)) {
    return *verbosity == 0 ? LogLevel::info : LogLevel::debug;
  }
  throw CLI::ValidationError("--log-level", "expected debug, info, warning or error, got " + text);
}

uint16_t pci_class_of(const std::string& text) {
  const auto value = parse_int<uint16_t>(text, 16);
  if (!value || text.size() != 4) {
    throw CLI::ValidationError("--gpu-class", "expected four hex digits such as 0302, got " + text);
  }
  return *value;
}

std::string vendor_of(const std::string& text) {
  if (text.size() != 4 || !parse_int<uint16_t>(text, 16)) {
    throw CLI::ValidationError("--gpu-vendor",
                               "expected four hex digits such as 10de, got " + text);
  }
  return to_lower(text);
}

http::Address listen_address_of(const std::string& text) {
  auto address = http::parse_address(text);
  if (!address) throw CLI::ValidationError("--listen", address.error().message);
  return std::move(*address);
}

void add_options(CLI::App& app, Options& options) {
  app.add_option("--config-file", options.config_file, "Which devices are offered (JSON or YAML)")
      ->capture_default_str();
  app.add_option("--resource-prefix", options.resource_prefix, "Prefix of resources that name none")
      ->capture_default_str();
  auto* cdi = app.add_flag("--use-cdi", options.use_cdi,
                           "Name CDI devices to the container runtime (kubelet 1.28 and later)");
  app.add_flag("--cdi-annotations", options.cdi.annotations,
               "Name them by annotations too, for kubelets that do not know the field")
      ->needs(cdi);
  app.add_option("--cdi-dir", options.cdi.folder, "Where CDI spec files go")->capture_default_str();
  app.add_option_function<std::string>(
      "--log-level", [&](const std::string& text) { options.log_level = log_level_of(text); },
      "debug, info, warning or error");
  app.add_option("--log-dir", options.log_dir,
                 "Taken and not used, for arguments written for sriov-network-device-plugin");
  app.add_flag_callback(
      "--log-json", [&] { options.log_format = Logger::Format::json; }, "Log lines as JSON");
  app.add_option_function<std::string>(
      "--listen", [&](const std::string& text) { options.listen = listen_address_of(text); },
      "Answer HTTP (/metrics, /healthz, /readyz) on ADDRESS:PORT or unix:/PATH");
  app.add_flag("--all-counters", options.all_counters,
               "Counters of RDMA devices that no pod holds, too");
  app.add_option("--kubelet-dir", options.kubelet_dir,
                 "Folder of device-plugins and plugins_registry")
      ->capture_default_str();
  app.add_option("--devinfo-dir", options.devinfo_dir, "Where device-info files go")
      ->capture_default_str();
  app.add_option("--run-dir", options.roots.run, "Records of this boot")->capture_default_str();
  app.add_option("--state-dir", options.state_dir, "What outlives a boot")->capture_default_str();
  app.add_option("--probe-socket", options.probe_socket,
                 "Where probes and status are answered (default: probe.sock in "
                 "/run/railhead-agent where that is, else in --run-dir)");
  app.add_option("--pod-name", options.pod_name, "For agents that wait until this one ends");
  app.add_option("--sysfs-root", options.roots.sysfs, "Where sysfs is")->capture_default_str();
  app.add_option("--proc-root", options.roots.proc, "Where proc is")->capture_default_str();
  app.add_option("--topology-file", options.topology_file,
                 "Where functions stand, in place of sysfs (NCCL's XML, or YAML)");
  app.add_option_function<std::vector<std::string>>(
         "--gpu-class",
         [&](const std::vector<std::string>& texts) {
           options.scan.gpu.classes.clear();
           for (const auto& text : texts) options.scan.gpu.classes.push_back(pci_class_of(text));
         },
         "PCI classes of GPUs (default 0302,0380,1200)")
      ->delimiter(',');
  app.add_option_function<std::vector<std::string>>(
         "--gpu-vendor",
         [&](const std::vector<std::string>& texts) {
           options.scan.gpu.vendors.clear();
           for (const auto& text : texts) {
             if (text != "any") options.scan.gpu.vendors.push_back(vendor_of(text));
           }
         },
         "PCI vendors of GPUs, or any (default 10de,1002)")
      ->delimiter(',');
}

}  // namespace

std::variant<Options, Exit> parse_command_line(int argc, const char* const* argv) {
  Options options;
  CLI::App app("Offers this node's SR-IOV VFs and RDMA devices to kubelet.", "railhead-agent");
  app.set_version_flag("--version", "railhead-agent " RAILHEAD_VERSION);
  app.fallthrough();
  app.require_subcommand(0, 1);
  add_options(app, options);
  auto* inventory = app.add_subcommand(
      "inventory", "Print the node: NUMA, PCIe switches, GPUs, PFs, VFs, RDMA, IOMMU groups");
  inventory->add_flag("--json", options.json, "For programs");
  inventory->callback([&] { options.command = Command::inventory; });
  auto* topology =
      app.add_subcommand("topology", "Print how far GPUs and network ports are from each other");
  auto* json = topology->add_flag("--json", options.json, "For programs");
  topology->add_option("--svg", options.svg_file, "Write a drawing to this file (- for stdout)")
      ->excludes(json);
  topology->callback([&] { options.command = Command::topology; });
  app.add_subcommand("explain", "Print for each device which resource takes it, and why not others")
      ->callback([&] { options.command = Command::explain; });
  auto* check = app.add_subcommand("check-config", "Say all that is wrong with a configuration");
  check->add_option("file", options.checked_files, "Files or folders, taken together")->required();
  check->callback([&] { options.command = Command::check_config; });
  auto* probe = app.add_subcommand("probe", "Ask the running agent, for kubelet's probes");
  probe->add_option("what", options.probe, "live or ready")
      ->required()
      ->check(CLI::IsMember({"live", "ready"}));
  probe->callback([&] { options.command = Command::probe; });
  auto* status = app.add_subcommand(
      "status", "Print the running agent's pools, devices, their health and who holds them");
  status->add_flag("--json", options.json, "For programs");
  status->callback([&] { options.command = Command::status; });
  for (auto* command : app.get_subcommands({})) {
    command->footer(
        "The options of railhead-agent hold here too, above all --config-file, --topology-file,\n"
        "--gpu-class, --resource-prefix and --sysfs-root: see railhead-agent --help.");
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return Exit{app.exit(error) == 0 ? 0 : 1};
  }
  return options;
}

}  // namespace railhead::app
