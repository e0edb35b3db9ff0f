#include "cni/app.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <unistd.h>

#include "base/unique_fd.hpp"
#include "cni/command/command.hpp"
#include "cni/sriov_conf.hpp"
#include "cnispec/version.hpp"

namespace railhead::cni {

using cnispec::Command;
using cnispec::Environment;
using cnispec::Outcome;

namespace {

constexpr std::string_view kAbout =
    "Railhead CNI " RAILHEAD_VERSION ": gives SR-IOV VFs with their RDMA devices to pods\n";

constexpr std::string_view kHelp =
    "\n"
    "A container runtime or a meta plugin runs this program; it is not started by hand.\n"
    "It answers to the plugin types \"railhead\" and \"sriov\".\n"
    "\n"
    "  CNI_COMMAND      ADD, DEL, CHECK, GC, STATUS or VERSION\n"
    "  CNI_CONTAINERID  the container (ADD, DEL, CHECK)\n"
    "  CNI_IFNAME       the interface's name in the pod (ADD, DEL, CHECK)\n"
    "  CNI_NETNS        path of the pod's network namespace (ADD, CHECK)\n"
    "  CNI_PATH         folders of the plugins, for IPAM\n"
    "  CNI_ARGS         K=V;K=V\n"
    "  standard input   the network configuration, JSON\n"
    "\n"
    "Its records are in /run/railhead. Try: CNI_COMMAND=VERSION railhead\n";

std::string versions_line() {
  return fmt::format("CNI protocol versions supported: {}\n",
                     fmt::join(cnispec::kSupportedVersions, ", "));
}

// The file that the configuration names, if it can be one: a log must neither stop the work nor
// make it wait (a FIFO without a reader).
UniqueFd open_log(const std::string& path) {
  if (path.empty()) return {};
  UniqueFd file(::open(path.c_str(),
                       O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600));
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return {};
  return file;
}

Outcome<std::string> dispatch(Command command, const Call& call) {
  switch (command) {
    case Command::add:
      return add(call);
    case Command::del:
      return del(call);
    case Command::check:
      return check(call);
    case Command::gc:
      return gc(call);
    case Command::status:
      return status(call);
    case Command::version:
      return cnispec::version_json();
  }
  return cnispec::refuse(cnispec::code::kInternal, "a verb without code");
}

// A DEL whose configuration is refused: IPAM cannot be asked, but the VF is given back by its
// record, as far as that can be found.
Outcome<> free_device(const cnispec::Request& request, const nlohmann::ordered_json& config,
                      host::Host& host) {
  const auto network = cnispec::read_network_name(config);
  if (!network) return {};
  Logger log(STDERR_FILENO, LogLevel::info);
  return to_outcome(
      attach::Attacher(host, log).detach({*network, request.container_id, request.ifname}));
}

Outcome<std::string> serve(const Environment& environment, const std::string& input,
                           host::Host& host) {
  const auto request = cnispec::read_request(environment);
  if (!request) return cnispec::refuse(request.error());
  const auto config = cnispec::parse_config(input);
  if (!config) return cnispec::refuse(config.error());
  const auto conf = cnispec::read_net_conf(*config);
  const auto command = conf ? cnispec::admit(*request, *conf) : cnispec::refuse(conf.error());
  if (!command) {
    const auto refused = Outcome<>(cnispec::refuse(command.error()));
    if (request->command != Command::del) return cnispec::refuse(refused.error());
    return cnispec::refuse(both(refused, free_device(*request, *config, host)).error());
  }

  const auto log_conf = read_log_conf(*config);
  const auto log_file = open_log(log_conf.file);
  Logger log(log_file ? log_file.get() : STDERR_FILENO, log_conf.level);
  if (!log_conf.file.empty() && !log_file) {
    log.warning("cannot write the log file, standard error instead", {{"file", log_conf.file}});
  }
  Ipam ipam(conf->ipam_type, environment, input, host.processes);
  auto done = dispatch(*command, Call{*request, *conf, *config, ipam, host, log});
  if (!done) {
    log.error(fmt::format("{} failed", request->verb), {{"network", conf->name},
                                                        {"container", request->container_id},
                                                        {"ifname", request->ifname},
                                                        {"code", done.error().code},
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

Answer failure(const cnispec::CniError& error) { return {1, cnispec::to_json(error), {}}; }

Answer run(const Environment& environment, const std::string& input, host::Host& host) {
  auto output = serve(environment, input, host);
  if (!output) return failure(output.error());
  return {0, std::move(*output), {}};
}

}  // namespace railhead::cni
