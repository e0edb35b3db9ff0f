#include "cni/input.hpp"

#include <cerrno>

#include <unistd.h>

namespace railhead::cni {
namespace {
constexpr size_t kMaxInput = 1 << 20;  // bytes; a NAD is at most that in etcd
}

Result<std::string> read_standard_input() {
  std::string input;
  char buffer[16384];
  for (;;) {
    const auto got = ::read(STDIN_FILENO, buffer, sizeof buffer);
    if (got == 0) return input;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, "error reading from stdin");
    input.append(buffer, static_cast<size_t>(got));
    if (input.size() > kMaxInput) {
      return fail(ErrorCode::io, "error reading from stdin: more than {} bytes", kMaxInput);
    }
  }
}

}  // namespace railhead::cni
