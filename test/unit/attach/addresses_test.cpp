// What a pod's interface is given besides its settings: addresses, routes and the sysctls for them.
#include <cerrno>
#include <filesystem>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "base/text.hpp"
#include "test/unit/attach/node.hpp"

using namespace railhead;
using namespace railhead::attach;
using namespace railhead::test;
using Catch::Matchers::ContainsSubstring;

namespace {

host::IpPrefix ip(const char* text) { return *host::IpPrefix::parse(text); }

NetnsInode inode_of_pod(Node& node) { return must(node.fake.host.netns.open(node.pod)).id().inode; }

// Of the pod's net1, "ipv6/conf/*/disable_ipv6".
std::string sysctl(Node& node, const std::string& key) {
  node.fake.kernel.show_sysctls_of(inode_of_pod(node));
  const auto star = key.find('*');
  const auto path =
      node.fake.host.roots.proc + "/sys/net/" + key.substr(0, star) + "net1" + key.substr(star + 1);
  auto value = std::string(trim(must(host::read_file(path))));
  node.fake.kernel.show_sysctls_of(node.fake.kernel.host_netns);
  return value;
}

std::vector<host::Route> routes_of_net1(Node& node) {
  return must(node.fake.kernel.find(inode_of_pod(node), "net1"))->routes;
}

// As the cluster network leaves it.
void add_eth0(Node& node, const host::Route& default_route) {
  auto& eth0 = node.fake.kernel.add_link(inode_of_pod(node), {.name = "eth0"});
  eth0.routes = {default_route};
  eth0.routes[0].out_index = eth0.link.index;
}

}  // namespace

TEST_CASE("Routes that are equal are added once") {
  Node node;
  must(node.attach(node.request()));
  IpConfig config;
  config.addresses = {ip("10.1.2.3/24"), ip("fd00::3/64")};
  config.routes = {{.destination = ip("10.9.0.0/16"), .gateway = ip("10.1.2.1")},
                   {.destination = ip("10.9.0.0/16"), .gateway = ip("10.1.2.1"), .table = 254},
                   {.destination = ip("10.9.0.0/16"), .gateway = ip("10.1.2.2")},
                   {.destination = ip("10.9.0.0/16"), .gateway = ip("10.1.2.1"), .metric = 5},
                   {.destination = ip("fd01::/64"), .gateway = ip("fd00::1")},
                   {.destination = ip("fd01::/64"), .gateway = ip("fd00::1"), .metric = 1024}};
  must(node.activate(config));
  CHECK(routes_of_net1(node).size() == 4);
}

TEST_CASE("A route that stands on the interface already is no error, another EEXIST is one") {
  Node node;
  must(node.attach(node.request()));
  IpConfig config;
  config.routes = {{.destination = ip("10.9.0.0/16")}};
  must(node.activate(config));
  must(node.activate(config));
  CHECK(routes_of_net1(node).size() == 1);
  config.routes = {{.destination = ip("10.8.0.0/16")}};
  node.fake.fail_next("add_route", EEXIST);
  const auto done = node.activate(config);
  REQUIRE_FALSE(done);
  CHECK(done.error().os_errno == EEXIST);
}

