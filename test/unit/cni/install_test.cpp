// `railhead install`: its arguments, the programs in the node's folder, and the way back.
#include "cni/install/install.hpp"

#include <csignal>
#include <thread>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <sys/file.h>

#include "test/support/child.hpp"
#include "test/unit/cni/node.hpp"
#include "test/unit/cni/site.hpp"

using namespace railhead;
using namespace railhead::cni;
using namespace railhead::test;
using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::StartsWith;

namespace {

const std::string kBin = "/opt/cni/bin/";
const std::string kConflist = "/etc/cni/net.d/00-railhead.conflist";

// Only the programs: no cluster network is waited for.
cni::Answer place(Site& site, std::vector<std::string> arguments = {}) {
  arguments.emplace_back("--programs-only");
  return site.install(arguments);
}

}  // namespace

TEST_CASE("install reads its arguments, and nothing else") {
  const auto command = [](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "install");
    return read_install(arguments).command.value_or(InstallCommand{});
  };
  CHECK(command({}) == InstallCommand{});
  CHECK(command({"--take-over", "--watch", "--name", "host-device"}) ==
        InstallCommand{.watch = true, .take_over = true, .names = {"host-device"}});
  CHECK(command({"--uninstall", "--drain", "--timeout=0"}) ==
        InstallCommand{.uninstall = true, .drain = true, .timeout = 0s});
  CHECK(command({"--cluster-network", "cbr0", "--network-name=multus-cni-network", "--settle=9",
                 "--readiness-file=/run/flannel/", "--settings", "meta.json"}) ==
        InstallCommand{.cluster_network = "cbr0",
                       .network_name = "multus-cni-network",
                       .readiness_file = "/run/flannel",
                       .settings_file = "meta.json",
                       .settle = 9s});
  CHECK(command({"--cni-bin-dir=/a/", "--cni-conf-dir=/b", "--nad-dir=/c", "--nad-conf-dir=/d",
                 "--state-dir=/e", "--run-dir=/f", "--agent-dir=/g", "--host-root=/host"})
            .folders == NodeFolders{"/host", "/a", "/b", "/c", "/d", "/e", "/f", "/g"});
  CHECK(
      command({"--setting=strict=true", "--setting", "globalNamespaces=a,b", "--setting=strict=0"})
          .settings == R"({"strict":0,"globalNamespaces":"a,b"})");
  CHECK_FALSE(read_install({"x"}).command);
  CHECK_FALSE(read_install({"x"}).answer);
  CHECK_FALSE(read_install({}).answer);
  for (const auto& [arguments, words] :
       std::initializer_list<std::pair<std::vector<std::string>, const char*>>{
           {{"--all"}, "unknown argument '--all'"},
           {{"now"}, "unknown argument 'now'"},
           {{"--settle"}, "--settle: expected a value"},
           {{"--settle=-1"}, "--settle -1: expected seconds, 0 to 604800"},
           {{"--timeout=1h"}, "--timeout 1h: expected seconds"},
           {{"--cni-bin-dir=bin"}, "--cni-bin-dir bin: expected an absolute path"},
           {{"--name=flannel"}, "--name flannel: expected one of railhead, railhead-meta, multus"},
           {{"--name="}, "--name: expected a value"},
           {{"--network-name=a/b"}, "invalid characters found in network name"},
           {{"--cluster-network=../x"}, "expected a name, or an absolute path"},
           {{"--setting=strict"}, "--setting strict: expected KEY=VALUE"},
           {{"--setting==1"}, "--setting =1: expected KEY=VALUE"},
           {{"--drain"}, "--drain goes with --uninstall"},
           {{"--watch", "--timeout=5"}, "exclude each other"},
           {{"--uninstall", "--watch"}, "goes with neither of --watch"}}) {
    auto all = arguments;
    all.insert(all.begin(), "install");
    const auto read = read_install(all);
    REQUIRE(read.answer);
    CHECK(read.answer->exit_code == 2);
    CHECK_THAT(read.answer->error_output, StartsWith("railhead install: ") &&
                                              ContainsSubstring(words) &&
                                              ContainsSubstring("usage: railhead install"));
  }
  const auto help = read_install({"install", "--help"});
  REQUIRE(help.answer);
  CHECK(help.answer->exit_code == 0);
  CHECK_THAT(help.answer->output, StartsWith("usage: railhead install"));
}

