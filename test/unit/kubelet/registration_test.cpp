#include <algorithm>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <sys/socket.h>
#include <sys/un.h>

#include "test/unit/kubelet/node.hpp"

using namespace railhead;
using namespace railhead::test;
using namespace std::chrono_literals;
using kubelet::KubeletSession;

namespace {

// A socket file as a killed process leaves it: bound once, nobody listens.
void leave_dead_socket(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  const UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
}

}  // namespace

TEST_CASE("A pool is served before it is registered, whichever way kubelet looks for plugins") {
  const bool plugin_watcher = GENERATE(true, false);
  const auto version = GENERATE(KubeletVersion::v1_20, KubeletVersion::v1_36);
  Node node({.plugin_watcher = plugin_watcher, .version = version});
  TestPool pool(kVf, 4);
  auto session = node.serve({&pool});
  CHECK(node.kubelet.wait_for_healthy(kVf, 4));
  // A kubelet that could not dial back would have said so, or waited for seconds.
  CHECK(node.kubelet.state().refusals.empty());
  CHECK(node.kubelet.state().resources.at(kVf).registrations == 1);
}

TEST_CASE("Eight pools are registered by one session") {
  Node node({.plugin_watcher = GENERATE(true, false)});
  std::vector<std::unique_ptr<TestPool>> pools;
  std::vector<kubelet::PoolService*> services;
  for (int i = 0; i < 8; ++i) {
    services.push_back(
        pools.emplace_back(std::make_unique<TestPool>(fmt::format("rdma/r{}", i))).get());
  }
  auto session = node.serve(services);
  for (const auto* service : services)
    CHECK(node.kubelet.wait_for_healthy(service->resource_name(), 2));
}

TEST_CASE("A pool whose resource name is longer than a socket's name may be is served") {
  Node node;
  const std::string resource = "example.com/" + std::string(63, 'a');
  TestPool pool(resource);
  auto session = node.serve({&pool});
  CHECK(node.kubelet.wait_for_healthy(resource, 2));
}

TEST_CASE("A restarted kubelet has the devices again") {
  const bool plugin_watcher = GENERATE(true, false);
  const auto version = GENERATE(KubeletVersion::v1_20, KubeletVersion::v1_36);
  Node node({.plugin_watcher = plugin_watcher, .version = version});
  TestPool pool(kVf);
  auto session = node.serve({&pool});
  REQUIRE(node.kubelet.wait_for_healthy(kVf, 2));
  for (int restart = 0; restart < 3; ++restart) {
    node.kubelet.restart();
    CHECK(node.kubelet.wait_for_healthy(kVf, 2));
  }
}

TEST_CASE("A kubelet that stays away for a while has the devices when it returns") {
  const bool plugin_watcher = GENERATE(true, false);
  Node node({.plugin_watcher = plugin_watcher});
  TestPool pool(kVf);
  auto session = node.serve({&pool});
  REQUIRE(node.kubelet.wait_for_healthy(kVf, 2));
  node.kubelet.stop();
  CHECK(node.kubelet.wait_for_healthy(kVf, 0));
  node.kubelet.start();
  CHECK(node.kubelet.wait_for_healthy(kVf, 2));
}

TEST_CASE("A pool waits for a kubelet that is not there when it starts") {
  Node node({.plugin_watcher = GENERATE(true, false)});
  node.kubelet.stop();
  for (const auto* folder : {"device-plugins", "plugins_registry", "pod-resources"}) {
    std::filesystem::remove_all(node.folder / folder);
  }
  TestPool pool(kVf);
  auto session = node.serve({&pool});
  CHECK(node.log.text().find("waiting for kubelet") != std::string::npos);
  node.kubelet.start();
  CHECK(node.kubelet.wait_for_healthy(kVf, 2));
}

TEST_CASE("A folder that is not kubelet's is an error that names it") {
  TestLog log;
  TestPool pool(kVf);
  auto session =
      KubeletSession::start({.kubelet_dir = "/nonexistent"}, {borrow(pool)}, log.logger());
  REQUIRE_FALSE(session);
  CHECK(session.error().code == ErrorCode::not_found);
  CHECK(session.error().message.find("/nonexistent") != std::string::npos);
}

