#pragma once
// What the tests of this folder stand on: a node with a kubelet, and pools whose devices and
// answers the test decides.
#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <mutex>
#include <sstream>
#include <string>
#include <vector>

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.hpp"
#include "base/unique_fd.hpp"
#include "plugin/kubelet/pod_resources.hpp"
#include "plugin/kubelet/session.hpp"
#include "test/support/kubelet/fake_kubelet.hpp"
#include "test/support/must.hpp"

namespace railhead::test {

inline constexpr const char* kVf = "example.com/vf";

class TestPool final : public kubelet::PoolService {
 public:
  using Answer = std::function<Result<kubelet::ContainerAllocation>(std::vector<std::string>)>;

  using Start = std::function<Result<void>(std::vector<std::string>)>;

  using Preference =
      std::function<Result<std::vector<std::string>>(const kubelet::PreferenceRequest&)>;

  explicit TestPool(std::string resource_name, size_t count = 2)
      : resource_name_(std::move(resource_name)) {
    for (size_t i = 0; i < count; ++i) {
      devices_.push_back(
          {fmt::format("0000:{:02x}:{:02x}.{}", i / 256, i / 8 % 32, i % 8), true, {0}});
    }
  }

  std::string resource_name() const override { return resource_name_; }
  std::vector<kubelet::Device> devices() const override {
    const auto listed = [&] {
      const std::lock_guard lock(mutex_);
      return devices_;
    }();
    if (listed_) listed_();
    return listed;
  }
  Result<kubelet::ContainerAllocation> allocate(const std::vector<std::string>& ids) override {
    return answer_(ids);
  }

  Result<void> pre_start(const std::vector<std::string>& ids) override { return start_(ids); }

  bool has_preference() const override { return preference_ != nullptr; }
  Result<std::vector<std::string>> preferred(const kubelet::PreferenceRequest& request) override {
    return preference_(request);
  }

  void set_devices(std::vector<kubelet::Device> devices) {
    const std::lock_guard lock(mutex_);
    devices_ = std::move(devices);
  }
  // Before the pool is served.
  void set_answer(Answer answer) { answer_ = std::move(answer); }
  void set_start(Start start) { start_ = std::move(start); }
  void set_preference(Preference preference) { preference_ = std::move(preference); }
  // Called after the look at the devices, before they are on their way.
  void set_listed(std::function<void()> listed) { listed_ = std::move(listed); }

 private:
  const std::string resource_name_;
  mutable std::mutex mutex_;
  std::vector<kubelet::Device> devices_;
  Preference preference_;
  std::function<void()> listed_;
  Start start_ = [](auto) { return Result<void>(); };
  Answer answer_ = [](auto) { return kubelet::ContainerAllocation{}; };
};

// A folder of its own, removed with all that is in it.
class TestFolder {
 public:
  TestFolder() {
    std::string name = "/tmp/railhead-test-XXXXXX";
    path_ = mkdtemp(name.data());
  }
  ~TestFolder() { std::filesystem::remove_all(path_); }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string operator/(const std::string& name) const { return path_ + '/' + name; }
  // The names in a folder of it, hidden ones too.
  [[nodiscard]] std::vector<std::string> names(const std::string& folder) const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(path_ + '/' + folder)) {
      names.push_back(entry.path().filename());
    }
    return names;
  }

 private:
  std::string path_;
};

// A logger whose lines can be read.
class TestLog {
 public:
  TestLog() : fd_(memfd_create("log", MFD_CLOEXEC)), logger_(fd_.get(), LogLevel::debug) {}
  [[nodiscard]] Logger& logger() { return logger_; }
  [[nodiscard]] std::string text() const {
    std::ostringstream text;
    text << std::ifstream("/proc/self/fd/" + std::to_string(fd_.get())).rdbuf();
    return text.str();
  }

 private:
  UniqueFd fd_;
  Logger logger_;
};

// kubelet::PodResources::list(), waited for.
inline Result<std::vector<kubelet::PodDevices>> list_now(const std::string& socket,
                                                         std::chrono::milliseconds limit) {
  std::promise<Result<std::vector<kubelet::PodDevices>>> promise;
  auto answer = promise.get_future();
  kubelet::PodResources resources(socket);
  resources.list(limit, [&](auto pods) { promise.set_value(std::move(pods)); });
  return answer.get();
}

// For a session that ends before the pool does.
inline std::shared_ptr<kubelet::PoolService> borrow(kubelet::PoolService& pool) {
  return {std::shared_ptr<void>(), &pool};
}

struct Node {
  explicit Node(FakeKubelet::Options options = {}) : kubelet(in_folder(std::move(options))) {}

  // Short waits where the product's are long, so that a test can see what follows them.
  [[nodiscard]] std::unique_ptr<kubelet::KubeletSession> serve(
      const std::vector<kubelet::PoolService*>& pools, const std::string& instance = "one") {
    kubelet::KubeletSession::Pools borrowed;
    for (auto* pool : pools) borrowed.push_back(borrow(*pool));
    return must(kubelet::KubeletSession::start({.kubelet_dir = folder.path(),
                                                .instance = instance,
                                                .watch_timeout = std::chrono::milliseconds(500)},
                                               borrowed, log.logger()));
  }
  [[nodiscard]] bool wait_for_registrations(const std::string& resource, int count) const {
    return kubelet.wait(std::chrono::seconds(10), [&](const FakeKubeletState& state) {
      const auto found = state.resources.find(resource);
      return found != state.resources.end() && found->second.registrations >= count;
    });
  }

  TestFolder folder;
  TestLog log;
  FakeKubelet kubelet;

 private:
  FakeKubelet::Options in_folder(FakeKubelet::Options options) const {
    options.dir = folder.path();
    return options;
  }
};

inline std::string socket_folder(bool plugin_watcher) {
  return plugin_watcher ? "plugins_registry" : "device-plugins";
}

}  // namespace railhead::test
