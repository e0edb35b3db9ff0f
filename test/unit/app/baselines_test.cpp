// Which signs of a holder the agent keeps a baseline by.
#include "plugin/app/baselines.hpp"

#include <filesystem>

#include <catch2/catch_test_macros.hpp>

#include "attach/store.hpp"
#include "test/support/fake_host.hpp"
#include "test/support/must.hpp"
#include "test/support/scanning.hpp"

namespace railhead::test {
namespace {

using ledger::Holding;
using ledger::Holdings;
using ledger::Source;

const PciAddress kVf = *PciAddress::parse("0000:11:00.0");
const PciAddress kPf = *PciAddress::parse("0000:10:00.0");

struct Kept {
  FakeHost fake;
  SystemClock clock;
  Logger log{2, LogLevel::error};
  std::unique_ptr<Loop> loop = must(Loop::open(clock));
  unsigned rounds = 0;
  app::Baselines baselines{*loop, fake.host,
                           [this] {
                             ++rounds;
                             return fake.host.netns.links(must(fake.host.netns.current()));
                           },
                           log};

  Kept() { fake.add_pf({.vfs = 2}); }

  static Holding holding(const PciAddress& device, Source source, const std::string& share = "") {
    Holding one;
    one.device = device.to_string();
    one.id = one.device + share;
    one.source = source;
    return one;
  }
  // Each round, if there is one, has come to its end.
  void look(std::vector<Holding> holdings, bool complete = true) {
    const auto before = rounds;
    baselines.look(Holdings(std::move(holdings), complete));
    std::ignore = run_loop_until(
        *loop, [&, until = std::chrono::steady_clock::now() + std::chrono::milliseconds(200)] {
          return rounds > before || std::chrono::steady_clock::now() > until;
        });
    baselines.stop();
    loop->turn();
    baselines.serve();
  }
  [[nodiscard]] bool has(const PciAddress& device) const {
    return std::filesystem::exists(attach::Store(fake.host.roots.run).baseline(device));
  }
};

}  // namespace

TEST_CASE("A VF that was free and is held has a baseline until it is free, as it was") {
  Kept node;
  node.baselines.serve();
  node.look({});
  CHECK(node.rounds == 0);
  node.look({Kept::holding(kVf, Source::podresources)});
  CHECK(node.has(kVf));
  node.look({Kept::holding(kVf, Source::podresources)});
  CHECK(node.rounds == 1);
  node.look({});
  CHECK_FALSE(node.has(kVf));
}

TEST_CASE(
    "A VF that may have been held before the agent came has none, but for a grant of its own") {
  Kept node;
  node.baselines.serve();
  node.look({Kept::holding(kVf, Source::podresources)}, false);
  CHECK(node.rounds == 0);
  const auto other = *PciAddress::parse("0000:11:00.1");
  node.look({Kept::holding(kVf, Source::podresources), Kept::holding(other, Source::grant)}, false);
  CHECK_FALSE(node.has(kVf));
  CHECK(node.has(other));
}

TEST_CASE("A holder that went while no agent was there is noticed by the next agent") {
  Kept node;
  node.baselines.serve();
  node.look({});
  node.look({Kept::holding(kVf, Source::podresources)});
  CHECK(node.has(kVf));
  app::Baselines next{*node.loop, node.fake.host,
                      [&] {
                        ++node.rounds;
                        return node.fake.host.netns.links(must(node.fake.host.netns.current()));
                      },
                      node.log};
  next.serve();
  next.look(Holdings({Kept::holding(kVf, Source::podresources)}, true));
  CHECK(node.rounds == 1);  // it has it still
  next.look(Holdings({}, false));
  next.look(Holdings({}, true));
  REQUIRE(run_loop_until(*node.loop, [&] { return node.rounds == 2 && !node.has(kVf); }));
}

TEST_CASE("Shares and PFs have no baseline, and a standby writes none") {
  Kept node;
  node.baselines.look(Holdings({}, true));
  node.baselines.look(Holdings({Kept::holding(kVf, Source::podresources)}, true));
  CHECK(node.rounds == 0);
  node.baselines.serve();
  node.look({});
  node.look(
      {Kept::holding(kVf, Source::podresources, "::1"), Kept::holding(kPf, Source::podresources)});
  CHECK_FALSE(node.has(kVf));
  CHECK_FALSE(node.has(kPf));
}

}  // namespace railhead::test