TEST_CASE("A default route never takes the place of the pod's own without a word") {
  Node node;
  must(node.attach(node.request()));
  const host::Route present{.destination = ip("0.0.0.0/0"), .gateway = ip("10.244.0.1")};
  IpConfig config;
  config.routes = {{.destination = ip("0.0.0.0/0"), .gateway = ip("10.1.2.1")}};
  SECTION("there is none") { must(node.activate(config)); }
  SECTION("one of the same metric") {
    add_eth0(node, present);
    const auto done = node.activate(config);
    REQUIRE(is(done, ErrorCode::invalid_argument));
    CHECK_THAT(done.error().message,
               ContainsSubstring("(default via 10.1.2.1 on net1, metric 0)") &&
                   ContainsSubstring("(default via 10.244.0.1 on eth0, metric 0)"));
    CHECK_FALSE(node.fake.link("pod0", "net1")->is_up());
    return;
  }
  SECTION("one of the same metric, where a program is stood in for that adds it") {
    add_eth0(node, present);
    config.second_default = SecondDefault::warn;
    must(node.activate(config));
  }
  SECTION("one of another metric") {
    add_eth0(node, present);
    config.routes[0].metric = 200;
    must(node.activate(config));
  }
  SECTION("one of the other family") {
    add_eth0(node, {.destination = ip("::/0"), .gateway = ip("fd44::1")});
    must(node.activate(config));
  }
  SECTION("one in the main table, and the new one is for another") {
    add_eth0(node, present);
    config.routes[0].table = 100;
    must(node.activate(config));
  }
  CHECK(routes_of_net1(node).size() == 1);
}

TEST_CASE("Of a default route of IPv6 the metric that the kernel gives counts") {
  Node node;
  must(node.attach(node.request()));
  add_eth0(node, {.destination = ip("::/0"), .gateway = ip("fd44::1"), .metric = 1024});
  IpConfig config;
  config.routes = {{.destination = ip("::/0"), .gateway = ip("fd00::1")}};
  CHECK(is(node.activate(config), ErrorCode::invalid_argument));
}

TEST_CASE("IPv6 addresses survive that the pod takes its link down, IPv4 alone needs nothing") {
  Node node;
  must(node.attach(node.request()));
  IpConfig config;
  config.addresses = {ip("10.1.2.3/24")};
  must(node.activate(config));
  CHECK(sysctl(node, "ipv6/conf/*/keep_addr_on_down") == "0");
  config.addresses = {ip("fd00::3/64")};
  must(node.activate(config));
  CHECK(sysctl(node, "ipv6/conf/*/keep_addr_on_down") == "1");
}

TEST_CASE("An IPv6 address where IPv6 cannot be switched on is an error that names the path") {
  Node node;
  must(node.attach(node.request()));
  node.fake.kernel.show_sysctls_of(inode_of_pod(node));
  std::filesystem::remove_all(node.fake.host.roots.proc + "/sys/net/ipv6/conf/net1");
  IpConfig config;
  config.addresses = {ip("10.1.2.3/24")};
  must(node.activate(config));
  config.addresses = {ip("fd00::3/64")};
  const auto done = node.activate(config);
  REQUIRE_FALSE(done);
  CHECK_THAT(done.error().message,
             ContainsSubstring("/sys/net/ipv6/conf/net1/disable_ipv6") &&
                 ContainsSubstring("IPv6 on net1, which IPAM gave an IPv6 address"));
}