TEST_CASE("A fresh node gets the program under its two names, as files of their own") {
  Site site;
  REQUIRE(place(site) == Answer{});
  const auto program = program_of_version("2");
  CHECK(site.list("/opt/cni/bin") ==
        std::vector<std::string>{"railhead 755 " + program, "railhead-meta 755 " + program});
  CHECK(site.status(kBin + "railhead").st_nlink == 1);
  CHECK_THAT(site.told(), ContainsSubstring("installed") && ContainsSubstring("/opt/cni/bin/"));
}

TEST_CASE("A second installation changes nothing and says nothing") {
  Site site;
  site.write("/etc/cni/net.d/10-flannel.conflist", kFlannel);
  REQUIRE(site.install({"--take-over"}) == Answer{});
  (void)site.told();
  const auto program = site.status(kBin + "multus").st_ino;
  const auto conflist = site.status(kConflist).st_ino;
  REQUIRE(site.install({"--take-over"}) == Answer{});
  CHECK(site.status(kBin + "multus").st_ino == program);
  CHECK(site.status(kConflist).st_ino == conflist);
  CHECK(site.told().empty());
}

TEST_CASE("Another version of the program is renewed without being asked") {
  Site site;
  site.write(kBin + "railhead", program_of_version("1"), 0755);
  site.write(kBin + "railhead-meta", program_of_version("2"), 0700);
  REQUIRE(place(site) == Answer{});
  CHECK(site.read(kBin + "railhead") == program_of_version("2"));
  CHECK((site.status(kBin + "railhead-meta").st_mode & 07777) == 0755);
  CHECK(site.list("/opt/cni/bin").size() == 2);
}

TEST_CASE("Names that share a file are given one each, as a copy onto one would reach the other") {
  Site site;
  site.write(kBin + "railhead", program_of_version("2"), 0755);
  std::filesystem::create_hard_link(site.root() + kBin + "railhead",
                                    site.root() + kBin + "railhead-meta");
  REQUIRE(place(site) == Answer{});
  CHECK(site.status(kBin + "railhead").st_ino != site.status(kBin + "railhead-meta").st_ino);
}

TEST_CASE("A foreign program is not replaced where that was not asked") {
  Site site;
  site.write(kBin + "multus", "multus of somebody", 0755);
  REQUIRE(place(site) == Answer{});
  CHECK(site.read(kBin + "multus") == "multus of somebody");

  // It mentions this program, but is none.
  const auto script = "#!/bin/sh\necho '" + program_of_version("2") + "'";
  site.write(kBin + "railhead-meta", script, 0755);
  const auto answer = place(site);
  CHECK(answer.exit_code == 1);
  CHECK(answer.error_output ==
        "railhead install: /opt/cni/bin/railhead-meta is a program of somebody else: --take-over "
        "replaces it and keeps it as .railhead-meta.railhead-original; or move it away\n");
  CHECK(site.read(kBin + "railhead-meta") == script);
}

