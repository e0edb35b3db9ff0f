#include "ipam/rails.hpp"

#include <filesystem>
#include <fstream>
#include <random>
#include <set>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

#include "host/files.hpp"
#include "test/support/fake_host.hpp"
#include "test/support/must.hpp"

namespace railhead::test {
namespace {

using Catch::Matchers::ContainsSubstring;
using Json = nlohmann::ordered_json;
using ipam::OnRail;
using ipam::Wanted;

constexpr const char* kPerRail = R"({"type": "rails", "v4": {"subnets": ["10.0.0.0/16",
    "10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16"], "nodePrefix": 28}})";
constexpr const char* kPairs = R"({"type": "rails", "mode": "perNodeAndRail", "rails": 2,
    "v4": {"subnet": "10.0.0.0/15", "railPrefix": 16, "nodePrefix": 31, "gateway": "peer"}})";
constexpr const char* kFlat = R"({"type": "rails", "mode": "flat", "rails": 4,
    "v4": {"subnet": "10.9.0.0/16", "nodePrefix": 28}})";

struct Store {
  FakeHost fake;
  ipam::RailsConf conf;
  uint32_t node = 1;

  explicit Store(const char* text) { set(text); }
  void set(const char* text) { conf = must(ipam::read_rails_conf(Json::parse(text))); }

  ipam::RailLeases open() {
    return must(ipam::RailLeases::open(fake.host, {fake.clock, std::chrono::seconds(5), {}}));
  }
  static std::vector<Wanted> rails(const std::vector<uint32_t>& numbers, uint32_t further = 0) {
    std::vector<Wanted> wanted;
    for (const auto rail : numbers) {
      auto name = "rail" + std::to_string(rail);
      if (further != 0) name += "-" + std::to_string(further);
      wanted.push_back({name, rail, further});
    }
    return wanted;
  }
  Result<std::vector<OnRail>> add(const std::string& container, const std::vector<Wanted>& wanted) {
    return ipam::allocate(open(), conf, node, {"net", container, "ml/" + container}, wanted);
  }
  // "10.0.0.17/16 10.1.0.17/16"
  std::string given(const std::string& container, const std::vector<Wanted>& wanted) {
    std::string text;
    for (const auto& one : must(add(container, wanted))) {
      for (const auto& item : one.addresses) {
        text += (text.empty() ? "" : " ") + item.address.to_string();
      }
    }
    return text;
  }
  void del(const std::string& container, const std::vector<Wanted>& wanted) {
    for (const auto& one : wanted) must(ipam::release(open(), "net", container, one.ifname));
  }
  [[nodiscard]] std::string folder() const { return fake.host.roots.state + "/ipam"; }
};

}  // namespace

TEST_CASE("A pod has the same place in each rail's block, the lowest that is free in all") {
  Store store(kPerRail);
  const auto all = Store::rails({0, 1, 2, 3});
  CHECK(store.given("a", all) == "10.0.0.16/16 10.1.0.16/16 10.2.0.16/16 10.3.0.16/16");
  CHECK(store.given("b", Store::rails({2})) == "10.2.0.17/16");
  CHECK(store.given("c", all) == "10.0.0.18/16 10.1.0.18/16 10.2.0.18/16 10.3.0.18/16");
  CHECK(store.given("d", Store::rails({0, 1})) == "10.0.0.17/16 10.1.0.17/16");
  store.del("a", all);
  CHECK(store.given("e", all) == "10.0.0.16/16 10.1.0.16/16 10.2.0.16/16 10.3.0.16/16");
}

TEST_CASE("Further devices of a rail have a place of their own") {
  Store store(kPerRail);
  auto wanted = Store::rails({0, 1});
  const auto further = Store::rails({0, 1}, 1);
  wanted.insert(wanted.end(), further.begin(), further.end());
  CHECK(store.given("a", wanted) == "10.0.0.16/16 10.1.0.16/16 10.0.0.17/16 10.1.0.17/16");
}

TEST_CASE("An ADD again has the same leases, one by one or all at once") {
  Store store(kPerRail);
  const auto all = Store::rails({0, 1, 2, 3});
  const auto first = store.given("a", all);
  CHECK(store.given("a", all) == first);
  CHECK(store.given("b", Store::rails({1})) == "10.1.0.17/16");
  CHECK(store.given("b", Store::rails({3})) == "10.3.0.17/16");
  CHECK(store.given("c", Store::rails({0})) == "10.0.0.17/16");
  const auto refused = store.add("b", Store::rails({0}));
  REQUIRE(is(refused, ErrorCode::busy));
  CHECK_THAT(refused.error().message,
             ContainsSubstring("rail 0: 10.0.0.17, the address at the place that the pod has on "
                               "its other rails, is pod ml/c (container c)'s"));
  store.conf.may_differ = true;
  CHECK(store.given("b", Store::rails({0})) == "10.0.0.18/16");
}

