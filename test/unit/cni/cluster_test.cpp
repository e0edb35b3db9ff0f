// The meta plugin on a node whose agent follows a cluster, over the real socket.
#include "ipc/cluster.hpp"

#include <functional>
#include <thread>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <fmt/format.h>
#include <sys/socket.h>

#include "base/unique_fd.hpp"
#include "cni/meta/pods.hpp"
#include "device/rail_map.hpp"
#include "ipc/message.hpp"
#include "ipc/pod_news.hpp"
#include "ipc/question.hpp"
#include "ipc/socket.hpp"
#include "test/support/must.hpp"
#include "test/unit/cni/pod_node.hpp"

using namespace railhead;
using namespace railhead::test;
using Catch::Matchers::ContainsSubstring;
using Json = PodNode::Json;

namespace {

// Answers the questions for which it has something to say; others are errors, as an older agent's.
class Agent {
 public:
  using Nads = std::function<ipc::NadAnswer(const ipc::NadQuestion&)>;
  using Pods = std::function<ipc::PodAnswer(const ipc::PodQuestion&)>;
  using Devices = std::function<ipc::ResolveAnswer(const ipc::ResolveQuestion&)>;
  explicit Agent(PodNode& node) : Agent(node.fake.host.roots.run) {}
  // `run`: its folder
  explicit Agent(const std::string& run) {
    must(host::make_directories(run, 0700));
    const auto address = must(ipc::to_address(ipc::socket_in(run)));
    REQUIRE(bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) ==
            0);
    REQUIRE(listen(listener_.get(), 8) == 0);
    thread_ = std::thread([this] { serve(); });
  }
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;
  ~Agent() {
    shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }

  Nads nads;
  Pods pods;
  Devices devices;

