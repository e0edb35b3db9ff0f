// What a node knows of its cluster, against a stand-in over real HTTP.
#include "plugin/kube/cluster.hpp"

#include <atomic>
#include <future>
#include <thread>

#include <catch2/generators/catch_generators.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "test/unit/kube/on_loop.hpp"

using namespace railhead;
using namespace railhead::kube;
using namespace std::chrono_literals;
using test::ApiServer;
using Json = nlohmann::ordered_json;

namespace {

const std::string kPod =
    R"({"metadata":{"namespace":"ml","name":"a","uid":"u1","annotations":{"k8s.v1.cni.cncf.io/networks":"rail0"}}})";
const std::string kNad =
    R"({"metadata":{"namespace":"ml","name":"rail0","annotations":{"k8s.v1.cni.cncf.io/resourceName":"rdma/vf"}},"spec":{"config":"{}"}})";

bool has(const ApiServer::Request& request, const std::string& part) {
  return request.target.find(part) != std::string::npos;
}

// A server of one pod and one network, where `other` has nothing else to say.
ApiServer::Handler serving(const std::string& pods, const std::string& nads,
                           ApiServer::Handler other = {}, bool has_slices = false) {
  return [=](const ApiServer::Request& request) {
    if (has(request, "watch=1")) return ApiServer::Answer{.stays_open = true};
    const auto list = [](const std::string& items) {
      return ApiServer::Answer{.body = R"({"metadata":{"resourceVersion":"7"},"items":[)" + items +
                                       "]}"};
    };
    if (has(request, "/api/v1/pods?")) return list(pods);
    if (has(request, "/v1/network-attachment-definitions?")) return list(nads);
    if (has(request, "/resourceslices?")) {
      return has_slices ? list("") : ApiServer::Answer{.status = 404, .body = "{}"};
    }
    return other ? other(request) : ApiServer::Answer{.status = 404, .body = "{}"};
  };
}

struct OnCluster : test::OnLoop {
  explicit OnCluster(ApiServer& server, Cluster::Options options = {.node = "n1"})
      : client(*loop, clock, test::access_to(server)),
        cluster(options, *loop, clock, client, log) {}
  void follow() {
    cluster.start();
    REQUIRE(turn_until([&] { return cluster.troubles().empty(); }));
  }
  Found<Nad> nad(const Name& name) {
    std::optional<Found<Nad>> found;
    cluster.nad(name, [&](const Found<Nad>& answer) { found = answer; });
    REQUIRE(turn_until([&] { return found.has_value(); }));
    return *found;
  }
  Found<Pod> pod(const Name& name, const std::string& uid) {
    std::optional<Found<Pod>> found;
    cluster.pod(name, uid, [&](const Found<Pod>& answer) { found = answer; });
    REQUIRE(turn_until([&] { return found.has_value(); }));
    return *found;
  }
  Client client;
  Cluster cluster;
};

}  // namespace

TEST_CASE("What the cluster has is known without asking it") {
  ApiServer server(serving(kPod, kNad));
  OnCluster one(server);
  one.follow();
  REQUIRE(one.turn_until([&] { return server.watches() == 2; }));
  CHECK(server.count("/pods?fieldSelector=spec.nodeName%3Dn1") == 2);
  const auto asked = server.requests().size();
  const auto nad = one.nad({"ml", "rail0"});
  CHECK(nad.known == Known::yes);
  CHECK(nad.object == Nad{{"ml", "rail0"}, "rdma/vf", "{}"});
  CHECK(one.pod({"ml", "a"}, "u1").object.annotations.at("k8s.v1.cni.cncf.io/networks") == "rail0");
  CHECK(one.pod({"ml", "a"}, "").known == Known::yes);
  CHECK(server.requests().size() == asked);
  server.stop();
  CHECK(one.nad({"ml", "rail0"}).known == Known::yes);
  CHECK(one.pod({"ml", "a"}, "u1").known == Known::yes);
}

