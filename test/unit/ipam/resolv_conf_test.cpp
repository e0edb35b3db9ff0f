#include "ipam/resolv_conf.hpp"

#include <fstream>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "test/support/must.hpp"
#include "test/support/temporary_folder.hpp"

namespace railhead::ipam {
namespace {

using Catch::Matchers::ContainsSubstring;
using test::must;

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

}  // namespace
}  // namespace railhead::ipam
