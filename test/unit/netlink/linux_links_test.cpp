// host::Links against this machine's kernel, in a namespace of the test's own.
#include "netlink/linux_links.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>

#include <catch2/catch_test_macros.hpp>

#include "test/support/must.hpp"
#include "test/support/private_netns.hpp"

using namespace railhead;
using namespace railhead::test;

namespace {

// The ports of a fresh namespace with the veth pair va - vb; the pair goes with the fixture.
struct Pair {
  Pair() {
    enter_private_netns();
    must_run("ip link add va type veth peer name vb");
    links = must(netlink::LinuxLinks::open());
    a = must(links->by_name("va")).index;
  }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;
  ~Pair() {
    [[maybe_unused]] int ignored = std::system("ip link del va 2>/dev/null || ip link del renamed");
  }
  std::unique_ptr<host::Links> links;
  uint32_t a = 0;
};

}  // namespace

TEST_CASE("A link tells its name, kind, type, MTU and address") {
  Pair pair;
  must_run("ip link set va mtu 1400 address 02:00:00:00:00:0a");
  auto link = must(pair.links->by_name("va"));
  CHECK(link.name == "va");
  CHECK(link.kind == "veth");
  CHECK(link.type == 1);
  CHECK(link.mtu == 1400);
  CHECK(link.address.to_string() == "02:00:00:00:00:0a");
  CHECK_FALSE(link.is_up());
  CHECK_FALSE(link.parent_device);
  CHECK_FALSE(link.num_vfs);
  CHECK(must(pair.links->by_index(link.index)) == link);
}

TEST_CASE("All links are listed, the loopback too") {
  Pair pair;
  auto links = must(pair.links->list());
  std::vector<std::string> names;
  for (const auto& link : links) names.push_back(link.name);
  std::ranges::sort(names);
  CHECK(names == std::vector<std::string>{"lo", "va", "vb"});
}

TEST_CASE("What is asked of a link that is missing is ENODEV and names it") {
  Pair pair;
  auto by_name = pair.links->by_name("absent");
  REQUIRE_FALSE(by_name);
  CHECK(by_name.error().os_errno == ENODEV);
  CHECK(by_name.error().code == ErrorCode::not_found);
  CHECK(by_name.error().message.starts_with("link absent: "));
  CHECK(pair.links->by_index(4711).error().os_errno == ENODEV);
  CHECK(pair.links->by_parent("0000:3b:00.2").error().os_errno == ENODEV);
  CHECK(pair.links->change(4711, {.up = true}).error().os_errno == ENODEV);
}

TEST_CASE("One change sets name, address, MTU and up") {
  Pair pair;
  auto address = *HwAddress::parse("02:00:00:00:00:77");
  must(
      pair.links->change(pair.a, {.name = "renamed", .address = address, .mtu = 1300, .up = true}));
  auto link = must(pair.links->by_index(pair.a));
  CHECK(link.name == "renamed");
  CHECK(link.address == address);
  CHECK(link.mtu == 1300);
  CHECK(link.is_up());
}

TEST_CASE("An error says what was to be done and what the kernel said to it") {
  Pair pair;
  auto taken = pair.links->change(pair.a, {.name = "vb"});
  REQUIRE_FALSE(taken);
  CHECK(taken.error().code == ErrorCode::already_exists);
  CHECK(taken.error().message == fmt::format("link {}: name vb: File exists (EEXIST)", pair.a));
  auto mtu = pair.links->change(pair.a, {.mtu = 1});
  REQUIRE_FALSE(mtu);
  CHECK(mtu.error().os_errno == EINVAL);
  CHECK(mtu.error().message.ends_with("mtu less than device minimum"));
}

TEST_CASE("An alternative name finds its link, is listed with it, and can be taken off") {
  Pair pair;
  const std::string name = "a-name-of-more-than-fifteen-characters";
  must(pair.links->add_alt_name(pair.a, name));
  CHECK(must(pair.links->by_name(name)).index == pair.a);
  CHECK(must(pair.links->by_name("va")).alt_names == std::vector{name});
  CHECK(pair.links->add_alt_name(pair.a, name).error().os_errno == EEXIST);
  must(pair.links->remove_alt_name(pair.a, name));
  CHECK(must(pair.links->by_name("va")).alt_names.empty());
  CHECK_FALSE(pair.links->remove_alt_name(pair.a, name));
}

TEST_CASE("Addresses of both families are set and read back") {
  Pair pair;
  auto v4 = *host::IpPrefix::parse("10.1.2.3/24");
  auto v6 = *host::IpPrefix::parse("fd00::5/64");
  must(pair.links->add_address(pair.a, v4));
  must(pair.links->add_address(pair.a, v6));
  CHECK(must(pair.links->addresses(pair.a)) == std::vector{v4, v6});
  CHECK(pair.links->add_address(pair.a, v4).error().os_errno == EEXIST);
  CHECK(must(pair.links->addresses(must(pair.links->by_name("vb")).index)).empty());
}

