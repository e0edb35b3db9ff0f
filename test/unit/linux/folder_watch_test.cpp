#include "host/folder_watch.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include <catch2/catch_test_macros.hpp>

#include "test/support/must.hpp"
#include "test/support/temporary_folder.hpp"

using namespace railhead;
using namespace railhead::test;
namespace fs = std::filesystem;

namespace {

using What = host::FolderWatch::What;
using Names = std::vector<std::string>;

// A folder "above/inner" and who watches it. The kernel queues an event before the call that made
// it returns, so nobody has to wait.
struct Watched {
  explicit Watched(What what = What::names) {
    fs::create_directories(inner);
    must(watch.add(inner, what));
  }
  TemporaryFolder folder;
  const std::string above = folder.path() + "/above";
  const std::string inner = above + "/inner";
  host::FolderWatch watch = must(host::FolderWatch::open());
};

void write(const std::string& path) { std::ofstream(path) << "text"; }

}  // namespace

TEST_CASE("What comes, goes and is renamed in a folder is told by name") {
  Watched it;
  write(it.inner + "/a");
  fs::rename(it.inner + "/a", it.inner + "/b");
  fs::remove(it.inner + "/b");
  CHECK(it.watch.read_names() == Names{"a", "a", "b", "b"});
  CHECK(it.watch.read_names().empty());
}

TEST_CASE("Writing counts only where it is asked for") {
  Watched names;
  write(names.inner + "/a");
  CHECK(names.watch.read_names() == Names{"a"});
  write(names.inner + "/a");
  CHECK(names.watch.read_names().empty());

  Watched contents(What::names_and_contents);
  write(contents.inner + "/a");
  CHECK(contents.watch.read_names() == Names{"a", "a"});
  write(contents.inner + "/a");
  CHECK(contents.watch.read_names() == Names{"a"});
  must(contents.watch.add(contents.inner, What::names));  // does not ask for less
  write(contents.inner + "/a");
  CHECK(contents.watch.read_names() == Names{"a"});
}

TEST_CASE("A folder that is replaced is followed, and the one that was there is left alone") {
  Watched it;
  fs::rename(it.inner, it.above + "/old");
  CHECK(it.watch.read_names() == Names{""});
  write(it.above + "/old/a");
  CHECK(it.watch.read_names().empty());

  fs::create_directory(it.inner);
  write(it.inner + "/early");  // before anybody could watch it
  const auto replaced = it.watch.read_names();
  CHECK(std::ranges::count(replaced, "") == 1);
  write(it.inner + "/late");
  CHECK(it.watch.read_names() == Names{"late"});
}

TEST_CASE("A folder that is swapped for another at once is followed") {
  Watched it;
  fs::create_directory(it.above + "/next");
  (void)it.watch.read_names();
  fs::rename(it.above + "/next", it.inner);  // onto the empty one
  CHECK(it.watch.read_names() == Names{""});
  write(it.inner + "/a");
  CHECK(it.watch.read_names() == Names{"a"});
}

TEST_CASE("A folder is followed when one above it is replaced") {
  Watched it;
  fs::rename(it.above, it.folder.path() + "/old");
  CHECK(it.watch.read_names() == Names{""});
  write(it.folder.path() + "/old/inner/a");
  CHECK(it.watch.read_names().empty());

  fs::create_directory(it.above);
  CHECK(it.watch.read_names() == Names{""});
  fs::create_directory(it.inner);
  CHECK(it.watch.read_names() == Names{""});
  write(it.inner + "/a");
  CHECK(it.watch.read_names() == Names{"a"});
}

TEST_CASE("A folder that is removed and made anew is followed") {
  Watched it;
  write(it.inner + "/a");
  (void)it.watch.read_names();
  fs::remove_all(it.above);
  const auto gone = it.watch.read_names();
  CHECK(std::ranges::count(gone, "") == 1);
  fs::create_directories(it.inner);
  CHECK(std::ranges::count(it.watch.read_names(), "") == 1);
  write(it.inner + "/a");
  CHECK(it.watch.read_names() == Names{"a"});
}

TEST_CASE("What else happens beside a folder is not told") {
  Watched it;
  write(it.above + "/a");
  fs::create_directory(it.above + "/other");
  write(it.above + "/other/b");
  CHECK(it.watch.read_names().empty());
}

TEST_CASE("Two folders are watched by one, also one in the other") {
  Watched it;
  must(it.watch.add(it.above, What::names_and_contents));
  write(it.above + "/a");
  CHECK(it.watch.read_names() == Names{"a", "a"});
  write(it.inner + "/b");
  CHECK(it.watch.read_names() == Names{"b"});
  fs::remove_all(it.inner);
  const auto names = it.watch.read_names();
  CHECK(std::ranges::count(names, "inner") == 1);
  CHECK(std::ranges::count(names, "") == 1);
}

TEST_CASE("A folder that is not there, or a file, is an error, and is not followed") {
  Watched it;
  write(it.above + "/file");
  (void)it.watch.read_names();
  CHECK(it.watch.add(it.above + "/absent").error().os_errno == ENOENT);
  CHECK(it.watch.add(it.above + "/file").error().os_errno == ENOTDIR);
  fs::create_directory(it.above + "/absent");
  CHECK(it.watch.read_names().empty());
  write(it.inner + "/a");
  CHECK(it.watch.read_names() == Names{"a"});
}

TEST_CASE("A path may be written with more slashes than it needs") {
  Watched it;
  auto watch = must(host::FolderWatch::open());
  must(watch.add(it.folder.path() + "//above/./inner/"));
  fs::rename(it.inner, it.above + "/old");
  CHECK(watch.read_names() == Names{""});
}
