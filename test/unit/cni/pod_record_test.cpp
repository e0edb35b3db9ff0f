#include "cni/meta/pod_record.hpp"

#include <filesystem>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "cni/meta/pods.hpp"
#include "test/support/must.hpp"
#include "test/support/temporary_folder.hpp"

using namespace railhead;
using namespace railhead::cni;
using namespace railhead::test;
using Catch::Matchers::ContainsSubstring;

namespace {

PodRecord some_record() {
  PodRecord record{.container_id = "c1",
                   .pod_namespace = "ml",
                   .pod_name = "trainer-0",
                   .pod_uid = "u1",
                   .boot_id = "b1",
                   .netns_path = "/run/netns/x",
                   .netns = {4, 4026532000},
                   .plugin_path = "/opt/cni/bin",
                   .network = "node"};
  PodNetwork cluster{.name = "cluster", .cni_version = "1.0.0", .ifname = "eth0"};
  cluster.plugins = {{"bridge", false, R"({"type":"bridge","rate":1.50e3,"text":"é\n"})"},
                     {"portmap", false, "{}"}};
  PodNetwork rail{.nad = "ml/rail0",
                  .name = "rail0",
                  .cni_version = "1.0.0",
                  .ifname = "net1",
                  .args = "IgnoreUnknown=true",
                  .place = "networks[0] (ml/rail0)",
                  .disable_check = true,
                  .disable_gc = true,
                  .gateways = std::vector<std::string>{"10.0.0.1"},
                  .device = "0000:3b:00.2",
                  .resource = "rdma/vf"};
  rail.plugins = {{"sriov", true, "{}"}, {"rdma", true, "{}"}, {"tuning", false, "{}"}};
  PodNetwork foreign{.nad = "ml/f", .name = "f", .cni_version = "0.3.1", .ifname = "net2"};
  foreign.plugins = {{"macvlan", false, "{}"}, {"rdma", true, "{}"}};
  auto second = rail;
  second.ifname = "net3";
  record.networks = {cluster, foreign, rail, second};
  return record;
}

}  // namespace

TEST_CASE("A pod's record and its progress are read as they were written") {
  const auto record = some_record();
  CHECK(must(pod_record_from_json(to_json(record))) == record);
  PodProgress progress{.is_attached = true,
                       .results = {"{}", ""},
                       .network_status = "[]",
                       .deleted = {{1, 0}, {0, 1}},
                       .reason = "x",
                       .first_failed = std::chrono::milliseconds(7)};
  CHECK(must(pod_progress_from_json(to_json(progress))) == progress);
}

TEST_CASE("A record that was cut or changed anywhere is not taken for one") {
  const auto text = to_json(some_record());
  for (size_t size = 0; size + 1 < text.size(); ++size) {
    INFO(size);
    CHECK(is(pod_record_from_json(text.substr(0, size)), ErrorCode::decode));
  }
  for (size_t at = 0; at + 1 < text.size(); at += 7) {
    auto changed = text;
    changed[at] = changed[at] == 'x' ? 'y' : 'x';
    INFO(at);
    const auto read = pod_record_from_json(changed);
    CHECK((!read || *read == some_record()));
  }
}

TEST_CASE("A record of the next version is read, one of a later not") {
  auto text = to_json(some_record());
  const auto with = [&](const std::string& schema) {
    auto other = text;
    return other.replace(other.find("\"schema\":1"), 10, "\"schema\":" + schema);
  };
  CHECK(pod_record_from_json(with("2")));
  CHECK_THAT(pod_record_from_json(with("3")).error().message, ContainsSubstring("expected 1 to 2"));
}

TEST_CASE("The order: the cluster network, own interfaces, then all other plugins as they come") {
  const auto record = some_record();
  CHECK(acts_of(record) ==
        std::vector<Act>{
            {0, 0}, {0, 1}, {2, 0}, {3, 0}, {1, 0}, {1, 1}, {2, 1}, {2, 2}, {3, 1}, {3, 2}});
  CHECK(is_in_transaction(record, {2, 0}));
  CHECK_FALSE(is_in_transaction(record, {1, 1}));
  CHECK_FALSE(is_in_transaction(record, {2, 1}));
}

TEST_CASE("Files in the records' folder are nobody else's: links, folders and others' files") {
  const TemporaryFolder folder;
  host::Roots roots;
  roots.state = folder.path() + "/state";
  roots.run = folder.path() + "/run";
  const Pods pods(roots);
  must(pods.prepare());
  must(pods.save(some_record()));
  CHECK(is(pods.save(some_record()), ErrorCode::already_exists));
  const auto path = roots.state + "/pods/c1.json";
  SECTION("a symbolic link") {
    std::filesystem::rename(path, folder.path() + "/elsewhere");
    std::filesystem::create_symlink(folder.path() + "/elsewhere", path);
    CHECK(is(pods.load("c1"), ErrorCode::decode));
  }
  SECTION("a file that others may write") {
    std::filesystem::permissions(path, std::filesystem::perms::others_write,
                                 std::filesystem::perm_options::add);
    CHECK(is(pods.load("c1"), ErrorCode::decode));
  }
  SECTION("another container's") {
    std::filesystem::rename(path, roots.state + "/pods/c2.json");
    CHECK(is(pods.load("c2"), ErrorCode::decode));
    CHECK(must(pods.list()).unreadable.size() == 1);
    return;
  }
  CHECK(must(pods.list()).records.empty());
}

TEST_CASE("A container's id may be longer than a file's name") {
  const TemporaryFolder folder;
  host::Roots roots;
  roots.state = folder.path() + "/state";
  roots.run = folder.path() + "/run";
  const Pods pods(roots);
  must(pods.prepare());
  auto record = some_record();
  record.container_id = std::string(4000, 'a');
  must(pods.save(record));
  CHECK(must(pods.load(record.container_id)) == record);
  CHECK_FALSE(must(pods.load(std::string(4001, 'a'))));
  must(pods.remove(record));
  CHECK(must(pods.list()).records.empty());
}
