#include <algorithm>
#include <filesystem>
#include <functional>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "attach/store.hpp"
#include "test/support/must.hpp"
#include "test/unit/cni/node.hpp"

using namespace railhead;
using namespace railhead::test;
using Catch::Matchers::ContainsSubstring;

namespace {

const cni::Answer kDone{0, "", ""};

}  // namespace

TEST_CASE("DEL gives the VF and the address back, and DEL twice is not an error") {
  Node node;
  node.write_ipam(kOneAddress);
  const auto before = *node.fake.link("host", "p0v0");
  REQUIRE(node.run("ADD").exit_code == 0);
  CHECK(node.run("DEL") == kDone);
  REQUIRE(node.fake.link("host", "p0v0"));
  CHECK(node.fake.link("host", "p0v0")->address == before.address);
  CHECK(node.records().empty());
  CHECK(node.run("DEL") == kDone);
  CHECK(node.ipam_calls() == std::vector<std::string>{"ADD c1", "DEL c1", "DEL c1"});
}

TEST_CASE("DEL does without CNI_NETNS, and with a namespace that is gone") {
  for (bool gone : {false, true}) {
    INFO(gone);
    Node node;
    REQUIRE(node.run("ADD").exit_code == 0);
    if (gone) node.fake.delete_netns("pod0");
    CHECK(node.run("DEL", {{"CNI_NETNS", gone ? node.pod : ""}}) == kDone);
    CHECK(node.fake.link("host", "p0v0"));
    CHECK(node.records().empty());
  }
}

TEST_CASE("DEL does with a configuration and arguments that ADD would refuse") {
  Node node;
  REQUIRE(node.run("ADD").exit_code == 0);
  node.conf["vlan"] = 9999;
  node.conf.erase("deviceID");
  CHECK(node.run("DEL", {{"CNI_ARGS", "nonsense"}}) == kDone);
  CHECK(node.fake.link("host", "p0v0"));
}

TEST_CASE("DEL whose IPAM fails gives the VF back all the same") {
  Node node;
  node.write_ipam(kOneAddress, R"(echo '{"code":11,"msg":"store is locked"}'; exit 1)");
  REQUIRE(node.run("ADD").exit_code == 0);
  const auto error = error_of(node.run("DEL"));
  CHECK(error.code == 11);
  CHECK_THAT(error.message, ContainsSubstring("store is locked"));
  CHECK(node.fake.link("host", "p0v0"));
}

TEST_CASE("DEL frees the address once nobody answers to it, whatever else it could not give back") {
  Node node;
  node.write_ipam(kOneAddress);
  REQUIRE(node.run("ADD").exit_code == 0);
  node.fake.fail_next("change", EBUSY, FakeHost::Effect::none, 1);  // the way out of the pod
  CHECK_THAT(error_of(node.run("DEL")).message, ContainsSubstring("EBUSY"));
  CHECK(node.ipam_calls().back() == "DEL c1");
  CHECK(node.run("DEL") == kDone);
  CHECK(node.fake.link("host", "p0v0"));
  CHECK(node.records().empty());
}

TEST_CASE("DEL keeps the address while the pod may still answer to it") {
  Node node;
  node.write_ipam(kOneAddress);
  REQUIRE(node.run("ADD").exit_code == 0);
  node.fake.fail_next("change", EBUSY);  // its link does not go down,
  node.fake.fail_next("change", EBUSY);  // nor out of the pod
  CHECK_THAT(error_of(node.run("DEL")).message, ContainsSubstring("EBUSY"));
  CHECK(node.ipam_calls().back() == "ADD c1");
  CHECK(node.run("DEL") == kDone);
  CHECK(node.ipam_calls().back() == "DEL c1");
  CHECK(node.fake.link("host", "p0v0"));
  CHECK(node.records().empty());
}

