#include "linux/functions.hpp"

#include <filesystem>
#include <thread>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.hpp"
#include "base/text.hpp"
#include "host/files.hpp"
#include "test/support/functions_contract.hpp"
#include "test/support/sysfs_tree.hpp"
#include "test/support/temporary_folder.hpp"

using namespace railhead;
using namespace railhead::test;
using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;

namespace fs = std::filesystem;

namespace {

// A tree whose files take what is written. Opening a FIFO that nobody reads from hangs, as a write
// to sysfs may; unlike that it ends with a signal.
class Tree final : public FunctionsFixture {
 public:
  Tree() {
    tree_.add({.address = function().to_string()});
    for (const auto& file : {reset(), driver_file("unbind"), driver_file("bind")}) {
      tree_.write(file, "");
    }
  }
  host::Functions& functions() override { return functions_; }
  PciAddress function() override { return {0, 0x11, 0, 0}; }
  std::string driver() override { return "mlx5_core"; }
  void let_resets_hang() override {
    fs::remove(reset());
    REQUIRE(::mkfifo(reset().c_str(), 0600) == 0);
  }
  void let_go() override {
    fs::remove(reset());
    tree_.write(reset(), "");
  }
  std::string folder() { return tree_.folder(function().to_string()); }
  std::string reset() { return folder() + "/reset"; }
  std::string driver_file(const std::string& name) {
    return folder_.path() + "/bus/pci/drivers/mlx5_core/" + name;
  }

 private:
  TemporaryFolder folder_;
  SysfsTree tree_{folder_.path()};
  linux::LinuxFunctions functions_{folder_.path()};
};

// The children of this process, as the kernel lists them for each of its threads.
std::vector<std::string> children() {
  std::vector<std::string> all;
  for (const auto& thread : fs::directory_iterator("/proc/self/task")) {
    const auto text = host::read_file(thread.path().string() + "/children");
    if (!text) continue;
    for (const auto pid : split(*text, ' ')) {
      if (!trim(pid).empty()) all.emplace_back(trim(pid));
    }
  }
  return all;
}

}  // namespace

std::unique_ptr<FunctionsFixture> railhead::test::make_functions_fixture() {
  return std::make_unique<Tree>();
}

TEST_CASE("What is written is the function's address, and 1 for its reset") {
  Tree tree;
  must(tree.functions().unbind(tree.function(), tree.driver(), 60s));
  must(tree.functions().reset(tree.function(), 60s));
  must(tree.functions().bind(tree.function(), tree.driver(), 60s));
  CHECK(trim(must(host::read_file(tree.driver_file("unbind")))) == "0000:11:00.0");
  CHECK(trim(must(host::read_file(tree.driver_file("bind")))) == "0000:11:00.0");
  CHECK(trim(must(host::read_file(tree.reset()))) == "1");
}

TEST_CASE("One that hangs has nothing open that is ours: no lock, no pipe, no standard output") {
  Tree tree;
  TemporaryFolder other;
  UniqueFd lock(::open((other.path() + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  REQUIRE(::flock(lock.get(), LOCK_EX) == 0);
  tree.let_resets_hang();
  Result<void> done;
  std::thread resets([&] { done = tree.functions().reset(tree.function(), 3s); });
  std::vector<std::string> open = {"not seen"};
  SystemClock clock;
  // Until it has come to where it hangs: with the function's folder, and that alone.
  const bool seen = wait_until(clock, 2500ms, 1ms, [&] {
    for (const auto& pid : children()) {
      open.clear();
      std::error_code gone;
      for (const auto& fd : fs::directory_iterator("/proc/" + pid + "/fd", gone)) {
        open.push_back(fs::read_symlink(fd.path(), gone));
      }
      if (open == std::vector{tree.folder()}) return true;
    }
    return false;
  });
  CHECK(seen);
  CHECK(open == std::vector{tree.folder()});
  lock = UniqueFd();
  UniqueFd again(::open((other.path() + "/lock").c_str(), O_RDWR | O_CLOEXEC));
  CHECK(::flock(again.get(), LOCK_EX | LOCK_NB) == 0);
  resets.join();
  CHECK(is(done, ErrorCode::timeout));
}

TEST_CASE("Who comes while one is at work on the function is told so, at once") {
  Tree tree;
  UniqueFd at_work(::open(tree.folder().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  REQUIRE(::flock(at_work.get(), LOCK_EX) == 0);
  const auto refused = tree.functions().reset(tree.function(), 60s);
  REQUIRE(is(refused, ErrorCode::busy));
  CHECK_THAT(refused.error().message, ContainsSubstring("still hangs in the kernel"));
  at_work = UniqueFd();
  must(tree.functions().reset(tree.function(), 60s));
}

TEST_CASE("A child that was left behind is reaped when the next one is made") {
  Tree tree;
  tree.let_resets_hang();
  const auto before = children().size();
  REQUIRE(is(tree.functions().reset(tree.function(), 50ms), ErrorCode::timeout));
  REQUIRE(children().size() == before + 1);
  tree.let_go();
  SystemClock clock;
  CHECK(wait_until(clock, 60s, 10ms, [&] {
    std::ignore = tree.functions().reset(tree.function(), 60s);
    return children().size() == before;
  }));
}
