#include "ipam/node_index.hpp"

#include <fstream>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "test/support/must.hpp"
#include "test/support/temporary_folder.hpp"

namespace railhead::test {
namespace {

using Catch::Matchers::ContainsSubstring;
using ipam::Address;
using ipam::NodeFacts;
using ipam::NodeRule;

NodeFacts node(const std::string& name, const std::vector<const char*>& addresses = {}) {
  NodeFacts facts{name, {}};
  for (const auto* address : addresses) facts.addresses.push_back(*Address::parse(address));
  return facts;
}

NodeRule of_cidr(const char* cidr, uint32_t first = 0) {
  return {.cidr = host::IpPrefix::parse(cidr), .name = "", .list = {}, .first = first};
}
NodeRule of_name(const char* name, uint32_t first = 0) {
  return {.cidr = {}, .name = name, .list = {}, .first = first};
}

std::string refused(const NodeRule& rule, const NodeFacts& facts) {
  const auto index = ipam::index_of(rule, facts);
  REQUIRE(is(index, ErrorCode::invalid_argument));
  return index.error().message;
}

}  // namespace

TEST_CASE("A node's index is its address' place in a network") {
  CHECK(must(ipam::index_of(of_cidr("192.168.0.0/22"), node("a", {"10.0.0.1", "192.168.1.17"}))) ==
        273);
  CHECK(must(ipam::index_of(of_cidr("192.168.0.0/22", 10), node("a", {"192.168.0.10"}))) == 0);
  CHECK(must(ipam::index_of(of_cidr("fd00::/64"), node("a", {"fd00::7"}))) == 7);
  CHECK_THAT(refused(of_cidr("192.168.0.0/22"), node("a", {"10.0.0.1"})),
             ContainsSubstring("the node has no address in it"));
  CHECK_THAT(refused(of_cidr("10.0.0.0/8"), node("a", {"10.0.0.1", "10.0.0.2"})),
             ContainsSubstring("has 10.0.0.1 and 10.0.0.2 in it: expected one"));
  CHECK_THAT(refused(of_cidr("10.0.0.0/8", 10), node("a", {"10.0.0.1"})),
             ContainsSubstring("before the first one"));
  CHECK_THAT(refused(of_cidr("fd00::/32"), node("a", {"fd00:0:1::1"})),
             ContainsSubstring("out of range"));
}

TEST_CASE("A node's index is the number in its name") {
  CHECK(must(ipam::index_of(of_name("gpu-*"), node("gpu-017"))) == 17);
  CHECK(must(ipam::index_of(of_name("gpu-*-rack", 1), node("gpu-5-rack"))) == 4);
  for (const auto* name : {"gpu-", "gpu-x", "cpu-5", "gpu--5", "gpu-5x", "gpu-99999999999"}) {
    CHECK_THAT(refused(of_name("gpu-*"), node(name)),
               ContainsSubstring("has no number in place of the *"));
  }
}

TEST_CASE("A node's index stands in a list") {
  const NodeRule rule{.cidr = {}, .name = "", .list = {{"a", 4}, {"b", 0}}, .first = 0};
  CHECK(must(ipam::index_of(rule, node("a"))) == 4);
  CHECK_THAT(refused(rule, node("c")), ContainsSubstring("the node c is not in it"));
}

TEST_CASE("The index is read as it was written; without a file it is to be tried again") {
  const TemporaryFolder folder;
  const auto none = ipam::read_node_index(folder.path());
  CHECK(is(none, ErrorCode::unavailable));
  CHECK_THAT(none.error().message, ContainsSubstring("node.json"));
  must(ipam::write_node_index(folder.path(), {7, "name gpu-*", "gpu-7"}));
  CHECK(must(ipam::read_node_index(folder.path())) == ipam::NodeIndex{7, "name gpu-*", "gpu-7"});
  for (const auto* text : {"", "[]", "{}", R"({"schema":1})", R"({"schema":1,"index":-1})",
                           R"({"schema":3,"index":1})", R"({"schema":1,"index":4294967296})"}) {
    std::ofstream(folder.path() + "/node.json") << text;
    CHECK(is(ipam::read_node_index(folder.path()), ErrorCode::decode));
  }
}

}  // namespace railhead::test