TEST_CASE("A /31 holds one pod for each rail and node, and the peer is its gateway") {
  Store store(kPairs);
  const auto all = Store::rails({0, 1});
  const auto given = must(store.add("a", all));
  CHECK(given[1].addresses[0].address.to_string() == "10.1.0.3/31");
  CHECK(given[1].addresses[0].gateway->to_string() == "10.1.0.2");
  REQUIRE(given[1].routes.size() == 1);
  CHECK(given[1].routes[0].destination.to_string() == "10.1.0.0/16");
  const auto refused = store.add("b", all);
  REQUIRE(is(refused, ErrorCode::busy));
  CHECK_THAT(refused.error().message,
             ContainsSubstring("rail 0: a /31 holds one pod per rail and node, and pod ml/a "
                               "(container a) has 10.0.0.2/31"));
  store.del("a", all);
  CHECK(store.given("b", all) == "10.0.0.3/31 10.1.0.3/31");
}

TEST_CASE("flat: a pod has an aligned run of addresses, by the numbers of its rails") {
  Store store(kFlat);
  CHECK(store.given("a", Store::rails({0, 1, 2, 3})) ==
        "10.9.0.16/16 10.9.0.17/16 10.9.0.18/16 10.9.0.19/16");
  CHECK(store.given("b", Store::rails({1, 3})) == "10.9.0.21/16 10.9.0.23/16");
  CHECK(store.given("c", Store::rails({0, 2})) == "10.9.0.20/16 10.9.0.22/16");
  for (const auto* pod : {"d", "e"}) must(store.add(pod, Store::rails({0, 1, 2, 3})));
  const auto refused = store.add("f", Store::rails({0, 1}));
  REQUIRE(is(refused, ErrorCode::busy));
  CHECK_THAT(refused.error().message,
             ContainsSubstring("no aligned run of addresses is free in all of the node's blocks"));
}

TEST_CASE("sameOffset: prefer gives what is free where no place is free on all rails") {
  Store store(kPerRail);
  store.conf.excluded.push_back(
      {*ipam::Address::parse("10.0.0.16"), *ipam::Address::parse("10.0.0.30")});
  store.conf.excluded.push_back(
      {*ipam::Address::parse("10.1.0.17"), *ipam::Address::parse("10.1.0.31")});
  const auto refused = store.add("a", Store::rails({0, 1}));
  REQUIRE(is(refused, ErrorCode::busy));
  CHECK_THAT(refused.error().message, ContainsSubstring("say sameOffset: prefer"));
  store.conf.may_differ = true;
  CHECK(store.given("a", Store::rails({0, 1})) == "10.0.0.31/16 10.1.0.16/16");
}

TEST_CASE("Both families have the same place") {
  Store store(R"({"type": "rails", "rails": 2, "v4": {"subnet": "10.0.0.0/15", "railPrefix": 16,
      "nodePrefix": 28, "gateway": 1}, "v6": {"subnet": "fd00::/16", "railPrefix": 32,
      "nodePrefix": 120}, "routes": [{"dst": "10.0.0.0/8"}, {"dst": "fd00::/8", "gw": "fd00::9"}]})");
  const auto given = must(store.add("a", Store::rails({1})));
  CHECK(given[0].addresses[0].address.to_string() == "10.1.0.16/16");
  CHECK(given[0].addresses[1].address.to_string() == "fd00:1::100/32");
  REQUIRE(given[0].routes.size() == 2);
  CHECK(given[0].routes[0].gateway->to_string() == "10.1.0.1");
  CHECK(given[0].routes[1].gateway->to_string() == "fd00::9");
}

TEST_CASE("A pod's networks have the same place, each in the block of its own rail") {
  Store store(kPerRail);
  const auto add = [&](const std::string& network, const std::string& container, uint32_t rail) {
    const ipam::PodOwner owner{network, container, "ml/" + container};
    return must(ipam::allocate(store.open(), store.conf, 1, owner, Store::rails({rail})))[0]
        .addresses[0]
        .address.to_string();
  };
  CHECK(add("net0", "a", 0) == "10.0.0.16/16");
  CHECK(add("net0", "b", 0) == "10.0.0.17/16");
  CHECK(add("net1", "b", 1) == "10.1.0.17/16");
  CHECK(add("net1", "a", 1) == "10.1.0.16/16");
}

