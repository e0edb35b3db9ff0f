// `railhead install`: which configuration is the cluster network's, and the conflist before it.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <nlohmann/json.hpp>

#include "test/unit/cni/site.hpp"

using namespace railhead;
using namespace railhead::cni;
using namespace railhead::test;
using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;

namespace {

const std::string kConfs = "/etc/cni/net.d/";
const std::string kConflist = kConfs + "00-railhead.conflist";

std::string named(const std::string& name) {
  return R"({"cniVersion":"1.0.0","name":")" + name + R"(","plugins":[{"type":"bridge"}]})";
}

// The cluster network of the conflist, "" where there is none.
std::string network(const Site& site) {
  const auto json = nlohmann::json::parse(site.read(kConflist), nullptr, false);
  if (json.is_discarded()) return "";
  return json.at("plugins").at(0).at("clusterNetwork").get<std::string>();
}

// What is waited for after so many looks, half a second apart.
std::string look(Site& site, Installation& installation, int times = 1) {
  std::string waits_for;
  for (int i = 0; i < times; ++i) {
    waits_for = must(installation.turn());
    site.clock.advance(500ms);
  }
  return waits_for;
}

}  // namespace

TEST_CASE("The conflist puts the meta plugin before the cluster network, with paths of the host") {
  Site site;
  site.write(kConfs + "10-flannel.conflist", kFlannel);
  REQUIRE(site.install({"--nad-dir=/etc/cni/nads", "--nad-conf-dir=/etc/cni/more",
                        "--state-dir=/state", "--run-dir=/r"}) == Answer{});
  CHECK(nlohmann::json::parse(site.read(kConflist)) == nlohmann::json::parse(R"({
    "cniVersion": "1.0.0", "cniVersions": ["0.3.1", "0.4.0", "1.0.0", "1.1.0"], "name": "cbr0",
    "plugins": [{"type": "railhead-meta",
      "capabilities": {"io.kubernetes.cri.pod-annotations": true, "portMappings": true},
      "clusterNetwork": "/etc/cni/net.d/10-flannel.conflist", "binDir": "/opt/cni/bin",
      "nadDir": "/etc/cni/nads", "confDir": "/etc/cni/more", "stateDir": "/state", "runDir": "/r"}]
    })"));
  CHECK((site.status(kConflist).st_mode & 07777) == 0600);
}

TEST_CASE("Every folder can be another") {
  Site site;
  site.write("/var/snap/args/cni-network/10-calico.conf", R"({"name":"k8s","type":"calico"})");
  REQUIRE(site.install({"--cni-conf-dir=/var/snap/args/cni-network",
                        "--cni-bin-dir=/var/snap/opt/cni/bin"}) == Answer{});
  CHECK(site.list("/var/snap/opt/cni/bin").size() == 2);
  CHECK(site.list("/opt/cni/bin").empty());
  const auto text = site.read("/var/snap/args/cni-network/00-railhead.conflist");
  CHECK_THAT(text, ContainsSubstring("/var/snap/args/cni-network/10-calico.conf") &&
                       ContainsSubstring("\"binDir\": \"/var/snap/opt/cni/bin\""));
}

TEST_CASE("The conflist has the cluster network's name, or the one that the runtime asks for") {
  Site site;
  site.write(kConfs + "10-flannel.conflist", kFlannel);
  REQUIRE(site.install() == Answer{});
  CHECK(nlohmann::json::parse(site.read(kConflist)).at("name") == "cbr0");
  REQUIRE(site.install({"--network-name=multus-cni-network"}) == Answer{});
  CHECK(nlohmann::json::parse(site.read(kConflist)).at("name") == "multus-cni-network");
  CHECK(network(site) == kConfs + "10-flannel.conflist");
}