TEST_CASE("What is not known yet is asked for once, whoever wants it") {
  std::promise<void> open;
  const auto opened = open.get_future().share();
  ApiServer server(serving("", "", [&](const ApiServer::Request& request) {
    opened.wait_for(20s);
    if (has(request, "/pods/a")) return ApiServer::Answer{.body = kPod};
    if (has(request, "/rail0")) return ApiServer::Answer{.body = kNad};
    return ApiServer::Answer{.status = 404, .body = "{}"};
  }));
  OnCluster one(server, {.node = "n1", .get = 20s, .gets = 2});
  one.follow();
  int answered = 0;
  for (int i = 0; i < 3; ++i) {
    one.cluster.nad({"ml", "rail0"},
                    [&](const auto& found) { answered += found.known == Known::yes; });
  }
  one.cluster.pod({"ml", "a"}, "u1",
                  [&](const auto& found) { answered += found.known == Known::yes; });
  one.cluster.pod({"ml", "a"}, "u0",
                  [&](const auto& found) { answered += found.known == Known::missing; });
  one.cluster.nad({"ml", "none"},
                  [&](const auto& found) { answered += found.known == Known::missing; });
  REQUIRE(one.turn_until([&] { return server.count("/namespaces/") == 2; }));
  open.set_value();
  CHECK(one.turn_until([&] { return answered == 6; }));
  CHECK(server.count("/namespaces/") == 3);
}

TEST_CASE("While the server does not say, nobody knows") {
  ApiServer server(serving("", "", [](const ApiServer::Request& request) {
    if (has(request, "/slow")) return ApiServer::Answer{.body = "{}", .after = 10s};
    if (has(request, "/odd")) return ApiServer::Answer{.body = "[]"};
    return ApiServer::Answer{.status = 500, .body = R"({"message":"etcd is away"})"};
  }));
  OnCluster one(server, {.node = "n1", .get = 200ms});
  CHECK(one.cluster.troubles().size() == 3);
  one.follow();
  CHECK(one.nad({"ml", "x"}).reason == "500: etcd is away");
  CHECK(one.nad({"ml", "odd"}).reason == "expected an object, got array");
  const auto slow = one.pod({"ml", "slow"}, "u");
  CHECK(slow.known == Known::unknown);
  CHECK(slow.reason.find("/slow: ") != std::string::npos);
  one.cluster.nad({"ml", "slow"}, [](const auto&) { FAIL("told after its end"); });
  one.cluster.stop();
}

TEST_CASE("What the node's devices of claims are for is told, also when it changes") {
  ApiServer server(serving("", "", {}, true));
  OnCluster one(server);
  std::vector<ClaimedDevice> told{{}};
  one.cluster.on_claimed([&](const auto& devices) { told = devices; });
  one.follow();
  REQUIRE(one.turn_until([&] { return server.watches() == 3; }));
  CHECK(told.empty());
  const std::string slice =
      R"({"metadata":{"name":"s","resourceVersion":"8"},"spec":{"driver":"d","pool":{"name":"p"},"devices":[{"name":"x",)"
      R"("attributes":{"k8s.cni.cncf.io/resourceName":{"string":"dra/vf"},"k8s.cni.cncf.io/deviceID":{"string":"id"}}}]}})";
  server.push("/resourceslices", R"({"type":"ADDED","object":)" + slice + "}");
  REQUIRE(one.turn_until([&] { return told.size() == 1; }));
  CHECK(told[0] == ClaimedDevice{"d", "p", "x", "dra/vf", "id"});
  server.push("/resourceslices", R"({"type":"DELETED","object":)" + slice + "}");
  CHECK(one.turn_until([&] { return told.empty(); }));
}

TEST_CASE("Of configurations so much is kept, and the others are asked for when they are wanted") {
  const auto nad = [](const std::string& name, size_t size) {
    return R"({"metadata":{"namespace":"ml","name":")" + name + R"("},"spec":{"config":")" +
           std::string(size, ' ') + "\"}}";
  };
  ApiServer server(serving("", nad("a", 60) + "," + nad("b", 60) + "," + nad("c", 200),
                           [&](const ApiServer::Request& request) {
                             return ApiServer::Answer{
                                 .body =
                                     nad(request.target.substr(request.target.rfind('/') + 1), 60)};
                           }));
  OnCluster one(server, {.node = "n1", .nads = {600, 500}});
  one.follow();
  for (const auto* name : {"a", "b", "c"}) {
    INFO(name);
    const auto found = one.nad({"ml", name});
    CHECK(found.known == Known::yes);
    CHECK(found.object.config == std::string(60, ' '));
  }
  CHECK(server.count("/network-attachment-definitions/a") == 0);
  CHECK(server.count("/network-attachment-definitions/b") == 1);
  CHECK(server.count("/network-attachment-definitions/c") == 1);
  // What goes makes room.
  REQUIRE(one.turn_until([&] { return server.watches() == 2; }));
  server.push("/network-attachment-definitions",
              R"({"type":"DELETED","object":)" + nad("a", 60) + "}");
  server.push("/network-attachment-definitions",
              R"({"type":"MODIFIED","object":)" + nad("b", 60) + "}");
  REQUIRE(one.turn_until([&] {
    const auto asked = server.count("/network-attachment-definitions/b");
    return one.nad({"ml", "b"}).known == Known::yes &&
           server.count("/network-attachment-definitions/b") == asked;
  }));
}