TEST_CASE("Routes are set and read back, with gateway, metric, table and metrics") {
  Pair pair;
  must(pair.links->add_address(pair.a, *host::IpPrefix::parse("10.1.2.3/24")));
  must_run("ip link set vb up");
  must(pair.links->change(pair.a, {.up = true}));
  host::Route on_link{.destination = *host::IpPrefix::parse("10.9.0.0/16"), .out_index = pair.a};
  host::Route through{.destination = *host::IpPrefix::parse("0.0.0.0/0"),
                      .gateway = host::IpPrefix::parse("10.1.2.1"),
                      .out_index = pair.a,
                      .metric = 50,
                      .table = 100,
                      .mtu = 1200,
                      .advmss = 1100};
  must(pair.links->add_route(on_link));
  must(pair.links->add_route(through));
  CHECK(pair.links->add_route(through).error().os_errno == EEXIST);

  auto routes = must(pair.links->routes(pair.a));
  on_link.table = 254;
  on_link.scope = 253;  // RT_SCOPE_LINK
  through.scope = 0;
  CHECK(std::ranges::count(routes, on_link) == 1);
  CHECK(std::ranges::count(routes, through) == 1);
}

TEST_CASE("The addresses of all links are listed, with their scope") {
  Pair pair;
  must_run("ip addr add 10.1.2.3/24 dev va && ip addr add 10.9.0.1/32 scope link dev vb");
  must(pair.links->add_address(pair.a, *host::IpPrefix::parse("fd00::5/64")));
  const auto b = must(pair.links->by_name("vb")).index;
  const auto all = must(pair.links->all_addresses());
  const auto has = [&](uint32_t index, const char* text, uint8_t scope) {
    const host::LinkAddress one{index, *host::IpPrefix::parse(text), scope};
    return std::ranges::count(all, one) == 1;
  };
  CHECK(has(pair.a, "10.1.2.3/24", 0));
  CHECK(has(pair.a, "fd00::5/64", 0));
  CHECK(has(b, "10.9.0.1/32", 253));
}

TEST_CASE("An IPv6 address that another host has is told to be a duplicate") {
  Pair pair;
  must_run("ip link set vb up && ip addr add fd00::5/64 dev vb nodad");
  must(pair.links->change(pair.a, {.up = true}));
  must(pair.links->add_address(pair.a, *host::IpPrefix::parse("fd00::5/64")));
  must(pair.links->add_address(pair.a, *host::IpPrefix::parse("fd00::6/64")));
  const auto is_duplicate = [&](const char* text) {
    for (const auto& one : must(pair.links->all_addresses())) {
      if (one.index == pair.a && one.address == *host::IpPrefix::parse(text)) {
        return one.is_duplicate;
      }
    }
    FAIL("no address " << text);
    return false;
  };
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!is_duplicate("fd00::5/64") && std::chrono::steady_clock::now() < give_up) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  CHECK(is_duplicate("fd00::5/64"));
  CHECK_FALSE(is_duplicate("fd00::6/64"));
}

TEST_CASE("Default routes are those of the main table, each next hop, of both families") {
  Pair pair;
  CHECK(must(pair.links->default_routes()).empty());
  must_run("ip addr add 10.1.2.3/24 dev va && ip addr add 10.1.3.3/24 dev vb");
  must_run("ip link set va up && ip link set vb up");
  const auto b = must(pair.links->by_name("vb")).index;
  must_run("ip route add default nexthop via 10.1.2.1 dev va nexthop via 10.1.3.1 dev vb");
  must_run("ip route add default via 10.1.2.1 table 100 && ip route add 10.9.0.0/16 dev va");
  must_run("ip -6 route add default dev vb metric 50 && ip -6 route add default dev va table 100");
  must_run("ip -6 route add unreachable default metric 4278198272");
  std::vector<std::pair<bool, uint32_t>> found;
  for (const auto& route : must(pair.links->default_routes())) {
    found.emplace_back(route.destination.v6, route.out_index);
  }
  std::ranges::sort(found);
  std::vector<std::pair<bool, uint32_t>> expected = {{false, pair.a}, {false, b}, {true, b}};
  std::ranges::sort(expected);
  CHECK(found == expected);
}

TEST_CASE("A macvlan tells the link below it, as long as that is in its namespace") {
  Pair pair;
  must_run("ip link add link va name mv0 type macvlan");
  CHECK(must(pair.links->by_name("mv0")).lower() == pair.a);
  CHECK_FALSE(must(pair.links->by_name("va")).lower());
}