TEST_CASE("A foreign program that is taken over is kept, and its return is reported") {
  Site site;
  site.write(kBin + "multus", "multus 4.2", 0750);
  REQUIRE(place(site, {"--take-over"}) == Answer{});
  CHECK(site.read(kBin + "multus") == program_of_version("2"));
  CHECK(site.read(kBin + ".multus.railhead-original") == "multus 4.2");
  CHECK((site.status(kBin + ".multus.railhead-original").st_mode & 07777) == 0750);
  CHECK_THAT(site.told(), ContainsSubstring("taken over"));
  for (const auto* name : {"sriov", "rdma"}) {
    CHECK(site.read(kBin + name) == program_of_version("2"));
  }
  CHECK(site.read(kBin + "host-device") == "(none)");

  REQUIRE(place(site, {"--take-over"}) == Answer{});
  CHECK(site.read(kBin + ".multus.railhead-original") == "multus 4.2");
  CHECK(site.told().empty());

  site.write(kBin + "multus", "multus 4.3", 0755);
  REQUIRE(place(site, {"--take-over"}) == Answer{});
  CHECK(site.read(kBin + "multus") == program_of_version("2"));
  CHECK(site.read(kBin + ".multus.railhead-original") == "multus 4.3");
  CHECK_THAT(site.told(), ContainsSubstring("multus came back at /opt/cni/bin/multus") &&
                              ContainsSubstring("NicClusterPolicy spec.secondaryNetwork.multus"));
}

TEST_CASE("A name that is asked for is taken over alone") {
  Site site;
  site.write(kBin + "host-device", "host-device 1.4", 0755);
  site.write(kBin + "sriov", "sriov-cni", 0755);
  REQUIRE(place(site, {"--name=host-device"}) == Answer{});
  CHECK(site.read(kBin + "host-device") == program_of_version("2"));
  CHECK(site.read(kBin + ".host-device.railhead-original") == "host-device 1.4");
  CHECK(site.read(kBin + "sriov") == "sriov-cni");
}

TEST_CASE("Nothing is written through a symbolic link in the folder") {
  Site site;
  site.write("/usr/bin/all-plugins", "k3s' bundle", 0755);
  std::filesystem::create_symlink("../../../usr/bin/all-plugins", site.root() + kBin + "rdma");
  std::filesystem::create_symlink("../../../usr/bin/all-plugins",
                                  site.root() + kBin + ".railhead-install.new");
  REQUIRE(place(site, {"--take-over"}) == Answer{});
  CHECK(site.read("/usr/bin/all-plugins") == "k3s' bundle");
  CHECK(site.read(kBin + "rdma") == program_of_version("2"));
  REQUIRE(site.install({"--uninstall"}) == Answer{});
  CHECK(site.list("/opt/cni/bin") ==
        std::vector<std::string>{"rdma -> ../../../usr/bin/all-plugins"});
}

TEST_CASE("What an installation that was killed has left does no harm") {
  Site site;
  site.write(kBin + "multus", "multus 4.3", 0755);
  const auto link = [&](const char* name) {
    std::filesystem::create_hard_link(site.root() + kBin + "multus", site.root() + kBin + name);
  };
  SECTION("killed before the original had its name") { link(".railhead-install.original"); }
  SECTION("killed when it had") { link(".multus.railhead-original"); }
  SECTION("killed while the program was written") {
    site.write(kBin + ".railhead-install.new", "half of");
  }
  SECTION("a link to a program where the temporary file goes") { link(".railhead-install.new"); }
  REQUIRE(place(site, {"--take-over"}) == Answer{});
  CHECK(site.read(kBin + "multus") == program_of_version("2"));
  CHECK(site.read(kBin + ".multus.railhead-original") == "multus 4.3");
  CHECK_THAT(site.told(), ContainsSubstring("taken over;"));
  site.write("/etc/cni/net.d/.00-railhead.conflist.new", "half of");
  REQUIRE(site.install({"--uninstall"}) == Answer{});
  CHECK(site.list("/opt/cni/bin") == std::vector<std::string>{"multus 755 multus 4.3"});
  CHECK(site.list("/etc/cni/net.d").empty());
}

TEST_CASE("The built program is known by its content, whatever its version") {
  Site site;
  site.write(kBin + "railhead", must(host::read_file(RAILHEAD_PROGRAM)), 0755);
  REQUIRE(place(site) == Answer{});
  CHECK(site.read(kBin + "railhead") == program_of_version("2"));
}