TEST_CASE("CHECK passes after ADD, asks IPAM too, and misses an address that is gone") {
  Node node;
  node.write_ipam(kOneAddress);
  const auto added = node.run("ADD");
  REQUIRE(added.exit_code == 0);
  node.conf["prevResult"] = nlohmann::ordered_json::parse(added.output);
  CHECK(node.run("CHECK") == kDone);
  CHECK(node.ipam_calls().back() == "CHECK c1");

  node.net1().addresses = {*host::IpPrefix::parse("10.9.9.9/24")};
  CHECK(error_of(node.run("CHECK")).message == "net1 has lost its address 10.1.2.3/24");
}

TEST_CASE("CHECK names an IPv6 address that another host has") {
  Node node;
  node.write_ipam(R"(echo '{"cniVersion":"1.0.0","ips":[{"address":"fd00::3/64"}]}')");
  const auto added = node.run("ADD");
  REQUIRE(added.exit_code == 0);
  node.conf["prevResult"] = nlohmann::ordered_json::parse(added.output);
  CHECK(node.run("CHECK") == kDone);
  node.net1().duplicates = node.net1().addresses;
  CHECK(error_of(node.run("CHECK")).message ==
        "the address fd00::3/64 of net1 failed duplicate address detection (dadfailed): another "
        "host answers to it, and the pod cannot use it");
}

TEST_CASE("CHECK finds a route that is gone or goes another way, in whatever table it is") {
  const auto checked = [](const std::function<void(FakeLink&)>& change) {
    Node node;
    // One route by the address' gateway, one by its own, one whose host bits the kernel zeroes.
    node.write_ipam(R"(echo '{"cniVersion":"1.0.0",
        "ips":[{"address":"10.1.2.3/24","gateway":"10.1.2.1"},{"address":"fd00::3/64"}],
        "routes":[{"dst":"0.0.0.0/0"},{"dst":"10.9.0.0/16","gw":"10.1.2.9"},
                  {"dst":"fd01::1/64"}]}')");
    const auto added = node.run("ADD");
    REQUIRE(added.exit_code == 0);
    node.conf["prevResult"] = nlohmann::ordered_json::parse(added.output);
    REQUIRE(node.net1().routes.size() == 3);
    change(node.net1());
    const auto answer = node.run("CHECK");
    return answer.exit_code == 0 ? "" : error_of(answer).message;
  };
  CHECK(checked([](FakeLink& net1) {
          net1.routes[0].table = 100;
          net1.routes[2].destination = *host::IpPrefix::parse("fd01::/64");
          net1.routes.push_back({.destination = *host::IpPrefix::parse("10.8.0.0/16")});
        }) == "");
  CHECK(checked([](FakeLink& net1) { net1.routes.erase(net1.routes.begin()); }) ==
        "net1 has lost its route to 0.0.0.0/0 via 10.1.2.1");
  CHECK(checked([](FakeLink& net1) {
          net1.routes[1].gateway = host::IpPrefix::parse("10.1.2.8");
        }) == "net1 has lost its route to 10.9.0.0/16 via 10.1.2.9");
  CHECK(checked([](FakeLink& net1) {
          net1.routes[2].destination = *host::IpPrefix::parse("fd01::/65");
        }) == "net1 has lost its route to fd01::1/64");
}

TEST_CASE("CHECK of a userspace driver's VF passes: its addresses are on no interface") {
  Node node;
  const std::string function = node.fake.host.roots.sysfs + "/bus/pci/devices/0000:11:00.0/";
  std::filesystem::remove_all(function + "net");
  std::filesystem::remove(function + "driver");
  std::filesystem::create_symlink("../../../../bus/pci/drivers/vfio-pci", function + "driver");
  node.write_ipam(kOneAddress);
  const auto added = node.run("ADD");
  REQUIRE(added.exit_code == 0);
  node.conf["prevResult"] = nlohmann::ordered_json::parse(added.output);
  CHECK(node.run("CHECK") == kDone);
  CHECK(node.ipam_calls().back() == "CHECK c1");
}

TEST_CASE("CHECK leaves the routes alone where a later plugin has an interface of its own") {
  Node node;
  node.write_ipam(kOneAddress);
  const auto added = node.run("ADD");
  REQUIRE(added.exit_code == 0);
  auto prev = nlohmann::ordered_json::parse(added.output);
  prev["interfaces"].push_back({{"name", "tun0"}, {"sandbox", node.pod}});
  prev["ips"].push_back({{"interface", 1}, {"address", "10.8.0.2/24"}});
  prev["routes"].push_back({{"dst", "10.8.0.0/16"}});
  node.conf["prevResult"] = prev;
  CHECK(node.run("CHECK") == kDone);
}