TEST_CASE("Settings of Multus' node configuration are handed on, but for what is written here") {
  Site site;
  site.write(kConfs + "10-flannel.conflist", kFlannel);
  site.write_outside("settings", R"({"namespaceIsolation":true,"globalNamespaces":"a,b"})");
  const auto option = "--settings=" + site.outside("settings");
  REQUIRE(site.install({option}) == Answer{});
  const auto plugin = nlohmann::json::parse(site.read(kConflist)).at("plugins").at(0);
  CHECK(plugin.at("namespaceIsolation") == true);
  CHECK(plugin.at("globalNamespaces") == "a,b");
  REQUIRE(site.install({option, "--setting=globalNamespaces=c", "--setting=strict=false",
                        "--agent-dir=/etc/cni/net.d/multus.d/railhead"}) == Answer{});
  const auto changed = nlohmann::json::parse(site.read(kConflist)).at("plugins").at(0);
  CHECK(changed.at("namespaceIsolation") == true);
  CHECK(changed.at("globalNamespaces") == "c");
  CHECK(changed.at("strict") == false);
  CHECK(changed.at("agentDir") == "/etc/cni/net.d/multus.d/railhead");
  CHECK_THAT(site.install({"--setting=strict=1"}).error_output, ContainsSubstring("--setting: "));
  for (const auto* wrong : {R"({"ClusterNetwork":"x"})", R"({"delegates":[]})",
                            R"({"stateDir":"/x"})", R"({"binDir":"/x"})", R"({"strict":1})",
                            R"({"pluginAllowList":"a"})", R"({"ownership":"maybe"})", "[]", "{"}) {
    site.write_outside("settings", wrong);
    const auto answer = site.install({option});
    CHECK(answer.exit_code == 1);
    CHECK_THAT(answer.error_output, ContainsSubstring(site.outside("settings")));
  }
}

TEST_CASE("The cluster network is the first by file name that can be one") {
  Site site;
  site.write(kConfs + "20-b.conflist", named("b"));
  site.write(kConfs + "01-broken.conflist", "{\"name\":");
  site.write(kConfs + "02-empty.conf", "");
  site.write(kConfs + "03-no-name.conf", R"({"type":"bridge"})");
  site.write(kConfs + "04-no-plugins.conflist", R"({"name":"x","type":"bridge"})");
  site.write(kConfs + "05-no-type.conf", R"({"name":"x","plugins":[{"type":"bridge"}]})");
  site.write(kConfs + "06-multus.conf", R"({"name":"m","type":"multus","clusterNetwork":"b"})");
  site.write(kConfs + "07-shim.conf", R"({"name":"m","type":"multus-shim"})");
  site.write(kConfs + "08-ours.conflist",
             R"({"name":"b","plugins":[{"type":"tuning"},{"type":"railhead-meta"}]})");
  site.write(kConfs + "09-podman.conflist", named("podman"));
  site.write(kConfs + "10-large.conflist", named("large") + std::string(1 << 20, ' '));
  site.write(kConfs + "11-deep.conflist", std::string(1 << 19, '['));
  site.write(kConfs + "12-bytes.conflist", named("\xff\xfe"));
  site.write(kConfs + "13-name.conflist", named("../../etc"));
  site.write(kConfs + "14-loopback.conf", R"({"name":"lo","type":"loopback"})");
  site.write(kConfs + "15-readme.txt", named("text"));
  site.write(kConfs + ".16-hidden.conflist", named("hidden"));
  std::filesystem::create_directory(site.root() + kConfs + "17-folder.conflist");
  REQUIRE(::mkfifo((site.root() + kConfs + "18-fifo.conflist").c_str(), 0600) == 0);
  std::filesystem::create_symlink("/nowhere", site.root() + kConfs + "19-lost.conflist");
  site.write(kConfs + "87-podman-bridge.conflist", named("other"));
  const auto offer = must(look_for_network(site.command({}).folders, ""));
  REQUIRE(offer.best);
  CHECK(offer.best->path == kConfs + "20-b.conflist");
  CHECK(offer.passed_over.size() == 17);
  site.remove(kConfs + "20-b.conflist");
  CHECK_FALSE(must(look_for_network(site.command({}).folders, "")).best);
  const auto answer = site.install({"--timeout=1"});
  CHECK(answer.exit_code == 1);
  CHECK_THAT(answer.error_output,
             ContainsSubstring("waited 1 s for a cluster network in /etc/cni/net.d") &&
                 ContainsSubstring("87-podman-bridge.conflist: it is Podman's bridge"));
}