namespace {

// Two agents on one node, as during a rolling update; kubelet has the newer one's devices.
struct Overlap {
  explicit Overlap(bool plugin_watcher) : node({.plugin_watcher = plugin_watcher}) {
    old_session = node.serve({&old_pool}, "old");
    REQUIRE(node.kubelet.wait_for_healthy(kVf, 2));
    new_session = node.serve({&new_pool}, "new");
    REQUIRE(node.kubelet.wait_for_healthy(kVf, 3));
  }
  Node node;
  TestPool old_pool{kVf};
  TestPool new_pool{kVf, 3};
  std::unique_ptr<KubeletSession> old_session;
  std::unique_ptr<KubeletSession> new_session;
};

}  // namespace

TEST_CASE("When one of two overlapping instances ends, the resource is available again") {
  Overlap both(GENERATE(true, false));
  both.old_session.reset();
  // Registered anew: the resource went away with the old instance.
  CHECK(both.node.wait_for_registrations(kVf, 3));
  CHECK(both.node.kubelet.wait_for_healthy(kVf, 3));
}

TEST_CASE("When the newer of two instances ends, the older one has the resource again") {
  Overlap both(GENERATE(true, false));
  both.new_session.reset();
  CHECK(both.node.kubelet.wait_for_healthy(kVf, 2));
  // And it is watched: what changes from now on is heard.
  both.old_pool.set_devices(TestPool(kVf, 5).devices());
  both.old_session->devices_changed(both.old_pool);
  CHECK(both.node.kubelet.wait_for_healthy(kVf, 5));
}

TEST_CASE("A pool that kubelet accepted and then never watched is registered again") {
  Node node({.plugin_watcher = false});
  node.kubelet.forget_next_plugin();
  TestPool pool(kVf);
  auto session = node.serve({&pool});
  CHECK(node.kubelet.wait_for_healthy(kVf, 2));
}

TEST_CASE("A name that kubelet refuses is logged in kubelet's words, and tried again") {
  const bool plugin_watcher = GENERATE(true, false);
  Node node({.plugin_watcher = plugin_watcher});
  TestPool pool("vf");
  auto session = node.serve({&pool});
  CHECK(node.kubelet.wait(30s, [](const auto& state) { return state.refusals.size() >= 3; }));
  const std::string log = node.log.text();
  CHECK(log.find("kubelet did not take the pool") != std::string::npos);
  CHECK(log.find("the ResourceName \\\"vf\\\" is invalid") != std::string::npos);
}

TEST_CASE("The end of a watch while kubelet lives is told, with what is done about it") {
  Overlap both(false);
  both.old_session.reset();
  CHECK(both.node.wait_for_registrations(kVf, 3));
  const auto log = both.node.log.text();
  const auto line = log.find("kubelet no longer watches the pool: it ended, or another instance");
  REQUIRE(line != std::string::npos);
  CHECK(log.find("registering again", line) != std::string::npos);
  CHECK(log.find("resource=example.com/vf retry_after_ms=", line) != std::string::npos);
}

TEST_CASE("A socket that somebody removes from plugins_registry is served anew") {
  Node node;
  TestPool pool(kVf);
  auto session = node.serve({&pool});
  REQUIRE(node.kubelet.wait_for_healthy(kVf, 2));
  for (const auto& name : node.folder.names("plugins_registry")) {
    std::filesystem::remove(node.folder / ("plugins_registry/" + name));
  }
  CHECK(node.wait_for_registrations(kVf, 2));
  CHECK(node.kubelet.wait_for_healthy(kVf, 2));
}

TEST_CASE("A session that ends leaves no file behind") {
  const bool plugin_watcher = GENERATE(true, false);
  Node node({.plugin_watcher = plugin_watcher});
  const auto before = node.folder.names(socket_folder(plugin_watcher));
  {
    TestPool pool(kVf);
    auto session = node.serve({&pool});
    REQUIRE(node.kubelet.wait_for_healthy(kVf, 2));
    CHECK(node.folder.names(socket_folder(plugin_watcher)) != before);
  }
  const auto left = node.folder.names(socket_folder(plugin_watcher));
  CHECK_FALSE(std::any_of(left.begin(), left.end(), [](const auto& name) {
    return name.find("railhead") != std::string::npos;
  }));
}

TEST_CASE("A session removes its own socket only, not what took its place") {
  Node node({.plugin_watcher = false});
  TestPool pool(kVf);
  auto session = node.serve({&pool}, "one");
  REQUIRE(node.kubelet.wait_for_healthy(kVf, 2));
  const std::string socket = node.folder / "device-plugins/railhead-one-example.com_vf.sock";
  REQUIRE(std::filesystem::remove(socket));
  std::ofstream(socket) << "somebody else's";
  session->stop();
  CHECK(std::filesystem::exists(socket));
}

