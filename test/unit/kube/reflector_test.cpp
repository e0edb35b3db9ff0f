// The reflector against a stand-in over real HTTP.
#include "plugin/kube/reflector.hpp"

#include <atomic>
#include <filesystem>
#include <set>

#include <catch2/generators/catch_generators.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "host/files.hpp"
#include "plugin/kube/objects.hpp"
#include "test/support/temporary_folder.hpp"
#include "test/unit/kube/on_loop.hpp"

using namespace railhead;
using namespace std::chrono_literals;
using test::ApiServer;

namespace {

std::string pod(const std::string& name, int version) {
  return fmt::format(
      R"({{"metadata":{{"namespace":"ml","name":"{}","uid":"u-{}","resourceVersion":"{}"}}}})",
      name, name, version);
}

std::string list(int version, const std::vector<std::string>& items) {
  return fmt::format(R"({{"kind":"PodList","metadata":{{"resourceVersion":"{}"}},"items":[{}]}})",
                     version, fmt::join(items, ","));
}

std::string event(const std::string& type, const std::string& object) {
  return fmt::format(R"({{"type":"{}","object":{}}})", type, object);
}

bool is_watch(const ApiServer::Request& request) {
  return request.target.find("watch=1") != std::string::npos;
}

struct Names final : kube::Reflector::Sink {
  std::set<std::string> names;
  std::set<std::string> listed;
  size_t lists = 0;
  static std::string name_of(const nlohmann::ordered_json& object) {
    return object["metadata"]["name"];
  }
  void begin_list() override { listed.clear(); }
  void put(const nlohmann::ordered_json& object) override { listed.insert(name_of(object)); }
  void end_list() override {
    names = listed;
    ++lists;
  }
  void changed(const nlohmann::ordered_json& object) override { names.insert(name_of(object)); }
  void removed(const nlohmann::ordered_json& object) override { names.erase(name_of(object)); }
};

// With pauses that a test does not notice.
struct Following : test::OnLoop {
  explicit Following(ApiServer& server, kube::Access access)
      : client(*loop, clock, std::move(access)),
        reflector({.what = "pods",
                   .path = "/api/v1/pods",
                   .selector = "fieldSelector=x",
                   .first_pause = 5ms,
                   .longest_pause = 20ms},
                  *loop, clock, client, sink, log) {
    std::ignore = server;
    reflector.start();
  }
  explicit Following(ApiServer& server) : Following(server, test::access_to(server)) {}

  Names sink;
  kube::Client client;
  kube::Reflector reflector;
};

using Set = std::set<std::string>;

}  // namespace

TEST_CASE("Objects are listed, and what changes is heard") {
  ApiServer server([](const ApiServer::Request& request) {
    if (is_watch(request)) return ApiServer::Answer{.stays_open = true};
    return ApiServer::Answer{.body = list(7, {pod("a", 1), pod("b", 2)})};
  });
  Following one(server);
  CHECK_FALSE(one.reflector.is_synced());
  CHECK_FALSE(one.reflector.trouble().empty());
  REQUIRE(one.turn_until([&] { return server.watches() == 1; }));
  CHECK(one.reflector.is_synced());
  CHECK(one.sink.names == Set{"a", "b"});
  CHECK(one.turn_until([&] { return one.reflector.trouble().empty(); }));
  const auto requests = server.requests();
  CHECK(requests[0].target == "/api/v1/pods?fieldSelector=x&resourceVersion=0");
  CHECK(requests[1].target.starts_with(
      "/api/v1/"
      "pods?fieldSelector=x&watch=1&allowWatchBookmarks=true&resourceVersion=7&timeoutSeconds="));
  server.push("", event("ADDED", pod("c", 8)));
  server.push("", event("MODIFIED", pod("a", 9)));
  server.push("", event("DELETED", pod("b", 10)));
  CHECK(one.turn_until([&] { return one.sink.names == Set{"a", "c"}; }));
}

