#include "cni/app.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/unique_fd.hpp"
#include "cni/command/command.hpp"
#include "cni/conf.hpp"
#include "cni/meta/meta.hpp"
#include "cni/meta/meta_conf.hpp"
#include "cnispec/cni_error.hpp"
#include "cnispec/version.hpp"

namespace railhead::cni {

using cnispec::Command;
using cnispec::Environment;

namespace {

constexpr std::string_view kAbout =
    "Railhead CNI " RAILHEAD_VERSION ": gives SR-IOV VFs with their RDMA devices to pods\n";

constexpr std::string_view kLogFolder = "/var/log/railhead";

constexpr std::string_view kHelp =
    "\n"
    "A container runtime or a meta plugin runs this program.\n"
    "It answers to the plugin types \"railhead\", \"sriov\", \"ib-sriov\", \"rdma\",\n"
    "\"host-device\" and \"amd-host-device\", each one interface, and to \"railhead-meta\" and\n"
    "\"multus\", which give a pod all its networks.\n"
    "\n"
    "  CNI_COMMAND      ADD, DEL, CHECK, GC, STATUS or VERSION\n"
    "  CNI_CONTAINERID  the container (ADD, DEL, CHECK)\n"
    "  CNI_IFNAME       the interface's name in the pod (ADD, DEL, CHECK)\n"
    "  CNI_NETNS        path of the pod's network namespace (ADD, CHECK)\n"
    "  CNI_PATH         folders of the plugins, for IPAM\n"
    "  CNI_ARGS         K=V;K=V\n"
    "  RAILHEAD_LOG_DIR where a configuration's logFile may be; default /var/log/railhead\n"
    "  standard input   the network configuration, JSON\n"
    "\n"
    "Its records are in /run/railhead and /var/lib/railhead. Try: CNI_COMMAND=VERSION railhead\n"
    "\n"
    "For whoever looks after the node (each has its own --help):\n"
    "\n"
    "  railhead state      the devices on record, with their pods\n"
    "  railhead reconcile  gives back what is nobody's\n"
    "  railhead release    gives back a device by hand\n"
    "  railhead install    puts this program and its conflist on the node, or takes them away\n";

std::string versions_line() {
  return fmt::format("CNI protocol versions supported: {}\n",
                     fmt::join(cnispec::kSupportedVersions, ", "));
}

// Opens the file that a configuration names, below the folder and through no symbolic link: whoever
// may write a configuration must not have root write elsewhere. And only if it can be a log, which
// must neither stop the work nor make it wait (a FIFO without a reader).
Result<UniqueFd> open_log(const std::string& folder, const std::string& path) {
  if (!path.starts_with(folder + '/')) {
    return fail(ErrorCode::invalid_argument, "it is not below {}", folder);
  }
  if (auto made = host::make_directories(folder, 0700); !made) return pass(made);
  const auto directory = host::Directory::open(folder);
  if (!directory) return pass(directory);
  open_how how{};
  how.flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
  how.mode = 0600;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
  const auto name = path.substr(folder.size() + 1);
  UniqueFd file(
      static_cast<int>(::syscall(SYS_openat2, directory->fd(), name.c_str(), &how, sizeof(how))));
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0) return fail_errno(errno, "open");
  if (!S_ISREG(status.st_mode)) return fail(ErrorCode::invalid_argument, "it is no file");
  return file;
}

// A DEL whose configuration is refused: IPAM cannot be asked, but what was given is given back by
// its record, as far as that can be found.
Result<> free_device(const Environment& environment, const cnispec::Request& request,
                     const nlohmann::ordered_json& config, const std::string& input,
                     host::Host& host) {
  const auto network = cnispec::read_network_name(config);
  std::vector<Error> unread;
  const auto type = go_json::Object(config, "", unread).string("type").value_or("");
  Logger log(STDERR_FILENO, LogLevel::info);
  if (is_meta_type(type)) {
    const cnispec::NetConf conf{{}, network.value_or(""), type, {}};
    const auto done =
        run_meta(Command::del, {environment, request, conf, config, input, host, log});
    return done ? Result<>() : pass(done);
  }
  if (!network) return {};
  const Deadline deadline(host.clock, read_budget(config, cnispec::Command::del), {});
  const auto detached = attach::Attachments(host, deadline, log)
                            .detach({*network, request.container_id, request.ifname}, request.netns,
                                    type_of(type).predecessor);
  return as_result(detached.error);
}

// One interface, of a type of this program's.
Result<std::string> run_type(Command command, const MetaCall& call) {
  Ipam ipam(call.conf.ipam_type, call.environment, call.input, call.host);
  const bool is_add = command == Command::add;
  const Deadline deadline(call.host.clock, read_budget(call.config, command),
                          is_add ? kUndoReserve : std::chrono::seconds(0));
  return run_verb(command, Call{call.request, call.conf, call.config, type_of(call.conf.type),
                                deadline, ipam, call.host, call.log});
}

Result<std::string> serve(const Environment& environment, const std::string& input,
                          host::Host& host) {
  const auto request = cnispec::read_request(environment);
  if (!request) return pass(request);
  const auto config = cnispec::parse_config(input);
  if (!config) return pass(config);
  const auto conf = cnispec::read_net_conf(*config);
  const auto command = conf ? cnispec::admit(*request, *conf) : pass(conf);
  if (!command) {
    if (request->command != Command::del) return pass(command);
    return pass(both(pass(command), free_device(environment, *request, *config, input, host)));
  }

  const auto log_conf = read_log_conf(*config);
  std::string log_folder(cnispec::value_of(environment, "RAILHEAD_LOG_DIR"));
  if (log_folder.empty()) log_folder = kLogFolder;
  const auto log_file =
      log_conf.file.empty() ? Result<UniqueFd>() : open_log(log_folder, log_conf.file);
  Logger log(log_file && *log_file ? log_file->get() : STDERR_FILENO, log_conf.level);
  if (!log_file) {
    log.warning("cannot write the log file, standard error instead",
                {{"file", log_conf.file}, {"error", log_file.error().message}});
  }
  const MetaCall call{environment, *request, *conf, *config, input, host, log};
  auto done = is_meta_type(conf->type) ? run_meta(*command, call) : run_type(*command, call);
  if (!done) {
    log.error(fmt::format("{} failed", request->verb), {{"network", conf->name},
                                                        {"container", request->container_id},
                                                        {"ifname", request->ifname},
                                                        {"code", cnispec::code_of(done.error())},
                                                        {"error", done.error().text()}});
  }
  return done;
}

}  // namespace

std::optional<Answer> answer_alone(const std::vector<std::string>& arguments,
                                   const Environment& environment) {
  if (!arguments.empty() && (arguments[0] == "--help" || arguments[0] == "-h")) {
    return Answer{0, std::string(kAbout) + std::string(kHelp), {}};
  }
  if (!arguments.empty() && arguments[0] == "--version") {
    return Answer{0, "railhead " RAILHEAD_VERSION "\n" + versions_line(), {}};
  }
  const auto verb = cnispec::value_of(environment, "CNI_COMMAND");
  if (verb.empty() && !arguments.empty()) {
    return Answer{
        1, {}, fmt::format("railhead: unknown argument '{}'; try --help\n", arguments[0])};
  }
  if (verb.empty()) return Answer{0, {}, std::string(kAbout) + versions_line()};
  if (verb == "VERSION") return Answer{0, cnispec::version_json(), {}};
  return std::nullopt;
}

Answer failure(const Error& error) { return {1, cnispec::to_json(error), {}}; }

Answer run(const Environment& environment, const std::string& input, host::Host& host) {
  auto output = serve(environment, input, host);
  if (!output) return failure(output.error());
  return {0, std::move(*output), {}};
}

}  // namespace railhead::cni
