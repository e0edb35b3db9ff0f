// Upstream's host-local itself, and this program's, on one folder.
#include <set>
#include <thread>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "test/support/must.hpp"
#include "test/unit/ipam/lease_node.hpp"

namespace railhead::ipam {
namespace {

using Catch::Matchers::ContainsSubstring;
using test::must;

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
      {R"({"ranges":[[{"subnet":"10.1.0.0/30"},{"subnet":"10.2.0.0/30"}],
                    [{"subnet":"fd00::/64"}]]})"},
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
    LeaseNode ours;
    LeaseNode theirs;
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
  LeaseNode node;
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
  LeaseNode node;
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
