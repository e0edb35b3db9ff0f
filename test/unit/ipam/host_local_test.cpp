#include "ipam/host_local.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <sys/file.h>
#include <sys/stat.h>

#include "host/files.hpp"
#include "linux/file_locks.hpp"
#include "linux/processes.hpp"
#include "test/support/must.hpp"
#include "test/support/temporary_folder.hpp"

namespace railhead::ipam {
namespace {

namespace fs = std::filesystem;
using Catch::Matchers::ContainsSubstring;
using Json = nlohmann::ordered_json;
using test::must;
using namespace std::chrono_literals;

// Debian's host-local where ./dev has downloaded it (test/setup/plugins); "" elsewhere.
std::string upstream_program() {
  const auto value = [](const char* name) {
    const char* text = std::getenv(name);
    return std::string(text ? text : "");
  };
  auto cache = value("RAILHEAD_CACHE");
  if (cache.empty()) {
    const auto base = value("XDG_CACHE_HOME");
    cache = (base.empty() ? value("HOME") + "/.cache" : base) + "/railhead";
  }
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(cache + "/plugins", none)) {
    const auto program = entry.path() / "usr/lib/cni/host-local";
    if (fs::exists(program)) return program;
  }
  return "";
}

// A node with its folders, on which both programs can be called.
class Node {
 public:
  Json config(const std::string& ipam, const std::string& more = "") const {
    auto all =
        Json::parse(R"({"cniVersion":"1.0.0","name":"net","type":"x","ipam":)" + ipam + more + "}");
    all["ipam"]["type"] = "host-local";
    if (!all["ipam"].contains("dataDir")) all["ipam"]["dataDir"] = data_dir();
    return all;
  }

  Folders folders() const {
    return {.usual = path("cni"), .admin = {path("admin")}, .own = path("state/ipam/host-local")};
  }
  Deadline deadline(std::chrono::milliseconds budget = 20s) const { return {clock_, budget, 0ms}; }
  Result<HostLocal> store(const Json& config) { return HostLocal::of(config, folders(), locks_); }

  Result<std::vector<Given>> add(const Json& config, const Holder& holder,
                                 const std::string& asked = "") {
    const auto conf = read_host_local(config, asked);
    if (!conf) return pass(conf);
    const auto of_network = store(config);
    if (!of_network) return pass(of_network);
    return of_network->add(*conf, holder, {"boot-1", "ml/t0"}, deadline());
  }
  // "10.1.0.2/24 10.1.0.1" of each address, or the error's text.
  std::string added(const Json& config, const Holder& holder, const std::string& asked = "") {
    const auto given = add(config, holder, asked);
    if (!given) return given.error().message;
    std::string text;
    for (const auto& one : *given) {
      if (!text.empty()) text += ", ";
      text += go_text(Address::of(one.address)) + "/" + std::to_string(one.address.length);
      if (one.gateway) text += " " + go_text(*one.gateway);
    }
    return text;
  }
  void del(const Json& config, const Holder& holder) {
    must(must(store(config)).del(holder, deadline()));
  }

  // The same two of upstream's program.
  std::string upstream_added(const Json& config, const Holder& holder,
                             const std::string& asked = "") {
    const auto answer = Json::parse(upstream("ADD", config, holder, asked));
    if (answer.contains("msg")) return answer["msg"].get<std::string>();
    std::string text;
    for (const auto& one : answer["ips"]) {
      if (!text.empty()) text += ", ";
      text += one["address"].get<std::string>();
      if (one.contains("gateway")) text += " " + one["gateway"].get<std::string>();
    }
    return text;
  }
  std::string upstream(const std::string& verb, const Json& config, const Holder& holder,
                       const std::string& asked = "") {
    linux::LinuxProcesses processes(clock_);
    const auto result = must(processes.run(
        {.program = upstream_program(),
         .environment = {"CNI_COMMAND=" + verb, "CNI_CONTAINERID=" + holder.container_id,
                         "CNI_IFNAME=" + holder.ifname, "CNI_NETNS=/x", "CNI_PATH=/x",
                         "CNI_ARGS=" + (asked.empty() ? "" : "IP=" + asked)},
         .input = config.dump()}));
    return result.output;
  }

