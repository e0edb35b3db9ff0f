#pragma once
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <thread>

#include "base/unique_fd.hpp"
#include "test/support/kubelet/device_manager.hpp"

namespace railhead::test {

// Greets the plugins whose sockets appear in plugins_registry, tries again where that failed, and
// drops those whose sockets go.
class PluginWatcher {
 public:
  PluginWatcher(std::string folder, DeviceManager& devices, KubeletVersion version);
  ~PluginWatcher();

 private:
  struct Plugin {
    std::string resource;  // empty: not registered
    std::chrono::milliseconds delay{500};
    std::optional<std::chrono::steady_clock::time_point> retry;
  };
  void run();
  void handle_events();
  [[nodiscard]] bool is_plugin(const std::string& name) const;
  void appeared(const std::string& name);
  void disappeared(const std::string& name);
  void greet(const std::string& name, Plugin& plugin);
  [[nodiscard]] int timeout_ms() const;

  const std::string folder_;
  DeviceManager& devices_;
  const KubeletVersion version_;
  UniqueFd inotify_;
  UniqueFd stop_;
  std::map<std::string, Plugin> plugins_;  // by the socket's name
  std::thread thread_;
};

}  // namespace railhead::test