 private:
  void serve() {
    while (true) {
      const UniqueFd connection(accept(listener_.get(), nullptr, nullptr));
      if (connection.get() < 0) return;
      std::string received;
      char byte = 0;
      while (recv(connection.get(), &byte, 1, 0) == 1) {
        received.push_back(byte);
        if (const auto text = ipc::text_of(received); text && *text) break;
      }
      const auto text = ipc::text_of(received);
      if (!text || !*text) continue;
      const auto bytes = must(ipc::to_message(answer(must(ipc::decode_question(**text)))));
      send(connection.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    }
  }
  std::string answer(const ipc::Question& question) const {
    if (const auto* nad = std::get_if<ipc::NadQuestion>(&question); nad && nads) {
      return encode(nads(*nad));
    }
    if (const auto* pod = std::get_if<ipc::PodQuestion>(&question); pod && pods) {
      return encode(pods(*pod));
    }
    if (const auto* pod = std::get_if<ipc::ResolveQuestion>(&question); pod && devices) {
      return encode(devices(*pod));
    }
    return ipc::encode(
        Error{ErrorCode::unavailable, 0, "it follows no API server (--cluster)", {}});
  }

  UniqueFd listener_{socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  std::thread thread_;
};

}  // namespace

TEST_CASE("A network that no file has is the cluster's, and a file goes before it") {
  PodNode node;
  node.add_plugin("foreign");
  node.add_nad("filed", {{"cniVersion", "1.0.0"}, {"type", "foreign"}, {"mark", "file"}});
  Agent agent(node);
  std::vector<ipc::NadQuestion> asked;
  agent.nads = [&](const ipc::NadQuestion& question) {
    asked.push_back(question);
    return ipc::NadAnswer{ipc::ClusterState::known, "",
                          R"({"cniVersion":"1.0.0", "type":"foreign", "mark":1.50})", ""};
  };
  REQUIRE(node.add("filed,far").exit_code == 0);
  REQUIRE(asked.size() == 1);
  CHECK(asked[0].namespace_ == "ml");
  CHECK(asked[0].name == "far");
  CHECK(asked[0].pod.pod_uid == "uid-1");
  CHECK(node.input("foreign", "ADD")["mark"] == 1.5);
  REQUIRE(node.run("DEL").exit_code == 0);
  CHECK(node.pods().empty());
}

TEST_CASE(
    "What the cluster does not have is an error, and what it cannot say a reason to come again") {
  PodNode node;
  {
    Agent agent(node);
    agent.nads = [](const auto&) { return ipc::NadAnswer{ipc::ClusterState::missing, "", "", ""}; };
    const auto missing = error_of(node.add("far"));
    CHECK(missing.code == 999);  // as without the file
    CHECK_THAT(
        missing.message,
        ContainsSubstring("networks[0] (ml/far): cannot find a network-attachment-definition "
                          "(far) in namespace (ml): the API server has none"));
    agent.nads = [](const auto&) {
      return ipc::NadAnswer{ipc::ClusterState::unknown, "", "", "503: down"};
    };
    const auto unknown = error_of(node.add("far"));
    CHECK(unknown.code == 11);
    CHECK_THAT(unknown.message, ContainsSubstring("the agent cannot say: 503: down"));
    agent.nads = {};
    CHECK_THAT(error_of(node.add("far")).message, ContainsSubstring("it follows no API server"));
    CHECK(node.add("").exit_code == 0);
    CHECK(node.run("DEL").exit_code == 0);
  }
  CHECK_THAT(error_of(node.add("far")).message, ContainsSubstring("there is no "));
}

TEST_CASE("Where the runtime gives no annotations the agent's are taken") {
  PodNode node;
  node.add_plugin("foreign");
  node.add_nad("filed", {{"cniVersion", "1.0.0"}, {"type", "foreign"}});
  node.conf.erase("runtimeConfig");
  auto whole = node.conf;
  const auto add = [&] {
    return cni::run(cnispec::with(node.environment, "CNI_COMMAND", "ADD"), whole.dump(),
                    node.fake.host);
  };
  const auto refused = error_of(add());
  CHECK(refused.code == 11);
  CHECK_THAT(refused.message,
             ContainsSubstring("the runtime gave no annotations, and the agent: "));
  Agent agent(node);
  agent.pods = [](const auto&) { return ipc::PodAnswer{ipc::ClusterState::missing, {}, ""}; };
  CHECK(error_of(add()).code == 11);
  agent.pods = [](const ipc::PodQuestion& question) {
    return ipc::PodAnswer{
        question.pod_uid == "uid-1" ? ipc::ClusterState::known : ipc::ClusterState::missing,
        {{"k8s.v1.cni.cncf.io/networks", "filed"}},
        ""};
  };
  REQUIRE(add().exit_code == 0);
  CHECK(node.calls().back() == "ADD foreign net1");
}

TEST_CASE("The GUIDs of ib-kubernetes may be younger than the runtime's annotations") {
  PodNode node;
  node.add_plugin("foreign");
  node.add_nad("ib", R"({"cniVersion":"1.0.0","type":"foreign","ibKubernetesEnabled":true,
                         "capabilities":{"infinibandGUID":true}})");
  node.add_nad("plain", {{"cniVersion", "1.0.0"}, {"type", "foreign"}});
  Agent agent(node);
  std::string later = "plain,ib@a,ib@b";
  int asked = 0;
  const auto as_it_is = [&](const ipc::PodQuestion& question) {
    ++asked;
    CHECK(question.pod_uid == "uid-1");
    return ipc::PodAnswer{ipc::ClusterState::known, {{"k8s.v1.cni.cncf.io/networks", later}}, ""};
  };
  const auto configured = [](const std::string& name, const std::string& ifname, int guid) {
    return fmt::format(
        R"({{"name":"{}","interface":"{}","mac":"02:00:00:00:00:99","cni-args":{{"guid":"02:00:00:00:00:00:00:0{}","pkey":"0x7fff",
            "mellanox.infiniband.app":"configured","other":"no"}}}})",
        name, ifname, guid);
  };
  SECTION("it is waited for, and of the same entries only these keys are taken") {
    agent.pods = [&](const ipc::PodQuestion& question) {
      if (asked == 2) {
        later = fmt::format("[{},{},{}]", configured("plain", "", 1), configured("ib", "a", 2),
                            configured("ib", "b", 3));
      }
      return as_it_is(question);
    };
    REQUIRE(node.add("plain,ib@a,ib@b").exit_code == 0);
    CHECK(asked == 3);
    CHECK(node.input("foreign", "ADD")["args"]["cni"] ==
          Json::parse(R"({"guid":"02:00:00:00:00:00:00:03","mellanox.infiniband.app":"configured",
                          "pkey":"0x7fff"})"));
    CHECK_FALSE(node.environment_of("foreign", "ADD").find("02:00:00:00:00:99") !=
                std::string::npos);
  }
  SECTION("by its capability, too") {
    later = R"([{"name":"ib","infiniband-guid":"02:00:00:00:00:00:00:07",
                 "cni-args":{"mellanox.infiniband.app":"configured"}}])";
    agent.pods = as_it_is;
    REQUIRE(node.add("ib").exit_code == 0);
    CHECK(node.input("foreign", "ADD")["runtimeConfig"]["infinibandGUID"] ==
          "02:00:00:00:00:00:00:07");
  }
  SECTION("not for ever, nor from an entry that asks for something else") {
    later = fmt::format("[{}]", configured("ib", "other", 2));
    agent.pods = as_it_is;
    const auto before = node.fake.clock.now();
    const auto error = error_of(node.add("ib"));
    CHECK(error.code == 11);
    CHECK_THAT(error.message,
               ContainsSubstring("networks[0] (ml/ib): ib-kubernetes has not given it a GUID: the "
                                 "annotations of pod ml/trainer-0: they have not changed in time"));
    CHECK(node.fake.clock.now() - before == std::chrono::seconds(15));
    CHECK(node.calls().empty());
  }
  SECTION("nobody is asked where the runtime's copy has them") {
    agent.pods = as_it_is;
    node.conf["strict"] = false;  // its MAC is nobody's
    REQUIRE(node.add("[" + configured("ib", "", 2) + "]").exit_code == 0);
    CHECK(asked == 0);
  }
}