  std::string path(const std::string& below) const { return folder_.path() + "/" + below; }
  std::string data_dir() const { return path("cni/networks"); }
  std::set<std::string> files() const {
    std::set<std::string> names;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(data_dir() + "/net", none)) {
      names.insert(entry.path().filename());
    }
    return names;
  }
  // Names, modes and bytes of the network's folder, the lock among them.
  std::string image() const {
    std::string all;
    for (const auto& name : files()) {
      const auto file = data_dir() + "/net/" + name;
      struct stat status {};
      ::stat(file.c_str(), &status);
      std::ifstream stream(file, std::ios::binary);
      const std::string text{std::istreambuf_iterator<char>(stream), {}};
      all += name + " " + std::to_string(status.st_mode) + " " + text + "\n";
    }
    return all;
  }
  void put(const std::string& file, const std::string& text) {
    fs::create_directories(fs::path(data_dir()) / "net");
    std::ofstream(data_dir() + "/net/" + file, std::ios::binary) << text;
  }

 private:
  test::TemporaryFolder folder_;
  mutable SystemClock clock_;
  linux::LinuxFileLocks locks_{clock_};
};

constexpr auto kSmall = R"({"subnet":"10.1.0.0/29"})";  // .1 is the gateway, .2 to .6 are given

TEST_CASE("Addresses are given one after the other, and go round") {
  Node node;
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
  Node node;
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
  Node node;
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
  Node node;
  const auto config =
      node.config(R"({"ranges":[[{"subnet":"fd00::/64"}],[{"subnet":"10.1.0.0/30"}]]})");
  must(node.add(config, {"c1", "net1"}));
  CHECK_THAT(node.added(config, {"c2", "net1"}), ContainsSubstring("for range 1: no IP addresses"));
  CHECK_FALSE(node.files().contains("fd00::3"));
  CHECK_FALSE(fs::exists(node.path("state/ipam/host-local/net/fd00::3")));
}

TEST_CASE("An address that is asked for is given, or none") {
  Node node;
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
  Node node;
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
  Node node;
  const auto config = node.config(R"({"subnet":"10.1.0.0/30"})");
  node.put("10.1.0.2", "");
  CHECK(node.added(config, {"c1", "net1"}) == "10.1.0.2/30 10.1.0.1");
}

TEST_CASE("A large range takes no longer than a small one") {
  Node node;
  const auto config = node.config(
      R"({"subnet":"fd00::/64","rangeStart":"fd00::ffff:ffff:ffff:fffe","gateway":"fd00::1"})");
  CHECK(node.added(config, {"c1", "net1"}) == "fd00::ffff:ffff:ffff:fffe/64 fd00::1");
  const auto whole = node.config(R"({"subnet":"fd00::/64"})");
  node.put("last_reserved_ip.0", "fd00::ffff:ffff:ffff:fffd");
  CHECK(node.added(whole, {"c2", "net1"}) == "fd00::ffff:ffff:ffff:ffff/64 fd00::1");
  CHECK(node.added(whole, {"c3", "net1"}) == "fd00::2/64 fd00::1");  // behind the gateway
}

TEST_CASE("dataDir is below /var/lib/cni or a folder of the admin's") {
  Node node;
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
  Node node;
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
  Node node;
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
  Node node;
  const auto config = [&](int rail) {
    return node.config(R"({"perRail":[{"subnet":"10.1.0.0/29"},{"subnet":"10.2.0.0/29"}]})",
                       R"(,"rail":)" + std::to_string(rail));
  };
  CHECK(node.added(config(0), {"c1", "net1"}) == "10.1.0.2/29 10.1.0.1");
  CHECK(node.added(config(1), {"c1", "net2"}) == "10.2.0.2/29 10.2.0.1");
  node.del(config(0), {"c1", "net1"});
  CHECK(node.added(config(0), {"c2", "net1"}) == "10.1.0.3/29 10.1.0.1");
}

TEST_CASE("resolv.conf is read below /etc only") {
  const auto conf = parse_resolv_conf(
      "# a\n; b\nnameserver 10.0.0.53\n nameserver\t10.0.0.54 x\ndomain a.example\n"
      "search b.example  c.example\noptions ndots:5\nnameserver\nother y\n");
  CHECK(
      conf ==
      ResolvConf{{"10.0.0.53", "10.0.0.54"}, "a.example", {"b.example", "c.example"}, {"ndots:5"}});
  test::TemporaryFolder etc;
  std::ofstream(etc.path() + "/resolv.conf") << "nameserver 10.0.0.53\n";
  CHECK(must(read_resolv_conf(etc.path() + "/resolv.conf", etc.path())).nameservers.size() == 1);
  CHECK(is(read_resolv_conf(etc.path() + "/none", etc.path()), ErrorCode::not_found));
  for (const auto* bad :
       {"/proc/1/environ", "/etc/../proc/1/environ", "resolv.conf", "/etc", "/etcx/a"}) {
    const auto refused = read_resolv_conf(bad);
    REQUIRE(is(refused, ErrorCode::invalid_argument));
    CHECK_THAT(refused.error().message, ContainsSubstring(bad));
  }
}

