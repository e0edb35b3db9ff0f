#include "test/support/kubelet/commands.hpp"

#include <catch2/catch_test_macros.hpp>

#include "test/unit/kubelet/node.hpp"

using namespace railhead;
using namespace railhead::test;

TEST_CASE("The fake kubelet's commands answer in JSON, one line each") {
  Node node;
  TestPool pool("rdma/vf");
  pool.set_answer([](const auto& ids) -> Result<kubelet::ContainerAllocation> {
    return kubelet::ContainerAllocation{.envs = {{"IDS", fmt::format("{}", fmt::join(ids, ","))}},
                                        .devices = {{"/dev/a", "/dev/b", "rw"}}};
  });
  const auto run = [&](const char* line) { return run_command(node.kubelet, line); };
  auto session = node.serve({&pool});
  CHECK(run("wait rdma/vf 2 5") == R"({"healthy":2})");
  CHECK(run("resources") == R"({"rdma/vf":[{"id":"0000:00:00.0","healthy":true,"numa":[0]},)"
                            R"({"id":"0000:00:00.1","healthy":true,"numa":[0]}]})");
  CHECK(run("lists rdma/vf") == R"({"lists":1,"registrations":1})");
  CHECK(run("allocate p c rdma/vf 0000:00:00.1,0000:00:00.0") ==
        R"({"ids":["0000:00:00.1","0000:00:00.0"],"envs":{"IDS":"0000:00:00.1,0000:00:00.0"},)"
        R"("devices":[{"host_path":"/dev/a","container_path":"/dev/b","permissions":"rw"}],)"
        R"("mounts":[],"annotations":{},"cdi_devices":[]})");
  CHECK(run("allocate q c rdma/vf 1") ==
        R"({"error":"requested number of devices unavailable for rdma/vf. Requested: 1, )"
        R"(Available: 0"})");
  CHECK(run("admit p") == R"({"admitted":"p"})");
  CHECK(run("remove p") == R"({"removed":"p"})");
  CHECK(run("restart") == R"({"restarted":true})");
  CHECK(run("wait rdma/vf 2 5") == R"({"healthy":2})");
  CHECK(run("allocate q c rdma/vf 1").starts_with(R"({"ids":["0000:00:00.)"));
  CHECK(run("wait rdma/vf 3 0").starts_with(R"({"error":"rdma/vf has 2 healthy devices)"));
  CHECK(run("sing") == R"({"error":"unknown command 'sing'"})");
}
