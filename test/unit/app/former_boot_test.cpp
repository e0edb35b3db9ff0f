#include "plugin/app/former_boot.hpp"

#include <filesystem>
#include <fstream>

#include <catch2/catch_test_macros.hpp>
#include <unistd.h>

#include "test/support/temporary_folder.hpp"

namespace railhead::test {
namespace {

namespace fs = std::filesystem;
using Saved = std::vector<ledger::Saved>;

struct Node {
  TemporaryFolder folder;
  Logger log{-1, LogLevel::error};
  std::optional<app::FormerBoot> former;

  // An agent starts in that boot. "": the kernel does not tell.
  void start(const std::string& boot) {
    const auto at = folder.path() + "/proc/sys/kernel/random";
    fs::create_directories(at);
    fs::remove(at + "/boot_id");
    if (!boot.empty()) std::ofstream(at + "/boot_id") << boot << '\n';
    if (boot != boot_) fs::remove_all(folder.path() + "/run");
    boot_ = boot;
    former.emplace(folder.path() + "/state", folder.path() + "/run", folder.path() + "/proc", log);
  }
  void serve(const std::string& boot) {
    start(boot);
    former->keep();
  }
  // Which of these ids were given in this boot.
  std::set<std::string> left(const std::set<std::string>& ids) {
    Result<Saved> saved;
    for (const auto& id : ids) saved->push_back({"uid", "main", "rdma/vf", {id}, {"/dev/x"}, {}});
    former->mark(saved);
    std::set<std::string> left;
    for (const auto& one : *saved) {
      if (!one.former) left.insert(*one.ids.begin());
    }
    return left;
  }

 private:
  std::string boot_;
};

using Ids = std::set<std::string>;

}  // namespace

TEST_CASE("what kubelet has saved when a boot is seen first was given before it") {
  Node node;
  node.serve("one");
  CHECK(node.left({"a", "b"}) == Ids{"a", "b"});  // by whoever was here before
  node.serve("two");
  CHECK(node.left({"a", "b"}).empty());
  CHECK(node.left({"a", "b", "c"}) == Ids{"c"});
  CHECK(node.former->started("rdma/vf", {"a"}));
  CHECK_FALSE(node.former->started("rdma/vf", {"a"}));
  CHECK_FALSE(node.former->started("rdma/other", {"b"}));
  CHECK(node.left({"a", "b"}) == Ids{"a"});
  node.serve("two");
  CHECK(node.left({"a", "b"}) == Ids{"a"});
  node.serve("three");
  CHECK(node.left({"a", "b"}).empty());
}

TEST_CASE(
    "kubelet's file that is not there after a boot was looked at, one that cannot be read was "
    "not") {
  Node node;
  node.serve("one");
  node.serve("two");
  SECTION("it is not there") {
    Result<Saved> none = fail(ErrorCode::not_found, "no file");
    node.former->mark(none);
    CHECK(node.left({"a"}) == Ids{"a"});  // it is of this boot
    node.serve("two");
    CHECK(node.left({"a"}) == Ids{"a"});
  }
  SECTION("it cannot be read") {
    Result<Saved> unread = fail(ErrorCode::io, "no descriptors");
    node.former->mark(unread);
    CHECK(node.left({"a"}).empty());
  }
}

TEST_CASE("a standby writes nothing, and serves with what the agent before it wrote") {
  Node node;
  node.serve("one");
  node.serve("two");
  CHECK(node.left({"a", "b"}).empty());
  app::FormerBoot standby(node.folder.path() + "/state", node.folder.path() + "/run",
                          node.folder.path() + "/proc", node.log);
  Result<Saved> saved = Saved{{"uid", "main", "rdma/vf", {"a"}, {"/dev/x"}, {}}};
  standby.mark(saved);
  CHECK(saved->front().former);
  node.former->started("rdma/vf", {"a"});
  standby.keep();
  CHECK_FALSE(standby.started("rdma/vf", {"a"}));
  CHECK(standby.started("rdma/vf", {"b"}));

  node.start("three");  // nobody serves in it
  CHECK(node.left({"a"}).empty());
  CHECK_FALSE(fs::exists(node.folder.path() + "/run"));
  node.serve("three");
  CHECK(node.left({"a"}).empty());
}

TEST_CASE("an agent that could not write which boot it is finds what it wrote of this one") {
  Node node;
  node.serve("one");
  node.start("two");
  fs::remove(node.folder.path() + "/state/boot");
  fs::create_directory(node.folder.path() + "/state/boot");  // which no file replaces
  std::ofstream(node.folder.path() + "/state/boot/x");
  node.former->keep();
  CHECK(node.left({"a"}).empty());
  CHECK(node.former->started("rdma/vf", {"a"}));
  node.start("two");
  CHECK(node.left({"a"}) == Ids{"a"});
}

TEST_CASE("where the boot is not known all counts as given in it") {
  Node node;
  node.serve("one");
  SECTION("since the kernel does not tell") {
    node.serve("");
    CHECK(node.left({"a"}) == Ids{"a"});
  }
  SECTION("since the file of this boot is damaged") {
    node.serve("two");
    CHECK(node.left({"a"}).empty());
    std::ofstream(node.folder.path() + "/run/former.json") << "{";
    node.serve("two");
    CHECK(node.left({"a"}) == Ids{"a"});
  }
}

TEST_CASE("a boot's name that a crash has cut is another one's") {
  Node node;
  node.serve("one");
  std::ofstream(node.folder.path() + "/state/boot") << "";
  node.serve("two");
  CHECK(node.left({"a"}).empty());
}

}  // namespace railhead::test
