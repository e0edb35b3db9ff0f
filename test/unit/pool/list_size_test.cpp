// That the bytes are those of the message is shown in test/unit/app/list_size_test.cpp.
#include "plugin/pool/list_size.hpp"

#include "test/unit/pool/node.hpp"

namespace railhead::test {

TEST_CASE("so many shares are told as a message has room for") {
  Node node;
  auto pool =
      node.select_json("pools: [{resourceName: x, kind: shared, perDevice: 1000, selectors: {}}]")
          .pools.at(0);
  CHECK(pool::list_bytes(pool::offers(pool)) <= pool::kMaxListBytes);
  CHECK(pool::most_shares_per_device(pool) == config::kMaxSharesPerDevice);
  for (unsigned i = 0; i < 1000; ++i) {
    auto member = pool.members.at(1);
    member.id = fmt::format("{:04x}:3b:01.1", i + 1);
    pool.members.push_back(std::move(member));
  }
  const auto most = pool::most_shares_per_device(pool);
  const auto bytes_of = [&](uint32_t shares) {
    pool.resource.sharing->shares = shares;
    return pool::list_bytes(pool::offers(pool));
  };
  CHECK(most > 50);
  CHECK(bytes_of(most) <= pool::kMaxListBytes);
  CHECK(bytes_of(most + 1) > pool::kMaxListBytes);
}

TEST_CASE("of a list that is too long the highest shares are left out, what pods have last") {
  Node node;
  auto pool =
      node.select_json("pools: [{resourceName: x, kind: shared, perDevice: 1000, selectors: {}}]")
          .pools.at(0);
  CHECK(pool::offers_told(pool, {}) == pool::offers(pool));
  CHECK(pool::count_untold(pool) == 0);
  const auto first = pool.members.at(0);
  pool.members.clear();
  for (unsigned i = 0; i < 300; ++i) {
    pool.members.push_back(first);
    pool.members.back().id = fmt::format("{:04x}:3b:01.1", i);
  }
  pool.leftovers.push_back({.id = "ffff:3b:01.1::7"});
  const auto name = pool.resource.full_name();
  const auto holding = [](const std::string& resource, const std::string& id) {
    return ledger::Holding{.device = id.substr(0, 12), .resource = resource, .id = id};
  };
  const ledger::Holdings holdings(
      {holding(name, "0000:3b:01.1::999"), holding("other/x", "0001:3b:01.1::999")}, true);

  std::set<std::string> told;
  for (const auto& offer : pool::offers_told(pool, holdings)) told.insert(offer.id);
  CHECK(told.size() == 300'001 - pool::count_untold(pool));
  CHECK(told.contains("0000:3b:01.1::999"));
  CHECK_FALSE(told.contains("0001:3b:01.1::999"));
  CHECK(told.contains("ffff:3b:01.1::7"));
  for (const auto& member : pool.members) CHECK(told.contains(member.id + "::300"));
  CHECK(pool::list_bytes(pool::offers_told(pool, holdings)) <= pool::kMaxListBytes);

  auto sick = pool;
  sick.members.at(5).sickness = "its port is down";
  std::set<std::string> told_sick;
  for (const auto& offer : pool::offers_told(sick, holdings)) told_sick.insert(offer.id);
  CHECK(told_sick == told);
}

}  // namespace railhead::test
