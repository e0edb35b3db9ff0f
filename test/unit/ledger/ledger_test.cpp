#include "plugin/ledger/ledger.hpp"

#include <thread>

#include <catch2/catch_test_macros.hpp>

#include "test/support/fake_clock.hpp"
#include "test/support/must.hpp"

namespace railhead::test {
namespace {

using namespace std::chrono_literals;
using ledger::Granted;
using ledger::Ledger;
using ledger::Listed;
using ledger::State;

const std::string kA = "0000:3b:00.2";

// Kubelet answers when the test says so.
struct Node {
  Node() {
    ledger.emplace(loop_ref(), clock, sources(), log, Ledger::Options{}, [this] { ++changes; });
  }

  Loop& loop_ref() { return *loop; }
  ledger::Sources sources() {
    return {[this](auto answer) { questions.push_back(std::move(answer)); },
            [this]() -> Result<std::vector<ledger::Saved>> {
              if (saved) return *saved;
              return fail_errno(ENOENT, "checkpoint");
            },
            [] { return std::vector<device::Allocation>{}; }, [this] { return age; }};
  }
  void answer(Result<std::vector<Listed>> listed) {
    REQUIRE_FALSE(questions.empty());
    auto question = std::move(questions.front());
    questions.erase(questions.begin());
    question(std::move(listed));
    loop->turn();
  }
  void pass(std::chrono::milliseconds time) {
    clock.advance(time);
    loop->turn();
  }
  [[nodiscard]] State state() const { return ledger->holdings()->state(kA); }
  [[nodiscard]] Granted grant() {
    return must(ledger->grants().grant([] { return Result<Granted>({"rdma/vf", {kA}, {}, {}}); }));
  }

