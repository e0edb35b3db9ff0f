#include "plugin/kubelet/task_queue.hpp"

#include <cerrno>

#include <sys/eventfd.h>

namespace railhead::kubelet {

Result<std::shared_ptr<TaskQueue>> TaskQueue::open() {
  UniqueFd fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!fd) return fail_errno(errno, "eventfd");
  return std::shared_ptr<TaskQueue>(new TaskQueue(std::move(fd)));
}

void TaskQueue::post(std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  eventfd_write(fd_.get(), 1);
}

void TaskQueue::run() {
  eventfd_t count = 0;
  eventfd_read(fd_.get(), &count);
  std::vector<std::function<void()>> tasks;
  {
    const std::lock_guard lock(mutex_);
    tasks.swap(tasks_);
  }
  for (const auto& task : tasks) task();
}

}  // namespace railhead::kubelet
