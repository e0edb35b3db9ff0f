// What the agent passes on between the cluster and the CNI program, over real sockets and HTTP.
#include "plugin/app/networks.hpp"

#include <algorithm>
#include <filesystem>
#include <future>

#include "host/files.hpp"
#include "ipc/client.hpp"
#include "ipc/question.hpp"
#include "test/support/temporary_folder.hpp"
#include "test/unit/kube/on_loop.hpp"

using namespace railhead;
using namespace std::chrono_literals;
using test::ApiServer;
using test::must;

namespace {

namespace fs = std::filesystem;

const std::string kNad =
    R"({"metadata":{"namespace":"ml","name":"rail0","annotations":{"k8s.v1.cni.cncf.io/resourceName":"rdma/vf"}},)"
    R"("spec":{"config":"{}"}})";

struct Node : test::OnLoop {
  explicit Node(ApiServer::Handler other)
      : server([other](const ApiServer::Request& request) {
          if (request.target.find("watch=1") != std::string::npos)
            return ApiServer::Answer{.stays_open = true};
          if (request.target.find("?") == std::string::npos) return other(request);
          return ApiServer::Answer{.body = R"({"metadata":{"resourceVersion":"7"},"items":[)" +
                                           kNad + "]}"};
        }) {
    must(host::write_file_atomically(
        folder.path() + "/kubeconfig",
        "current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\n"
        "clusters: [{name: c, cluster: {server: \"" +
            server.url() +
            "\"}}]\n"
            "users: [{name: u, user: {}}]\n",
        0600));
    options.cluster = {
        .is_followed = true, .kubeconfig = folder.path() + "/kubeconfig", .node = "n1"};
    options.run = folder.path() + "/run";
    fs::create_directories(options.run);
  }
  void start() {
    networks.emplace(options, *loop, clock, claimed, metrics, log);
    must(networks->start());
    networks->serve();
    REQUIRE(turn_until([&] { return networks->troubles().empty(); }));
  }
  std::string answer(const auto& question) {
    std::string said;
    networks->answer(question, [&](const std::string& text) { said = text; });
    REQUIRE(turn_until([&] { return !said.empty(); }));
    return said;
  }
  // As the CNI program leaves it.
  void leave(const std::string& file, const std::string& text) {
    const auto path = news() + "/" + file;
    must(host::replace_file(path, news() + "/.new", text, 0600));
  }
  [[nodiscard]] std::string news() const { return ipc::news_folder_in(options.run); }
  [[nodiscard]] bool is_left(const std::string& file) const {
    return fs::exists(news() + "/" + file);
  }

  test::TemporaryFolder folder;
  ApiServer server;
  app::Networks::Options options;
  metrics::Metrics metrics{"test"};
  app::ClaimedDevices claimed;
  std::optional<app::Networks> networks;
};

const ipc::PodNews kNews{
    "ml", "a", "u-1", "[1]", {{false, "AddedInterface", "Add eth0 [] from x"}}};

}  // namespace

TEST_CASE("The CNI program is told of networks and pods, and pods of what is missing") {
  Node node([](const ApiServer::Request& request) {
    if (request.method == "POST") return ApiServer::Answer{.status = 201, .body = "{}"};
    return ApiServer::Answer{.status = 404, .body = "{}"};
  });
  node.start();
  CHECK(must(ipc::decode_nad_answer(node.answer(ipc::NadQuestion{"ml", "rail0", {}}))) ==
        ipc::NadAnswer{ipc::ClusterState::known, "rdma/vf", "{}", ""});
  CHECK(must(ipc::decode_nad_answer(node.answer(ipc::NadQuestion{"ml", "no", {"ml", "a", "u-1"}})))
            .state == ipc::ClusterState::missing);
  CHECK(must(ipc::decode_pod_answer(node.answer(ipc::PodQuestion{"ml", "b", "u"}))).state ==
        ipc::ClusterState::missing);
  REQUIRE(node.turn_until([&] { return node.server.count("/events") == 1; }));
  const auto requests = node.server.requests();
  CHECK(std::ranges::any_of(requests, [](const auto& one) {
    return one.target.ends_with("/events") && one.body.find("NoNetworkFound") != std::string::npos;
  }));
}

TEST_CASE("What is to be told of a pod is told, its file goes, and its Events follow") {
  Node node([](const ApiServer::Request&) { return ApiServer::Answer{.body = "{}"}; });
  fs::create_directories(node.news());
  node.leave("before.json", encode(kNews));  // by an agent that ended, or one that was not there
  node.start();
  REQUIRE(node.turn_until([&] { return !node.is_left("before.json"); }));
  node.leave("c1.json", encode(ipc::PodNews{"ml", "b", "u-2", "[2]", {}}));
  REQUIRE(node.turn_until([&] { return !node.is_left("c1.json"); }));
  CHECK(node.server.count("/pods/a/status") == 1);
  CHECK(node.server.count("/pods/b/status") == 1);
  CHECK(node.turn_until([&] { return node.server.count("/events") == 1; }));
}

