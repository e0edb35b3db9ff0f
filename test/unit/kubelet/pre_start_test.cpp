#include <algorithm>
#include <set>
#include <stdexcept>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "kubelet/checkpoint.hpp"
#include "plugin/kubelet/saved_answer.hpp"
#include "test/unit/kubelet/node.hpp"

using namespace railhead;
using namespace railhead::test;
using namespace std::chrono_literals;

namespace {

using Starts = std::vector<std::vector<std::string>>;

// Puts the devices of each start, sorted, into `starts`.
void note_starts(TestPool& pool, Starts& starts) {
  pool.set_start([&starts](auto ids) {
    std::ranges::sort(ids);
    starts.push_back(ids);
    return Result<void>();
  });
}

}  // namespace

TEST_CASE("Each start of a container asks its pools with the devices that it has of each") {
  Node node({.plugin_watcher = GENERATE(true, false),
             .version = GENERATE(KubeletVersion::v1_20, KubeletVersion::v1_36)});
  TestPool vfs(kVf, 4);
  TestPool hcas("example.com/hca");
  Starts vf_starts;
  Starts hca_starts;
  note_starts(vfs, vf_starts);
  note_starts(hcas, hca_starts);
  vfs.set_answer([](const auto&) -> Result<kubelet::ContainerAllocation> {
    return kubelet::ContainerAllocation{.devices = {{"/dev/a", "/dev/b", "rw"}}};
  });
  auto session = node.serve({&vfs, &hcas});
  REQUIRE(node.kubelet.wait_for_healthy(kVf, 4));
  REQUIRE(node.kubelet.wait_for_healthy("example.com/hca", 2));
  must(node.kubelet.allocate("p", "c", {{kVf, 2}, {"example.com/hca", 1}}));
  CHECK(vf_starts.empty());
  const auto first = must(node.kubelet.start_container("p", "c"));
  REQUIRE(vf_starts.size() == 1);
  CHECK(vf_starts.front().size() == 2);
  REQUIRE(hca_starts.size() == 1);
  CHECK(hca_starts.front().size() == 1);
  // It has what Allocate answered, without another Allocate.
  REQUIRE(first.size() == 2);
  CHECK(first.front().response.devices(0).host_path() == "/dev/a");
  must(node.kubelet.start_container("p", "c"));
  CHECK(vf_starts == Starts{vf_starts.front(), vf_starts.front()});
  CHECK(must(node.kubelet.start_container("other", "c")).empty());
  CHECK(vf_starts.size() == 2);
}

TEST_CASE(
    "Why a container must not start is what the user reads, and it starts when that is over") {
  Node node;
  TestPool pool(kVf);
  bool refuses = true;
  pool.set_start([&](const auto&) -> Result<void> {
    if (!std::exchange(refuses, false)) return {};
    return fail(ErrorCode::busy, "it was given uverbs2; delete the pod");
  });
  auto session = node.serve({&pool});
  REQUIRE(node.kubelet.wait_for_healthy(kVf, 2));
  must(node.kubelet.allocate("p", "c", kVf, 1));
  const auto refused = node.kubelet.start_container("p", "c");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message ==
        "device plugin PreStartContainer rpc failed with err: rpc error: code = FailedPrecondition "
        "desc = it was given uverbs2; delete the pod");
  CHECK(node.log.text().find("it was given uverbs2") != std::string::npos);
  CHECK(node.kubelet.start_container("p", "c"));
}

TEST_CASE("A bug in a pool does not start a container, and the pool is still served") {
  Node node;
  TestPool pool(kVf);
  bool broken = true;
  pool.set_start([&](const auto&) -> Result<void> {
    if (std::exchange(broken, false)) throw std::logic_error("index out of range");
    return {};
  });
  auto session = node.serve({&pool});
  REQUIRE(node.kubelet.wait_for_healthy(kVf, 2));
  must(node.kubelet.allocate("p", "c", kVf, 1));
  const auto refused = node.kubelet.start_container("p", "c");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("index out of range") != std::string::npos);
  CHECK(node.kubelet.start_container("p", "c"));
}

TEST_CASE("While nobody serves its pool a container does not start; it does when one is back") {
  Node node({.plugin_watcher = GENERATE(true, false)});
  TestPool pool(kVf);
  Starts starts;
  note_starts(pool, starts);
  auto session = node.serve({&pool});
  REQUIRE(node.kubelet.wait_for_healthy(kVf, 2));
  must(node.kubelet.allocate("p", "c", kVf, 1));
  session.reset();
  REQUIRE(node.kubelet.wait_for_healthy(kVf, 0));
  const auto away = node.kubelet.start_container("p", "c");
  REQUIRE_FALSE(away);
  CHECK(away.error().message.ends_with("has been stopped"));
  node.kubelet.five_minutes_pass();
  const auto long_away = node.kubelet.start_container("p", "c");
  REQUIRE_FALSE(long_away);
  CHECK(long_away.error().message ==
        "endpoint not found in cache for a registered resource: example.com/vf");
  session = node.serve({&pool}, "two");
  REQUIRE(node.kubelet.wait_for_healthy(kVf, 2));
  CHECK(node.kubelet.start_container("p", "c"));
  CHECK(starts.size() == 1);
}

TEST_CASE("A kubelet that was started anew asks nobody until the pool is registered again") {
  Node node({.plugin_watcher = false});
  TestPool pool(kVf);
  Starts starts;
  note_starts(pool, starts);
  auto session = node.serve({&pool});
  REQUIRE(node.kubelet.wait_for_healthy(kVf, 2));
  must(node.kubelet.allocate("p", "c", kVf, 1));
  session.reset();
  node.kubelet.restart();
  CHECK(node.kubelet.start_container("p", "c"));
  CHECK(starts.empty());
}

TEST_CASE("Kubelet keeps what Allocate answered; before 1.28 it does not know CDI devices") {
  const auto version = GENERATE(KubeletVersion::v1_20, KubeletVersion::v1_36);
  Node node({.version = version});
  TestPool pool(kVf, 4);
  pool.set_answer([](const auto& ids) -> Result<kubelet::ContainerAllocation> {
    return kubelet::ContainerAllocation{
        .envs = {{"PCIDEVICE_EXAMPLE_COM_VF", fmt::format("{}", fmt::join(ids, ","))}},
        .devices = {{"/dev/vfio/noiommu-7", "/dev/vfio/7", "rw"}},
        .cdi_devices = {"example.com/vf=a"}};
  });
  auto session = node.serve({&pool});
  REQUIRE(node.kubelet.wait_for_healthy(kVf, 4));
  const auto given = must(node.kubelet.allocate("ns/p", "c", kVf, 1));
  const auto saved =
      must(kubelet::read_checkpoint(node.folder / "device-plugins/kubelet_internal_checkpoint"));
  REQUIRE(saved.size() == 1);
  const auto& id = given.devices.front().id;
  CHECK(saved.front().ids == std::set<std::string>{id});
  const auto answer = kubelet::parse_answer(saved.front().answer);
  REQUIRE(answer);
  CHECK(answer->host_paths == std::vector<std::string>{"/dev/vfio/noiommu-7"});
  CHECK(answer->envs.at("PCIDEVICE_EXAMPLE_COM_VF") == id);
  CHECK(answer->cdi_devices.empty() == (version == KubeletVersion::v1_20));
}
