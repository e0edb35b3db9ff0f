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

}  // namespace railhead::test
