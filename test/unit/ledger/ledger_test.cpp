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
const std::string kB = "0000:3b:00.3";

// Kubelet answers when the test says so.
struct Node {
  explicit Node(const std::string& own_pod = "") {
    ledger.emplace(loop_ref(), clock, sources(), log, Ledger::Options{.own_pod = own_pod},
                   [this] { ++changes; });
  }

  Loop& loop_ref() { return *loop; }
  ledger::Sources sources() {
    return {[this](auto answer) { questions.push_back(std::move(answer)); },
            [this]() -> Result<std::vector<ledger::Saved>> {
              if (saved) return *saved;
              return fail_errno(saved_errno, "checkpoint");
            },
            [this] { return allocations; }, [this] { return kubelet; }};
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
  // Kubelet lists these, and has had its time.
  void know(const std::vector<Listed>& listed) {
    look();
    answer(listed);
    pass(10s);
    answer(listed);
  }
  void look() {
    ledger->look();
    loop->turn();
  }
  [[nodiscard]] State state() const { return ledger->holdings()->state(kA); }
  Result<Granted> decide(const Granted& granted) {
    return ledger->grants().grant([&] { return Result<Granted>(granted); });
  }
  Granted grant(const Granted& granted = {"rdma/vf", {kA}, {kA}, {}}) {
    ledger->grants().complete(must(decide(granted)));
    loop->turn();
    return granted;
  }

  FakeClock clock;
  Logger log{-1, LogLevel::error};
  std::unique_ptr<Loop> loop = must(Loop::open(clock));
  std::vector<std::function<void(Result<std::vector<Listed>>)>> questions;
  std::optional<std::vector<ledger::Saved>> saved;
  int saved_errno = ENOENT;  // why there is none
  Result<std::vector<device::Allocation>> allocations = std::vector<device::Allocation>{};
  std::optional<std::string> kubelet = "the first";
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
  node.pass(10s);
  node.answer({});
  CHECK(node.state() == State::free);
  CHECK(node.changes == 2);
}

TEST_CASE(
    "Until kubelet has had its time its file says who holds a device, afterwards it does not") {
  Node node;
  node.saved = {{"1", "main", "rdma/vf", {kA}, {}, {}}};
  node.ledger->look();
  CHECK(node.state() == State::held);
  node.loop->turn();
  node.answer({});
  CHECK(node.state() == State::held);
  // It is asked again then.
  node.pass(10s);
  node.answer({});
  CHECK(node.state() == State::free);
}

TEST_CASE("A restart of kubelet frees nothing that was held before it has had its time") {
  Node node;
  node.know(kListed);
  node.kubelet.reset();
  node.look();
  node.answer({});
  node.kubelet = "the second";
  node.pass(5s);
  node.answer({});
  CHECK(node.state() == State::held);
  node.pass(10s);
  node.answer({});
  CHECK(node.state() == State::free);
}

TEST_CASE("While kubelet does not list this agent's pod it does not know all, for however long") {
  const std::vector<Listed> own{{"kube-system/agent-x7k2p", "agent", "", {}}};
  Node node("agent-x7k2p");
  node.saved = {{"1", "main", "rdma/vf", {kA}, {}, {}}};
  node.look();
  for (int i = 0; i < 100; ++i) {
    node.answer(std::vector<Listed>{{"kube-system/static", "main", "", {}}});
    node.pass(5s);
  }
  CHECK(node.state() == State::held);
  CHECK(node.ledger->unknown_because().find("agent-x7k2p") != std::string::npos);
  // It learns of this one and of the others at once, but comes to one after the other.
  node.answer(own);
  CHECK(node.ledger->unknown_because().empty());
  CHECK(node.state() == State::held);
  node.pass(10s);
  node.answer(own);
  CHECK(node.state() == State::free);
}

TEST_CASE("A kubelet that fails to answer is asked again, and takes away nothing that is known") {
  Node node;
  node.know(kListed);
  node.look();
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
  node.know({});
  node.grant();
  CHECK(node.state() == State::held);
  node.look();
  node.answer({});  // asked too soon after it
  CHECK(node.state() == State::held);
  node.pass(10s);
  node.answer({});
  CHECK(node.state() == State::free);
}

TEST_CASE("A kubelet that may not know all pods does not take a grant away, however old") {
  Node node;
  node.know({});
  node.grant();
  node.kubelet = "the second";
  node.pass(10s);
  node.answer({});
  CHECK(node.state() == State::held);
  node.pass(10s);
  node.answer({});
  CHECK(node.state() == State::free);
}

TEST_CASE("A kubelet that does not answer is asked no more often because something was granted") {
  Node node;
  node.grant();
  node.pass(10s);
  node.answer(fail(ErrorCode::unavailable, "no kubelet"));
  CHECK(node.loop->due() == node.clock.now() + 5s);
}

TEST_CASE("A grant that came to nothing is taken back") {
  Node node;
  node.know({});
  const auto granted = node.grant();
  CHECK(node.state() == State::held);
  node.ledger->grants().take_back(granted);
  node.loop->turn();
  CHECK(node.state() == State::free);
}

TEST_CASE("What was granted as one thing is not granted as another, but for shares of both") {
  const std::string share = kA + "::3";
  struct Case {
    Granted first;
    Granted second;
    bool both;
  };
  const std::vector<Case> cases{
      {{"rdma/vf", {kA}, {kA}, {}}, {"rdma/vf", {kA}, {kA}, {}}, true},  // kubelet's to count
      {{"rdma/vf", {kA}, {kA}, {}}, {"rdma/vf", {kB}, {kB}, {}}, true},
      {{"rdma/vf", {kA}, {kA}, {}}, {"rdma/new", {kB, kA}, {kA, kB}, {}}, false},
      {{"rdma/vf", {kA}, {kA}, {}}, {"rdma/new", {kB}, {kB}, {}}, true},
      {{"rdma/vf", {kA}, {kA}, {}}, {"rdma/hca", {share}, {kA}, {}}, false},
      {{"rdma/vf", {kA}, {kA}, {}}, {"rdma/hca", {"3"}, {kA, kB}, {}}, false},
      {{"rdma/vf", {kA}, {kA}, {}}, {"rdma/hca", {"3"}, {kB}, {}}, true},
      {{"rdma/vf", {kA}, {kA}, {}}, {"rdma/vf", {share}, {kA}, {}}, false},  // by a reload
      {{"rdma/vf", {share}, {kA}, {}}, {"rdma/vf", {kA}, {kA}, {}}, false},
      {{"rdma/hca", {"3"}, {kA, kB}, {}}, {"rdma/vf", {kB}, {kB}, {}}, false},
      {{"rdma/hca", {"3"}, {kA, kB}, {}}, {"rdma/new", {share}, {kA}, {}}, true},
      {{"rdma/hca", {"3"}, {kA}, {}}, {"rdma/hca", {"4"}, {kA}, {}}, true},
  };
  for (const auto& one : cases) {
    INFO(one.first.resource << ' ' << one.first.ids[0] << ", then " << one.second.resource << ' '
                            << one.second.ids[0]);
    Node node;
    node.grant(one.first);
    const auto second = node.decide(one.second);
    CHECK(second.has_value() == one.both);
    if (second) continue;
    CHECK(is(second, ErrorCode::unavailable));
    CHECK(second.error().message.find("held by a pod as " + one.first.resource) !=
          std::string::npos);
  }
}

TEST_CASE("What a container is granted is no other's any more: an init container's is not kept") {
  const std::vector<std::string> nodes{"/dev/infiniband/uverbs2", "/dev/infiniband/uverbs3"};
  Node node;
  node.know({});
  node.grant({"rdma/vf", {kA}, {kA}, {nodes[0]}});
  node.grant({"rdma/vf", {kA, kB}, {kA, kB}, nodes});
  CHECK(node.ledger->holdings()->all().size() == 2);
  CHECK_FALSE(node.ledger->holdings()->other_with_node(nodes[0], kA));
  // Nor the other way round.
  node.grant({"rdma/vf", {kA}, {kA}, {nodes[0]}});
  CHECK(node.ledger->holdings()->all().size() == 2);
  CHECK_FALSE(node.ledger->holdings()->other_with_node(nodes[0], kA));
}

TEST_CASE("The same grant once more is nothing new") {
  Node node;
  node.grant({"rdma/vf", {kA}, {kA}, {}});
  node.grant({"rdma/vf", {kB}, {kB}, {}});
  const auto changes = node.changes;
  node.grant({"rdma/vf", {kA}, {kA}, {}});
  CHECK(node.changes == changes);
}

TEST_CASE("After a refusal kubelet is asked at once: what it took for free may be nobody's now") {
  Node node;
  node.know(kListed);
  CHECK_FALSE(node.ledger->grants().grant(
      [] { return Result<Granted>(fail(ErrorCode::not_found, "no such device")); }));
  node.loop->turn();
  node.answer({});
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
  node.grant();
  CHECK_FALSE(grants.show_if_none_since(count, [&] { ++shown; }));
  CHECK(grants.show_if_none_since(grants.count(), [&] { ++shown; }));
  CHECK(shown == 2);
}

TEST_CASE("Kubelet is polled more often while somebody waits for a holder to end") {
  Node node;
  node.know(kListed);
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

TEST_CASE("Kubelet, which tells nobody that a pod ended, is polled while one has devices") {
  Node node;
  node.know(kListed);
  node.pass(29s);
  CHECK(node.questions.empty());
  node.pass(1s);
  node.answer(kListed);
  node.pass(30s);
  node.answer({});
  CHECK(node.state() == State::free);
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
       [] { return std::optional<std::string>("kubelet"); }},
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

TEST_CASE("files that cannot be read are not taken for files that are gone, and are read again") {
  Node node;
  node.saved = {{"uid", "main", "rdma/vf", {kA}, {"/dev/infiniband/uverbs1"}, {}}};
  node.allocations = std::vector{device::Allocation{"rdma/vf", *PciAddress::parse(kB), {}, {}}};
  node.look();
  REQUIRE(node.state() == State::held);
  node.saved.reset();
  node.saved_errno = EMFILE;
  node.allocations = fail_errno(EMFILE, "records");
  node.look();
  CHECK(node.state() == State::held);
  CHECK(node.ledger->allocations().size() == 1);
  node.saved_errno = ENOENT;
  node.allocations = std::vector<device::Allocation>{};
  node.pass(1s);
  CHECK(node.state() == State::unknown);
  CHECK(node.ledger->allocations().empty());
}

TEST_CASE("what was granted since kubelet was asked is no longer the pod's that it listed") {
  Node node;
  node.know(kListed);
  REQUIRE(node.ledger->holdings()->of(kA).front()->pod == "ns/a");
  node.clock.advance(1s);
  node.grant();
  REQUIRE(node.ledger->holdings()->of(kA).size() == 1);
  CHECK(node.ledger->holdings()->of(kA).front()->pod.empty());
  node.look();
  node.answer({{{"ns/b", "main", "rdma/vf", {kA}}}});
  REQUIRE(node.ledger->holdings()->of(kA).size() == 1);
  CHECK(node.ledger->holdings()->of(kA).front()->pod == "ns/b");
}

TEST_CASE("nodes that came by CDI, of which kubelet keeps nothing, are known while they are held") {
  Node node;
  node.know({});
  node.grant({"rdma/vf", {kA}, {kA}, {"/dev/infiniband/uverbs1"}});
  for (int i = 0; i < 3; ++i) {
    node.look();
    node.answer(kListed);
    node.pass(10s);
  }
  REQUIRE(node.ledger->holdings()->of(kA).size() == 1);
  CHECK(node.ledger->holdings()->of(kA).front()->pod == "ns/a");
  CHECK(node.ledger->holdings()->other_with_node("/dev/infiniband/uverbs1", kB));
  while (!node.questions.empty()) node.answer(std::vector<Listed>{});
  node.look();
  node.answer(std::vector<Listed>{});
  CHECK_FALSE(node.ledger->holdings()->other_with_node("/dev/infiniband/uverbs1", kB));
}

TEST_CASE("whoever shows what kubelet says has it asked again, at most every five seconds") {
  Node node;
  node.know(kListed);
  node.ledger->look_if_old();
  node.loop->turn();
  CHECK(node.questions.empty());
  node.clock.advance(5s);
  node.ledger->look_if_old();
  node.loop->turn();
  CHECK(node.questions.size() == 1);
}

TEST_CASE("Who has kubelet asked anew hears of its next answer to a question that was put since") {
  Node node;
  node.know(kListed);
  int told = 0;
  const auto then = [&](const std::optional<Ledger::Now>& now) {
    ++told;
    REQUIRE(now);
    CHECK(now->listed.empty());
    CHECK(now->whole);
    CHECK(node.state() == State::free);
  };
  SECTION("at once") {
    node.ledger->confirm(then);
    node.answer({});
    CHECK(told == 1);
  }
  SECTION("after the answer to a question that was put before") {
    node.look();
    node.ledger->confirm(then);
    node.answer(kListed);
    CHECK(told == 0);
    node.loop->turn();
    node.answer({});
    CHECK(told == 1);
  }
}

TEST_CASE(
    "Who has kubelet asked anew hears of it when there is no answer, and nothing has changed") {
  Node node;
  node.know(kListed);
  bool told = false;
  node.ledger->confirm([&](const auto& now) {
    told = true;
    CHECK_FALSE(now);
  });
  node.answer(fail(ErrorCode::unavailable, "away"));
  CHECK(told);
  CHECK(node.state() == State::held);
}

TEST_CASE("Who has kubelet asked anew is told whether all pods are listed, and the file as it is") {
  Node node;
  std::optional<Ledger::Now> now;
  const auto ask = [&](const std::vector<Listed>& listed) {
    node.ledger->confirm([&](const auto& answer) { now = answer; });
    node.answer(listed);
    REQUIRE(now);
  };
  node.saved = {{"1", "main", "rdma/vf", {kA}, {}, {}}};
  ask(kListed);
  CHECK(now->listed == kListed);
  CHECK(now->saved == node.saved);
  CHECK_FALSE(now->whole);
  node.know(kListed);
  // What it was when it could be read may lack what a pod was given since.
  node.saved.reset();
  node.saved_errno = EMFILE;
  ask(kListed);
  CHECK_FALSE(now->saved);
  CHECK(now->whole);
}

}  // namespace railhead::test