  FakeClock clock;
  Logger log{-1, LogLevel::error};
  std::unique_ptr<Loop> loop = must(Loop::open(clock));
  std::vector<std::function<void(Result<std::vector<Listed>>)>> questions;
  std::optional<std::vector<ledger::Saved>> saved;
  std::optional<std::chrono::milliseconds> age = 1h;
  int changes = 0;
  std::optional<Ledger> ledger;
};

const std::vector<Listed> kListed{{"ns/a", "main", "rdma/vf", {kA}}};

}  // namespace

TEST_CASE("Nothing is known until kubelet has answered; then what it does not list is free") {
  Node node;
  node.ledger->look();
  CHECK(node.state() == State::unknown);
  CHECK_FALSE(node.ledger->unknown_because().empty());
  node.loop->turn();
  node.answer(kListed);
  CHECK(node.state() == State::held);
  CHECK(node.ledger->unknown_because().empty());
  node.ledger->look();
  node.loop->turn();
  node.answer({});
  CHECK(node.state() == State::free);
  CHECK(node.changes == 2);
}

TEST_CASE("Until then kubelet's file says who holds a device, afterwards it does not") {
  Node node;
  node.saved = {{"1", "main", "rdma/vf", {kA}, {}, {}}};
  node.ledger->look();
  CHECK(node.state() == State::held);
  node.loop->turn();
  node.answer({});
  CHECK(node.state() == State::free);
}

TEST_CASE("A kubelet that has just come does not prove that a pod is gone") {
  Node node;
  node.saved = {{"1", "main", "rdma/vf", {kA}, {}, {}}};
  node.age = 1s;
  node.ledger->look();
  node.loop->turn();
  node.answer({});
  CHECK(node.state() == State::held);
  // It is asked again when it has had its time.
  node.age = 10s;
  node.pass(9s);
  node.answer({});
  CHECK(node.state() == State::free);
}

TEST_CASE("A restart of kubelet frees nothing that was held before it has had its time") {
  Node node;
  node.ledger->look();
  node.loop->turn();
  node.answer(kListed);
  node.age = 0s;
  node.ledger->look();
  node.loop->turn();
  node.answer({});
  CHECK(node.state() == State::held);
  node.age = 10s;
  node.pass(10s);
  node.answer({});
  CHECK(node.state() == State::free);
}

TEST_CASE("A kubelet that fails to answer is asked again, and takes away nothing that is known") {
  Node node;
  node.ledger->look();
  node.loop->turn();
  node.answer(kListed);
  node.ledger->look();
  node.loop->turn();
  node.answer(fail(ErrorCode::unavailable, "no kubelet"));
  CHECK(node.state() == State::held);
  CHECK(node.ledger->unknown_because() == "no kubelet");
  node.pass(5s);
  node.answer({});
  CHECK(node.state() == State::free);
  CHECK(node.ledger->unknown_because().empty());
}

TEST_CASE("What is granted is held at once, until kubelet has had time to list it and does not") {
  Node node;
  node.ledger->look();
  node.loop->turn();
  node.answer({});
  (void)node.grant();
  node.loop->turn();
  CHECK(node.state() == State::held);
  node.ledger->look();
  node.loop->turn();
  node.answer({});  // asked too soon after it
  CHECK(node.state() == State::held);
  node.pass(10s);
  node.answer({});
  CHECK(node.state() == State::free);
}

TEST_CASE("A grant that came to nothing is taken back") {
  Node node;
  node.ledger->look();
  node.loop->turn();
  node.answer({});
  const auto granted = node.grant();
  node.loop->turn();
  CHECK(node.state() == State::held);
  node.ledger->grants().take_back(granted);
  node.loop->turn();
  CHECK(node.state() == State::free);
}

TEST_CASE("A refusal is no grant, and what was decided before a grant is not shown after it") {
  Node node;
  auto& grants = node.ledger->grants();
  const auto count = grants.count();
  const auto refused =
      grants.grant([] { return Result<Granted>(fail(ErrorCode::not_found, "no such device")); });
  CHECK(is(refused, ErrorCode::not_found));
  int shown = 0;
  CHECK(grants.show_if_none_since(count, [&] { ++shown; }));
  (void)node.grant();
  CHECK_FALSE(grants.show_if_none_since(count, [&] { ++shown; }));
  CHECK(grants.show_if_none_since(grants.count(), [&] { ++shown; }));
  CHECK(shown == 2);
}

TEST_CASE("Kubelet is polled only while somebody waits for a holder to end") {
  Node node;
  node.ledger->look();
  node.loop->turn();
  node.answer(kListed);
  CHECK_FALSE(node.loop->due());
  node.ledger->watch(true);
  node.pass(5s);
  node.answer(kListed);
  node.pass(5s);
  node.answer({});
  CHECK(node.state() == State::free);
  node.ledger->watch(false);
  node.pass(5s);
  node.answer({});
  CHECK_FALSE(node.loop->due());
}

TEST_CASE("Questions that come while one is on its way become one") {
  Node node;
  node.ledger->look();
  node.loop->turn();
  for (int i = 0; i < 5; ++i) {
    node.ledger->look();
    node.loop->turn();
  }
  CHECK(node.questions.size() == 1);
  node.answer({});
  CHECK(node.questions.empty());
  node.pass(500ms);
  CHECK(node.questions.size() == 1);
}

TEST_CASE("A fresh answer is one that was asked for then, and a kubelet without one keeps nobody") {
  SystemClock clock;
  Logger log{-1, LogLevel::error};
  const auto loop = must(Loop::open(clock));
  bool answers = true;
  Ledger ledger(
      *loop, clock,
      {[&](auto answer) { answers ? answer(kListed) : answer(fail(ErrorCode::timeout, "slow")); },
       []() -> Result<std::vector<ledger::Saved>> { return fail_errno(ENOENT, "none"); },
       [] { return std::vector<device::Allocation>{}; },
       [] { return std::optional<std::chrono::milliseconds>(1h); }},
      log, {}, [] {});
  CHECK_FALSE(ledger.fresh(1ms));  // the loop does not turn
  std::thread turning([&] { loop->run(); });
  const auto now = ledger.fresh(10s);
  REQUIRE(now);
  CHECK(now->listed == kListed);
  CHECK_FALSE(now->saved);
  CHECK(loop->ask(10s, [&] { return answers = false; }).has_value());
  CHECK_FALSE(ledger.fresh(10s));
  loop->stop();
  turning.join();
}

}  // namespace railhead::test