TEST_CASE("A pod of a file of the node is known by the UID that it has there") {
  ApiServer server(serving(
      R"({"metadata":{"namespace":"ml","name":"s","uid":"u-2","annotations":{"kubernetes.io/config.mirror":"abc"}}})",
      ""));
  OnCluster one(server);
  CHECK_FALSE(one.cluster.uid_of({"ml", "s"}, "abc"));
  one.follow();
  CHECK(one.cluster.uid_of({"ml", "s"}, "abc") == "u-2");
  CHECK_FALSE(one.cluster.uid_of({"ml", "s"}, "abd"));
  CHECK_FALSE(one.cluster.uid_of({"ml", "t"}, "abc"));
  CHECK(one.cluster.uid_of({"ml", "t"}, "u-9") == "u-9");
  CHECK(one.cluster.uid_of({"ml", "t"}, "") == "");
  CHECK(one.pod({"ml", "s"}, "abc").known == Known::yes);
  CHECK(one.pod({"ml", "s"}, "abd").known == Known::missing);
}

TEST_CASE("A network-status is written for that very pod, the last one of several, until it is") {
  std::atomic<int> tries = 0;
  ApiServer server(serving("", "", [&](const ApiServer::Request& request) {
    if (request.method != "PATCH") return ApiServer::Answer{.status = 201, .body = "{}"};
    if (++tries == 1) return ApiServer::Answer{.status = 500, .body = "{}", .after = 50ms};
    return ApiServer::Answer{.body = "{}"};
  }));
  OnCluster one(server);
  int first = 0;
  int last = 0;
  one.cluster.write_status({"ml", "a"}, "u1", "one", [&](const auto&) { ++first; });
  REQUIRE(one.turn_until([&] { return tries == 1; }));
  one.cluster.write_status({"ml", "a"}, "u1", "two",
                           [&](const auto& done) { last += done.has_value(); });
  REQUIRE(one.turn_until([&] { return last == 1; }));
  CHECK(first == 0);
  CHECK(tries == 2);
  const auto request = server.requests().back();
  CHECK(request.target == "/api/v1/namespaces/ml/pods/a/status");
  CHECK(request.content_type == "application/strategic-merge-patch+json");
  CHECK(request.body ==
        R"({"metadata":{"annotations":{"k8s.v1.cni.cncf.io/network-status":"two"},"uid":"u1"}})");

  one.cluster.tell({"ml", "a"}, "u1", {true, "NoNetworkFound", "why"});
  one.cluster.tell({"ml", "a"}, "u1", {true, "NoNetworkFound", "why"});
  REQUIRE(one.turn_until([&] { return server.count("/events") == 1; }));
  const auto event = Json::parse(server.requests().back().body);
  CHECK(event["type"] == "Warning");
  CHECK(event["involvedObject"]["uid"] == "u1");
  CHECK(event["source"]["host"] == "n1");
}

TEST_CASE("Whoever may replace a pod's status and not patch it reads the pod first") {
  std::atomic<int> puts = 0;
  ApiServer server(serving("", "", [&](const ApiServer::Request& request) {
    if (request.method == "PATCH") return ApiServer::Answer{.status = 403, .body = "{}"};
    if (request.method == "PUT" && ++puts == 1) {
      return ApiServer::Answer{.status = 409, .body = R"({"message":"changed"})"};
    }
    return ApiServer::Answer{
        .body = R"({"kind":"Pod","metadata":{"name":"a","uid":"u1","resourceVersion":"8",)"
                R"("annotations":{"other":"x"}},"status":{"phase":"Running"}})"};
  }));
  OnCluster one(server);
  std::optional<Result<void>> result;
  const auto write = [&](const std::string& uid, const std::string& text) {
    result.reset();
    one.cluster.write_status({"ml", "a"}, uid, text, [&](const auto& done) { result = done; });
    REQUIRE(one.turn_until([&] { return result.has_value(); }));
  };
  write("u1", "one");
  CHECK(result->has_value());
  CHECK(puts == 2);
  CHECK(server.requests().back().target == "/api/v1/namespaces/ml/pods/a/status");
  CHECK(server.requests().back().body ==
        R"({"kind":"Pod","metadata":{"name":"a","uid":"u1","resourceVersion":"8",)"
        R"("annotations":{"other":"x","k8s.v1.cni.cncf.io/network-status":"one"}},)"
        R"("status":{"phase":"Running"}})");
  const auto asked = server.requests().size();
  write("u1", "two");
  CHECK(server.requests().size() == asked + 2);  // it is known what may not be done
  write("u0", "three");
  CHECK(is(*result, ErrorCode::not_found));
  CHECK(puts == 3);
}

