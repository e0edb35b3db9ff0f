// The subcommands for whoever looks after a node.
#include "cni/admin/admin.hpp"

#include <filesystem>
#include <fstream>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "attach/store.hpp"
#include "ipam/node_index.hpp"
#include "ipam/rail_leases.hpp"
#include "test/support/fake_standing.hpp"
#include "test/support/must.hpp"
#include "test/unit/cni/node.hpp"

using namespace railhead;
using namespace railhead::cni;
using namespace railhead::test;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::StartsWith;
using Verb = AdminCommand::Verb;

namespace {

Result<std::unique_ptr<host::Events>> no_events() {
  return fail(ErrorCode::unsupported, "there are none");
}

// The fake's namespace of the host stands as that of the first process.
Answer run(Node& node, const std::vector<std::string>& arguments) {
  const auto folder = node.fake.host.roots.proc + "/1/ns";
  must(host::make_directories(folder, 0700));
  std::error_code exists;
  std::filesystem::create_symlink(must(node.fake.host.netns.current()).path(), folder + "/net",
                                  exists);
  const auto read = read_admin(arguments);
  return read.command ? run_admin(*read.command, node.fake.host, node.environment, no_events)
                      : *read.answer;
}

}  // namespace

TEST_CASE("Subcommands read their arguments, and nothing else") {
  const auto command = [](const std::vector<std::string>& arguments) {
    return read_admin(arguments).command.value_or(AdminCommand{});
  };
  CHECK(command({"state"}) == AdminCommand{.verb = Verb::state});
  CHECK(command({"state", "--json"}) == AdminCommand{.verb = Verb::state, .json = true});
  CHECK(command({"reconcile", "--dry-run"}) ==
        AdminCommand{.verb = Verb::reconcile, .dry_run = true});
  CHECK(command({"reconcile", "--watch"}) == AdminCommand{.verb = Verb::reconcile, .watch = true});
  CHECK(command({"release", "--all"}) == AdminCommand{.verb = Verb::release, .all = true});
  CHECK(command({"release", "0000:3b:00.2", "--force"}) ==
        AdminCommand{.verb = Verb::release, .force = true, .device = "0000:3b:00.2"});
  CHECK_FALSE(read_admin({"x"}).command);
  CHECK_FALSE(read_admin({"x"}).answer);
  CHECK_FALSE(read_admin({}).answer);
  for (const auto& [arguments, words] :
       std::initializer_list<std::pair<std::vector<std::string>, const char*>>{
           {{"state", "--all"}, "railhead state: unknown argument '--all'"},
           {{"reconcile", "now"}, "railhead reconcile: unknown argument 'now'"},
           {{"reconcile", "--watch", "--dry-run"}, "exclude each other"},
           {{"release"}, "expected one device, or --all"},
           {{"release", "a", "--all"}, "expected one device, or --all"},
           {{"release", "a", "b"}, "unknown argument 'b'"},
           {{"release", "--all", "--force"}, "--force goes with one device"}}) {
    const auto read = read_admin(arguments);
    REQUIRE(read.answer);
    CHECK(read.answer->exit_code == 2);
    CHECK_THAT(read.answer->error_output, ContainsSubstring(words) && ContainsSubstring("usage:"));
  }
  for (const auto* verb : {"state", "reconcile", "release"}) {
    const auto help = read_admin({verb, "--help"});
    REQUIRE(help.answer);
    CHECK(help.answer->exit_code == 0);
    CHECK_THAT(help.answer->output, StartsWith(std::string("usage: railhead ") + verb));
  }
}

TEST_CASE("state shows who has what, and reconcile and release give back") {
  Node node;
  const auto before = standing(node.fake);
  CHECK(run(node, {"state"}).output == "no device is on record\n");
  REQUIRE(node.run("ADD").exit_code == 0);
  const auto table = run(node, {"state"});
  CHECK(table.exit_code == 0);
  CHECK(table.output ==
        "DEVICE        STATE  POD           INTERFACE  NETWORK  CONTAINER\n"
        "0000:11:00.0  held   ns/trainer-0  net1       rail0    c1\n");
  const auto json = nlohmann::json::parse(run(node, {"state", "--json"}).output);
  REQUIRE(json.at("devices").size() == 1);
  CHECK(json["devices"][0]["state"] == "held");
  CHECK(json["devices"][0]["hostName"] == "p0v0");
  CHECK(json["devices"][0]["pod"] == "ns/trainer-0");

  const auto held = run(node, {"release", "0000:11:00.0"});
  CHECK(held.exit_code == 3);
  CHECK_THAT(held.output, StartsWith("left: 0000:11:00.0: held by net1 of container c1"));
  CHECK(run(node, {"reconcile"}).output == "nothing to do\n");
  node.fake.delete_netns("pod0");
  const auto done = run(node, {"reconcile"});
  CHECK(done.exit_code == 0);
  CHECK_THAT(done.output, StartsWith("0000:11:00.0: given back, was net1 of container c1"));
  CHECK(standing(node.fake) == before);
}