TEST_CASE("CHECK of what was never added fails") {
  Node node;
  CHECK_THAT(error_of(node.run("CHECK")).message, ContainsSubstring("c1"));
}

TEST_CASE("CHECK refuses a prevResult that it cannot read") {
  Node node;
  REQUIRE(node.run("ADD").exit_code == 0);
  node.conf["prevResult"] = {{"cniVersion", "1.0.0"}, {"ips", "x"}};
  CHECK(error_of(node.run("CHECK")) ==
        ReadError{6, "could not parse prevResult: ips: expected a list, got string", ""});
}

TEST_CASE("GC gives back what is not listed, and tells IPAM") {
  Node node;
  node.write_ipam(kOneAddress);
  const auto other = node.fake.add_netns("pod1");
  REQUIRE(node.run("ADD").exit_code == 0);
  node.conf["deviceID"] = "0000:11:00.1";
  REQUIRE(node.run("ADD", {{"CNI_CONTAINERID", "c2"}, {"CNI_NETNS", other}}).exit_code == 0);
  node.conf["cni.dev/valid-attachments"] = {{{"containerID", "c2"}, {"ifname", "net1"}}};
  CHECK(node.run("GC") == kDone);
  CHECK(node.fake.link("host", "p0v0"));
  CHECK(node.fake.link("pod1", "net1"));
  const auto calls = node.ipam_calls();
  REQUIRE(calls.size() == 4);
  CHECK(calls[2] == "DEL c1");  // as its own DEL would have done
  CHECK(calls[3].starts_with("GC"));
}

TEST_CASE("The address of a pod whose DEL never came is freed by the next ADD of its network") {
  Node node;
  node.write_ipam(kOneAddress);
  REQUIRE(node.run("ADD").exit_code == 0);
  node.fake.delete_netns("pod0");
  const std::vector<std::pair<std::string, std::string>> next = {
      {"CNI_CONTAINERID", "c2"}, {"CNI_NETNS", node.fake.add_netns("pod1")}};
  REQUIRE(node.run("ADD", next).exit_code == 0);
  CHECK(node.ipam_calls() == std::vector<std::string>{"ADD c1", "DEL c1", "ADD c2"});
  REQUIRE(node.run("DEL", next).exit_code == 0);
  CHECK(node.ipam_calls().size() == 4);  // c2's, and not c1's again
}

TEST_CASE("The address of an attachment that stands again under the same names is not freed") {
  Node node;
  node.write_ipam(kOneAddress);
  const attach::Store store(node.fake.host.roots.run);
  must(store.prepare());
  must(store.owe_addresses({"rail0", "c1", "net1"}));
  REQUIRE(node.run("ADD").exit_code == 0);  // its own former one is
  CHECK(node.ipam_calls() == std::vector<std::string>{"DEL c1", "ADD c1"});
  must(store.owe_addresses({"rail0", "c1", "net1"}));
  node.conf["deviceID"] = "0000:11:00.1";
  REQUIRE(node.run("ADD", {{"CNI_CONTAINERID", "c2"}, {"CNI_NETNS", node.fake.add_netns("pod1")}})
              .exit_code == 0);
  CHECK(node.ipam_calls().back() == "ADD c2");
  CHECK(std::ranges::count(node.ipam_calls(), "DEL c1") == 1);
}

