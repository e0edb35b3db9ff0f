// The built program, run as a container runtime runs it.
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <nlohmann/json.hpp>

#include "base/clock.hpp"
#include "cnispec/request.hpp"
#include "host/files.hpp"
#include "linux/processes.hpp"
#include "test/support/must.hpp"
#include "test/support/temporary_folder.hpp"

using namespace railhead;
using namespace railhead::test;
using Catch::Matchers::ContainsSubstring;

namespace {

host::ProcessResult run(const cnispec::Environment& environment, const std::string& input = "") {
  SystemClock clock;
  return must(linux::LinuxProcesses(clock).run(
      {.program = RAILHEAD_PROGRAM, .environment = environment, .input = input}));
}

cnispec::Environment complete(const std::string& verb) {
  return {"CNI_COMMAND=" + verb, "CNI_CONTAINERID=c1", "CNI_IFNAME=net1",
          "CNI_NETNS=/proc/self/ns/net", "CNI_PATH=/none"};
}

}  // namespace

TEST_CASE("The program answers VERSION on standard output") {
  const auto result = run({"CNI_COMMAND=VERSION"});
  CHECK(result.exit_code == 0);
  CHECK(nlohmann::json::parse(result.output).at("supportedVersions").size() == 7);
  CHECK(result.error_output.empty());
}

TEST_CASE("The program run by hand tells what it is and ends well") {
  const auto result = run({});
  CHECK(result.exit_code == 0);
  CHECK(result.output.empty());
  CHECK_THAT(result.error_output, ContainsSubstring("CNI protocol versions supported"));
}

TEST_CASE("The program prints each error as JSON on standard output and ends with 1") {
  struct Row {
    cnispec::Environment environment;
    const char* input;
    int code;
  };
  const std::string sriov = R"({"cniVersion":"1.0.0","name":"n","type":"sriov")";
  const std::string bad_vlan = sriov + R"(,"deviceID":"0000:11:00.0","vlan":5000})";
  const std::string good = sriov + R"(,"deviceID":"0000:11:00.0"})";
  for (const auto& [environment, input, code] :
       std::initializer_list<Row>{{{"CNI_COMMAND=ADD"}, "", 4},
                                  {complete("ADD"), "", 6},
                                  {complete("ADD"), "{\"name\":", 6},
                                  {complete("ADD"), "{}", 7},
                                  {complete("ADD"), bad_vlan.c_str(), 7},
                                  {complete("ADD"), good.c_str(), 8},
                                  {complete("GC"), good.c_str(), 1},
                                  {complete("NOPE"), good.c_str(), 4}}) {
    INFO(environment[0] << " " << input);
    const auto result = run(environment, input);
    CHECK(result.exit_code == 1);
    const auto json = nlohmann::json::parse(result.output);
    CHECK(json.at("code") == code);
    CHECK_FALSE(json.at("msg").get<std::string>().empty());
  }
}

// A sanitizer takes more address space than there would be.
#ifndef RAILHEAD_SANITIZED
TEST_CASE("The program without memory tells so as an internal error") {
  const TemporaryFolder folder;
  const auto script = folder.path() + "/program";
  must(host::write_file_atomically(script, "#!/bin/sh\nulimit -v 5000\nexec " RAILHEAD_PROGRAM "\n",
                                   0755));
  SystemClock clock;
  const auto result = must(linux::LinuxProcesses(clock).run(
      {.program = script, .environment = complete("ADD"), .input = std::string(1'000'000, ' ')}));
  CHECK(result.exit_code == 1);
  CHECK(nlohmann::json::parse(result.output).at("code") == 999);
}
#endif

TEST_CASE("The program refuses endless input") {
  const auto result = run(complete("ADD"), std::string((1 << 20) + 1, ' '));
  CHECK(result.exit_code == 1);
  CHECK(nlohmann::json::parse(result.output).at("code") == 5);
}