TEST_CASE("A watch that ends is taken up where it was, by bookmarks too") {
  ApiServer server([](const ApiServer::Request& request) {
    if (is_watch(request)) return ApiServer::Answer{.stays_open = true};
    return ApiServer::Answer{.body = list(7, {})};
  });
  Following one(server);
  REQUIRE(one.turn_until([&] { return server.watches() == 1; }));
  server.push("", event("BOOKMARK", R"({"metadata":{"resourceVersion":"40"}})"));
  server.push("", event("ADDED", pod("a", 41)));
  REQUIRE(one.turn_until([&] { return one.sink.names == Set{"a"}; }));
  server.end_watches();
  REQUIRE(one.turn_until(
      [&] { return server.count("watch=1&allowWatchBookmarks=true&resourceVersion=41") == 1; }));
  CHECK(one.sink.lists == 1);
}

TEST_CASE("Where the server no longer knows a version, what is stored is listed anew") {
  std::atomic<int> lists = 0;
  const bool is_by_event = GENERATE(true, false);
  ApiServer server([&](const ApiServer::Request& request) {
    if (!is_watch(request)) {
      return ApiServer::Answer{.body = ++lists == 1 ? list(7, {pod("a", 1)})
                                                    : list(90, {pod("b", 80)})};
    }
    if (request.target.find("resourceVersion=7&") != std::string::npos && !is_by_event) {
      return ApiServer::Answer{.status = 410, .body = R"({"message":"too old"})"};
    }
    return ApiServer::Answer{.stays_open = true};
  });
  Following one(server);
  if (is_by_event) {
    REQUIRE(one.turn_until([&] { return server.watches() == 1; }));
    server.push("", event("ERROR", R"({"kind":"Status","code":410,"message":"Expired"})"));
  }
  REQUIRE(one.turn_until([&] { return server.count("resourceVersion=90") == 1; }));
  CHECK(one.sink.names == Set{"b"});
  // Not from the server's cache, which may be as old.
  CHECK(server.count("fieldSelector=x&resourceVersion=0") == 1);
}

TEST_CASE("A server that forgets at once each time is asked ever less often") {
  ApiServer server([](const ApiServer::Request& request) {
    if (is_watch(request)) return ApiServer::Answer{.status = 410, .body = "{}"};
    return ApiServer::Answer{.body = list(7, {})};
  });
  Following one(server);
  REQUIRE(one.turn_until([&] { return one.sink.lists == 6; }));
  const auto start = one.clock.now();
  REQUIRE(one.turn_until([&] { return one.sink.lists == 10; }));
  CHECK(one.clock.now() - start >= 4 * 10ms);  // half of the longest pause each, at least
}

TEST_CASE("What was heard stays while the server fails, and it is asked again") {
  std::atomic<int> broken = 0;
  std::atomic<bool> is_well = true;
  ApiServer server([&](const ApiServer::Request& request) {
    if (!is_well) {
      const int which = ++broken;
      if (which % 3 == 0) return ApiServer::Answer{.status = 503, .body = "{}"};
      if (which % 3 == 1)
        return ApiServer::Answer{.status = 429, .body = R"({"message":"slow down"})"};
      return ApiServer::Answer{.status = 500, .body = "<html>"};
    }
    if (is_watch(request)) return ApiServer::Answer{.stays_open = true};
    return ApiServer::Answer{.body = list(7, {pod("a", 1)})};
  });
  Following one(server);
  REQUIRE(one.turn_until([&] { return server.watches() == 1; }));
  is_well = false;
  server.end_watches();
  REQUIRE(one.turn_until([&] { return broken > 8; }));
  CHECK(one.reflector.is_synced());
  CHECK(one.sink.names == Set{"a"});
  CHECK_FALSE(one.reflector.trouble().empty());
  is_well = true;
  CHECK(one.turn_until([&] { return one.reflector.trouble().empty(); }));
  CHECK(one.sink.lists == 1);

  server.stop();
  REQUIRE(one.turn_until(
      [&] { return one.reflector.trouble().find(server.url()) != std::string::npos; }));
  CHECK(one.sink.names == Set{"a"});
  server.start();
  CHECK(one.turn_until([&] { return one.reflector.trouble().empty(); }));
}

