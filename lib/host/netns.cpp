#include "host/netns.hpp"

#include <cerrno>
#include <semaphore>
#include <system_error>
#include <thread>

#include <sched.h>
#include <sys/stat.h>

namespace railhead::host {

// A thread that enters a namespace and then does there what it is given, until it is destroyed.
class NetnsThread {
 public:
  // Throws std::system_error when there is no thread to be had.
  explicit NetnsThread(int netns_fd) : thread_([this, netns_fd] { serve(netns_fd); }) {}
  NetnsThread(const NetnsThread&) = delete;
  NetnsThread& operator=(const NetnsThread&) = delete;
  ~NetnsThread() {
    work_ = nullptr;
    given_.release();
    thread_.join();
  }

  Result<void> run(const std::function<Result<void>()>& work) {
    work_ = &work;
    given_.release();
    done_.acquire();
    return result_;
  }

 private:
  void serve(int netns_fd) {
    Result<void> entered;
    if (setns(netns_fd, CLONE_NEWNET) != 0) {
      entered = fail_errno(errno, "enter the network namespace");
    }
    for (;;) {
      given_.acquire();
      if (!work_) return;
      result_ = entered ? (*work_)() : entered;
      done_.release();
    }
  }

  const std::function<Result<void>()>* work_ = nullptr;  // null: it is over
  Result<void> result_;
  std::binary_semaphore given_{0};
  std::binary_semaphore done_{0};
  std::thread thread_;  // last: it uses all the others
};

Result<void> Netns::run(const std::function<Result<void>()>& work) const {
  try {
    if (!inside_) inside_ = std::make_shared<NetnsThread>(fd());
  } catch (const std::system_error& error) {
    return fail_errno(error.code().value(), "start a thread");
  }
  return inside_->run(work);
}

namespace {

bool is_here(int netns_fd) {
  struct stat here {};
  struct stat there {};
  return stat("/proc/thread-self/ns/net", &here) == 0 && fstat(netns_fd, &there) == 0 &&
         here.st_dev == there.st_dev && here.st_ino == there.st_ino;
}

}  // namespace

Result<void> run_in_netns(int netns_fd, const std::function<Result<void>()>& work) {
  if (is_here(netns_fd)) return work();
  try {
    return NetnsThread(netns_fd).run(work);
  } catch (const std::system_error& error) {
    return fail_errno(error.code().value(), "start a thread");
  }
}

}  // namespace railhead::host