TEST_CASE("release of a device that nobody has on record says so") {
  Node node;
  const auto answer = run(node, {"release", "0000:11:00.1"});
  CHECK(answer.exit_code == 1);
  CHECK(answer.error_output == "railhead: nothing is on record of 0000:11:00.1\n");
  CHECK(run(node, {"release", "mlx5_core.sf.4"}).error_output ==
        "railhead: nothing is on record of mlx5_core.sf.4\n");
  CHECK_THAT(run(node, {"release", "a/b"}).error_output,
             ContainsSubstring("expected a PCI address"));
}

TEST_CASE("Nothing is judged from another network namespace than the host's") {
  Node node;
  const auto folder = node.fake.host.roots.proc + "/1/ns";
  must(host::make_directories(folder, 0700));
  std::filesystem::create_symlink(node.pod, folder + "/net");
  const auto answer = run(node, {"reconcile"});
  CHECK(answer.exit_code == 1);
  CHECK_THAT(answer.error_output, ContainsSubstring("hostNetwork is needed"));
}

TEST_CASE("A mount of /run/netns that sees no new namespaces is told: reconcile changes nothing") {
  Node node;
  REQUIRE(node.run("ADD").exit_code == 0);
  node.fake.delete_netns("pod0");
  must(host::make_directories(node.fake.host.roots.proc + "/self", 0700));
  const auto mount = [&](const std::string& options) {
    must(host::write_file_atomically(node.fake.host.roots.proc + "/self/mountinfo",
                                     "22 1 0:20 / /proc rw,nosuid - proc proc rw\n"
                                     "30 1 0:24 /netns /run/netns rw,nosuid" +
                                         options + " - tmpfs tmpfs rw\n",
                                     0600));
  };
  mount("");
  CHECK_FALSE(sees_new_namespaces(node.fake.host));
  CHECK_THAT(run(node, {"reconcile"}).output, ContainsSubstring("would be given back"));
  mount(" master:5");
  CHECK(sees_new_namespaces(node.fake.host));
  CHECK_THAT(run(node, {"reconcile"}).output, ContainsSubstring(": given back"));
}

TEST_CASE("reconcile frees addresses over rails of containers that nothing knows any more") {
  Node node;
  must(ipam::write_node_index(node.fake.host.roots.state, {1, "list", "gpu-1"}));
  node.conf["type"] = "railhead";
  node.conf["rail"] = 0;
  node.conf["ipam"] = {{"type", "rails"},
                       {"v4", {{"subnets", {"10.1.0.0/16"}}, {"nodePrefix", 28}}}};
  REQUIRE(node.run("ADD").exit_code == 0);
  const auto leases = [&] {
    const auto open = must(ipam::RailLeases::open(node.fake.host, {node.fake.clock, {}, {}}));
    return must(open.all()).size();
  };
  CHECK(run(node, {"reconcile"}).exit_code == 0);
  CHECK(leases() == 1);  // on record
  // Its record cannot be read, so its DEL could not ask for them, and an admin took the device
  // back.
  const auto folder = attach::Store(node.fake.host.roots.run).folder();
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    std::ofstream(file.path(), std::ios::trunc) << "{";
  }
  CHECK(run(node, {"reconcile"}).exit_code != 0);
  CHECK(leases() == 1);
  node.fake.delete_netns("pod0");
  REQUIRE(run(node, {"release", "0000:11:00.0", "--force"}).exit_code == 0);
  const auto looked = run(node, {"reconcile", "--dry-run"});
  CHECK_THAT(
      looked.output,
      ContainsSubstring("addresses of container c1 of pod ns/trainer-0 in network rail0: freed"));
  CHECK(leases() == 1);
  CHECK_THAT(run(node, {"reconcile"}).output, ContainsSubstring("addresses of container c1"));
  CHECK(leases() == 0);
}

TEST_CASE("One reconcile at a time") {
  Node node;
  must(attach::Store(node.fake.host.roots.run).prepare());
  const auto lock = must(node.fake.host.locks.lock(
      node.fake.host.roots.run + "/locks/reconcile.lock", std::chrono::seconds(1)));
  CHECK(run(node, {"reconcile"}).error_output ==
        "railhead: another railhead reconcile runs on this node (the reconciler's DaemonSet tries "
        "every "
        "30 s); by hand: railhead release DEVICE\n");
  CHECK(run(node, {"reconcile", "--dry-run"}).output == "nothing to do\n");
}
