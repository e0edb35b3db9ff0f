// The agent while its configuration changes.
#include <sys/stat.h>

#include "test/unit/app/agent_node.hpp"

namespace railhead::test {

TEST_CASE("a pool that the new configuration names too keeps its stream; others come and go") {
  AgentNode node;
  node.start();
  REQUIRE(node.run_until_healthy("rdma/vf", 4));
  node.write_config(R"({"resourceList":[{"resourceName":"vf","resourcePrefix":"rdma",
                        "selectors":{"pfNames":["p1"],"isRdma":true}},
                       {"resourceName":"other","resourcePrefix":"rdma",
                        "selectors":{"pfNames":["p0#0-1"]}}]})");
  CHECK(node.run_until_healthy("rdma/other", 2));
  CHECK(node.seen("rdma/vf").registrations == 1);
  // Of the pool that is gone no socket is left.
  for (const auto& file :
       fs::directory_iterator(node.folder.path() + "/kubelet/plugins_registry")) {
    CHECK(file.path().string().find("none") == std::string::npos);
  }
}

TEST_CASE("a resource with new selectors gets other devices on the stream it has") {
  AgentNode node;
  node.start();
  REQUIRE(node.run_until_healthy("rdma/vf", 4));
  node.write_config(R"({"resourceList":[{"resourceName":"vf","resourcePrefix":"rdma",
                        "selectors":{"pfNames":["p0#1"],"isRdma":true}}]})");
  REQUIRE(node.run_until_healthy("rdma/vf", 1));
  CHECK(node.seen("rdma/vf").devices.contains(mlx5_vf(0, 1).to_string()));
  CHECK(node.seen("rdma/vf").registrations == 1);
}

TEST_CASE(
    "with a configuration that is wrong the old one stays in force, until a right one comes") {
  AgentNode node(kOnePool);
  node.start();
  REQUIRE(node.run_until_healthy("rdma/vf", 4));
  node.write_config("{\"resourceList\":[");
  node.agent->reload();
  CHECK(node.seen("rdma/vf").healthy() == 4);
  node.write_config(kTwoPools);
  REQUIRE(node.run_until([&] { return node.seen("rdma/none").lists > 0; }));
  CHECK(node.seen("rdma/vf").registrations == 1);
}

TEST_CASE("an empty list withdraws the devices, and the agent starts with one") {
  AgentNode node(R"({"resourceList":null})");
  node.stand_by();
  must(node.agent->serve());
  REQUIRE(node.run_until([&] { return node.agent->state().troubles.empty(); }));
  CHECK(node.agent->state().pools.empty());
  node.write_config(kOnePool);
  REQUIRE(node.run_until_healthy("rdma/vf", 4));
  node.write_config(R"({"resourceList":null})");
  CHECK(node.run_until([&] { return node.agent->state().pools.empty(); }));
  CHECK(node.agent->state().config_current);
}

TEST_CASE("a wrong word in one resource costs that one, at start and live") {
  const std::string good =
      R"({"resourceName":"vf","resourcePrefix":"rdma","selectors":{"pfNames":["p1"],"isRdma":true}})";
  AgentNode node(R"({"resourceList":[{"resourceName":"b a d","selectors":{}},)" + good + "]}");
  node.start();
  REQUIRE(node.run_until_healthy("rdma/vf", 4));
  node.write_config(R"({"resourceList":[{"resourceName":"new","resourcePrefix":"rdma",
                        "selectors":{"pfNames":["p0#0"]}},{"resourceName":"x"},)" +
                    good + "]}");
  CHECK(node.run_until_healthy("rdma/new", 1));
  CHECK(node.seen("rdma/vf").healthy() == 4);
}

TEST_CASE("a ConfigMap that kubelet replaces is read anew") {
  AgentNode node;
  // As kubelet lays it out: config.json -> ..data/config.json, ..data -> ..<time>.
  const auto etc = node.folder.path() + "/etc";
  const auto publish = [&](const std::string& version, const char* text) {
    fs::create_directories(etc + "/.." + version);
    std::ofstream(etc + "/.." + version + "/config.json") << text;
    fs::create_directory_symlink(".." + version, etc + "/..data_tmp");
    fs::rename(etc + "/..data_tmp", etc + "/..data");
  };
  publish("1", kOnePool);
  fs::remove(etc + "/config.json");
  fs::create_symlink("..data/config.json", etc + "/config.json");
  node.start();
  REQUIRE(node.run_until_healthy("rdma/vf", 4));
  publish("2", kTwoPools);
  CHECK(node.run_until([&] { return node.seen("rdma/none").lists > 0; }));
}

TEST_CASE("an agent does not start with a configuration that is wrong") {
  AgentNode node("{\"resourceList\":[");
  Logger quiet(-1, LogLevel::error);
  node.agent.emplace(node.options, node.host, *node.loop, node.events, node.kernel.adapters(),
                     node.metrics, quiet);
  CHECK(is(node.agent->start(), ErrorCode::invalid_argument));
}

TEST_CASE("an agent starts from the last configuration that was right, and is not ready") {
  AgentNode node(kOnePool);
  node.start();
  REQUIRE(node.run_until_healthy("rdma/vf", 4));
  node.stop();
  node.write_config("{\"resourceList\":[");
  node.log = Logger(-1, LogLevel::error);
  node.start();
  CHECK(node.run_until_healthy("rdma/vf", 4));
  CHECK_FALSE(node.agent->state().config_current);
  CHECK(node.run_until([&] { return node.agent->state().troubles.size() == 1; }));
  struct stat info {};
  REQUIRE(stat((node.options.state_dir + "/config.last").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);

  node.write_config(kTwoPools);
  CHECK(node.run_until([&] { return node.agent->state().troubles.empty(); }));
  CHECK(node.agent->state().config_current);
}

}  // namespace railhead::test