TEST_CASE("Another boot ended every container: its leases are free") {
  Store store(kPerRail);
  const auto boot_id = store.fake.host.roots.proc + "/sys/kernel/random/boot_id";
  std::filesystem::create_directories(boot_id.substr(0, boot_id.rfind('/')));
  std::ofstream(boot_id) << "one\n";
  must(store.add("a", Store::rails({0, 1})));
  CHECK(must(store.open().all()).front().boot_id == "one");
  CHECK(must(store.open().all()).front().node == 1);
  std::ofstream(boot_id, std::ios::trunc) << "two\n";
  CHECK(store.given("b", Store::rails({0})) == "10.0.0.16/16");
  CHECK(must(store.open().all()).size() == 1);
  // Where this boot's is not known nobody's are.
  std::filesystem::remove(boot_id);
  CHECK(store.given("c", Store::rails({0})) == "10.0.0.17/16");
}

TEST_CASE("A node's block that is a whole subnet has no route to itself") {
  Store store(R"({"type": "rails", "mode": "perNodeAndRail",
      "v4": {"subnets": ["10.0.0.0/24", "10.1.0.0/23"], "nodePrefix": 24, "gateway": 1}})");
  store.node = 0;
  const auto given = must(store.add("a", Store::rails({0, 1})));
  CHECK(given[0].routes.empty());
  CHECK(given[1].routes.size() == 1);
}

TEST_CASE("A route may have an MTU of its own") {
  auto conf = Json::parse(kPerRail);
  conf["routes"] = {{{"dst", "10.0.0.0/8"}, {"mtu", 1400}}, {{"dst", "11.0.0.0/8"}}};
  Store store(conf.dump().c_str());
  const auto given = must(store.add("a", Store::rails({0})));
  CHECK(given[0].routes[0].mtu == 1400);
  CHECK_FALSE(given[0].routes[1].mtu);
  for (const auto mtu : {0, 67, 65536}) {
    conf["routes"][0]["mtu"] = mtu;
    CHECK_THAT(ipam::read_rails_conf(conf).error().message,
               ContainsSubstring(fmt::format("mtu: {}: expected 68 to 65535", mtu)));
  }
}

TEST_CASE("Networks that no host can be in are refused") {
  for (const auto* subnet : {"0.0.0.0/0", "127.0.0.0/16", "224.0.0.0/16", "255.0.0.0/16"}) {
    auto conf = Json::parse(kPerRail);
    conf["v4"]["subnets"][0] = subnet;
    CHECK_THAT(ipam::read_rails_conf(conf).error().message,
               ContainsSubstring(std::string("\"") + subnet + "\": no host can have"));
  }
  for (const auto* subnet : {"::/64", "::ffff:0:0/96", "fe80::/64", "ff02::/64"}) {
    auto conf = Json::parse(R"({"type": "rails", "v6": {"subnets": [""], "nodePrefix": 120}})");
    conf["v6"]["subnets"][0] = subnet;
    CHECK_FALSE(ipam::read_rails_conf(conf));
  }
}

TEST_CASE("Exclusions in any order, over one another, keep their addresses from pods") {
  Store store(R"({"type": "rails", "v4": {"subnets": ["10.0.0.0/16"], "nodePrefix": 28},
      "exclude": ["10.0.0.20-10.0.0.22", "10.0.0.16/30", "10.0.0.17", "10.0.0.22-10.0.0.23",
                  "fd00::/64", "10.0.0.25"]})");
  CHECK(store.given("a", Store::rails({0})) == "10.0.0.24/16");
  CHECK(store.given("b", Store::rails({0})) == "10.0.0.26/16");
  auto many = Json::parse(kPerRail);
  for (size_t i = 0; i <= ipam::kMaxExclusions; ++i) many["exclude"].push_back("10.0.0.1");
  CHECK_THAT(ipam::read_rails_conf(many).error().message,
             ContainsSubstring("exclude: 4097 of them: expected at most 4096"));
}

TEST_CASE("A GC frees what is not valid of its network, and no DEL is an error") {
  Store store(kPerRail);
  const auto two = Store::rails({0, 1});
  must(store.add("a", two));
  must(store.add("b", two));
  const std::vector<ipam::LeaseKey> valid = {{"a", "rail1"}};
  must(ipam::collect_garbage(store.open(), "other", {}));
  must(ipam::collect_garbage(store.open(), "net", valid));
  CHECK(is(ipam::find_lease(store.open(), "net", "a", "rail0"), ErrorCode::not_found));
  CHECK(must(ipam::find_lease(store.open(), "net", "a", "rail1")).addresses[0].to_string() ==
        "10.1.0.16");
  CHECK(is(ipam::find_lease(store.open(), "net", "b", "rail0"), ErrorCode::not_found));
  store.del("b", two);
  store.del("none", two);
}