TEST_CASE("No address is given twice, however many ask at once") {
  Node node;
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

TEST_CASE("Upstream's program and this one answer and write the same") {
  if (upstream_program().empty()) SKIP("Debian's CNI plugins are not there (test/setup/plugins)");
  struct Case {
    const char* ipam;
    const char* more = "";
    const char* asked = "";
  };
  const Case cases[] = {
      {R"({"subnet":"10.1.0.0/24"})"},
      {R"({"subnet":"10.1.0.0/29"})"},
      {R"({"subnet":"10.1.0.0/30"})"},
      {R"({"subnet":"10.1.0.0/24","gateway":"10.2.0.1"})"},
      {R"({"subnet":"10.1.0.0/24","gateway":""})"},
      {R"({"subnet":"10.1.0.0/24","rangeStart":"10.1.0.9","rangeEnd":"10.1.0.10"})"},
      {R"({"subnet":"10.1.0.0/30","rangeStart":"10.1.0.0","rangeEnd":"10.1.0.3"})"},
      {R"({"subnet":"10.1.0.0/24","rangeStart":"10.1.0.1","rangeEnd":"10.1.0.1"})"},
      {R"({"subnet":"10.1.0.0/24","rangeStart":"::ffff:10.1.0.8"})"},
      {R"({"subnet":"fd00::/64"})"},
      {R"({"subnet":"fd00:0:0:1::/64"})"},
      {R"({"subnet":"fd00:0:1:0:1::/80","rangeStart":"fd00:0:1:0:1::abcd"})"},
      {R"({"subnet":"fd00::/126"})"},
      {R"({"subnet":"fd00::/64","rangeStart":"fd00::ffff"})"},
      {R"({"ranges":[[{"subnet":"10.1.0.0/30"},{"subnet":"10.2.0.0/30"}],[{"subnet":"fd00::/64"}]]})"},
      {R"({"ranges":[[{"subnet":"10.1.0.0/24","rangeEnd":"10.1.0.2"},
                      {"subnet":"10.1.0.0/24","rangeStart":"10.1.0.9","rangeEnd":"10.1.0.9"}]]})"},
      {R"({"subnet":"10.1.0.0/24","ranges":[[{"subnet":"10.3.0.0/24"}]]})",
       R"(,"runtimeConfig":{"ipRanges":[[{"subnet":"fd00::/120"}]]})"},
      {R"({"subnet":"10.1.0.0/24"})", "", "10.1.0.9"},
      {R"({"subnet":"10.1.0.0/24"})", "", "10.1.0.9/24"},
      {R"({"subnet":"10.1.0.0/24"})", "", "10.1.0.1"},
      {R"({"subnet":"10.1.0.0/24"})", R"(,"args":{"cni":{"ips":["10.1.0.7"]}})"},
      {R"({"subnet":"10.1.0.0/24"})", R"(,"runtimeConfig":{"ips":["10.1.0.7/24"]})"},
      {R"({"SUBNET":"10.1.0.0/24","RangeStart":"10.1.0.20"})"},
      {R"({"subnet":"10.1.0.5/24"})"},
      {R"({"subnet":"10.1.0.0/31"})"},
      {R"({"subnet":"10.1.0.0/24","rangeStart":"10.2.0.1"})"},
      {R"({"subnet":"10.1.0.0/24","rangeStart":"10.1.0.9","rangeEnd":"10.1.0.8"})"},
      {R"({"subnet":"10.1.0.0/24","rangeEnd":"10.2.0.8"})"},
      {R"({"subnet":"::ffff:10.1.0.0/120"})"},
      {R"({"ranges":[[]]})"},
      {R"({"ranges":[]})"},
      {R"({})"},
      {R"({"ranges":[[{"subnet":"10.1.0.0/24"},{"subnet":"fd00::/64"}]]})"},
      {R"({"ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"10.1.0.0/25"}]]})"},
      {R"({"ranges":[[{"subnet":"10.1.0.0/24"},{"subnet":"10.1.0.0/25"}]]})"},
  };
  for (const auto& one : cases) {
    INFO(one.ipam << one.more << one.asked);
    Node ours;
    Node theirs;
    for (const auto* container : {"c1", "c2", "c3", "c1", "c4"}) {
      const Holder holder{container, "net1"};
      CHECK(ours.added(ours.config(one.ipam, one.more), holder, one.asked) ==
            theirs.upstream_added(theirs.config(one.ipam, one.more), holder, one.asked));
    }
    CHECK(ours.image() == theirs.image());
    const auto del = [&](const Holder& holder) {
      if (const auto store = ours.store(ours.config(one.ipam, one.more))) {
        must(store->del(holder, ours.deadline()));
      }
      theirs.upstream("DEL", theirs.config(one.ipam, one.more), holder);
    };
    del({"c2", "net1"});
    del({"c1", "other"});
    CHECK(ours.image() == theirs.image());
  }
}

