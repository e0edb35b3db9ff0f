#include "plugin/app/command_line.hpp"

#include <CLI/CLI.hpp>

#include "base/text.hpp"
#include "plugin/app/go_flags.hpp"

namespace railhead::app {
namespace {

constexpr const char* kExamples = R"(Examples:
  railhead-agent --config-file /etc/pcidp/config.yaml --resource-prefix rdma --listen 127.0.0.1:9478
  railhead-agent check-config config.yaml         what is wrong with it, and what it takes here
  railhead-agent explain --config-file config.yaml

Exit codes:
  0  done
  1  what was to be done failed
  2  the command line is wrong
  3  the configuration is refused as a whole
  4  check-config: some resources are dropped, the others can be used

Flags of glog (-v N, -logtostderr, --log_dir DIR, …) are taken with a warning, -name stands for --name.)";

// Of glog's -v: 0 informs, more debugs.
LogLevel level_of_verbosity(unsigned verbosity) {
  return verbosity == 0 ? LogLevel::info : LogLevel::debug;
}

// A name, or such a verbosity.
LogLevel log_level_of(const std::string& text) {
  if (const auto level = parse_log_level(text)) return *level;
  if (const auto verbosity = parse_int<unsigned>(text)) return level_of_verbosity(*verbosity);
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

// Options of one heading of --help.
class Group {
 public:
  Group(CLI::App& app, std::string heading) : app_(app), heading_(std::move(heading)) {}

  // `metavar`: "FILE", "DIR" and the like.
  template <class T>
  CLI::Option* text(const char* name, T& value, const char* metavar, const char* help) {
    return app_.add_option(name, value, help)
        ->type_name(metavar)
        ->capture_default_str()
        ->group(heading_);
  }
  CLI::Option* read(const char* name, const std::function<void(const std::string&)>& read,
                    const char* metavar, const char* help) {
    return app_.add_option_function<std::string>(name, read, help)
        ->type_name(metavar)
        ->group(heading_);
  }
  CLI::Option* list(const char* name,
                    const std::function<void(const std::vector<std::string>&)>& read,
                    const char* metavar, const char* help) {
    return app_.add_option_function<std::vector<std::string>>(name, read, help)
        ->delimiter(',')
        ->allow_extra_args(false)
        ->type_name(metavar)
        ->group(heading_);
  }
  CLI::Option* flag(const char* name, bool& value, const char* help) {
    return app_.add_flag(name, value, help)->group(heading_);
  }

 private:
  CLI::App& app_;
  std::string heading_;
};

void add_offer_options(CLI::App& app, Options& options) {
  Group offer(app, "What is offered");
  offer.text("--config-file", options.config_file, "FILE",
             "JSON or YAML, or a folder of such files: docs/configuration.md");
  offer.text("--resource-prefix", options.resource_prefix, "PREFIX", "Of resources that name none");
  auto* cdi = offer.flag("--use-cdi", options.use_cdi,
                         "Name CDI devices to the container runtime (kubelet 1.28 and later)");
  offer
      .flag("--cdi-annotations", options.cdi.annotations,
            "Name them by annotations too, for kubelets that do not know the field")
      ->needs(cdi);
}

void add_place_options(CLI::App& app, Options& options) {
  Group places(app, "Places");
  places.text("--kubelet-dir", options.kubelet_dir, "DIR",
              "Folder of device-plugins and plugins_registry");
  places.text("--cdi-dir", options.cdi.folder, "DIR", "Where CDI spec files go");
  places.text("--devinfo-dir", options.devinfo_dir, "DIR", "Where device-info files go");
  places.text("--run-dir", options.roots.run, "DIR", "Records of this boot");
  places.text("--state-dir", options.state_dir, "DIR", "What outlives a boot");
  places.text("--sysfs-root", options.roots.sysfs, "DIR", "Where sysfs is");
  places.text("--proc-root", options.roots.proc, "DIR", "Where proc is");
}

void add_cluster_options(CLI::App& app, Options& options) {
  auto& cluster = options.cluster;
  Group group(app, "The cluster");
  group.flag("--cluster", cluster.is_followed,
             "Follow the API server, as this pod's service account: networks for the CNI program, "
             "network-status of pods");
  app.add_option_function<std::string>(
         "--kubeconfig",
         [&](const std::string& file) {
           cluster.kubeconfig = file;
           cluster.is_followed = true;
         },
         "The same, as the user of this file")
      ->type_name("FILE")
      ->group("The cluster");
  group.flag(
      "--claim-status", cluster.tells_claims,
      "With --cluster: write into ResourceClaims what a pod's interfaces on their devices are");
  group.flag("--node-condition", cluster.has_condition,
             "With --cluster: write the Node's condition RailheadReady");
  app.add_flag_callback(
         "--networks-only",
         [&] {
           cluster.is_alone = true;
           cluster.is_followed = true;
         },
         "Follow it and nothing else, for the CNI program: no kubelet, no configuration, no "
         "devices")
      ->group("The cluster");
  group
      .text("--node-name", cluster.node, "NAME",
            "This node's name in the API (default: as the pod's token says, else the host's name)")
      ->envname("NODE_NAME");
  // A pod's environment; nobody gives them by hand.
  app.add_option("--service-host", cluster.service_host)
      ->envname("KUBERNETES_SERVICE_HOST")
      ->group("");
  app.add_option("--service-port", cluster.service_port)
      ->envname("KUBERNETES_SERVICE_PORT")
      ->group("");
}

void add_log_options(CLI::App& app, Options& options) {
  Group logs(app, "Logs, metrics, life");
  logs.read(
      "--log-level", [&](const std::string& text) { options.log_level = log_level_of(text); },
      "LEVEL", "debug, info, warning or error; a number is glog's: 0 is info, more is debug");
  app.add_flag_callback(
         "--log-json", [&] { options.log_format = Logger::Format::json; }, "Log lines as JSON")
      ->group("Logs, metrics, life");
  logs.text("--log-dir", options.log_dir, "DIR",
            "Taken and not used, for arguments written for sriov-network-device-plugin");
  logs.read(
      "--listen", [&](const std::string& text) { options.listen = listen_address_of(text); },
      "ADDR", "Answer HTTP (/metrics, /healthz, /readyz) on ADDRESS:PORT or unix:/PATH");
  logs.flag("--all-counters", options.all_counters,
            "Counters of RDMA devices that no pod holds, too");
  logs.text(
      "--probe-socket", options.probe_socket, "FILE",
      "Where probes and status are answered (default: probe.sock in /run/railhead-agent where "
      "that is, else in --run-dir)");
  logs.text("--pod-name", options.pod_name, "NAME",
            "Its own pod: agents that wait for its end are told, and kubelet must list it");
}

void add_topology_options(CLI::App& app, Options& options) {
  Group topology(app, "GPUs and topology");
  topology.text("--topology-file", options.topology_file, "FILE",
                "Where functions stand, in place of sysfs (NCCL's XML, or YAML)");
  topology.list(
      "--gpu-class",
      [&](const std::vector<std::string>& texts) {
        options.scan.gpu.classes.clear();
        for (const auto& text : texts) options.scan.gpu.classes.push_back(pci_class_of(text));
      },
      "CLASS", "PCI classes of GPUs (default 0302,0380,1200)");
  topology.list(
      "--gpu-vendor",
      [&](const std::vector<std::string>& texts) {
        options.scan.gpu.vendors.clear();
        for (const auto& text : texts) {
          if (text != "any") options.scan.gpu.vendors.push_back(vendor_of(text));
        }
      },
      "VENDOR", "PCI vendors of GPUs, or any (default 10de,1002)");
}

void add_ipam_commands(CLI::App& app, Options& options) {
  auto* ipam = app.add_subcommand("ipam", "Addresses over rails: check them, import nv-ipam's");
  ipam->require_subcommand(1);
  auto* check = ipam->add_subcommand(
      "check", "Prove that no two nodes have an address in common, print what each has");
  check
      ->add_option("file", options.ipam.files,
                   "NetworkAttachmentDefinitions or configurations; dumped pools of nv-ipam beside "
                   "them are compared")
      ->type_name("FILE")
      ->required();
  check
      ->add_option("--nodes", options.ipam.nodes_file,
                   "How a node's index is known: {\"list\": {\"node-a\": 0}}, {\"cidr\": …} or "
                   "{\"name\": \"gpu-*\"}")
      ->type_name("FILE")
      ->required();
  check->add_option("--node", options.ipam.nodes, "A node that is not in such a list")
      ->type_name("NAME=ADDRESS")
      ->allow_extra_args(false);
  check->callback([&] { options.command = Command::ipam_check; });
  auto* import = ipam->add_subcommand(
      "import", "Print what dumped CIDRPools or IPPools become, each of them a rail");
  import->add_option("file", options.ipam.files, "kubectl get -o yaml, with their status")
      ->type_name("FILE")
      ->required();
  import
      ->add_option("--held", options.ipam.held_file,
                   "Addresses that leases of nv-ipam still hold, one on a line: they are excluded")
      ->type_name("FILE");
  import->callback([&] { options.command = Command::ipam_import;
});
}  // namespace

void add_commands(CLI::App& app, Options& options) {
  auto* inventory = app.add_subcommand(
      "inventory", "Print the node: NUMA, PCIe switches, GPUs, PFs, VFs, RDMA, IOMMU groups");
  inventory->add_flag("--json", options.json, "For programs");
  inventory->callback([&] { options.command = Command::inventory; });
  auto* topology =
      app.add_subcommand("topology", "Print how far GPUs and network ports are from each other");
  auto* json = topology->add_flag("--json", options.json, "For programs");
  topology->add_option("--svg", options.svg_file, "Write a drawing to this file (- for stdout)")
      ->type_name("FILE")
      ->excludes(json);
  topology->callback([&] { options.command = Command::topology; });
  app.add_subcommand("explain", "Print for each device which resource takes it, and why not others")
      ->callback([&] { options.command = Command::explain; });
  auto* check = app.add_subcommand(
      "check-config", "Say all that is wrong with a configuration, and what it takes of this node");
  check->add_option("file", options.checked_files, "Files or folders, taken together")
      ->type_name("FILE")
      ->required();
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
  add_ipam_commands(app, options);
  for (auto* command : app.get_subcommands({})) {
    command->footer(
        "The options of railhead-agent hold here too, above all --config-file, --topology-file,\n"
        "--gpu-class, --resource-prefix and --sysfs-root: see railhead-agent --help.");
  }
}

}  // namespace railhead::app

namespace {

// What means nothing without another option, or harms beside it.
void check_together(const CLI::App& app, const ClusterOptions& cluster) {
  for (const auto* option : {"--claim-status", "--node-condition"}) {
    if (app.count(option) != 0 && (!cluster.is_followed || cluster.is_alone)) {
      throw CLI::ValidationError(fmt::format(
          "{}: expected --cluster or --kubeconfig with it, and no --networks-only", option));
    }
  }
  if (cluster.is_alone && app.count("--run-dir") == 0) {
    throw CLI::ValidationError(
        "--networks-only: expected --run-dir, a folder that no other agent has: the conflist's "
        "agentDir");
  }
}

}  // namespace

std::variant<Options, Exit> parse_command_line(int argc, const char* const* argv) {
  Options options;
  CLI::App app("Offers this node's SR-IOV VFs and RDMA devices to kubelet.", "railhead-agent");
  app.set_version_flag("--version", "railhead-agent " RAILHEAD_VERSION);
  app.fallthrough();
  app.require_subcommand(0, 1);
  app.footer(kExamples);
  app.get_formatter()->column_width(34);
  add_offer_options(app, options);
  add_topology_options(app, options);
  add_cluster_options(app, options);
  add_log_options(app, options);
  add_place_options(app, options);
  add_commands(app, options);

  const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  const auto is_own = [&](const std::string& name) {
    return app.get_option_no_throw(name) != nullptr;
  };
  try {
    auto flags = take_go_flags(arguments, is_own);
    if (!flags) throw CLI::ValidationError(flags.error().message);
    app.parse(std::vector<std::string>(flags->rest.rbegin(), flags->rest.rend()));  // from the end
    check_together(app, options.cluster);
    options.warnings = std::move(flags->warnings);
    if (flags->verbosity && app.count("--log-level") == 0) {
      options.log_level = level_of_verbosity(*flags->verbosity);
    }
  } catch (const CLI::ParseError& error) {
    return Exit{app.exit(error) == 0 ? kDone : kWrongUse};
  }
  return options;
}

}  // namespace railhead::app
