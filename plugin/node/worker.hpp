#pragma once
#include <functional>
#include <memory>
#include <thread>

#include "base/loop.hpp"

namespace railhead::node {

// Does what may never return, one thing at a time, each on a thread of its own. Nobody waits for
// it: a thread that is still at work when its worker goes is left behind, with all that it holds.
class Worker {
 public:
  // What is to be done on the loop's thread when a job has ended.
  using Finish = std::function<void()>;
  // Runs on the thread; owns all that it touches.
  using Job = std::function<Finish()>;

  // On the thread of the poster's loop, as all calls.
  explicit Worker(Poster poster) : poster_(std::move(poster)) {}
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  [[nodiscard]] bool busy() const { return thread_.joinable(); }
  // Not while busy. unavailable: the system has no thread left.
  [[nodiscard]] Result<void> start(Job job);

 private:
  Poster poster_;
  std::thread thread_;
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // looked at by the loop only
};

}  // namespace railhead::node
