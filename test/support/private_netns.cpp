#include "test/support/private_netns.hpp"

#include <cerrno>
#include <cstdlib>

#include <sched.h>

#include "base/error.hpp"

namespace railhead::test {

void enter_private_netns() {
  static const int failed = ::unshare(CLONE_NEWNET) == 0 ? 0 : errno;
  if (failed) SKIP("unshare(CLONE_NEWNET): " << errno_text(failed));
}

void must_run(const std::string& command) {
  INFO(command);
  REQUIRE(std::system(command.c_str()) == 0);
}

}  // namespace railhead::test
