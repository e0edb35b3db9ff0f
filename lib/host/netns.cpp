#include "host/netns.hpp"

#include <cerrno>
#include <system_error>
#include <thread>

#include <sched.h>

namespace railhead::host {

Result<void> run_in_netns(int netns_fd, const std::function<Result<void>()>& work) {
  Result<void> result;
  try {
    std::thread([&] {
      if (setns(netns_fd, CLONE_NEWNET) != 0) {
        result = fail_errno(errno, "enter the network namespace");
        return;
      }
      result = work();
    }).join();
  } catch (const std::system_error& error) {
    return fail_errno(error.code().value(), "start a thread");
  }
  return result;
}

}  // namespace railhead::host
