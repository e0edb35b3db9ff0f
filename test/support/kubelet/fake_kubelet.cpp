#include "test/support/kubelet/fake_kubelet.hpp"

#include <atomic>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <thread>

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include "proto/deviceplugin.grpc.pb.h"
#include "test/support/kubelet/plugin_watcher.hpp"
#include "test/support/kubelet/pod_resources.hpp"

namespace railhead::test {
namespace {

namespace fs = std::filesystem;

class RegistrationService final : public v1beta1::Registration::Service {
 public:
  RegistrationService(std::string folder, DeviceManager& devices, KubeletVersion version)
      : folder_(std::move(folder)), devices_(devices), version_(version) {}

  grpc::Status Register(grpc::ServerContext*, const v1beta1::RegisterRequest* request,
                        v1beta1::Empty*) override {
    if (request->version() != "v1beta1") {
      return refuse(
          fmt::format("requested API version \"{}\" is not supported by kubelet. Supported "
                      "version is [\"v1beta1\"]",
                      request->version()));
    }
    const std::string resource = request->resource_name();
    if (const auto why = DeviceManager::why_refused(resource); !why.empty()) return refuse(why);
    if (forget_next_.exchange(false)) return grpc::Status::OK;
    const std::string socket = folder_ + '/' + request->endpoint();
    if (version_ == KubeletVersion::v1_20) {
      const std::lock_guard lock(mutex_);
      dialers_.emplace_back([this, resource, socket, options = request->options()] {
        if (auto connected = devices_.connect(resource, socket, options); !connected) {
          devices_.note_refusal(connected.error().message);
        }
      });
      return grpc::Status::OK;
    }
    auto connected = devices_.connect(resource, socket);
    return connected ? grpc::Status::OK : refuse(connected.error().message);
  }

  void forget_next() { forget_next_ = true; }

  void join_dialers() {
    for (auto& dialer : dialers_) dialer.join();
  }

 private:
  grpc::Status refuse(const std::string& why) {
    devices_.note_refusal(why);
    return {grpc::StatusCode::UNKNOWN, why};
  }

  const std::string folder_;
  DeviceManager& devices_;
  const KubeletVersion version_;
  std::atomic<bool> forget_next_ = false;
  std::mutex mutex_;
  std::vector<std::thread> dialers_;
};

std::unique_ptr<grpc::Server> serve(const std::string& socket, grpc::Service& service) {
  grpc::ServerBuilder builder;
  builder.AddListeningPort("unix:" + socket, grpc::InsecureServerCredentials());
  builder.RegisterService(&service);
  auto server = builder.BuildAndStart();
  if (!server) throw std::runtime_error("cannot listen on " + socket);
  return server;
}

DeviceManager::Options device_options(const FakeKubelet::Options& options) {
  return {options.version, options.seed, options.dial_limit, options.dir + "/device-plugins"};
}

}  // namespace

// What lives from a start to the next stop.
class FakeKubelet::Running {
 public:
  Running(const Options& options, DeviceManager& devices)
      : devices_(devices),
        registration_(options.dir + "/device-plugins", devices, options.version),
        pod_resources_(devices, options.version) {
    const fs::path plugins = options.dir + "/device-plugins";
    fs::create_directories(plugins);
    fs::create_directories(options.dir + "/pod-resources");
    for (const auto& entry : fs::directory_iterator(plugins)) {
      if (entry.path().filename() != "kubelet_internal_checkpoint") fs::remove(entry.path());
    }
    if (options.version == KubeletVersion::v1_20) {
      std::ofstream(plugins / "DEPRECATION") << "see plugins_registry\n";
    }
    if (options.plugin_watcher) {
      const std::string registry = options.dir + "/plugins_registry";
      fs::create_directories(registry);
      watcher_ = std::make_unique<PluginWatcher>(registry, devices, options.version);
    }
    pod_resources_server_ = serve(options.dir + "/pod-resources/kubelet.sock", pod_resources_);
    // A second name for the socket: gRPC removes the first at its end, kubelet leaves its own.
    const fs::path first_name = options.dir + "/.fake-kubelet.sock";
    registration_server_ = serve(first_name, registration_);
    fs::create_hard_link(first_name, plugins / "kubelet.sock");
  }

