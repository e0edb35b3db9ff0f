#include "plugin/node/worker.hpp"

#include <system_error>

namespace railhead::node {

Worker::~Worker() {
  if (thread_.joinable()) thread_.detach();
}

Result<void> Worker::start(Job job) {
  auto work = [this, poster = poster_, alive = std::weak_ptr(alive_), job = std::move(job)] {
    auto finish = job();
    poster.post([this, alive, finish = std::move(finish)] {
      if (alive.expired()) return;
      thread_.join();  // it has nothing left to do
      finish();
    });
  };
  try {
    thread_ = std::thread(std::move(work));
  } catch (const std::system_error& error) {
    return fail(ErrorCode::unavailable, "cannot start a thread: {}", error.what());
  }
  return {};
}

}  // namespace railhead::node