TEST_CASE("A folder in a program's place is refused") {
  Site site;
  std::filesystem::create_directory(site.root() + kBin + "railhead");
  const auto answer = place(site);
  CHECK(answer.exit_code == 1);
  CHECK_THAT(answer.error_output, ContainsSubstring("neither a program nor a link to one"));
  CHECK(site.install({"--uninstall"}) == Answer{});
}

TEST_CASE("Several installations at once end as one") {
  Site site;
  site.write(kBin + "multus", "multus 4.3", 0755);
  site.write("/etc/cni/net.d/10-flannel.conflist", kFlannel);
  const auto command = site.command({"--take-over", "--settle=0"});
  std::vector<Answer> answers(4);
  std::vector<std::thread> threads;
  for (auto& answer : answers) {
    threads.emplace_back([&] {
      SystemClock clock;
      Logger log(-1, LogLevel::error);
      answer = run_install(command, {site.outside("program"), clock, log});
    });
  }
  for (auto& thread : threads) thread.join();
  for (const auto& answer : answers) CHECK(answer == Answer{});
  CHECK(site.list("/opt/cni/bin").size() == 7);  // six names and the original
  CHECK(site.read(kBin + "multus") == program_of_version("2"));
  CHECK(site.read(kBin + ".multus.railhead-original") == "multus 4.3");
  CHECK(site.list("/etc/cni/net.d").size() == 2);
}

TEST_CASE("An installation that does not end is not waited for for ever") {
  Site site;
  REQUIRE(place(site) == Answer{});
  const auto lock = site.root() + kBin + ".railhead.lock";
  const UniqueFd other(::open(lock.c_str(), O_RDWR | O_CLOEXEC));
  REQUIRE(::flock(other.get(), LOCK_EX) == 0);
  site.remove(kBin + "railhead");
  const auto answer = place(site);
  CHECK(answer.exit_code == 1);
  CHECK_THAT(answer.error_output, ContainsSubstring("another railhead install has been at work"));
}

