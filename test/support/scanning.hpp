#pragma once
// The adapters of a node::Scanner, of which the test is the kernel: a question about a device may
// hang until it is released. What workers and the test share is behind one lock.
#include <algorithm>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <sys/eventfd.h>

#include "plugin/node/scanner.hpp"
#include "test/support/still_host.hpp"
#include "test/support/sysfs_tree.hpp"
#include "test/support/temporary_folder.hpp"

namespace railhead::test {

// Turns the loop, whose clock may stand still, until the condition holds; false after ten seconds.
template <class Condition>
bool run_loop_until(Loop& loop, Condition condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= end) return false;
    epoll_event ready{};
    epoll_wait(loop.fd(), &ready, 1, 1);
    loop.turn();
  }
  return true;
}

class HangingKernel {
 public:
  explicit HangingKernel(const std::string& root) : still(root) {}

  StillHost still;  // changed by the test only while no worker reads
  bool links_fail = false;
  std::set<std::string> deaf;  // RDMA devices whose ports cannot be heard of

  [[nodiscard]] node::Adapters adapters() {
    return {[this] { return links(); },
            [this]() -> Result<std::unique_ptr<host::RdmaDevices>> {
              return std::make_unique<Rdma>(*this, state_);
            },
            [this]() -> Result<std::unique_ptr<host::Devlink>> {
              return std::make_unique<Devlink>(still.devlink);
            },
            [this](const std::string& device) { return port_events(device); }};
  }

  // The driver of this RDMA device answers no question about its ports until release(). "links":
  // the kernel does not tell its network links.
  void hang(const std::string& device) {
    const std::lock_guard lock(state_->mutex);
    state_->hanging.insert(device);
  }
  void release() {
    const std::lock_guard lock(state_->mutex);
    state_->hanging.clear();
    state_->released.notify_all();
  }
  [[nodiscard]] int waiting() const {
    const std::lock_guard lock(state_->mutex);
    return static_cast<int>(state_->waiting.size());
  }
  [[nodiscard]] bool waits_for(const std::string& device) const {
    const std::lock_guard lock(state_->mutex);
    return state_->waiting.contains(device);
  }
  [[nodiscard]] std::vector<std::string> asked_ports() const {
    const std::lock_guard lock(state_->mutex);
    auto asked = state_->asked;
    std::ranges::sort(asked);
    return asked;
  }

  void say(const std::string& device, const std::string& cause) { tell(device, {{cause}, false}); }
  void say_gone(const std::string& device) { tell(device, {{"DEVICE_FATAL"}, true}); }
  // The threads that closed a device, one after the other.
  [[nodiscard]] std::vector<std::thread::id> closed_by() const {
    const std::lock_guard lock(state_->mutex);
    return state_->closed_by;
  }
  [[nodiscard]] size_t open_devices() const {
    const std::lock_guard lock(state_->mutex);
    return state_->open.size();
  }

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable released;
    std::set<std::string> hanging;
    std::multiset<std::string> waiting;
    std::vector<std::string> asked;
    struct Device {
      int fd = -1;
      host::PortEvents::Batch batch;
    };
    std::map<std::string, Device> open;
    std::vector<std::thread::id> closed_by;
  };

  class Rdma final : public host::RdmaDevices {
   public:
    Rdma(HangingKernel& kernel, std::shared_ptr<State> state)
        : all_(kernel.still.rdma), state_(std::move(state)) {}
    Result<std::vector<host::RdmaLink>> list() override { return all_.list(); }
    Result<host::RdmaPort> port(uint32_t index, uint32_t number) override {
      std::string name;
      for (const auto& device : all_.all) {
        if (device.index == index) name = device.name;
      }
      std::unique_lock lock(state_->mutex);
      state_->asked.push_back(name);
      if (state_->hanging.contains(name)) {
        const auto waiting = state_->waiting.insert(name);
        state_->released.wait(lock, [&] { return !state_->hanging.contains(name); });
        state_->waiting.erase(waiting);
      }
      return all_.port(index, number);
    }
    Result<std::optional<host::RdmaNetnsMode>> netns_mode() override { return all_.netns_mode(); }
    Result<void> move(std::string_view, int) override { return {}; }
    Result<void> rename(std::string_view, std::string_view) override { return {}; }

   private:
    StillRdma all_;  // as it was when this was opened
    std::shared_ptr<State> state_;
  };

  class Devlink final : public host::Devlink {
   public:
    explicit Devlink(StillDevlink all) : all_(std::move(all)) {}
    Result<std::optional<std::string>> firmware_app(std::string_view pci) override {
      return all_.firmware_app(pci);
    }

   private:
    StillDevlink all_;
  };

  class Port final : public host::PortEvents {
   public:
    Port(std::string device, std::shared_ptr<State> state)
        : device_(std::move(device)), state_(std::move(state)) {
      const std::lock_guard lock(state_->mutex);
      state_->open[device_].fd = fd_.get();
    }
    ~Port() override {
      const std::lock_guard lock(state_->mutex);
      state_->open.erase(device_);
      state_->closed_by.push_back(std::this_thread::get_id());
    }
    int fd() const override { return fd_.get(); }
    Batch read() override {
      eventfd_t count = 0;
      eventfd_read(fd_.get(), &count);
      const std::lock_guard lock(state_->mutex);
      return std::exchange(state_->open[device_].batch, {});
    }

   private:
    const std::string device_;
    std::shared_ptr<State> state_;
    UniqueFd fd_{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  };

  Result<std::unique_ptr<host::Links>> links() {
    if (links_fail) return fail_errno(EPERM, "netlink");
    std::unique_lock lock(state_->mutex);
    state_->released.wait(lock, [&] { return !state_->hanging.contains("links"); });
    return std::make_unique<StillLinks>(still.links);
  }
  std::unique_ptr<host::PortEvents> port_events(const std::string& device) {
    if (deaf.contains(device)) return nullptr;
    return std::make_unique<Port>(device, state_);
  }
  void tell(const std::string& device, host::PortEvents::Batch batch) {
    const std::lock_guard lock(state_->mutex);
    auto& open = state_->open.at(device);
    open.batch = std::move(batch);
    eventfd_write(open.fd, 1);
  }

  std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace railhead::test