  ~Running() {
    watcher_.reset();
    registration_server_->Shutdown(std::chrono::system_clock::now());
    pod_resources_server_->Shutdown(std::chrono::system_clock::now());
    registration_.join_dialers();
    devices_.disconnect_all();
  }

  void forget_next_plugin() { registration_.forget_next(); }

 private:
  DeviceManager& devices_;
  RegistrationService registration_;
  PodResourcesService pod_resources_;
  std::unique_ptr<PluginWatcher> watcher_;
  std::unique_ptr<grpc::Server> registration_server_;
  std::unique_ptr<grpc::Server> pod_resources_server_;
};

FakeKubelet::FakeKubelet(Options options)
    : options_(std::move(options)), devices_(device_options(options_)) {
  start();
}

FakeKubelet::~FakeKubelet() = default;

void FakeKubelet::stop() { running_.reset(); }
void FakeKubelet::start() { running_ = std::make_unique<Running>(options_, devices_); }
void FakeKubelet::five_minutes_pass() { devices_.five_minutes_pass(); }
void FakeKubelet::forget_next_plugin() { running_->forget_next_plugin(); }

Result<FakeAllocation> FakeKubelet::allocate(const std::string& pod, const std::string& container,
                                             const std::string& resource, size_t count) {
  return devices_.allocate(pod, container, resource, count);
}

Result<FakeAllocation> FakeKubelet::allocate(const std::string& pod, const std::string& container,
                                             const std::string& resource,
                                             const std::vector<std::string>& ids) {
  return devices_.allocate(pod, container, resource, ids);
}

Result<std::vector<FakeAllocation>> FakeKubelet::allocate(
    const std::string& pod, const std::string& container,
    const std::vector<FakeRequest>& requests) {
  return devices_.allocate(pod, container, requests);
}

Result<std::vector<FakeAllocation>> FakeKubelet::start_container(const std::string& pod,
                                                                 const std::string& container) {
  return devices_.start_container(pod, container);
}

Result<void> FakeKubelet::admit_again(const std::string& pod) { return devices_.admit_again(pod); }
void FakeKubelet::add_claim(FakeClaim claim) { devices_.add_claim(std::move(claim)); }
void FakeKubelet::remove_pod(const std::string& pod) { devices_.remove_pod(pod); }
FakeKubeletState FakeKubelet::state() const { return devices_.state(); }

bool FakeKubelet::wait(std::chrono::milliseconds limit,
                       const std::function<bool(const FakeKubeletState&)>& condition) const {
  return devices_.wait(limit, condition);
}

bool FakeKubelet::wait_for_healthy(const std::string& resource, size_t count,
                                   std::chrono::milliseconds limit) const {
  return wait(limit, [&](const FakeKubeletState& state) {
    const auto found = state.resources.find(resource);
    return found != state.resources.end() && found->second.lists != 0 &&
           found->second.healthy() == count;
  });
}

std::string FakeKubelet::pod_resources_socket() const {
  return options_.dir + "/pod-resources/kubelet.sock";
}

}  // namespace railhead::test

// ThreadSanitizer asks programs for these. The gRPC library is built without it: how gRPC orders
// one callback after another is unseen, so what runs beneath gRPC's frames would look like a race.
// They stand here because every program that meets gRPC in a test links this file.
extern "C" const char* __tsan_default_suppressions();
extern "C" const char* __tsan_default_suppressions() {
  return "race:grpc::\nrace:grpc_\nrace:libgrpc\n";
}
extern "C" const char* __tsan_default_options();
extern "C" const char* __tsan_default_options() {
  return "ignore_noninstrumented_modules=1:history_size=7";  // stacks are kept that long
}