TEST_CASE("A link in the configuration folder leads where it does on the host") {
  Site site;
  site.write("/usr/share/cni/bridge.conflist", named("linked"));
  std::filesystem::create_symlink("/usr/share/cni/bridge.conflist",
                                  site.root() + kConfs + "10-linked.conflist");
  REQUIRE(site.install() == Answer{});
  CHECK(network(site) == kConfs + "10-linked.conflist");
}

TEST_CASE("A candidate is taken when it has been the same for some seconds") {
  Site site;
  const auto start = site.clock.now();
  const auto since_start = [&] { return site.clock.now() - start; };
  site.clock.on_sleep = [&] {
    if (since_start() == 2s) site.write(kConfs + "20-b.conflist", named("b"));
    if (since_start() == 5s) site.write(kConfs + "20-b.conflist", named("c"));
    if (since_start() == 8s) site.write(kConfs + "10-a.conflist", named("a"));
    if (since_start() == 10s) site.write(kConfs + "30-late.conflist", named("late"));
    if (since_start() == 11s) site.write(kConfs + "87-podman-bridge.conflist", named("podman"));
  };
  REQUIRE(site.install() == Answer{});
  CHECK(since_start() == 13s);
  CHECK(network(site) == kConfs + "10-a.conflist");
  CHECK_THAT(site.told(), ContainsSubstring("a cluster network in /etc/cni/net.d") &&
                              ContainsSubstring("20-b.conflist to be the same for 5 s") &&
                              ContainsSubstring("10-a.conflist to be the same for 5 s"));
}

TEST_CASE("What is waited for is told every 30 s, and --timeout ends it") {
  Site site;
  const auto answer = site.install({"--timeout=100"});
  CHECK(answer.exit_code == 1);
  CHECK_THAT(answer.error_output, ContainsSubstring("waited 100 s for a cluster network"));
  const auto told = site.told();
  for (const auto* seconds : {"seconds=0", "seconds=30", "seconds=60", "seconds=90"}) {
    CHECK_THAT(told, ContainsSubstring(seconds));
  }
  CHECK(std::count(told.begin(), told.end(), '\n') == 2 + 4);  // the programs, and these
}

TEST_CASE("A cluster network that is named is taken as soon as it is there") {
  Site site;
  site.write(kConfs + "10-a.conflist", named("a"));
  site.write(kConfs + "87-podman-bridge.conflist", named("podman"));
  site.write("/run/multus/cni/net.d/10-ovn.conf", R"({"name":"ovn","type":"ovn"})");
  const auto [name, file] = GENERATE(table<std::string, std::string>(
      {{"podman", kConfs + "87-podman-bridge.conflist"},
       {"87-podman-bridge.conflist", kConfs + "87-podman-bridge.conflist"},
       {"/run/multus/cni/net.d/10-ovn.conf", "/run/multus/cni/net.d/10-ovn.conf"}}));
  const auto start = site.clock.now();
  REQUIRE(site.install({"--cluster-network", name}) == Answer{});
  CHECK(network(site) == file);
  CHECK(site.clock.now() == start);
}

