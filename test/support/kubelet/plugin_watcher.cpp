#include "test/support/kubelet/plugin_watcher.hpp"

#include <algorithm>
#include <array>
#include <climits>
#include <filesystem>

#include <grpcpp/client_context.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>

#include "proto/pluginregistration.grpc.pb.h"
#include "test/support/kubelet/plugin_channel.hpp"

namespace railhead::test {

using std::chrono::steady_clock;

PluginWatcher::PluginWatcher(std::string folder, DeviceManager& devices, KubeletVersion version)
    : folder_(std::move(folder)),
      devices_(devices),
      version_(version),
      inotify_(inotify_init1(IN_CLOEXEC | IN_NONBLOCK)),
      stop_(eventfd(0, EFD_CLOEXEC)) {
  inotify_add_watch(inotify_.get(), folder_.c_str(),
                    IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_ONLYDIR);
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    if (is_plugin(entry.path().filename())) {
      plugins_[entry.path().filename()].retry = steady_clock::now();
    }
  }
  thread_ = std::thread([this] { run(); });
}

PluginWatcher::~PluginWatcher() {
  eventfd_write(stop_.get(), 1);
  thread_.join();
}

void PluginWatcher::run() {
  for (;;) {
    std::array<pollfd, 2> fds{pollfd{stop_.get(), POLLIN, 0}, pollfd{inotify_.get(), POLLIN, 0}};
    poll(fds.data(), fds.size(), timeout_ms());
    if (fds[0].revents != 0) return;
    handle_events();
    for (auto& [name, plugin] : plugins_) {
      if (plugin.retry && *plugin.retry <= steady_clock::now()) greet(name, plugin);
    }
  }
}

int PluginWatcher::timeout_ms() const {
  int64_t timeout = -1;
  for (const auto& [name, plugin] : plugins_) {
    if (!plugin.retry) continue;
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(*plugin.retry - steady_clock::now()).count();
    timeout = timeout < 0 ? std::max<int64_t>(left, 0) : std::clamp<int64_t>(left, 0, timeout);
  }
  return static_cast<int>(timeout);
}

void PluginWatcher::handle_events() {
  alignas(inotify_event) char buffer[16 * (sizeof(inotify_event) + NAME_MAX + 1)];
  for (ssize_t size; (size = read(inotify_.get(), buffer, sizeof(buffer))) > 0;) {
    for (ssize_t at = 0; at < size;) {
      const auto* event = reinterpret_cast<const inotify_event*>(buffer + at);
      at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
      if (event->len == 0) continue;
      if ((event->mask & IN_DELETE) != 0) {
        disappeared(event->name);
      } else {
        appeared(event->name);
      }
    }
  }
}

bool PluginWatcher::is_plugin(const std::string& name) const {
  return !name.starts_with(".") && std::filesystem::is_socket(folder_ + '/' + name);
}

void PluginWatcher::appeared(const std::string& name) {
  if (!is_plugin(name)) return;
  disappeared(name);  // a socket made anew is a new plugin
  greet(name, plugins_[name]);
}

void PluginWatcher::disappeared(const std::string& name) {
  const auto found = plugins_.find(name);
  if (found == plugins_.end()) return;
  if (!found->second.resource.empty()) devices_.disconnect(found->second.resource);
  plugins_.erase(found);
}

void PluginWatcher::greet(const std::string& name, Plugin& plugin) {
  plugin.retry = steady_clock::now() + plugin.delay;
  plugin.delay *= 2;
  const std::string socket = folder_ + '/' + name;
  auto stub = pluginregistration::Registration::NewStub(plugin_channel(socket, version_));
  const auto within = [](grpc::ClientContext& context) {
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(1));
  };
  grpc::ClientContext info_context;
  within(info_context);
  pluginregistration::PluginInfo info;
  if (!stub->GetInfo(&info_context, {}, &info).ok()) return;

  std::string refusal;
  if (info.type() != "DevicePlugin") {
    refusal = fmt::format("no handler registered for plugin type: {}", info.type());
  } else if (std::ranges::find(info.supported_versions(), "v1beta1") ==
             info.supported_versions().end()) {
    refusal = "manager version, v1beta1, is not among plugin supported versions";
  } else if (const auto why = DeviceManager::why_refused(info.name()); !why.empty()) {
    refusal = "invalid name of device plugin socket: " + why;
  } else if (auto connected =
                 devices_.connect(info.name(), info.endpoint().empty() ? socket : info.endpoint());
             !connected) {
    refusal = connected.error().message;
  }
  grpc::ClientContext status_context;
  within(status_context);
  pluginregistration::RegistrationStatus status;
  status.set_plugin_registered(refusal.empty());
  if (!refusal.empty()) {
    status.set_error("RegisterPlugin error -- plugin validation failed with err: " + refusal);
    devices_.note_refusal(status.error());
  } else {
    plugin.resource = info.name();
    plugin.retry.reset();
  }
  pluginregistration::RegistrationStatusResponse response;
  stub->NotifyRegistrationStatus(&status_context, status, &response);
}

}  // namespace railhead::test