TEST_CASE("The address of an attachment that reconcile undid is freed by GC, or by a late DEL") {
  Node node;
  node.write_ipam(kOneAddress);
  REQUIRE(node.run("ADD").exit_code == 0);
  const attach::Store store(node.fake.host.roots.run);
  must(store.owe_addresses({"rail0", "gone", "net1"}));
  must(store.owe_addresses({"other", "gone", "net1"}));  // another network's
  REQUIRE(node.run("DEL").exit_code == 0);
  SECTION("GC") {
    node.conf["cni.dev/valid-attachments"] = nlohmann::json::array();
    CHECK(node.run("GC") == kDone);
    const auto calls = node.ipam_calls();
    CHECK(std::ranges::count(calls, "DEL gone") == 1);
    CHECK(node.run("GC") == kDone);
    CHECK(std::ranges::count(node.ipam_calls(), "DEL gone") == 1);
  }
  SECTION("GC while the pod is attached again under the same name") {
    node.conf["cni.dev/valid-attachments"] = {{{"containerID", "gone"}, {"ifname", "net1"}}};
    CHECK(node.run("GC") == kDone);
    CHECK(std::ranges::count(node.ipam_calls(), "DEL gone") == 0);
  }
  SECTION("DEL") { CHECK(node.run("DEL", {{"CNI_CONTAINERID", "gone"}}) == kDone); }
  CHECK(must(store.owed_addresses("rail0")).empty());
  CHECK(must(store.owed_addresses("other")).size() == 1);
}

TEST_CASE("An IPAM plugin from before GC and STATUS keeps neither from its work") {
  Node node;
  const auto code = GENERATE("3", "4");
  node.write_ipam(kOneAddress, std::string(R"(case $CNI_COMMAND in GC|STATUS) echo '{"code":)") +
                                   code + R"(,"msg":"missing containerID"}'; exit 1;; esac)");
  node.conf["cni.dev/valid-attachments"] = nlohmann::json::array();
  CHECK(node.run("GC") == kDone);
  CHECK(node.run("STATUS") == kDone);
}

TEST_CASE("A type that this program is not is refused by ADD, and DEL is done all the same") {
  Node node;
  REQUIRE(node.run("ADD").exit_code == 0);
  node.conf["type"] = "ovs";
  CHECK(error_of(node.run("ADD", {{"CNI_CONTAINERID", "c2"}})) ==
        ReadError{7,
                  "type ovs: this program is railhead-meta, railhead, sriov, ib-sriov, rdma, "
                  "host-device and amd-host-device",
                  ""});
  CHECK(node.run("DEL") == kDone);
  CHECK(node.fake.link("host", "p0v0"));
}

TEST_CASE("GC without a list touches nothing") {
  Node node;
  REQUIRE(node.run("ADD").exit_code == 0);
  CHECK(error_of(node.run("GC")).code == 7);
  CHECK(node.fake.link("pod0", "net1"));
}

TEST_CASE("STATUS is good while records can be written and IPAM is good") {
  Node node;
  node.write_ipam(kOneAddress);
  CHECK(node.run("STATUS") == kDone);
  node.write_ipam(kOneAddress, R"(echo '{"code":51,"msg":"no route to the store"}'; exit 1)");
  CHECK(error_of(node.run("STATUS")).code == 51);
}

TEST_CASE("STATUS has code 50 when no record can be written") {
  Node node;
  must(host::write_file_atomically(node.fake.folder.path() + "/file", "", 0600));
  node.fake.host.roots.run = node.fake.folder.path() + "/file";
  CHECK(error_of(node.run("STATUS")).code == 50);
}

TEST_CASE("Errors come in libcni's order: environment, configuration, verb, version") {
  Node node;
  CHECK(error_of(node.run("ADD", {{"CNI_CONTAINERID", ""}})).code == 4);
  node.conf["cniVersion"] = "9.9.9";
  CHECK(error_of(node.run("FROB")).message == "unknown CNI_COMMAND: FROB");
  CHECK(error_of(node.run("ADD")).code == 1);
  node.conf["name"] = "a/b";
  CHECK(error_of(node.run("FROB")).code == 7);
  node.conf["name"] = 5;
  CHECK(error_of(node.run("FROB")).code == 6);
  CHECK(node.fake.operations.empty());
}

