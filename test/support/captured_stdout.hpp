#pragma once
// What a function writes to the standard output.
#include <cstdio>
#include <functional>
#include <string>

#include <catch2/catch_test_macros.hpp>
#include <fcntl.h>
#include <unistd.h>

#include "base/unique_fd.hpp"
#include "host/files.hpp"
#include "test/support/must.hpp"
#include "test/support/temporary_folder.hpp"

namespace railhead::test {

inline std::string captured_stdout(const std::function<void()>& run) {
  const TemporaryFolder folder;
  const auto path = folder.path() + "/printed";
  std::fflush(stdout);
  const UniqueFd before(fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0));
  const UniqueFd file(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  REQUIRE(dup2(file.get(), STDOUT_FILENO) >= 0);
  run();
  std::fflush(stdout);
  REQUIRE(dup2(before.get(), STDOUT_FILENO) >= 0);
  return must(host::read_file(path));
}

}  // namespace railhead::test