TEST_CASE("What is replaced while it is on its way is told again") {
  std::promise<void> open;
  const auto opened = open.get_future().share();
  Node node([&](const ApiServer::Request&) {
    opened.wait_for(20s);
    return ApiServer::Answer{.body = "{}"};
  });
  node.start();
  auto second = kNews;
  second.network_status = "[2]";
  node.leave("c1.json", encode(kNews));
  REQUIRE(node.turn_until([&] { return node.server.count("/pods/a/status") == 1; }));
  node.leave("c1.json", encode(second));
  open.set_value();
  REQUIRE(node.turn_until([&] { return !node.is_left("c1.json"); }));
  REQUIRE(node.server.count("/pods/a/status") == 2);
  CHECK(node.turn_until([&] { return node.server.count("/events") >= 1; }));
}

TEST_CASE("Of two sandboxes of a pod the last one is told of, and both files go") {
  std::promise<void> open;
  const auto opened = open.get_future().share();
  Node node([&](const ApiServer::Request&) {
    opened.wait_for(20s);
    return ApiServer::Answer{.body = "{}"};
  });
  fs::create_directories(node.news());
  auto second = kNews;
  second.network_status = "[2]";
  second.events.clear();
  node.leave("z-first.json", encode(kNews));
  node.leave("a-second.json", encode(second));
  const auto time = fs::last_write_time(node.news() + "/a-second.json");
  fs::last_write_time(node.news() + "/z-first.json", time - 1h);
  node.start();
  REQUIRE(node.turn_until([&] { return node.server.count("/pods/a/status") == 1; }));
  open.set_value();
  REQUIRE(node.turn_until([&] { return !node.is_left("a-second.json"); }));
  CHECK_FALSE(node.is_left("z-first.json"));
  const auto requests = node.server.requests();
  const auto last = std::ranges::find_if(requests.rbegin(), requests.rend(),
                                         [](const auto& one) { return one.method == "PATCH"; });
  CHECK(last->body.find("[2]") != std::string::npos);
}

TEST_CASE("What nobody can read stays, and what no pod takes goes") {
  Node node([](const ApiServer::Request&) {
    return ApiServer::Answer{.status = 409, .body = R"({"message":"another UID"})"};
  });
  node.start();
  node.leave("odd.json", "no JSON");
  node.leave("gone.json", encode(kNews));
  REQUIRE(node.turn_until([&] { return !node.is_left("gone.json"); }));
  CHECK(node.is_left("odd.json"));
  CHECK(node.server.count("/events") == 0);
}

TEST_CASE("A network that no message holds is refused with its size") {
  Node node([](const ApiServer::Request&) {
    return ApiServer::Answer{.body =
                                 R"({"metadata":{"namespace":"ml","name":"x"},"spec":{"config":")" +
                                 std::string(70'000, ' ') + "\"}}"};
  });
  node.start();
  const auto answer = ipc::decode_nad_answer(node.answer(ipc::NadQuestion{"ml", "x", {}}));
  REQUIRE(is(answer, ErrorCode::unavailable));
  CHECK(answer.error().message.find("expected at most 65536") != std::string::npos);
}

TEST_CASE("An agent that follows no cluster says so, and one that cannot does not start") {
  test::OnLoop one;
  metrics::Metrics metrics("test");
  app::ClaimedDevices claimed;
  app::Networks none({{}, "/nonexistent"}, *one.loop, one.clock, claimed, metrics, one.log);
  must(none.start());
  none.serve();
  std::string said;
  none.answer(ipc::NadQuestion{"ml", "x", {}}, [&](const std::string& text) { said = text; });
  CHECK(said == R"x({"schema":1,"error":"it follows no API server (--cluster)"})x");
  app::Networks no_pod({{.is_followed = true, .node = "n"}, "/nonexistent"}, *one.loop, one.clock,
                       claimed, metrics, one.log);
  CHECK(is(no_pod.start(), ErrorCode::invalid_argument));
}

TEST_CASE("What is to be told of a pod that has ended is not told any more") {
  Node node([](const ApiServer::Request& request) {
    if (request.target.find("/pods/") != std::string::npos) {
      return ApiServer::Answer{.status = 403, .body = "{}"};
    }
    return ApiServer::Answer{.body = "{}"};
  });
  node.start();
  node.leave("c1.json", encode(kNews));
  REQUIRE(node.turn_until([&] { return node.server.count("/pods/a") >= 2; }));
  REQUIRE(node.turn_until([&] { return !node.networks->troubles().empty(); }));
  fs::remove(node.news() + "/c1.json");
  CHECK(node.turn_until([&] { return node.networks->troubles().empty(); }));
}

TEST_CASE("What is larger than the CNI program leaves it is left out") {
  Node node([](const ApiServer::Request&) { return ApiServer::Answer{.body = "{}"}; });
  node.start();
  auto large = kNews;
  large.network_status = std::string((1 << 20) + 1, ' ');
  node.leave("large.json", encode(large));
  node.leave("c1.json", encode(ipc::PodNews{"ml", "b", "u-2", "[2]", {}}));
  REQUIRE(node.turn_until([&] { return !node.is_left("c1.json"); }));
  CHECK(node.is_left("large.json"));
  CHECK(node.server.count("/pods/a/status") == 0);
}
