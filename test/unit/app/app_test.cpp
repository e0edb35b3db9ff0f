#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "host/files.hpp"
#include "plugin/app/command_line.hpp"
#include "plugin/app/inputs.hpp"
#include "test/support/captured_stdout.hpp"
#include "test/support/must.hpp"
#include "test/support/temporary_folder.hpp"

namespace railhead::test {
namespace {

using Catch::Matchers::ContainsSubstring;

std::variant<app::Options, app::Exit> parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "railhead-agent");
  return app::parse_command_line(static_cast<int>(arguments.size()), arguments.data());
}

app::Options options(const std::vector<const char*>& arguments) {
  const auto parsed = parse(arguments);
  REQUIRE(std::holds_alternative<app::Options>(parsed));
  return std::get<app::Options>(parsed);
}

int exit_code(const std::vector<const char*>& arguments) {
  const auto parsed = parse(arguments);
  REQUIRE(std::holds_alternative<app::Exit>(parsed));
  return std::get<app::Exit>(parsed).code;
}

}  // namespace

TEST_CASE("without arguments the agent serves, from the established places") {
  const auto parsed = options({});
  CHECK(parsed.command == app::Command::serve);
  CHECK(parsed.config_file == "/etc/pcidp/config.json");
  CHECK(parsed.resource_prefix == "intel.com");
}

TEST_CASE("log levels are names, or a verbosity") {
  CHECK(options({"--log-level=warning"}).log_level == LogLevel::warning);
  CHECK(options({"--log-level=10"}).log_level == LogLevel::debug);
  CHECK(exit_code({"--log-level=loud"}) == app::kWrongUse);
}

TEST_CASE("the command lines by which operators start the peers' images are taken") {
  const auto sriov_operator = options({"--log-level=10", "--resource-prefix=openshift.io",
                                       "--config-file=/etc/pcidp/node-1", "--use-cdi"});
  CHECK(sriov_operator.command == app::Command::serve);
  CHECK(sriov_operator.resource_prefix == "openshift.io");
  CHECK(sriov_operator.config_file == "/etc/pcidp/node-1");
  CHECK(sriov_operator.use_cdi);
  CHECK(sriov_operator.log_level == LogLevel::debug);
  const auto network_operator = options({"--log-dir=sriovdp", "--log-level=10", "--use-cdi"});
  CHECK(network_operator.command == app::Command::serve);
  CHECK(network_operator.log_dir == "sriovdp");
  CHECK(network_operator.use_cdi);
  CHECK(network_operator.warnings.empty());
}

TEST_CASE("flags of glog are taken with a warning, in each of Go's spellings") {
  const auto parsed =
      options({"-logtostderr", "--alsologtostderr=true", "-stderrthreshold=INFO", "--vmodule",
               "pool=3", "-log_dir", "/var/log", "--log_file=/tmp/x", "--config-file", "c.json"});
  CHECK(parsed.config_file == "c.json");
  REQUIRE(parsed.warnings.size() == 6);
  CHECK_THAT(parsed.warnings[0],
             ContainsSubstring("-logtostderr is a flag of glog: taken and not used"));
  CHECK_THAT(parsed.warnings[3], ContainsSubstring("--vmodule is a flag of glog"));
  CHECK(exit_code({"--log_dir"}) == app::kWrongUse);
}

TEST_CASE("glog's verbosity is a log level, unless one is given") {
  for (const auto& arguments : std::initializer_list<std::vector<const char*>>{
           {"-v", "4"}, {"-v=4"}, {"--v=4"}, {"--v", "10"}}) {
    const auto parsed = options(arguments);
    CHECK(parsed.log_level == LogLevel::debug);
    REQUIRE(parsed.warnings.size() == 1);
    CHECK_THAT(parsed.warnings[0], ContainsSubstring("is a flag of glog: taken as --log-level="));
  }
  CHECK(options({"-v=0"}).log_level == LogLevel::info);
  CHECK(options({"-v=4", "--log-level=warning"}).log_level == LogLevel::warning);
  CHECK(exit_code({"-v=high"}) == app::kWrongUse);
}

TEST_CASE("-v without a number prints the version, as k8s-rdma-shared-dev-plugin's does") {
  CHECK(exit_code({"-v"}) == app::kDone);
  CHECK(exit_code({"-v", "--use-cdi"}) == app::kDone);
}

TEST_CASE("the help has groups, says what an option takes, examples and exit codes") {
  const auto help = captured_stdout([] { CHECK(exit_code({"--help"}) == app::kDone); });
  for (const auto* expected : {"What is offered:\n  --config-file FILE=/etc/pcidp/config.json",
                               "\nPlaces:\n", "--kubelet-dir DIR=", "--listen ADDR ",
                               "--pod-name NAME ", "\nExamples:\n", "\nExit codes:\n  0  done\n"}) {
    INFO(expected);
    CHECK_THAT(help, ContainsSubstring(expected));
  }
  CHECK_THAT(captured_stdout([] {
               CHECK(exit_code({"check-config", "--help"}) == app::kDone);
             }),
             ContainsSubstring("file FILE ... REQUIRED"));
}

