#include <catch2/catch_test_macros.hpp>

#include "plugin/pool/select.hpp"

namespace railhead::pool {
namespace {

using Unit = config::Sharing::Unit;

// Two devices, the first of them on NUMA node 1, the second sick.
Pool pool_of_two(std::optional<config::Sharing> sharing = std::nullopt) {
  Pool pool;
  pool.resource.sharing = sharing;
  pool.members.resize(2);
  pool.members[0].id = "0000:3b:00.2";
  pool.members[0].address = {0, 0x3b, 0, 2};
  pool.members[0].numa_node = 1;
  pool.members[1].id = "mlx5_core.sf.4";
  pool.members[1].address = {0, 0x3b, 0, 0};
  pool.members[1].sickness = "its port is down";
  return pool;
}

}  // namespace

TEST_CASE("each device is offered once, a sick one as unhealthy") {
  CHECK(offers(pool_of_two()) ==
        std::vector<Offer>{{"0000:3b:00.2", true, 1, PciAddress{0, 0x3b, 0, 2}},
                           {"mlx5_core.sf.4", false, std::nullopt, PciAddress{0, 0x3b, 0, 0}}});
}

TEST_CASE("shares of a device carry its id, its NUMA node and its health") {
  const auto shares = offers(pool_of_two(config::Sharing{Unit::device, 2}));
  REQUIRE(shares.size() == 4);
  CHECK(shares[1] == Offer{"0000:3b:00.2::1", true, 1, PciAddress{0, 0x3b, 0, 2}});
  CHECK(shares[2].id == "mlx5_core.sf.4::0");
  CHECK_FALSE(shares[2].healthy);
}

TEST_CASE("shares of a pool are numbers, healthy while one device is") {
  auto pool = pool_of_two(config::Sharing{Unit::pool, 3});
  CHECK(offers(pool) == std::vector<Offer>{{"0", true, std::nullopt, std::nullopt},
                                           {"1", true, std::nullopt, std::nullopt},
                                           {"2", true, std::nullopt, std::nullopt}});
  pool.members[0].sickness = "gone mad";
  CHECK_FALSE(offers(pool).at(0).healthy);
  pool.members.clear();
  CHECK(offers(pool).empty());
}

TEST_CASE("an offer's id leads back to its devices, another id to none") {
  const auto plain = pool_of_two();
  CHECK(members_of(plain, "0000:3b:00.2") == std::vector{&plain.members[0]});
  CHECK(members_of(plain, "0000:3b:00.2::0").empty());
  const auto shared = pool_of_two(config::Sharing{Unit::device, 2});
  CHECK(members_of(shared, "mlx5_core.sf.4::1") == std::vector{&shared.members[1]});
  for (const auto* id : {"mlx5_core.sf.4::2", "mlx5_core.sf.4::", "mlx5_core.sf.4", "x::0", ""}) {
    CHECK(members_of(shared, id).empty());
  }
  const auto whole = pool_of_two(config::Sharing{Unit::pool, 3});
  CHECK(members_of(whole, "2").size() == 2);
  CHECK(members_of(whole, "3").empty());
  CHECK(members_of(whole, "-1").empty());
}

}  // namespace railhead::pool