namespace {

// What the node's pod has of rules, "1001 from 10.1.2.3/32 table 1016".
std::vector<std::string> rules(Node& node) {
  std::vector<std::string> texts;
  for (const auto& rule : node.fake.kernel.netns.at(inode_of_pod(node)).rules) {
    texts.push_back(fmt::format("{}{}{} table {}", rule.priority,
                                rule.from ? " from " + rule.from->to_string() : "",
                                rule.out_link.empty() ? "" : " oif " + rule.out_link, rule.table));
  }
  return texts;
}

// Its routes, "0.0.0.0/0 via 10.1.2.1 table 1016".
std::vector<std::string> routes(Node& node) {
  std::vector<std::string> texts;
  for (const auto& route : routes_of_net1(node)) {
    texts.push_back(fmt::format("{}{} table {}", route.destination.to_string(),
                                route.gateway ? " via " + route.gateway->address_string() : "",
                                route.kernel_table()));
  }
  return texts;
}

IpConfig with_own_table(OwnTable own = {.table = 1016}) {
  IpConfig config;
  config.addresses = {ip("10.1.2.3/24"), ip("fd00::3/64")};
  config.routes = {{.destination = ip("0.0.0.0/0"), .gateway = ip("10.1.2.1")},
                   {.destination = ip("10.0.0.0/8"), .gateway = ip("10.1.2.1")},
                   {.destination = ip("10.7.0.0/16"), .table = 70}};
  config.own_table = std::move(own);
  return config;
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("With a table of its own an interface is asked by its addresses and its name") {
  Node node;
  auto request = node.request();
  request.table = 1016;
  must(node.attach(request));
  must(node.activate(with_own_table()));
  CHECK(rules(node) == Texts{"1000 oif net1 table 1016", "1001 from 10.1.2.3/32 table 1016",
                             "1000 oif net1 table 1016", "1001 from fd00::3/128 table 1016"});
  CHECK(routes(node) == Texts{"10.7.0.0/16 table 70", "10.1.2.0/24 table 1016",
                              "fd00::/64 table 1016", "fe80::/64 table 1016",
                              "0.0.0.0/0 via 10.1.2.1 table 1016",
                              "10.0.0.0/8 via 10.1.2.1 table 1016"});
  CHECK(sysctl(node, "ipv4/conf/*/arp_ignore") == "1");
  CHECK(sysctl(node, "ipv4/conf/*/arp_announce") == "2");
  CHECK(sysctl(node, "ipv4/conf/*/rp_filter") == "2");
  CHECK(sysctl(node, "ipv6/conf/*/accept_ra") == "0");
  must(node.detach(request.key));
  CHECK(rules(node).empty());
}

TEST_CASE("The main table keeps routes where it is asked to, but no default route") {
  Node node;
  must(node.attach(node.request()));
  add_eth0(node, {.destination = ip("0.0.0.0/0"), .gateway = ip("10.244.0.1")});
  must(node.activate(
      with_own_table({.table = 1000,
                      .arp = false,
                      .loose_rp_filter = false,
                      .in_main_table = true,
                      .neighbours = {{ip("10.1.2.1"), *HwAddress::parse("02:00:00:00:00:01")}}})));
  const auto all = routes(node);
  CHECK(std::ranges::count(all, "10.0.0.0/8 via 10.1.2.1 table 254") == 1);
  CHECK(std::ranges::count(all, "10.0.0.0/8 via 10.1.2.1 table 1000") == 1);
  CHECK(std::ranges::count(all, "0.0.0.0/0 via 10.1.2.1 table 254") == 0);
  CHECK(sysctl(node, "ipv4/conf/*/arp_ignore") == "0");
  CHECK(sysctl(node, "ipv4/conf/*/rp_filter") == "0");
  const auto& net1 = *must(node.fake.kernel.find(inode_of_pod(node), "net1"));
  CHECK(net1.neighbours.at("10.1.2.1").to_string() == "02:00:00:00:00:01");
}

TEST_CASE("A table that somebody uses is refused by its number, rules and routes alike") {
  Node node;
  must(node.attach(node.request()));
  auto& netns = node.fake.kernel.netns.at(inode_of_pod(node));
  netns.rules.push_back({.priority = 5, .table = 1016, .from = {}, .out_link = ""});
  const auto refused = node.activate(with_own_table());
  REQUIRE(is(refused, ErrorCode::already_exists));
  CHECK_THAT(refused.error().message, ContainsSubstring("routing table 1016 of the pod is in use"));
  netns.rules.clear();
  auto route = host::Route{.destination = ip("10.9.0.0/16")};
  route.table = 1016;
  add_eth0(node, route);
  CHECK(is(node.activate(with_own_table()), ErrorCode::already_exists));
}

TEST_CASE("Rules of others that ask the same table stay at the undo") {
  Node node;
  auto request = node.request();
  request.table = 1016;
  must(node.attach(request));
  must(node.activate(with_own_table()));
  auto& netns = node.fake.kernel.netns.at(inode_of_pod(node));
  const host::Rule other{.priority = 7, .table = 1016, .from = {}, .out_link = ""};
  netns.rules.push_back(other);
  must(node.detach(request.key));
  CHECK(netns.rules == std::vector{other});
}