TEST_CASE("A status that may not be written for a while is written when it may, and by the patch") {
  std::atomic<bool> may_write = false;
  ApiServer server(serving("", "", [&](const ApiServer::Request& request) {
    if (request.method == "GET") {
      return ApiServer::Answer{.body = R"({"metadata":{"name":"a","uid":"u1"}})"};
    }
    if (request.method == "PATCH" && may_write) return ApiServer::Answer{.body = "{}"};
    return ApiServer::Answer{.status = 403, .body = R"({"message":"no right"})"};
  }));
  OnCluster one(server, {.node = "n1", .writing = {.first_pause = 2ms, .longest_pause = 10ms}});
  std::optional<Result<void>> result;
  const auto write = [&] {
    result.reset();
    one.cluster.write_status({"ml", "a"}, "u1", "x", [&](const auto& done) { result = done; });
  };
  write();
  const auto count = [&](const std::string& method) {
    const auto requests = server.requests();
    return std::ranges::count(requests, method, &ApiServer::Request::method);
  };
  REQUIRE(one.turn_until([&] { return count("PUT") > 3 && count("PATCH") > 3; }));
  CHECK_FALSE(result);
  CHECK(std::ranges::count(one.cluster.troubles(), "writing: 403: no right") == 1);
  may_write = true;
  REQUIRE(one.turn_until([&] { return result.has_value(); }));
  CHECK(result->has_value());
  const auto puts = count("PUT");
  write();
  REQUIRE(one.turn_until([&] { return result.has_value(); }));
  CHECK(count("PUT") == puts);
  CHECK(std::ranges::count(one.cluster.troubles(), "writing: 403: no right") == 0);
}

TEST_CASE("A patch that meets another writer is tried again, one that meets another pod is not") {
  std::string uid = "u1";
  std::atomic<int> patches = 0;
  ApiServer server(serving("", "", [&](const ApiServer::Request& request) {
    if (request.method == "GET") {
      return ApiServer::Answer{.body = R"({"metadata":{"name":"a","uid":")" + uid + R"("}})"};
    }
    return ApiServer::Answer{.status = ++patches == 2 ? 200 : 409, .body = "{}"};
  }));
  OnCluster one(server, {.node = "n1", .writing = {.first_pause = 2ms, .longest_pause = 10ms}});
  std::optional<Result<void>> result;
  const auto write = [&] {
    result.reset();
    one.cluster.write_status({"ml", "a"}, "u1", "x", [&](const auto& done) { result = done; });
    REQUIRE(one.turn_until([&] { return result.has_value(); }));
  };
  write();
  CHECK(result->has_value());
  CHECK(patches == 2);
  uid = "u2";
  write();
  CHECK(is(*result, ErrorCode::not_found));
  CHECK(patches == 3);
}

