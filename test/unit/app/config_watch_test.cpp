#include "plugin/app/config_watch.hpp"

#include <filesystem>
#include <fstream>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <poll.h>

#include "plugin/config/files.hpp"
#include "test/support/must.hpp"
#include "test/support/temporary_folder.hpp"

namespace railhead::test {
namespace {

namespace fs = std::filesystem;

void write(const std::string& path, const char* text = "{}") { std::ofstream(path) << text; }

bool is_readable(const app::ConfigWatch& watch) {
  pollfd fd{watch.fd(), POLLIN, 0};
  return poll(&fd, 1, 0) == 1;
}

// "etc/railhead/config.json", and the watch of it.
struct Watched {
  Watched() {
    fs::create_directories(folder);
    write(file);
  }
  TemporaryFolder top;
  const std::string folder = top.path() + "/etc/railhead";
  const std::string file = folder + "/config.json";
};

}  // namespace

TEST_CASE("a configuration that is written, replaced or removed is noticed, others are not") {
  const Watched it;
  auto watch = must(app::ConfigWatch::open(it.file));
  CHECK_FALSE(watch.touched());
  write(it.file);
  CHECK(watch.touched());
  write(it.folder + "/other.json");
  CHECK_FALSE(watch.touched());
  fs::rename(it.folder + "/other.json", it.file);
  CHECK(watch.touched());
  fs::remove(it.file);
  CHECK(watch.touched());
  CHECK_FALSE(watch.touched());
}

TEST_CASE("a ConfigMap's new version is noticed") {
  const Watched it;
  fs::create_directory(it.folder + "/..1");
  fs::create_directory_symlink("..1", it.folder + "/..data");
  auto watch = must(app::ConfigWatch::open(it.file));
  fs::create_directory(it.folder + "/..2");
  CHECK_FALSE(watch.touched());
  fs::create_directory_symlink("..2", it.folder + "/..data_tmp");
  fs::rename(it.folder + "/..data_tmp", it.folder + "/..data");
  CHECK(watch.touched());
}

TEST_CASE("a configuration whose folder is replaced is read from the new one, and followed there") {
  const Watched it;
  const bool as_folder = GENERATE(false, true);
  const std::string replaced = GENERATE("/etc/railhead", "/etc");
  const auto path = as_folder ? it.folder : it.file;
  auto watch = must(app::ConfigWatch::open(path));

  fs::rename(it.top.path() + replaced, it.top.path() + "/old");
  fs::create_directories(it.folder);
  write(it.file, "new");
  REQUIRE(is_readable(watch));
  CHECK(watch.touched());
  CHECK(must(config::read_sources(path)).at(0).text == "new");

  CHECK_FALSE(watch.touched());
  write(it.file, "newer");
  REQUIRE(is_readable(watch));
  CHECK(watch.touched());
  const auto old = it.top.path() + "/old" + (replaced == "/etc" ? "/railhead" : "");
  write(old + "/config.json");
  CHECK_FALSE(watch.touched());
}

}  // namespace railhead::test