TEST_CASE("one dash does for two, and a flag may say true or false, as in Go") {
  const auto parsed = options({"-config-file=c.json", "-resource-prefix", "p.io", "-use-cdi=true"});
  CHECK(parsed.config_file == "c.json");
  CHECK(parsed.resource_prefix == "p.io");
  CHECK(parsed.use_cdi);
  CHECK_FALSE(options({"--use-cdi=false"}).use_cdi);
  CHECK(exit_code({"-help"}) == app::kDone);
  CHECK(exit_code({"-no-such-option"}) == app::kWrongUse);
}

TEST_CASE("where no configuration is, the flag that names another place is told") {
  app::Options options;
  options.config_file = "/nowhere/config.json";
  const auto parsed = app::read_config(options.config_file, options.resource_prefix).parsed;
  REQUIRE(parsed.errors.size() == 1);
  CHECK_THAT(parsed.errors[0].message,
             ContainsSubstring("/nowhere/config.json") && ContainsSubstring("--config-file"));
}

TEST_CASE("the GPU predicate is settable, and options may follow a subcommand") {
  const auto parsed = options({"topology", "--gpu-class=00ff,0380", "--gpu-vendor", "any"});
  CHECK(parsed.command == app::Command::topology);
  CHECK(parsed.scan.gpu.classes == std::vector<uint16_t>{0x00ff, 0x0380});
  CHECK(parsed.scan.gpu.vendors.empty());
  CHECK(exit_code({"--gpu-class=3"}) == app::kWrongUse);
}

TEST_CASE("check-config takes several files, explain the configuration in force") {
  const auto check = options({"check-config", "a.json", "b"});
  CHECK(check.command == app::Command::check_config);
  CHECK(check.checked_files == std::vector<std::string>{"a.json", "b"});
  CHECK(exit_code({"check-config"}) == app::kWrongUse);
  CHECK(options({"explain", "--config-file=c"}).command == app::Command::explain);
}

TEST_CASE("several files are one configuration, and each that cannot be read is an error") {
  const TemporaryFolder folder;
  const auto first = folder.path() + "/a.json";
  const auto second = folder.path() + "/b.yaml";
  must(host::write_file_atomically(
      first, R"({"resourceList":[{"resourceName":"a","selectors":{}}]})", 0600));
  must(host::write_file_atomically(second, "pools: [{resourceName: a, selectors: {}}]", 0600));
  const auto parsed =
      app::read_config_files({first, second, folder.path() + "/none.json"}, "example.com");
  REQUIRE(parsed.errors.size() == 2);
  CHECK(parsed.errors.at(0).message.find("none.json") != std::string::npos);
  CHECK(parsed.errors.at(1).message ==
        fmt::format("{}: pools[0].resourceName: example.com/a is there already, at {}: "
                    "resourceList[0]; each name once",
                    second, first));
  CHECK(app::read_config_files({first}, "example.com").errors.empty());
}

TEST_CASE("inventory and topology print for programs, and topology draws, one at a time") {
  CHECK(options({"inventory", "--json"}).json);
  CHECK(options({"topology", "--json"}).json);
  CHECK(options({"topology", "--svg", "node.svg"}).svg_file == "node.svg");
  CHECK(exit_code({"topology", "--json", "--svg", "node.svg"}) == app::kWrongUse);
  CHECK(exit_code({"inventory", "--svg", "node.svg"}) == app::kWrongUse);
}

TEST_CASE("a topology file becomes part of what is looked at, and a bad one is an error") {
  const TemporaryFolder folder;
  Logger log(STDERR_FILENO, LogLevel::error);
  app::Options given;
  CHECK_FALSE(app::with_topology(given, log)->scan.topology);
  given.topology_file = folder.path() + "/topology";
  CHECK_FALSE(app::with_topology(given, log));
  must(host::write_file_atomically(given.topology_file, "hostBridges: [{devices: [3b:00.0]}]",
                                   0600));
  CHECK(app::with_topology(given, log).value().scan.topology->places.size() == 1);
  must(host::write_file_atomically(given.topology_file, "<system>", 0600));
  CHECK_FALSE(app::with_topology(given, log));
}

TEST_CASE("unknown options are refused, and CDI annotations without CDI") {
  CHECK(exit_code({"--cdi-annotations"}) == app::kWrongUse);
  CHECK(exit_code({"--no-such-option"}) == app::kWrongUse);
  CHECK(exit_code({"--help"}) == 0);
  CHECK(exit_code({"--version"}) == 0);
}

}  // namespace railhead::test
