// host/files.hpp and the text forms of host/links.hpp.
#include "host/files.hpp"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>

#include <catch2/catch_test_macros.hpp>
#include <sys/stat.h>

#include "host/links.hpp"
#include "test/support/must.hpp"
#include "test/support/temporary_folder.hpp"

using namespace railhead;
using namespace railhead::test;
namespace fs = std::filesystem;

TEST_CASE("A folder is read by paths relative to it") {
  TemporaryFolder folder;
  fs::create_directories(folder.path() + "/a/b");
  std::ofstream(folder.path() + "/a/b/file") << "value\n";
  fs::create_symlink("../../drivers/mlx5_core", folder.path() + "/a/driver");
  auto top = must(host::Directory::open(folder.path()));
  auto a = must(top.sub("a"));
  CHECK(must(a.read("b/file")) == "value");
  CHECK(must(a.link("driver")) == "../../drivers/mlx5_core");
  CHECK(must(a.link_name("driver")) == "mlx5_core");
  auto names = must(a.list("."));
  std::ranges::sort(names);
  CHECK(names == std::vector<std::string>{"b", "driver"});
}

TEST_CASE("A regular file is read up to its limit; nothing else is opened for long") {
  TemporaryFolder folder;
  const auto path = folder.path() + "/file";
  std::ofstream(path) << "four";
  CHECK(must(host::read_regular_file(path, 4)) == "four");
  const auto large = host::read_regular_file(path, 3);
  REQUIRE(is(large, ErrorCode::invalid_argument));
  CHECK(large.error().message == path + " has 4 bytes; at most 3 are read");
  CHECK(is(host::read_regular_file(folder.path() + "/missing", 9), ErrorCode::not_found));
  fs::create_symlink("file", folder.path() + "/link");
  CHECK(is(host::read_regular_file(folder.path() + "/link", 9), ErrorCode::invalid_argument));
  REQUIRE(mkfifo((folder.path() + "/fifo").c_str(), 0600) == 0);
  CHECK(is(host::read_regular_file(folder.path() + "/fifo", 9), ErrorCode::invalid_argument));
  CHECK(is(host::read_regular_file(folder.path(), 9), ErrorCode::invalid_argument));
}

TEST_CASE("An error of a folder's file names its whole path") {
  TemporaryFolder folder;
  auto top = must(host::Directory::open(folder.path()));
  auto missing = top.read("net/eth0/mtu");
  REQUIRE(is(missing, ErrorCode::not_found));
  CHECK(missing.error().message.find(fs::canonical(folder.path()).string() + "/net/eth0/mtu") !=
        std::string::npos);
  CHECK(is(top.sub("absent"), ErrorCode::not_found));
  CHECK(is(top.list("absent"), ErrorCode::not_found));
  CHECK(is(top.link("absent"), ErrorCode::not_found));
}

TEST_CASE("A file of more than 64 KiB is not taken for an attribute") {
  TemporaryFolder folder;
  std::ofstream(folder.path() + "/fits") << std::string(64 * 1024, 'x');
  std::ofstream(folder.path() + "/large") << std::string(64 * 1024 + 1, 'x');
  auto top = must(host::Directory::open(folder.path()));
  CHECK(must(top.read("fits")).size() == 64 * 1024);
  CHECK(top.read("large").error().os_errno == EFBIG);
}

TEST_CASE("A file is replaced as a whole, with its mode, and leaves no temporary one") {
  TemporaryFolder folder;
  const auto path = folder.path() + "/record.json";
  must(host::write_file_atomically(path, "old", 0644));
  must(host::write_file_atomically(path, "new", 0600));
  CHECK(must(host::read_file(path)) == "new");
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  CHECK(must(must(host::Directory::open(folder.path())).list(".")).size() == 1);
}

TEST_CASE("A file that cannot be put in place leaves no temporary one") {
  TemporaryFolder folder;
  fs::create_directories(folder.path() + "/taken/by-a-folder");
  CHECK_FALSE(host::write_file_atomically(folder.path() + "/taken", "text", 0600));
  CHECK(must(must(host::Directory::open(folder.path())).list(".")).size() == 1);
  CHECK(is(host::write_file_atomically(folder.path() + "/absent/file", "text", 0600),
           ErrorCode::not_found));
}

TEST_CASE("Writing an existing file does not make one") {
  TemporaryFolder folder;
  const auto path = folder.path() + "/sysctl";
  CHECK(is(host::write_file(path, "1"), ErrorCode::not_found));
  std::ofstream(path) << "a longer text";
  must(host::write_file(path, "1"));
  CHECK(must(host::read_file(path)) == "1");
}

TEST_CASE("Folders are made with their parents; those that are there are no error, files are") {
  TemporaryFolder folder;
  must(host::make_directories(folder.path() + "/a/b/c", 0700));
  must(host::make_directories(folder.path() + "/a/b/c", 0700));
  CHECK(fs::is_directory(folder.path() + "/a/b/c"));
  std::ofstream(folder.path() + "/file") << "";
  CHECK(is(host::make_directories(folder.path() + "/file", 0700), ErrorCode::already_exists));
}

TEST_CASE(
    "A private folder is its owner's only, whoever made it, and what it is not is left alone") {
  TemporaryFolder folder;
  const auto mode = [](const fs::path& path) {
    return static_cast<unsigned>(fs::status(path).permissions());
  };
  must(host::make_private_folder(folder.path() + "/new/one"));
  CHECK(mode(folder.path() + "/new/one") == 0700);

  const auto by_kubelet = folder.path() + "/by-kubelet";
  must(host::make_directories(by_kubelet, 0700));
  fs::permissions(by_kubelet, fs::perms{0755});
  fs::create_directory_symlink("by-kubelet", folder.path() + "/link");
  must(host::make_private_folder(folder.path() + "/link"));
  CHECK(mode(by_kubelet) == 0755);
  must(host::make_private_folder(by_kubelet));
  CHECK(mode(by_kubelet) == 0700);

  std::ofstream(folder.path() + "/file") << "";
  CHECK_FALSE(host::make_private_folder(folder.path() + "/file"));
  if (::geteuid() != 0) return;  // nobody else may give a folder away
  REQUIRE(::chown(by_kubelet.c_str(), 1000, 1000) == 0);
  CHECK(is(host::make_private_folder(by_kubelet), ErrorCode::permission));
}

TEST_CASE("Removing a file twice is not an error") {
  TemporaryFolder folder;
  std::ofstream(folder.path() + "/file") << "";
  must(host::remove_file(folder.path() + "/file"));
  must(host::remove_file(folder.path() + "/file"));
  CHECK_FALSE(fs::exists(folder.path() + "/file"));
}

TEST_CASE("An IP prefix is read in both families, and without a length is one address") {
  CHECK(host::IpPrefix::parse("10.1.2.3/24")->to_string() == "10.1.2.3/24");
  CHECK(host::IpPrefix::parse("10.1.2.3")->to_string() == "10.1.2.3/32");
  CHECK(host::IpPrefix::parse("FD00::5/64")->to_string() == "fd00::5/64");
  CHECK(host::IpPrefix::parse("fd00::5")->address_string() == "fd00::5");
  CHECK(host::IpPrefix::parse("0.0.0.0/0")->length == 0);
  for (auto bad : {"", "10.1.2", "10.1.2.3/33", "10.1.2.3/", "10.1.2.3/-1", "::/129", "x::/8"}) {
    INFO(bad);
    CHECK_FALSE(host::IpPrefix::parse(bad));
  }
}
