#include "plugin/kube/writer.hpp"

#include <algorithm>
#include <atomic>
#include <future>

#include <fmt/format.h>

#include "test/unit/kube/on_loop.hpp"

using namespace railhead;
using namespace railhead::kube;
using namespace std::chrono_literals;
using test::ApiServer;

namespace {

struct Writing : test::OnLoop {
  explicit Writing(ApiServer& server, Writer::Options options)
      : client(*loop, clock, test::access_to(server)), writer(options, *loop, clock, client, log) {}
  Client client;
  Writer writer;
};

}  // namespace

TEST_CASE("Writes come no faster than they may") {
  ApiServer server([](const ApiServer::Request&) { return ApiServer::Answer{}; });
  Writing one(server, {.per_second = 100, .burst = 2, .at_once = 2});
  int done = 0;
  const auto start = one.clock.now();
  for (int i = 0; i < 12; ++i) {
    one.writer.put(std::to_string(i), {.path = "/x"}, 0, [&](const auto&) { ++done; });
  }
  REQUIRE(one.turn_until([&] { return done == 12; }));
  CHECK(one.clock.now() - start >= 95ms);  // ten of them wait for 10 ms each
  CHECK(one.writer.waiting() == 0);
}

TEST_CASE("No more writes are under way than may be, and those that are never given up go first") {
  std::promise<void> open;
  const auto opened = open.get_future().share();
  // What comes with the status is answered after it was noted: the order is the writer's.
  std::promise<void> note;
  const auto noted = note.get_future().share();
  std::atomic<int> events = 0;
  ApiServer server([&](const ApiServer::Request& request) {
    if (request.target == "/status") {
      note.set_value();
    } else if (++events > 2) {
      noted.wait_for(20s);
    }
    opened.wait_for(20s);
    return ApiServer::Answer{};
  });
  Writing one(server, {.burst = 20, .at_once = 2});
  int done = 0;
  for (int i = 0; i < 6; ++i) {
    one.writer.put(fmt::format("event/{}", i), {.path = "/event"}, 3, [&](const auto&) { ++done; });
  }
  REQUIRE(one.turn_until([&] { return server.count("/event") == 2; }));
  one.writer.put("status", {.path = "/status"}, 0, [&](const auto&) { ++done; });
  one.loop->turn();
  const auto under_way = server.requests().size();
  open.set_value();
  CHECK(under_way == 2);
  REQUIRE(one.turn_until([&] { return done == 7; }));
  const auto requests = server.requests();
  const auto status = std::ranges::find(requests, "/status", &ApiServer::Request::target);
  CHECK(status - requests.begin() <= 3);
}

TEST_CASE("A write that may come to nothing is given up after its tries, others are not") {
  std::atomic<bool> is_well = false;
  ApiServer server([&](const ApiServer::Request&) {
    return is_well ? ApiServer::Answer{}
                   : ApiServer::Answer{.status = 403, .body = R"({"message":"no right"})"};
  });
  Writing one(server, {.first_pause = 2ms, .longest_pause = 10ms});
  std::optional<Result<void>> given_up;
  std::optional<Result<void>> kept;
  one.writer.put("a", {.path = "/a"}, 3, [&](const auto& done) { given_up = done; });
  one.writer.put("b", {.path = "/b"}, 0, [&](const auto& done) { kept = done; });
  REQUIRE(one.turn_until([&] { return server.count("/b") > 6; }));
  CHECK(server.count("/a") == 3);
  CHECK(given_up->error().message == "403: no right");
  CHECK(one.writer.trouble() == "403: no right");
  CHECK_FALSE(kept);
  is_well = true;
  REQUIRE(one.turn_until([&] { return kept.has_value(); }));
  CHECK(kept->has_value());
  CHECK(one.writer.trouble().empty());
}

TEST_CASE("A server that asks for a pause gets it") {
  std::atomic<int> asked = 0;
  ApiServer server([&](const ApiServer::Request&) {
    if (++asked > 1) return ApiServer::Answer{};
    return ApiServer::Answer{.status = 429, .body = "{}", .headers = "Retry-After: 1\r\n"};
  });
  Writing one(server, {.first_pause = 1ms});
  bool is_done = false;
  const auto start = one.clock.now();
  one.writer.put("a", {.path = "/a"}, 0, [&](const auto&) { is_done = true; });
  REQUIRE(one.turn_until([&] { return is_done; }));
  CHECK(one.clock.now() - start >= 1s);
}

TEST_CASE("A write that nobody needs any more is dropped, and others have its place") {
  std::promise<void> open;
  const auto opened = open.get_future().share();
  ApiServer server([&](const ApiServer::Request& request) {
    if (request.target == "/hangs") opened.wait_for(20s);
    return ApiServer::Answer{};
  });
  Writing one(server, {.at_once = 1});
  bool is_done = false;
  const auto never = [](const auto&) { FAIL("it was dropped"); };
  one.writer.put("hangs", {.path = "/hangs"}, 0, never);
  REQUIRE(one.turn_until([&] { return server.count("/hangs") == 1; }));
  one.writer.put("waits", {.path = "/waits"}, 0, never);
  one.writer.put("other", {.path = "/other"}, 3, [&](const auto&) { is_done = true; });
  one.writer.drop("waits");
  one.writer.drop("hangs");
  one.writer.drop("none");
  open.set_value();
  CHECK(one.turn_until([&] { return is_done; }));
  CHECK(one.writer.waiting() == 0);
  CHECK(server.count("/waits") == 0);
}