TEST_CASE("What the cluster is to know of a pod is left in a file, which DEL removes") {
  PodNode node;
  node.add_plugin("foreign");
  node.add_nad("filed", {{"cniVersion", "1.0.0"}, {"type", "foreign"}});
  node.conf["strict"] = false;
  REQUIRE(node.add(R"([{"name":"filed","ips":["10.1.2.3"]}])").exit_code == 0);
  const auto file = ipc::news_folder_in(node.fake.host.roots.run) + "/c1.json";
  const auto news = must(ipc::decode_pod_news(must(host::read_private_file(file))));
  CHECK(news.pod_namespace == "ml");
  CHECK(news.pod_uid == "uid-1");
  CHECK(Json::parse(news.network_status) == node.network_status());
  REQUIRE(news.events.size() == 3);
  CHECK(news.events[0] ==
        ipc::PodEvent{false, "AddedInterface", "Add eth0 [10.0.0.5/16] from cluster"});
  CHECK(news.events[1].message.starts_with("Add net1 ["));
  CHECK(news.events[1].message.ends_with("] from ml/filed"));
  CHECK(news.events[2].is_warning);
  CHECK(news.events[2].reason == "NetworkWarning");
  REQUIRE(node.run("DEL").exit_code == 0);
  CHECK(is(host::read_private_file(file), ErrorCode::not_found));
}

