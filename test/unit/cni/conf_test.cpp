#include "cni/conf.hpp"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include "cnispec/net_conf.hpp"

using namespace railhead;
using namespace railhead::cni;

TEST_CASE("The log's keys never fail") {
  CHECK(read_log_conf(*cnispec::parse_config(R"({"logFile":"/x","logLevel":"debug"})")) ==
        LogConf{"/x", LogLevel::debug});
  CHECK(read_log_conf(*cnispec::parse_config(R"({"logFile":5,"logLevel":"loud"})")) ==
        LogConf{"", LogLevel::info});
}

TEST_CASE(
    "A call takes as long as its configuration says, within bounds, else what kubelet gives") {
  using cnispec::Command;
  using std::chrono::seconds;
  const auto budget = [](const char* text, Command command) {
    return read_budget(*cnispec::parse_config(text), command);
  };
  CHECK(budget("{}", Command::add) == seconds(90));
  CHECK(budget("{}", Command::del) == seconds(45));
  CHECK(budget(R"({"addTimeout":120,"delTimeout":60})", Command::add) == seconds(120));
  CHECK(budget(R"({"addTimeout":120,"delTimeout":60})", Command::del) == seconds(60));
  for (const auto* bad : {R"({"addTimeout":24})", R"({"addTimeout":601})", R"({"addTimeout":"9"})",
                          R"({"addTimeout":-1})"}) {
    CHECK(budget(bad, Command::add) == seconds(90));
    CHECK_FALSE(check_budgets(*cnispec::parse_config(bad)));
  }
  CHECK(check_budgets(*cnispec::parse_config(R"({"delTimeout":5})")).error().message ==
        "delTimeout 5: expected 25 to 600 seconds");
  CHECK(check_budgets(*cnispec::parse_config(R"({"addTimeout":25,"delTimeout":600})")));
}
