#include <algorithm>
#include <stdexcept>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <sys/socket.h>
#include <sys/un.h>

#include "plugin/kubelet/pod_resources.hpp"
#include "test/unit/kubelet/node.hpp"

using namespace railhead;
using namespace railhead::test;
using namespace std::chrono_literals;

namespace {

Result<std::vector<std::string>> last_ones(const kubelet::PreferenceRequest& request) {
  auto ids = request.available;
  std::ranges::sort(ids, std::greater<>());
  ids.resize(request.size);
  return ids;
}

std::vector<std::string> given(const FakeAllocation& allocation) {
  std::vector<std::string> ids;
  for (const auto& device : allocation.devices) ids.push_back(device.id);
  return ids;
}

}  // namespace

TEST_CASE("A pool with a preference is asked which devices a container should get") {
  const bool plugin_watcher = GENERATE(true, false);
  const auto version = GENERATE(KubeletVersion::v1_20, KubeletVersion::v1_36);
  Node node({.plugin_watcher = plugin_watcher, .version = version});
  TestPool pool(kVf, 8);
  pool.set_preference(last_ones);
  auto session = node.serve({&pool});
  REQUIRE(node.kubelet.wait_for_healthy(kVf, 8));
  CHECK(given(must(node.kubelet.allocate("a", "c", kVf, 2))) ==
        std::vector<std::string>{"0000:00:00.7", "0000:00:00.6"});
  CHECK(given(must(node.kubelet.allocate("b", "c", kVf, 1))) ==
        std::vector<std::string>{"0000:00:00.5"});
}

TEST_CASE("A pool that prefers fewer than are asked for leaves the rest to kubelet") {
  Node node;
  TestPool pool(kVf, 4);
  pool.set_preference([](const auto&) { return std::vector<std::string>{"0000:00:00.3"}; });
  auto session = node.serve({&pool});
  REQUIRE(node.kubelet.wait_for_healthy(kVf, 4));
  const auto ids = given(must(node.kubelet.allocate("a", "c", kVf, 2)));
  REQUIRE(ids.size() == 2);
  CHECK(ids[0] == "0000:00:00.3");
}

TEST_CASE("A bug in a preference is an error to kubelet, and the pool is still served") {
  Node node;
  TestPool pool(kVf, 4);
  bool broken = true;
  pool.set_preference([&](const auto& request) {
    if (std::exchange(broken, false)) throw std::logic_error("index out of range");
    return last_ones(request);
  });
  auto session = node.serve({&pool});
  REQUIRE(node.kubelet.wait_for_healthy(kVf, 4));
  const auto refused = node.kubelet.allocate("a", "c", kVf, 1);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("index out of range") != std::string::npos);
  CHECK(node.kubelet.allocate("a", "c", kVf, 1));
}

TEST_CASE("Podresources tell each container's devices, one entry for a resource, ids sorted") {
  Node node;
  TestPool pool(kVf);
  // Of two NUMA nodes and of none: kubelet makes three entries of them.
  pool.set_devices({{"0000:02:00.0", true, {1}}, {"0000:01:00.0", true, {0}}, {"0000:03:00.0"}});
  auto session = node.serve({&pool});
  REQUIRE(node.kubelet.wait_for_healthy(kVf, 3));
  must(node.kubelet.allocate("ns/a", "main", kVf, 3));
  CHECK(must(list_now(node.kubelet.pod_resources_socket(), 5s)) ==
        std::vector<kubelet::PodDevices>{
            {"ns", "a", "main", kVf, {"0000:01:00.0", "0000:02:00.0", "0000:03:00.0"}}});
  must(node.kubelet.allocate("ns/b", "main", kVf, 0));
  CHECK(must(list_now(node.kubelet.pod_resources_socket(), 5s)).back() ==
        kubelet::PodDevices{"ns", "b", "main", "", {}});
  node.kubelet.add_claim({"ns", "b", "main", "sriov", "n1", "vf-1"});
  node.kubelet.add_claim({"ns", "b", "main", "sriov", "n1", "vf-2"});
  node.kubelet.add_claim({"ns", "c", "main", "sriov", "n1", "vf-3"});
  const auto listed = must(list_now(node.kubelet.pod_resources_socket(), 5s));
  CHECK(listed.back() == kubelet::PodDevices{"ns", "c", "main", "", {}, {{"sriov", "n1", "vf-3"}}});
  CHECK(listed[listed.size() - 2].claimed.size() == 2);
}

TEST_CASE("Podresources of a kubelet that is not there are an error") {
  CHECK_FALSE(list_now("/nonexistent/kubelet.sock", 500ms));
}

TEST_CASE("A kubelet that does not answer for its podresources is not waited for without end") {
  const TestFolder folder;
  const std::string path = folder / "kubelet.sock";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  const UniqueFd silent(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(bind(silent.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
  REQUIRE(listen(silent.get(), 8) == 0);
  CHECK(is(list_now(path, 100ms), ErrorCode::timeout));
}