TEST_CASE("A pod's claims are told what its interfaces are") {
  const std::string pod =
      R"({"metadata":{"namespace":"ml","name":"a","uid":"u1"},"spec":{"resourceClaims":[{"resourceClaimName":"own"}]},)"
      R"("status":{"resourceClaimStatuses":[{"name":"x","resourceClaimName":"made"},{"name":"none"}],)"
      R"("extendedResourceClaimStatus":{"resourceClaimName":"own"}}})";
  const std::string slice =
      R"({"metadata":{"name":"s","resourceVersion":"3"},"spec":{"driver":"sriov","pool":{"name":"n1"},"devices":[{"name":"vf-1",)"
      R"("attributes":{"k8s.cni.cncf.io/resourceName":{"string":"rdma/vf"},"k8s.cni.cncf.io/deviceID":{"string":"0000:3b:00.2"}}}]}})";
  ApiServer server([&](const ApiServer::Request& request) {
    if (has(request, "/resourceslices?") && !has(request, "watch=1")) {
      return ApiServer::Answer{.body = R"({"metadata":{"resourceVersion":"7"},"items":[)" + slice +
                                       "]}"};
    }
    return serving(pod, "", [](const ApiServer::Request& asked) {
      if (asked.method == "PATCH") return ApiServer::Answer{.body = "{}"};
      const auto* device = has(asked, "/made") ? "vf-1" : "gpu-0";
      return ApiServer::Answer{
          .body = fmt::format(R"({{"metadata":{{"namespace":"ml","name":"c","uid":"u"}},)"
                              R"("status":{{"allocation":{{"devices":{{"results":[)"
                              R"({{"driver":"sriov","pool":"n1","device":"{}"}}]}}}}}}}})",
                              device)};
    })(request);
  });
  OnCluster one(server);
  one.follow();
  one.cluster.write_claims({"ml", "a"}, "u1", {{"0000:3b:00.2", "net1", "", {"10.1.2.3/24"}}});
  one.cluster.write_claims({"ml", "a"}, "u0", {{"0000:3b:00.2", "net1", "", {}}});
  const std::string claims = "/apis/resource.k8s.io/v1/namespaces/ml/resourceclaims/";
  REQUIRE(one.turn_until([&] {
    return server.count(claims) == 3 && server.count("/status?fieldManager=railhead-u1") == 1;
  }));
  const auto requests = server.requests();
  const auto patch = std::ranges::find(requests, "PATCH", &ApiServer::Request::method);
  REQUIRE(patch != requests.end());
  CHECK(patch->target == claims + "made/status?fieldManager=railhead-u1");
  CHECK(patch->content_type == "application/apply-patch+yaml");
  CHECK(patch->body.find(R"("networkData":{"interfaceName":"net1","ips":["10.1.2.3/24"]})") !=
        std::string::npos);
}

TEST_CASE("A condition of the node is written, and since when it is so") {
  ApiServer server(
      serving("", "", [&](const ApiServer::Request&) { return ApiServer::Answer{.body = "{}"}; }));
  OnCluster one(server);
  std::vector<Json> written;
  const auto write = [&](bool is_true, const std::string& reason) {
    one.cluster.write_condition({"RailheadReady", is_true, reason, "why"});
    const auto wanted = written.size() + 1;
    REQUIRE(one.turn_until([&] { return server.count("/nodes/n1/status") == wanted; }));
    written.push_back(Json::parse(server.requests().back().body)["status"]["conditions"][0]);
  };
  write(false, "PoolsDegraded");
  std::this_thread::sleep_for(1100ms);  // the API's times are seconds
  write(false, "InventoryUnknown");
  write(true, "Ready");
  CHECK(server.requests().back().target == "/api/v1/nodes/n1/status");
  CHECK(server.requests().back().content_type == "application/strategic-merge-patch+json");
  CHECK(written[0]["status"] == "False");
  CHECK(written[2]["status"] == "True");
  CHECK(written[1]["lastTransitionTime"] == written[0]["lastTransitionTime"]);
  CHECK(written[2]["lastTransitionTime"] == written[2]["lastHeartbeatTime"]);
  CHECK(written[2]["lastTransitionTime"] != written[0]["lastTransitionTime"]);
}

TEST_CASE("Where claims are no matter, slices are not asked for") {
  ApiServer server(serving(kPod, kNad));
  OnCluster one(server, {.node = "n1", .claims = false});
  one.follow();
  CHECK(server.count("/resourceslices") == 0);
}

TEST_CASE("What no pod takes any more is not written for ever") {
  const int status = GENERATE(404, 409, 422);
  ApiServer server(serving("", "", [&](const ApiServer::Request&) {
    return ApiServer::Answer{.status = status, .body = R"({"message":"no"})"};
  }));
  OnCluster one(server);
  std::optional<Result<void>> result;
  one.cluster.write_status({"ml", "a"}, "u1", "x", [&](const auto& done) { result = done; });
  REQUIRE(one.turn_until([&] { return result.has_value(); }));
  CHECK(is(*result, status == 422 ? ErrorCode::invalid_argument : ErrorCode::not_found));
}
