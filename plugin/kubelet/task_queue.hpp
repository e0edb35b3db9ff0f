#pragma once
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "base/error.hpp"
#include "base/unique_fd.hpp"

namespace railhead::kubelet {

// Hands work from any thread to the one that polls fd().
class TaskQueue {
 public:
  [[nodiscard]] static Result<std::shared_ptr<TaskQueue>> open();

  void post(std::function<void()> task);
  void run();  // what was posted, in its order

  [[nodiscard]] int fd() const { return fd_.get(); }  // readable: there is something to run

 private:
  explicit TaskQueue(UniqueFd fd) : fd_(std::move(fd)) {}

  UniqueFd fd_;
  std::mutex mutex_;
  std::vector<std::function<void()>> tasks_;
};

}  // namespace railhead::kubelet