TEST_CASE("What is told of a pod has its bounds, whoever wrote its networks") {
  PodNode node;
  const cni::Pods pods(node.fake.host.roots);
  cni::PodRecord record;
  record.container_id = "c1";
  ipc::PodNews news{"ml", "a", "u", std::string(128 << 10, ' '), {}, {}, {}};
  news.attached = {{"0000:11:00.0", "net1", "", {"10.9.0.1/24"}}};
  news.events.assign(100, {false, "AddedInterface", std::string(5'000, 'x')});
  const auto told = [&] {
    must(pods.tell(record, news));
    return must(ipc::decode_pod_news(
        must(host::read_private_file(ipc::news_folder_in(node.fake.host.roots.run) + "/c1.json"))));
  };
  CHECK(told().network_status == news.network_status);
  CHECK(told().events.size() == 64);
  CHECK(told().events[63].message.size() == 1'024);
  news.network_status += ' ';
  const auto less = told();
  CHECK(less.network_status == "[]");
  CHECK(less.attached[0].ips.empty());
  CHECK(less.events.back().is_warning);
  CHECK_THAT(less.events.back().message, ContainsSubstring("131073 bytes and is not written"));
}

TEST_CASE("The agent is told which interface stands on which of the node's NICs") {
  PodNode node;
  node.add_plugin("foreign");
  node.add_nad("shared", {{"cniVersion", "1.0.0"}, {"type", "foreign"}, {"master", "ens1"}});
  node.add_nad("other", {{"cniVersion", "1.0.0"}, {"type", "foreign"}});
  REQUIRE(node.add("other,shared").exit_code == 0);
  const auto file = ipc::news_folder_in(node.fake.host.roots.run) + "/c1.json";
  const auto news = must(ipc::decode_pod_news(must(host::read_private_file(file))));
  REQUIRE(news.shared.size() == 1);
  CHECK(news.shared[0].parent == "ens1");
  CHECK(news.shared[0].ifname == "net2");
  CHECK(must(ipc::decode_pod_news(encode(news))) == news);
}

TEST_CASE("The agent is told which interface stands on which of the pod's devices") {
  PodNode node;
  node.add_rail("rail0", 0);
  node.give({{"uid-1", "main", {"0000:11:00.0"}}});
  REQUIRE(node.add("rail0").exit_code == 0);
  const auto file = ipc::news_folder_in(node.fake.host.roots.run) + "/c1.json";
  const auto news = must(ipc::decode_pod_news(must(host::read_private_file(file))));
  const auto status = node.network_status()[1];
  CHECK(
      news.attached ==
      std::vector<ipc::AttachedDevice>{
          {"0000:11:00.0", "net1", status["mac"].get<std::string>(), {"10.9.0.1/24"}, "rdma/vf"}});
  CHECK(must(ipc::decode_pod_news(encode(news))) == news);
}

TEST_CASE("A device that is far from the pod's GPU is warned of, refused, or passed over") {
  PodNode node;
  must(device::write_rail_map(node.fake.host.roots.state, {{{0, 0x10, 0, 0}}}));
  const auto asks = [&](const std::string& affinity) {
    Json config{{"cniVersion", "1.0.0"}, {"type", "railhead"}, {"rails", "all"}};
    if (!affinity.empty()) config["affinity"] = affinity;
    node.add_nad("rails", config, "rdma/vf");
  };
  Agent agent(node);
  ipc::ResolveAnswer answer{ipc::ResolveState::known,
                            {{"main", "rdma/vf", {"0000:11:00.0"}}},
                            "podresources",
                            {{"main", "0000:11:00.0", "GPU A and it are SYS apart"},
                             {"other", "0000:99:00.0", "another's"}}};
  agent.devices = [&](const auto&) { return answer; };
  const auto text = "affinity: container main: GPU A and it are SYS apart";

  asks("require");
  const auto refused = error_of(node.add("rails"));
  CHECK(refused.code == 7);
  CHECK_THAT(refused.message, ContainsSubstring(text) && ContainsSubstring("delete the pod") &&
                                  !ContainsSubstring("another's"));
  CHECK(node.pods().empty());

  const auto before = node.log().size();
  asks("ignore");
  REQUIRE(node.add("rails").exit_code == 0);
  CHECK(node.log().find(text, before) == std::string::npos);
  REQUIRE(node.run("DEL").exit_code == 0);

  asks("");
  REQUIRE(node.add("rails").exit_code == 0);
  CHECK(node.log().find(text, before) != std::string::npos);
  const auto file = ipc::news_folder_in(node.fake.host.roots.run) + "/c1.json";
  const auto news = must(ipc::decode_pod_news(must(host::read_private_file(file))));
  CHECK(std::ranges::count_if(news.events, [&](const auto& event) {
          return event.is_warning && event.message.find(text) != std::string::npos;
        }) == 1);
  REQUIRE(node.run("DEL").exit_code == 0);

  // Of GPUs that nobody knows the agent says nothing.
  answer.far.clear();
  asks("require");
  REQUIRE(node.add("rails").exit_code == 0);
  REQUIRE(node.run("DEL").exit_code == 0);

  asks("maybe");
  CHECK_THAT(error_of(node.add("rails")).message,
             ContainsSubstring("affinity \"maybe\": expected require, warn or ignore"));
}

TEST_CASE("The agent that follows the cluster may be in another folder than the records") {
  PodNode node;
  node.add_plugin("foreign");
  const auto folder = node.fake.host.roots.run + "-elsewhere/multus.d/railhead";
  const bool is_beside = GENERATE(false, true);  // Multus' kubeconfig
  if (is_beside) {
    node.conf["kubeconfig"] = folder.substr(0, folder.rfind('/')) + "/multus.kubeconfig";
    // As long as no such agent is there, that key means nothing.
    CHECK_THAT(error_of(node.add("far")).message, ContainsSubstring("there is no "));
  } else {
    node.conf["agentDir"] = folder;
  }
  Agent agent(folder);
  agent.nads = [](const auto&) {
    return ipc::NadAnswer{ipc::ClusterState::known, "",
                          R"({"cniVersion":"1.0.0","type":"foreign"})", ""};
  };
  REQUIRE(node.add("far").exit_code == 0);
  const auto file = ipc::news_folder_in(folder) + "/c1.json";
  CHECK(must(ipc::decode_pod_news(must(host::read_private_file(file)))).pod_name == "trainer-0");
  REQUIRE(node.run("DEL").exit_code == 0);
  CHECK(is(host::read_private_file(file), ErrorCode::not_found));
}

TEST_CASE("statusSync waits until the cluster was told, and not for ever") {
  PodNode node;
  node.conf["statusSync"] = true;
  const auto before = node.fake.clock.now();
  REQUIRE(node.add("").exit_code == 0);
  CHECK(node.fake.clock.now() - before == std::chrono::seconds(10));
  CHECK_THAT(node.log(), ContainsSubstring("the network-status of a pod is not written yet"));
}