TEST_CASE("The socket of an instance that was killed is removed, that of a live one is not") {
  Node node;
  TestPool pool(kVf);
  auto session = node.serve({&pool}, "live");
  REQUIRE(node.kubelet.wait_for_healthy(kVf, 2));
  leave_dead_socket(node.folder / "plugins_registry/railhead-killed-example.com_vf.sock");
  leave_dead_socket(node.folder / "plugins_registry/.railhead-killed-example.com_ib.sock");
  leave_dead_socket(node.folder / "plugins_registry/others.sock");
  TestPool other(kVf);
  auto other_session = node.serve({&other}, "other");
  auto names = node.folder.names("plugins_registry");
  std::sort(names.begin(), names.end());
  CHECK(names == std::vector<std::string>{"others.sock", "railhead-live-example.com_vf.sock",
                                          "railhead-other-example.com_vf.sock"});
}

TEST_CASE(
    "A session stops while kubelet watches eight pools, and does not wait for it to end that") {
  const bool plugin_watcher = GENERATE(true, false);
  Node node({.plugin_watcher = plugin_watcher});
  std::vector<std::unique_ptr<TestPool>> pools;
  std::vector<kubelet::PoolService*> services;
  for (int i = 0; i < 8; ++i) {
    services.push_back(
        pools.emplace_back(std::make_unique<TestPool>(fmt::format("rdma/r{}", i))).get());
  }
  auto session = node.serve(services);
  for (const auto* service : services)
    REQUIRE(node.kubelet.wait_for_healthy(service->resource_name(), 2));
  session->stop();
  session->stop();  // twice is not an error
  for (const auto* service : services)
    CHECK(node.kubelet.wait_for_healthy(service->resource_name(), 0));
}

TEST_CASE("A pool that is added or removed while others are watched leaves their streams alone") {
  const bool plugin_watcher = GENERATE(true, false);
  Node node({.plugin_watcher = plugin_watcher});
  TestPool pool(kVf);
  auto session = node.serve({&pool});
  REQUIRE(node.kubelet.wait_for_healthy(kVf, 2));
  {
    const auto other = std::make_shared<TestPool>("example.com/other", 3);
    session->add(other);
    CHECK(node.kubelet.wait_for_healthy("example.com/other", 3));
    session->remove(other);
  }
  CHECK(node.kubelet.wait_for_healthy("example.com/other", 0));
  CHECK(node.kubelet.state().resources.at(kVf).healthy() == 2);
  CHECK(node.kubelet.state().resources.at(kVf).registrations == 1);
  for (const auto& name : node.folder.names(socket_folder(plugin_watcher))) {
    CHECK(name.find("other") == std::string::npos);
  }
}

TEST_CASE("A pool that is added while kubelet is away is served when it comes") {
  const bool plugin_watcher = GENERATE(true, false);
  Node node({.plugin_watcher = plugin_watcher});
  TestPool pool(kVf);
  auto session = node.serve({&pool});
  REQUIRE(node.kubelet.wait_for_healthy(kVf, 2));
  node.kubelet.stop();
  session->add(std::make_shared<TestPool>("example.com/other", 3));
  node.kubelet.start();
  CHECK(node.kubelet.wait_for_healthy("example.com/other", 3));
}

TEST_CASE("A socket that nobody greets is told, with what to do") {
  Node node({.plugin_watcher = true});
  node.kubelet.stop();
  TestPool pool(kVf);
  TestLog log;
  const auto session = must(KubeletSession::start(
      {.kubelet_dir = node.folder.path(), .greet_timeout = 10ms}, {borrow(pool)}, log.logger()));
  const auto end = std::chrono::steady_clock::now() + 10s;
  while (log.text().find("--root-dir") == std::string::npos) {
    REQUIRE(std::chrono::steady_clock::now() < end);
    REQUIRE(session->takes_turns(10s));
  }
  CHECK(log.text().find("resource=example.com/vf") != std::string::npos);
}

TEST_CASE("A pool that was removed can be added again") {
  Node node;
  TestPool pool(kVf);
  auto session = node.serve({&pool});
  REQUIRE(node.kubelet.wait_for_healthy(kVf, 2));
  session->remove(borrow(pool));
  REQUIRE(node.kubelet.wait_for_healthy(kVf, 0));
  session->add(borrow(pool));
  CHECK(node.kubelet.wait_for_healthy(kVf, 2));
}