TEST_CASE("A file that was cut or changed is told by its name, and nothing is given meanwhile") {
  Store store(kPerRail);
  must(store.add("a", Store::rails({0})));
  const auto path = store.folder() + "/a@net.json";
  const auto text = must(host::read_file(path));
  for (size_t size = 0; size + 1 < text.size(); ++size) {
    std::ofstream(path, std::ios::trunc) << text.substr(0, size);
    const auto refused = store.add("b", Store::rails({1}));
    REQUIRE(is(refused, ErrorCode::decode));
    CHECK_THAT(refused.error().message, ContainsSubstring("a@net.json"));
  }
  std::ofstream(path, std::ios::trunc) << text;
  std::ofstream(store.folder() + "/.new") << "what a killed writer left";
  CHECK(store.given("b", Store::rails({1})) == "10.1.0.16/16");
}

TEST_CASE("A DEL comes to its end where its pod's file cannot be read, and where none can be") {
  Store store(kPerRail);
  must(store.add("a", Store::rails({0, 1})));
  std::ofstream(store.folder() + "/a@net.json", std::ios::trunc) << "{";
  store.del("a", Store::rails({0, 1}));
  CHECK(store.given("b", Store::rails({0})) == "10.0.0.16/16");
  must(ipam::release(store.open(), "net/x", "a", "rail0"));
  must(ipam::release(store.open(), "net", std::string(200, 'a'), "rail0"));
}

TEST_CASE("What is no regular file is told by its name too, and its pod's DEL ends") {
  Store store(kPerRail);
  must(store.add("a", Store::rails({0})));
  const auto path = store.folder() + "/a@net.json";
  std::filesystem::remove(path);
  REQUIRE(mkfifo(path.c_str(), 0600) == 0);
  const auto refused = store.add("b", Store::rails({0}));
  REQUIRE(is(refused, ErrorCode::decode));
  CHECK_THAT(refused.error().message, ContainsSubstring("remove it once its pod is gone"));
  store.del("a", Store::rails({0}));
  CHECK(store.given("b", Store::rails({0})) == "10.0.0.16/16");
}

TEST_CASE("Names that are no file's are refused") {
  Store store(kPerRail);
  for (const auto* name : {"..", "a/b", "", ".a", "a@b"}) {
    CHECK(is(store.add(name, Store::rails({0})), ErrorCode::invalid_argument));
  }
  CHECK(is(store.add("a", Store::rails({4})), ErrorCode::invalid_argument));
  store.node = 4096;
  CHECK_THAT(store.add("a", Store::rails({0})).error().message,
             ContainsSubstring("the node's index 4096 is out of range"));
}

TEST_CASE("Whatever comes and goes, no address is given twice, on no node") {
  std::mt19937 random(7);
  const auto number = [&](uint32_t below) { return static_cast<uint32_t>(random() % below); };
  for (const auto* text : {kPerRail, kPairs, kFlat}) {
    std::vector<std::unique_ptr<Store>> nodes;
    for (uint32_t i = 0; i < 3; ++i) {
      nodes.push_back(std::make_unique<Store>(text));
      nodes.back()->node = i;
    }
    std::map<std::pair<uint32_t, std::string>, std::vector<std::string>> held;
    std::set<std::string> used;
    for (int round = 0; round < 200; ++round) {
      const auto i = number(3);
      const auto container = "c" + std::to_string(number(8));
      auto& store = *nodes[i];
      if (held.contains({i, container})) {
        store.del(container, Store::rails({0, 1, 2, 3}));
        for (const auto& address : held[{i, container}]) used.erase(address);
        held.erase({i, container});
        continue;
      }
      std::vector<uint32_t> rails;
      for (uint32_t rail = 0; rail < store.conf.rails; ++rail) {
        if (number(3) != 0) rails.push_back(rail);
      }
      if (rails.empty()) continue;
      const auto given = store.add(container, Store::rails(rails));
      if (!given) {
        REQUIRE(is(given, ErrorCode::busy));
        continue;
      }
      std::set<std::string> places;
      for (size_t r = 0; r < rails.size(); ++r) {
        const auto address = ipam::Address::of((*given)[r].addresses[0].address);
        REQUIRE(used.insert(address.to_string()).second);
        held[{i, container}].push_back(address.to_string());
        const auto low = static_cast<uint32_t>(address.value & 0xffff);
        places.insert(std::to_string(store.conf.mode == ipam::Mode::flat ? low - rails[r] : low));
      }
      CHECK(places.size() == 1);
    }
  }
}

}  // namespace railhead::test
