#pragma once
// A client of the stand-in, and a loop that turns until something is so.
#include <functional>

#include <catch2/catch_test_macros.hpp>
#include <unistd.h>

#include "base/log.hpp"
#include "plugin/kube/client.hpp"
#include "test/support/api_server.hpp"
#include "test/support/must.hpp"

namespace railhead::test {

struct OnLoop {
  SystemClock clock;
  std::unique_ptr<Loop> loop = must(Loop::open(clock));
  Logger log{STDERR_FILENO, LogLevel::error};

  // Whether it is so within some seconds.
  bool turn_until(const std::function<bool()>& condition) {
    const auto end = clock.now() + std::chrono::seconds(20);
    while (!condition()) {
      if (clock.now() >= end) return false;
      epoll_event ready{};
      const auto due = loop->due();
      epoll_wait(loop->fd(), &ready, 1, due ? std::min(20, poll_timeout_ms(due, clock.now())) : 20);
      loop->turn();
    }
    return true;
  }
};

inline kube::Access access_to(const ApiServer& server) {
  kube::Access access;
  access.server = server.url();
  return access;
}

}  // namespace railhead::test
