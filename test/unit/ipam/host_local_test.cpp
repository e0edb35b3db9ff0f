#include "ipam/host_local.hpp"

#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <fcntl.h>
#include <sys/file.h>

#include "host/files.hpp"
#include "test/support/must.hpp"
#include "test/unit/ipam/lease_node.hpp"

namespace railhead::ipam {
namespace {

namespace fs = std::filesystem;
using Catch::Matchers::ContainsSubstring;
using test::must;
using namespace std::chrono_literals;

constexpr auto kSmall = R"({"subnet":"10.1.0.0/29"})";  // .1 is the gateway, .2 to .6 are given

TEST_CASE("Addresses are given one after the other, and go round") {
  LeaseNode node;
  const auto config = node.config(kSmall);
  CHECK(node.added(config, {"c1", "net1"}) == "10.1.0.2/29 10.1.0.1");
  CHECK(node.added(config, {"c2", "net1"}) == "10.1.0.3/29 10.1.0.1");
  node.del(config, {"c1", "net1"});
  for (const auto* one : {"c3", "c4", "c5", "c6"}) must(node.add(config, {one, "net1"}));
  CHECK(node.files().contains("10.1.0.2"));
  const auto full = node.add(config, {"c7", "net1"});
  REQUIRE_FALSE(full);
  CHECK(full.error().code == ErrorCode::busy);
  CHECK(full.error().message ==
        "failed to allocate for range 0: no IP addresses available in range set: "
        "10.1.0.1-10.1.0.6");
  node.del(config, {"c4", "net1"});
  CHECK(node.added(config, {"c7", "net1"}) == "10.1.0.5/29 10.1.0.1");
}

TEST_CASE("The files are upstream's, and our own stand elsewhere") {
  LeaseNode node;
  const auto config = node.config(kSmall);
  must(node.add(config, {"c1", "net1"}));
  CHECK(node.files() == std::set<std::string>{"10.1.0.2", "last_reserved_ip.0", "lock"});
  std::ifstream lease(node.data_dir() + "/net/10.1.0.2", std::ios::binary);
  CHECK(std::string{std::istreambuf_iterator<char>(lease), {}} == "c1\r\nnet1");
  const auto store = must(node.store(config));
  const auto address = Address::parse("10.1.0.2").value();
  CHECK(must(store.owner_of(address, node.deadline())) == Owner{"boot-1", "ml/t0"});
  node.put("10.1.0.2", "other\r\nnet1");  // as upstream's program gives it anew
  CHECK_FALSE(must(store.owner_of(address, node.deadline())));
  node.put("10.1.0.2", "c1\r\nnet1");
  node.del(config, {"c1", "net1"});
  CHECK_FALSE(fs::exists(node.path("state/ipam/host-local/net/10.1.0.2")));
  CHECK(node.files() == std::set<std::string>{"last_reserved_ip.0", "lock"});
}

TEST_CASE("An interface has one address of each set, and keeps it") {
  LeaseNode node;
  const auto config =
      node.config(R"({"ranges":[[{"subnet":"10.1.0.0/29"}],[{"subnet":"fd00::/64"}]]})");
  CHECK(node.added(config, {"c1", "net1"}) == "10.1.0.2/29 10.1.0.1, fd00::2/64 fd00::1");
  CHECK(node.added(config, {"c1", "net1"}) ==
        "failed to allocate for range 0: 10.1.0.2 has been allocated to c1, duplicate allocation "
        "is not allowed");
  CHECK(node.added(config, {"c1", "net2"}) == "10.1.0.3/29 10.1.0.1, fd00::3/64 fd00::1");
  node.del(config, {"c1", "net1"});
  node.del(config, {"c1", "net1"});
  CHECK_FALSE(node.files().contains("fd00::2"));
  CHECK(node.files().contains("fd00::3"));
}

TEST_CASE("Of an ADD that fails nothing is left") {
  LeaseNode node;
  const auto config =
      node.config(R"({"ranges":[[{"subnet":"fd00::/64"}],[{"subnet":"10.1.0.0/30"}]]})");
  must(node.add(config, {"c1", "net1"}));
  CHECK_THAT(node.added(config, {"c2", "net1"}), ContainsSubstring("for range 1: no IP addresses"));
  CHECK_FALSE(node.files().contains("fd00::3"));
  CHECK_FALSE(fs::exists(node.path("state/ipam/host-local/net/fd00::3")));
}

TEST_CASE("An address that is asked for is given, or none") {
  LeaseNode node;
  const auto config = node.config(kSmall);
  CHECK(node.added(config, {"c1", "net1"}, "10.1.0.5") == "10.1.0.5/29 10.1.0.1");
  CHECK(node.added(config, {"c2", "net1"}, "10.1.0.5") ==
        "failed to allocate for range 0: requested IP address 10.1.0.5 is not available in range "
        "set 10.1.0.1-10.1.0.6");
  CHECK(node.added(config, {"c2", "net1"}, "10.1.0.1") ==
        "failed to allocate for range 0: requested ip 10.1.0.1 is subnet's gateway");
  CHECK(node.added(config, {"c2", "net1"}, "10.9.0.1") ==
        "failed to allocate all requested IPs: 10.9.0.1");
  CHECK(node.added(config, {"c2", "net1"}) == "10.1.0.6/29 10.1.0.1");
}

TEST_CASE("CHECK finds an address, GC gives back what nobody has") {
  LeaseNode node;
  const auto config = node.config(kSmall);
  const auto store = must(node.store(config));
  CHECK(is(store.check({"c1", "net1"}, node.deadline()), ErrorCode::not_found));
  must(store.gc({}, node.deadline()));
  must(store.del({"c1", "net1"}, node.deadline()));
  CHECK(node.files().empty());  // only ADD makes the folder
  for (const auto* one : {"c1", "c2", "c3"}) must(node.add(config, {one, "net1"}));
  node.put("10.1.0.6", "c2");  // of a very old program
  must(store.check({"c1", "net1"}, node.deadline()));
  must(store.gc(std::vector<Holder>{{"c2", "net1"}, {"c3", "net2"}}, node.deadline()));
  CHECK(node.files() ==
        std::set<std::string>{"10.1.0.3", "10.1.0.6", "last_reserved_ip.0", "lock"});
  CHECK(is(store.check({"c3", "net1"}, node.deadline()), ErrorCode::not_found));
}

TEST_CASE("What a killed writer left does not keep its address") {
  LeaseNode node;
  const auto config = node.config(R"({"subnet":"10.1.0.0/30"})");
  node.put("10.1.0.2", "");
  CHECK(node.added(config, {"c1", "net1"}) == "10.1.0.2/30 10.1.0.1");
}

TEST_CASE("A DEL takes along what its killed ADD left without its name") {
  LeaseNode node;
  const auto config = node.config(R"({"subnet":"10.1.0.0/24"})");
  CHECK(node.added(config, {"c2", "net1"}) == "10.1.0.2/24 10.1.0.1");
  node.put("10.1.0.3", "");
  const auto before = node.files();
  must(must(node.store(config)).del({"c1", "net1"}, node.deadline()));
  CHECK(node.files().size() + 1 == before.size());
  CHECK(node.added(config, {"c3", "net1"}) == "10.1.0.3/24 10.1.0.1");
}

TEST_CASE("A large range takes no longer than a small one") {
  LeaseNode node;
  const auto config = node.config(
      R"({"subnet":"fd00::/64","rangeStart":"fd00::ffff:ffff:ffff:fffe","gateway":"fd00::1"})");
  CHECK(node.added(config, {"c1", "net1"}) == "fd00::ffff:ffff:ffff:fffe/64 fd00::1");
  const auto whole = node.config(R"({"subnet":"fd00::/64"})");
  node.put("last_reserved_ip.0", "fd00::ffff:ffff:ffff:fffd");
  CHECK(node.added(whole, {"c2", "net1"}) == "fd00::ffff:ffff:ffff:ffff/64 fd00::1");
  CHECK(node.added(whole, {"c3", "net1"}) == "fd00::2/64 fd00::1");  // behind the gateway
}

TEST_CASE("dataDir is below /var/lib/cni or a folder of the admin's") {
  LeaseNode node;
  const auto error_of = [&](const std::string& data_dir, const std::string& name = "net") {
    auto config = node.config(kSmall);
    config["ipam"]["dataDir"] = data_dir;
    config["name"] = name;
    const auto store = node.store(config);
    return store ? std::optional<Error>() : store.error();
  };
  CHECK_FALSE(error_of(node.path("cni")));
  CHECK_FALSE(error_of(node.path("admin/deep//er/")));
  CHECK_FALSE(error_of(""));
  for (const auto& bad : {node.path("cnix"), node.path("cni/../x"), std::string("/"),
                          std::string("cni"), node.path("other")}) {
    const auto error = error_of(bad);
    REQUIRE(error);
    CHECK_THAT(error->message, ContainsSubstring("ipam.dataDir " + bad + ": expected a folder"));
  }
  for (const auto* bad : {"", "..", ".", "a/b", "../x"}) {
    const auto error = error_of("", bad);
    REQUIRE(error);
    CHECK_THAT(error->message, ContainsSubstring("expected the name of a folder"));
  }
}

TEST_CASE("No symbolic link is followed") {
  LeaseNode node;
  const auto config = node.config(kSmall);
  fs::create_directories(node.path("secret"));
  fs::create_directories(node.data_dir());
  fs::create_symlink(node.path("secret"), node.data_dir() + "/net");
  const auto given = node.add(config, {"c1", "net1"});
  REQUIRE_FALSE(given);
  CHECK(given.error().code == ErrorCode::permission);
  CHECK(fs::is_empty(node.path("secret")));
  fs::remove(node.data_dir() + "/net");

  std::ofstream(node.path("secret/file")) << "kept";
  fs::create_directories(node.data_dir() + "/net");
  for (const auto* name : {"10.1.0.2", "last_reserved_ip.0", "lock"}) {
    fs::create_symlink(node.path("secret/file"), node.data_dir() + "/net/" + name);
  }
  CHECK_FALSE(node.add(config, {"c1", "net1"}));
  fs::remove(node.data_dir() + "/net/lock");
  CHECK_FALSE(node.add(config, {"c1", "net1"}));
  fs::remove(node.data_dir() + "/net/last_reserved_ip.0");
  CHECK(node.added(config, {"c1", "net1"}) == "10.1.0.3/29 10.1.0.1");
  CHECK(must(host::read_file(node.path("secret/file"))) == "kept");
}

TEST_CASE("The wait for the lock ends") {
  LeaseNode node;
  const auto config = node.config(kSmall);
  must(node.add(config, {"c1", "net1"}));
  const UniqueFd other(::open((node.data_dir() + "/net/lock").c_str(), O_RDONLY | O_CLOEXEC));
  REQUIRE(::flock(other.get(), LOCK_EX) == 0);
  const auto store = must(node.store(config));
  CHECK(is(store.del({"c1", "net1"}, node.deadline(50ms)), ErrorCode::timeout));
  CHECK(node.files().contains("10.1.0.2"));
  ::flock(other.get(), LOCK_UN);
}

TEST_CASE("Rails go round on their own") {
  LeaseNode node;
  const auto config = [&](int rail) {
    return node.config(R"({"perRail":[{"subnet":"10.1.0.0/29"},{"subnet":"10.2.0.0/29"}]})",
                       R"(,"rail":)" + std::to_string(rail));
  };
  CHECK(node.added(config(0), {"c1", "net1"}) == "10.1.0.2/29 10.1.0.1");
  CHECK(node.added(config(1), {"c1", "net2"}) == "10.2.0.2/29 10.2.0.1");
  node.del(config(0), {"c1", "net1"});
  CHECK(node.added(config(0), {"c2", "net1"}) == "10.1.0.3/29 10.1.0.1");
}

TEST_CASE("No address is given twice, however many ask at once") {
  LeaseNode node;
  const auto config = node.config(R"({"subnet":"10.1.0.0/24"})");
  constexpr int kWorkers = 8;
  constexpr int kCalls = 20;
  std::vector<std::vector<std::string>> given(kWorkers);
  std::vector<std::thread> workers;
  for (int worker = 0; worker < kWorkers; ++worker) {
    workers.emplace_back([&, worker] {
      for (int i = 0; i < kCalls; ++i) {
        given[static_cast<size_t>(worker)].push_back(
            node.added(config, {"c" + std::to_string(worker), "net" + std::to_string(i)}));
      }
    });
  }
  for (auto& worker : workers) worker.join();
  std::set<std::string> all;
  for (const auto& one : given) all.insert(one.begin(), one.end());
  CHECK(all.size() == kWorkers * kCalls);
  CHECK(node.files().size() == kWorkers * kCalls + 2);
}

}  // namespace
}  // namespace railhead::ipam
