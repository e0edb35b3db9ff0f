#include "ipam/address.hpp"

#include <catch2/catch_test_macros.hpp>

namespace railhead::ipam {
namespace {

host::IpPrefix prefix(std::string_view text) { return host::IpPrefix::parse(text).value(); }

TEST_CASE("An address counts within its family") {
  const auto v4 = Address::parse("10.1.2.254").value();
  CHECK(v4.to_string() == "10.1.2.254");
  CHECK(v4.plus(2)->to_string() == "10.1.3.0");
  CHECK_FALSE(Address::parse("255.255.255.255")->plus(1));
  const auto v6 = Address::parse("fd00::ffff").value();
  CHECK(v6.plus(1)->to_string() == "fd00::1:0");
  CHECK_FALSE(Address::parse("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")->plus(1));
  CHECK_FALSE(Address::parse("10.1.2.3/24"));
  CHECK_FALSE(Address::parse("10.1.2"));
  CHECK(v4.with_length(24).to_string() == "10.1.2.254/24");
}

TEST_CASE("A network has a first, a last, and a number of addresses") {
  CHECK(first_of(prefix("10.1.2.77/24")).to_string() == "10.1.2.0");
  CHECK(last_of(prefix("10.1.2.77/24")).to_string() == "10.1.2.255");
  CHECK(last_of(prefix("fd00::/64")).to_string() == "fd00::ffff:ffff:ffff:ffff");
  CHECK(contains(prefix("10.1.2.0/31"), *Address::parse("10.1.2.1")));
  CHECK_FALSE(contains(prefix("10.1.2.0/31"), *Address::parse("10.1.2.2")));
  CHECK_FALSE(contains(prefix("0.0.0.0/0"), *Address::parse("::1")));
  CHECK(size_of(prefix("10.1.2.3/32")) == 1);
  CHECK(size_of(prefix("0.0.0.0/0")) == Number{1} << 32);
  CHECK(size_of(prefix("::/0")) == ~Number{0});
}

}  // namespace
}  // namespace railhead::ipam