TEST_CASE("Who may read the folders cannot keep an installation from its work") {
  Site site;
  site.write(kBin + "bridge", "bridge", 0755);
  const UniqueFd folder(::open((site.root() + kBin).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  REQUIRE(::flock(folder.get(), LOCK_EX) == 0);
  CHECK(place(site) == Answer{});
  const auto lock = kBin + ".railhead.lock";
  CHECK((site.status(lock).st_mode & 07777) == 0600);
  // One that they made readable would be theirs to hold.
  REQUIRE(::chmod((site.root() + lock).c_str(), 0644) == 0);
  site.remove(kBin + "railhead");
  const auto answer = place(site);
  CHECK(answer.exit_code == 1);
  CHECK_THAT(answer.error_output, ContainsSubstring(".railhead.lock: expected a file of user 0"));
}

TEST_CASE("uninstall leaves the folders byte for byte as they were") {
  Site site;
  site.write("/etc/cni/net.d/10-flannel.conflist", kFlannel);
  site.write(kBin + "multus", "multus 4.3", 0751);
  site.write(kBin + "sriov",
             std::string("\x7f"
                         "ELF\0\1",
                         6),
             0755);
  site.write(kBin + "bridge", "bridge", 0755);
  const auto programs = site.list("/opt/cni/bin");
  const auto confs = site.list("/etc/cni/net.d");
  REQUIRE(site.install({"--take-over", "--name=host-device"}) == Answer{});
  CHECK(site.list("/opt/cni/bin").size() == 10);
  CHECK(site.list("/etc/cni/net.d").size() == 2);
  REQUIRE(site.install({"--uninstall"}) == Answer{});
  CHECK(site.list("/opt/cni/bin") == programs);
  CHECK(site.list("/etc/cni/net.d") == confs);
  const auto no_lock = [&] {
    return !site.has_lock("/opt/cni/bin") && !site.has_lock("/etc/cni/net.d");
  };
  CHECK(no_lock());
  REQUIRE(site.install({"--uninstall"}) == Answer{});
  CHECK(no_lock());
}

TEST_CASE("uninstall leaves a foreign program that came back by itself, and no older one") {
  Site site;
  site.write(kBin + "multus", "multus 4.2", 0755);
  REQUIRE(place(site, {"--take-over"}) == Answer{});
  site.write(kBin + "multus", "multus 4.3", 0755);
  REQUIRE(site.install({"--uninstall"}) == Answer{});
  CHECK(site.list("/opt/cni/bin") == std::vector<std::string>{"multus 755 multus 4.3"});
}

TEST_CASE("uninstall removes no conflist of somebody else under its name") {
  Site site;
  site.write(kConflist, kFlannel);
  REQUIRE(site.install({"--uninstall"}) == Answer{});
  CHECK(site.read(kConflist) == kFlannel);
}

TEST_CASE("uninstall is refused, with their names, while pods have something of this program's") {
  Site site;
  site.write("/etc/cni/net.d/10-flannel.conflist", kFlannel);
  REQUIRE(site.install() == Answer{});
  const auto conflist = site.read(kConflist);
  SECTION("a device") {
    Node node;
    REQUIRE(node.run("ADD").exit_code == 0);
    std::filesystem::create_directories(site.root() + "/run/railhead");
    std::filesystem::copy(node.fake.host.roots.run + "/attachments",
                          site.root() + "/run/railhead/attachments");
    const auto answer = site.install({"--uninstall"});
    CHECK(answer.exit_code == 3);
    CHECK_THAT(answer.error_output,
               ContainsSubstring("0000:11:00.0: net1 of container c1 (pod ns/trainer-0)") &&
                   ContainsSubstring("--drain"));
  }
  SECTION("a pod's record") {
    site.write("/var/lib/railhead/pods/c1.json", "{}");
    const auto answer = site.install({"--uninstall"});
    CHECK(answer.exit_code == 3);
    CHECK_THAT(answer.error_output, ContainsSubstring("/var/lib/railhead/pods/c1.json"));
  }
  SECTION("a record that cannot be read") {
    site.write("/run/railhead/attachments/c1@net1@rail0.json", "{");
    CHECK(site.install({"--uninstall"}).exit_code == 3);
  }
  SECTION("a folder that cannot be read") {
    site.write("/var/lib/railhead/pods", "no folder");
    CHECK(site.install({"--uninstall"}).exit_code == 1);
  }
  CHECK(site.read(kConflist) == conflist);
  CHECK(site.read(kBin + "railhead") == program_of_version("2"));
}

TEST_CASE("A pod that is attached while uninstall is at work gets the conflist back") {
  Site site;
  site.write("/etc/cni/net.d/10-flannel.conflist", kFlannel);
  REQUIRE(site.install() == Answer{});
  const auto confs = site.list("/etc/cni/net.d");
  const auto lock = site.root() + "/etc/cni/net.d/.railhead.lock";
  UniqueFd other(::open(lock.c_str(), O_RDWR | O_CLOEXEC));
  REQUIRE(::flock(other.get(), LOCK_EX) == 0);
  site.clock.on_sleep = [&] {
    site.write("/var/lib/railhead/pods/c1.json", "{}");
    other = UniqueFd();
  };
  CHECK(site.install({"--uninstall"}).exit_code == 3);
  CHECK(site.list("/etc/cni/net.d") == confs);
  CHECK(site.read(kBin + "railhead-meta") == program_of_version("2"));
}

TEST_CASE("uninstall with --drain waits for the last pod, and no longer than it may") {
  Site site;
  REQUIRE(place(site) == Answer{});
  site.write("/var/lib/railhead/pods/c1.json", "{}");
  (void)site.told();
  const auto start = site.clock.now();
  SECTION("it ends") {
    site.clock.on_sleep = [&] {
      if (site.clock.now() - start >= 65s) site.remove("/var/lib/railhead/pods/c1.json");
    };
    CHECK(site.install({"--uninstall", "--drain"}) == Answer{});
    CHECK(site.list("/opt/cni/bin").empty());
    const auto told = site.told();
    CHECK_THAT(told, ContainsSubstring("c1.json") && ContainsSubstring("seconds=30") &&
                         ContainsSubstring("seconds=60"));
  }
  SECTION("it does not") {
    const auto answer = site.install({"--uninstall", "--drain", "--timeout=10"});
    CHECK(answer.exit_code == 3);
    CHECK_THAT(answer.error_output, ContainsSubstring("c1.json"));
    CHECK(site.clock.now() - start == 10s);
    CHECK(site.list("/opt/cni/bin").size() == 2);
  }
}

TEST_CASE("A program put over this one later is told once, and taken over where that was asked") {
  Site site;
  const auto asked = GENERATE(true, false);
  std::vector<std::string> arguments{"--watch", "--programs-only"};
  if (asked) arguments.emplace_back("--take-over");
  const auto command = site.command(arguments);
  Installation installation(command, site.tools);
  REQUIRE(must(installation.turn()).empty());
  (void)site.told();
  site.write(kBin + "railhead-meta", "foreign", 0755);
  REQUIRE(must(installation.turn()).empty());
  CHECK(site.read(kBin + "railhead-meta") == (asked ? program_of_version("2") : "foreign"));
  CHECK_THAT(site.told(), ContainsSubstring("level=warning") &&
                              ContainsSubstring(asked ? "came back" : "somebody else now"));
  REQUIRE(must(installation.turn()).empty());
  CHECK(site.told().empty());
}

TEST_CASE("Another version that was installed later is left, so that two never fight") {
  Site site;
  const auto command = site.command({"--watch", "--programs-only", "--take-over"});
  Installation installation(command, site.tools);
  REQUIRE(must(installation.turn()).empty());
  (void)site.told();
  site.write(kBin + "sriov", program_of_version("3"), 0755);
  REQUIRE(must(installation.turn()).empty());
  REQUIRE(must(installation.turn()).empty());
  CHECK(site.read(kBin + "sriov") == program_of_version("3"));
  const auto told = site.told();
  CHECK_THAT(told, ContainsSubstring("another version of this program"));
  CHECK(std::count(told.begin(), told.end(), '\n') == 1);
}

TEST_CASE("The built program installs itself, follows its folders, and ends at SIGTERM") {
  Site site;
  SystemClock clock;
  const auto until = [&](const std::function<bool()>& done) {
    return wait_until(clock, 30s, 10ms, done);
  };
  Child child({RAILHEAD_PROGRAM, "install", "--watch", "--take-over", "--settle=0", "--host-root",
               site.root()},
              {});
  site.write("/etc/cni/net.d/10-flannel.conflist", kFlannel);
  REQUIRE(until([&] { return site.read(kConflist) != "(none)"; }));
  const auto size = std::filesystem::file_size(RAILHEAD_PROGRAM);
  CHECK(std::filesystem::file_size(site.root() + kBin + "railhead-meta") == size);

  site.write(kBin + "railhead", "somebody's", 0755);
  CHECK(until([&] { return site.status(kBin + "railhead").st_size == static_cast<off_t>(size); }));
  CHECK(site.read(kBin + ".railhead.railhead-original") == "somebody's");
  site.write("/etc/cni/net.d/10-flannel.conflist", R"({"name":"cbr1","plugins":[{"type":"a"}]})");
  CHECK(until([&] { return site.read(kConflist).find("cbr1") != std::string::npos; }));
  CHECK(child.terminate() == 0);
}