TEST_CASE("A cluster network that is named is waited for, and cannot be a meta plugin") {
  Site site;
  site.write(kConfs + "10-a.conflist", named("a"));
  CHECK_THAT(site.install({"--cluster-network=b", "--timeout=3"}).error_output,
             ContainsSubstring("waited 3 s for the cluster network b"));
  REQUIRE(site.install() == Answer{});
  CHECK_THAT(site.install({"--cluster-network", kConflist, "--timeout=3"}).error_output,
             ContainsSubstring("it calls railhead-meta"));
  site.clock.on_sleep = [&] { site.write(kConfs + "20-b.conflist", named("b")); };
  REQUIRE(site.install({"--cluster-network=b"}) == Answer{});
  CHECK(network(site) == kConfs + "20-b.conflist");
}

TEST_CASE("With a readiness file nothing is chosen before it is there, and at once when it is") {
  Site site;
  site.write(kConfs + "10-a.conflist", named("a"));
  const auto start = site.clock.now();
  site.clock.on_sleep = [&] {
    CHECK(network(site).empty());
    if (site.clock.now() - start >= 20s) site.write("/run/flannel/subnet.env", "");
  };
  REQUIRE(site.install({"--readiness-file=/run/flannel/subnet.env"}) == Answer{});
  CHECK(site.clock.now() - start == 20s);
  CHECK(network(site) == kConfs + "10-a.conflist");
  CHECK_THAT(site.told(), ContainsSubstring("the readiness file /run/flannel/subnet.env"));
}

TEST_CASE("A file that the runtime reads before the conflist is warned of once") {
  Site site;
  site.write(kConfs + "00-multus.conf", R"({"name":"m","type":"multus"})");
  site.write(kConfs + "10-a.conflist", named("a"));
  REQUIRE(site.install() == Answer{});
  const auto told = site.told();
  const auto first = told.find("reads /etc/cni/net.d/00-multus.conf before 00-railhead.conflist");
  REQUIRE(first != std::string::npos);
  CHECK(told.find("00-multus.conf before", first + 30) == std::string::npos);
}

TEST_CASE("The conflist follows what the cluster network's file says") {
  Site site;
  site.write(kConfs + "10-a.conflist", named("a"));
  const auto command = site.command({"--watch"});
  Installation installation(command, site.tools);
  REQUIRE(look(site, installation, 11).empty());
  site.write(kConfs + "10-a.conflist", kFlannel);
  REQUIRE(look(site, installation).empty());
  CHECK_THAT(site.read(kConflist),
             ContainsSubstring("\"cbr0\"") && ContainsSubstring("portMappings"));
  const auto before = site.read(kConflist);
  site.write(kConfs + "10-a.conflist", "{\"na");
  CHECK_THAT(look(site, installation),
             ContainsSubstring("whether pods are attached is not seen here"));
  CHECK(site.read(kConflist) == before);
  site.write("/var/lib/railhead/boot", "");
  CHECK_THAT(look(site, installation), ContainsSubstring("a cluster network in"));
  CHECK(site.read(kConflist) == before);
}

TEST_CASE("A conflist that somebody removed is written again after a while, and that is told") {
  Site site;
  site.write(kConfs + "10-a.conflist", named("a"));
  const auto command = site.command({"--watch"});
  Installation installation(command, site.tools);
  REQUIRE(look(site, installation, 11).empty());
  (void)site.told();
  site.remove(kConflist);
  CHECK_THAT(look(site, installation, 10), ContainsSubstring("to be the same for 5 s"));
  CHECK(look(site, installation).empty());
  CHECK(network(site) == kConfs + "10-a.conflist");
  CHECK_THAT(site.told(), ContainsSubstring("somebody removed the conflist"));
}