TEST_CASE("A list that breaks off changes nothing") {
  std::atomic<int> lists = 0;
  ApiServer server([&](const ApiServer::Request& request) {
    if (is_watch(request)) return ApiServer::Answer{.stays_open = true};
    const auto whole = list(7, {pod("a", 1), pod("b", 2)});
    if (++lists == 1) return ApiServer::Answer{.body = whole.substr(0, whole.size() - 10)};
    return ApiServer::Answer{.body = whole, .after = 50ms};
  });
  Following one(server);
  REQUIRE(one.turn_until([&] { return lists == 2; }));
  CHECK_FALSE(one.reflector.is_synced());
  CHECK(one.sink.names.empty());
  CHECK(one.turn_until([&] { return one.sink.names == Set{"a", "b"}; }));
}

TEST_CASE("A refusal is told, and a token that was mended is used at once") {
  test::TemporaryFolder folder;
  const auto token = folder.path() + "/token";
  test::must(host::write_file_atomically(token, "old", 0600));
  ApiServer server([](const ApiServer::Request& request) {
    if (request.token != "new") {
      return ApiServer::Answer{.status = 401, .body = R"({"message":"Unauthorized"})"};
    }
    if (is_watch(request)) return ApiServer::Answer{.stays_open = true};
    return ApiServer::Answer{.body = list(7, {pod("a", 1)})};
  });
  auto access = test::access_to(server);
  access.token_file = token;
  Following one(server, access);
  REQUIRE(one.turn_until([&] { return one.reflector.trouble() == "401: Unauthorized"; }));
  test::must(host::write_file_atomically(token, "new\n", 0600));
  CHECK(one.turn_until([&] { return one.sink.names == Set{"a"}; }));
  REQUIRE(one.turn_until([&] { return server.watches() == 1; }));
  std::filesystem::remove(token);
  server.end_watches();
  CHECK(one.turn_until([&] { return one.reflector.trouble().starts_with("the token: "); }));
}

TEST_CASE("What is no answer of an API server is none") {
  for (const auto* text : {"", "7", "{}", "[]", R"({"metadata":{}})",
                           R"({"metadata":{"resourceVersion":7},"items":[]})"}) {
    INFO(text);
    ApiServer server([&](const ApiServer::Request&) { return ApiServer::Answer{.body = text}; });
    Following one(server);
    CHECK(one.turn_until(
        [&] { return one.reflector.trouble() == "the list has no resourceVersion"; }));
  }
  ApiServer server([](const ApiServer::Request& request) {
    if (is_watch(request)) return ApiServer::Answer{.stays_open = true};
    return ApiServer::Answer{.body = list(7, {})};
  });
  Following one(server);
  REQUIRE(one.turn_until([&] { return server.watches() == 1; }));
  server.push("", "no JSON");
  CHECK(
      one.turn_until([&] { return one.reflector.trouble() == "the watch sent what is no event"; }));
  CHECK(one.turn_until([&] { return one.reflector.trouble().empty(); }));
}

TEST_CASE("It can be dropped at any time") {
  ApiServer server(
      [](const ApiServer::Request&) { return ApiServer::Answer{.body = "{}", .after = 10s}; });
  {
    Following one(server);
    REQUIRE(one.turn_until([&] { return server.count("") == 1; }));
  }
  Following two(server);
  REQUIRE(two.turn_until([&] { return server.count("") == 2; }));
  two.reflector.stop();
}

TEST_CASE("However deep or wide what the server sends is, it costs what its length does") {
  std::string deep(200'000, '[');
  std::string wide = R"({"metadata":{"name":"w","resourceVersion":"8","labels":{)";
  for (int i = 0; i < 60'000; ++i) wide += fmt::format("{}\"{}\":\"\"", i == 0 ? "" : ",", i);
  wide += "}}}";
  ApiServer server([&](const ApiServer::Request& request) {
    if (is_watch(request)) return ApiServer::Answer{.stays_open = true};
    return ApiServer::Answer{.body = list(7, {pod("a", 1)})};
  });
  Following one(server);
  REQUIRE(one.turn_until([&] { return server.watches() == 1; }));
  server.push("", event("ADDED", wide));
  REQUIRE(one.turn_until([&] { return one.sink.names.contains("w"); }));
  server.push("", event("ERROR", deep + std::string(deep.size(), ']')));
  CHECK(
      one.turn_until([&] { return one.reflector.trouble() == "the watch sent what is no event"; }));
}