TEST_CASE("DEL gives the VF back whatever the configuration has become, then says what is wrong") {
  struct Row {
    const char* key;
    nlohmann::json value;
    unsigned code;  // 0: nothing is wrong for a DEL
  };
  for (const auto& [key, value, code] : std::initializer_list<Row>{{"dns", {{"search", "x"}}, 0},
                                                                   {"deviceID", "gone", 0},
                                                                   {"vlan", 5000, 0},
                                                                   {"ipam", "host-local", 6},
                                                                   {"type", 7, 6},
                                                                   {"cniVersion", "9.9.9", 1}}) {
    INFO(key);
    Node node;
    REQUIRE(node.run("ADD").exit_code == 0);
    node.conf[key] = value;
    const auto answer = node.run("DEL");
    if (code == 0) {
      CHECK(answer == kDone);
    } else {
      CHECK(error_of(answer).code == code);
    }
    CHECK(node.fake.link("host", "p0v0"));
    CHECK(node.records().empty());
  }
}

TEST_CASE("ADD refuses a bad dns before anything is changed") {
  Node node;
  node.conf["dns"] = {{"search", "x"}};
  CHECK(error_of(node.run("ADD")).code == 6);
  CHECK(node.fake.operations.empty());
}

TEST_CASE("A log file that cannot be one, or not there, does not stop the work") {
  Node node;
  const auto folder = node.fake.folder.path();
  const auto outside = folder + "-outside";
  std::filesystem::create_symlink(folder + "/target", folder + "/link");
  std::filesystem::create_directory_symlink("/", folder + "/root");
  for (const auto& file : {std::string("/dev/null/x"), folder, folder + "/../x", outside,
                           folder + "/link", folder + "/root" + outside, folder + "/none/log"}) {
    INFO(file);
    node.conf["logFile"] = file;
    CHECK(node.run("DEL") == kDone);
  }
  CHECK_FALSE(std::filesystem::exists(folder + "/target"));
  CHECK_FALSE(std::filesystem::exists(outside));
  node.conf["logFile"] = folder + "/log";
  CHECK(node.run("DEL") == kDone);
  CHECK_FALSE(node.log().empty());
}

TEST_CASE("An IPAM type that is this program, or leads back to it, is refused") {
  Node node;
  node.write_ipam(kOneAddress);
  SECTION("itself") {
    must(host::make_directories(node.fake.host.roots.proc + "/self", 0700));
    std::filesystem::create_symlink(node.fake.folder.path() + "/bin/test-ipam",
                                    node.fake.host.roots.proc + "/self/exe");
  }
  SECTION("a copy of it, or another program that calls it") {
    node.environment.emplace_back("RAILHEAD_DEPTH=2");
  }
  const auto error = error_of(node.run("ADD"));
  CHECK(error.code == 7);
  CHECK_THAT(error.message, ContainsSubstring("is this program itself, or leads back to it"));
  CHECK(node.ipam_calls().empty());
  CHECK(node.records().empty());
}

TEST_CASE("Without a verb the program tells what it is, on standard error, and that is no error") {
  const auto about = cni::answer_alone({}, {});
  REQUIRE(about);
  CHECK(about->exit_code == 0);
  CHECK(about->output.empty());
  CHECK_THAT(about->error_output, ContainsSubstring("CNI protocol versions supported: 0.1.0, "));
}

TEST_CASE("An unknown argument is refused and names --help, but a runtime is answered") {
  const auto refused = cni::answer_alone({"--halp"}, {});
  REQUIRE(refused);
  CHECK(refused->exit_code == 1);
  CHECK_THAT(refused->error_output, ContainsSubstring("'--halp'; try --help"));
  CHECK_FALSE(cni::answer_alone({"--halp"}, {"CNI_COMMAND=ADD"}));
}

TEST_CASE("--help, --version and VERSION need no standard input; the other verbs do") {
  CHECK_THAT(cni::answer_alone({"--help"}, {})->output, ContainsSubstring("CNI_COMMAND"));
  CHECK_THAT(cni::answer_alone({"--version"}, {})->output, ContainsSubstring("railhead "));
  CHECK_THAT(cni::answer_alone({}, {"CNI_COMMAND=VERSION"})->output,
             ContainsSubstring("\"supportedVersions\""));
  CHECK_FALSE(cni::answer_alone({}, {"CNI_COMMAND=ADD"}));
}