TEST_CASE("A better candidate is taken while no pod is attached, and not later") {
  Site site;
  site.write(kConfs + "20-b.conflist", named("b"));
  const auto command = site.command({"--watch"});
  Installation installation(command, site.tools);
  REQUIRE(look(site, installation, 11).empty());
  SECTION("no pod") {
    site.write("/var/lib/railhead/boot", "");
    site.write(kConfs + "10-a.conflist", named("a"));
    CHECK_THAT(look(site, installation, 5), ContainsSubstring("10-a.conflist to be the same"));
    CHECK(network(site) == kConfs + "20-b.conflist");
    CHECK(look(site, installation, 6).empty());
    CHECK(network(site) == kConfs + "10-a.conflist");
  }
  SECTION("whether there is one is not seen") {
    site.write(kConfs + "10-a.conflist", named("a"));
    (void)site.told();
    CHECK(look(site, installation, 20).empty());
    CHECK_THAT(site.told(), ContainsSubstring("whether pods are attached is not seen here"));
    CHECK(network(site) == kConfs + "20-b.conflist");
  }
  SECTION("a pod, which is told once") {
    site.write("/var/lib/railhead/pods/c1.json", "{}");
    site.write(kConfs + "10-a.conflist", named("a"));
    (void)site.told();
    CHECK(look(site, installation).empty());
    CHECK_THAT(site.told(), ContainsSubstring("until the last of 1 pods is gone; then") &&
                                ContainsSubstring("10-a.conflist"));
    CHECK(look(site, installation, 50).empty());
    CHECK(site.told().empty());
    CHECK(network(site) == kConfs + "20-b.conflist");
    site.remove("/var/lib/railhead/pods/c1.json");
    CHECK(look(site, installation, 11).empty());
    CHECK(network(site) == kConfs + "10-a.conflist");
  }
  SECTION("a pod, and the cluster network's file is gone") {
    site.write("/var/lib/railhead/pods/c1.json", "{}");
    site.write(kConfs + "30-crio-bridge.conflist", named("crio"));
    site.remove(kConfs + "20-b.conflist");
    CHECK_THAT(look(site, installation, 50),
               ContainsSubstring("20-b.conflist") && ContainsSubstring("--cluster-network"));
    CHECK(network(site) == kConfs + "20-b.conflist");
    REQUIRE(site.install({"--cluster-network=crio"}) == Answer{});
    CHECK(network(site) == kConfs + "30-crio-bridge.conflist");
  }
  SECTION("a pod, and the same network under another file name") {
    site.write("/var/lib/railhead/pods/c1.json", "{}");
    site.write(kConfs + "10-b.conflist", named("b"));
    site.remove(kConfs + "20-b.conflist");
    CHECK(look(site, installation, 11).empty());
    CHECK(network(site) == kConfs + "10-b.conflist");
  }
}

TEST_CASE("What means nothing, or would do harm, is refused or told") {
  Site site;
  site.write(kConfs + "10-flannel.conflist", kFlannel);
  const auto refused = [](const std::string& option, const std::string& other = "--watch") {
    const auto answer = cni::read_install({"install", option, other}).answer;
    REQUIRE(answer);
    CHECK(answer->exit_code == 2);
    return answer->error_output;
  };
  CHECK_THAT(refused("--programs-only", "--settings=x"), ContainsSubstring("mean nothing"));
  CHECK_THAT(refused("--programs-only", "--setting=a=1"), ContainsSubstring("mean nothing"));
  cni::InstallCommand command;
  command.folders.root = site.outside("none");
  const auto nowhere = cni::run_install(command, site.tools);
  CHECK(nowhere.exit_code == 2);
  CHECK_THAT(nowhere.error_output, ContainsSubstring("there is no such folder"));
  CHECK_FALSE(std::filesystem::exists(site.outside("none")));

  site.write(kConfs + "00-multus.conf", R"({"name":"m","type":"multus","clusterNetwork":"cbr0"})");
  REQUIRE(site.install() == Answer{});
  CHECK_THAT(site.told(), ContainsSubstring("remove it, or this program is not asked"));
  REQUIRE(site.install({"--take-over"}) == Answer{});
  CHECK_THAT(site.told(),
             ContainsSubstring("no pod starts unless the agent follows the API server"));
}