TEST_CASE("ADD by one program, DEL by the other") {
  if (upstream_program().empty()) SKIP("Debian's CNI plugins are not there (test/setup/plugins)");
  Node node;
  const auto config =
      node.config(R"({"ranges":[[{"subnet":"10.1.0.0/29"}],[{"subnet":"fd00:0:0:1::/64"}]]})");
  CHECK(node.added(config, {"c1", "net1"}) ==
        "10.1.0.2/29 10.1.0.1, fd00:0:0:1::2/64 fd00:0:0:1::1");
  CHECK(node.upstream_added(config, {"c2", "net1"}) ==
        "10.1.0.3/29 10.1.0.1, fd00:0:0:1::3/64 fd00:0:0:1::1");
  CHECK(node.upstream("CHECK", config, {"c1", "net1"}).empty());
  must(must(node.store(config)).check({"c2", "net1"}, node.deadline()));
  CHECK(node.upstream("DEL", config, {"c1", "net1"}).empty());
  node.del(config, {"c2", "net1"});
  CHECK(node.files() == std::set<std::string>{"last_reserved_ip.0", "last_reserved_ip.1", "lock"});
  // Each goes on from the other's last one.
  CHECK(node.added(config, {"c3", "net1"}) ==
        "10.1.0.4/29 10.1.0.1, fd00:0:0:1::4/64 fd00:0:0:1::1");
  CHECK(node.upstream_added(config, {"c4", "net1"}) ==
        "10.1.0.5/29 10.1.0.1, fd00:0:0:1::5/64 fd00:0:0:1::1");
}

TEST_CASE("Both programs on one folder at once give no address twice") {
  if (upstream_program().empty()) SKIP("Debian's CNI plugins are not there (test/setup/plugins)");
  Node node;
  const auto config = node.config(R"({"subnet":"10.1.0.0/25"})");
  constexpr size_t kWorkers = 6;
  constexpr int kRounds = 15;
  std::vector<std::vector<std::string>> kept(kWorkers);
  std::vector<std::thread> workers;
  for (size_t worker = 0; worker < kWorkers; ++worker) {
    workers.emplace_back([&, worker] {
      for (int i = 0; i < kRounds; ++i) {
        const Holder holder{"c" + std::to_string(worker), "net" + std::to_string(i)};
        const bool is_ours = worker % 2 == 0;
        const auto given =
            is_ours ? node.added(config, holder) : node.upstream_added(config, holder);
        if (i % 3 != 0) {
          kept[worker].push_back(given);
        } else if (is_ours) {  // the other one takes it back
          node.upstream("DEL", config, holder);
        } else if (const auto store = node.store(config)) {
          (void)store->del(holder, node.deadline());
        }
      }
    });
  }
  for (auto& worker : workers) worker.join();
  std::set<std::string> all;
  for (const auto& one : kept) all.insert(one.begin(), one.end());
  constexpr size_t kKept = kWorkers * (kRounds - kRounds / 3);
  CHECK(all.size() == kKept);
  for (const auto& one : all) CHECK_THAT(one, ContainsSubstring("/25 10.1.0.1"));
  CHECK(node.files().size() == kKept + 2);
}

}  // namespace
}  // namespace railhead::ipam
