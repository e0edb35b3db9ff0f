#include "plugin/kubelet/session.hpp"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <list>
#include <optional>
#include <random>
#include <thread>

#include "base/loop.hpp"
#include "host/folder_watch.hpp"
#include "plugin/kubelet/pool_registration.hpp"
#include "plugin/kubelet/socket_file.hpp"

namespace railhead::kubelet {
namespace {

constexpr const char* kLegacyFolder = "device-plugins";
constexpr const char* kRegistryFolder = "plugins_registry";
constexpr const char* kKubeletSocket = "kubelet.sock";
constexpr const char* kSocketPrefix = "railhead-";

bool is_valid_instance(const std::string& instance) {
  return instance.size() <= 16 && std::all_of(instance.begin(), instance.end(), [](char c) {
           return std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_';
         });
}

// "railhead-1f3c9a2b-rdma_vf.sock". Kubelet's folder and a socket's name share 107 bytes, so a
// long resource name gives way to the pool's number.
std::string socket_name(const std::string& instance, std::string resource, size_t number) {
  std::replace(resource.begin(), resource.end(), '/', '_');
  if (resource.size() > 32) resource = std::to_string(number);
  return fmt::format("{}{}-{}.sock", kSocketPrefix, instance, resource);
}

}  // namespace

// One thread looks at kubelet's folders whenever inotify says that something there has changed, and
// does what has become due; the state of the files, not the event, says what to do.
class KubeletSession::Impl {
 public:
  Impl(Options options, host::FolderWatch watch, std::unique_ptr<SystemClock> clock,
       std::unique_ptr<Loop> loop, const Pools& pools, Logger& logger);
  ~Impl() { stop(); }

  Result<void> start();
  void add(std::shared_ptr<PoolService> pool);
  void remove(const std::shared_ptr<PoolService>& pool);
  void devices_changed(const PoolService& pool);
  [[nodiscard]] bool takes_turns(std::chrono::milliseconds limit) const {
    return loop_->takes_turns(limit);
  }
  void stop();

 private:
  void add_registration(std::shared_ptr<PoolService> pool);
  void folders_changed();
  void other_instance_may_have_gone(const std::string& name);
  Result<void> look();
  void find_place();
  std::string in_kubelet_dir(const char* name) const { return options_.kubelet_dir + '/' + name; }

  const Options options_;
  host::FolderWatch watch_;
  std::unique_ptr<SystemClock> clock_;
  std::unique_ptr<Loop> loop_;
  Logger& logger_;
  Loop::Watch folders_;
  std::optional<KubeletPlace> place_;    // empty: kubelet has not made its folders yet
  std::optional<FileIdentity> kubelet_;  // the kubelet.sock that was last seen
  std::list<PoolRegistration> pools_;
  size_t pools_ever_ = 0;
  std::thread thread_;
};

KubeletSession::Impl::Impl(Options options, host::FolderWatch watch,
                           std::unique_ptr<SystemClock> clock, std::unique_ptr<Loop> loop,
                           const Pools& pools, Logger& logger)
    : options_(std::move(options)),
      watch_(std::move(watch)),
      clock_(std::move(clock)),
      loop_(std::move(loop)),
      logger_(logger) {
  for (const auto& pool : pools) add_registration(pool);
}

void KubeletSession::Impl::add_registration(std::shared_ptr<PoolService> pool) {
  auto name = socket_name(options_.instance, pool->resource_name(), pools_ever_++);
  pools_.emplace_back(std::move(pool), std::move(name), options_, place_, *loop_, logger_);
}

Result<void> KubeletSession::Impl::start() {
  if (auto watching = watch_.add(options_.kubelet_dir); !watching) return watching;
  if (auto looked = look(); !looked) return looked;
  for (auto& pool : pools_) {
    if (!pool.is_due()) continue;
    if (auto announced = pool.announce(); !announced) return announced;
  }
  if (!place_) logger_.info("waiting for kubelet", {{"folder", options_.kubelet_dir}});
  auto folders = loop_->watch(watch_.fd(), [this] { folders_changed(); });
  if (!folders) return pass(folders);
  folders_ = std::move(*folders);
  thread_ = std::thread([this] { loop_->run(); });
  return {};
}

void KubeletSession::Impl::add(std::shared_ptr<PoolService> pool) {
  loop_->post([this, pool = std::move(pool)] {
    add_registration(pool);
    if (place_ && (place_->mode == Mode::registry || kubelet_)) pools_.back().announce_soon();
  });
}

void KubeletSession::Impl::remove(const std::shared_ptr<PoolService>& pool) {
  loop_->post([this, pool] {
    pools_.remove_if([&](const PoolRegistration& one) { return &one.pool() == pool.get(); });
  });
}

// The pool is only compared: it may have been removed, and be gone, by then.
void KubeletSession::Impl::devices_changed(const PoolService& pool) {
  loop_->post([this, &pool] {
    for (auto& candidate : pools_) {
      if (&candidate.pool() == &pool) candidate.send_devices();
    }
  });
}

void KubeletSession::Impl::stop() {
  if (!thread_.joinable()) return;
  loop_->stop();
  thread_.join();
  for (auto& pool : pools_) pool.begin_stop();
  pools_.clear();
}

// Kubelet writes a checkpoint file into device-plugins at each allocation: only the names that
// concern us make us look.
void KubeletSession::Impl::folders_changed() {
  const auto names = watch_.read_names();
  for (const auto& name : names) other_instance_may_have_gone(name);
  const bool concerned = std::any_of(names.begin(), names.end(), [](const std::string& name) {
    return name.empty() || name == kKubeletSocket || name == kLegacyFolder ||
           name == kRegistryFolder || name.starts_with(kSocketPrefix);
  });
  if (!concerned) return;
  if (auto looked = look(); !looked) {
    logger_.error("cannot look at kubelet's folders", {{"error", looked.error().message}});
  }
}

void KubeletSession::Impl::other_instance_may_have_gone(const std::string& name) {
  if (!place_ || !name.starts_with(kSocketPrefix)) return;
  if (FileIdentity::of(place_->folder + '/' + name)) return;
  for (auto& pool : pools_) {
    // Of its socket only the instance differs.
    const auto& own = pool.socket_name();
    const auto resource = own.find('-', std::string_view(kSocketPrefix).size());
    if (name != own && name.ends_with(own.substr(resource))) pool.announce_after_other();
  }
}

Result<void> KubeletSession::Impl::look() {
  for (const auto* name : {kLegacyFolder, kRegistryFolder}) {
    auto watching = watch_.add(in_kubelet_dir(name));
    if (!watching && watching.error().code != ErrorCode::not_found) return watching;
  }
  if (!place_) find_place();
  if (!place_) return {};
  const auto kubelet = FileIdentity::of(place_->kubelet_socket);
  const bool kubelet_started = kubelet && kubelet != kubelet_;
  kubelet_ = kubelet;
  for (auto& pool : pools_) {
    // In plugins_registry a kubelet that starts finds the sockets that are there by itself. In
    // device-plugins it has just removed them, and one that is gone is of use to nobody before.
    const bool needed = place_->mode == Mode::registry ? !pool.served() : kubelet_started;
    if (needed) pool.announce_soon();
  }
  return {};
}

void KubeletSession::Impl::find_place() {
  const std::string legacy = in_kubelet_dir(kLegacyFolder);
  const std::string registry = in_kubelet_dir(kRegistryFolder);
  const std::string kubelet_socket = legacy + '/' + kKubeletSocket;
  std::error_code unknown;  // what cannot be looked at is not there yet
  if (std::filesystem::is_directory(registry, unknown)) {
    place_ = KubeletPlace{Mode::registry, registry, kubelet_socket};
  } else if (std::filesystem::exists(kubelet_socket, unknown)) {
    place_ = KubeletPlace{Mode::legacy, legacy, kubelet_socket};
  } else {
    return;
  }
  remove_dead_sockets(place_->folder, kSocketPrefix);
}

KubeletSession::KubeletSession(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
KubeletSession::~KubeletSession() = default;
void KubeletSession::add(std::shared_ptr<PoolService> pool) { impl_->add(std::move(pool)); }
void KubeletSession::remove(const std::shared_ptr<PoolService>& pool) { impl_->remove(pool); }
void KubeletSession::devices_changed(const PoolService& pool) { impl_->devices_changed(pool); }
bool KubeletSession::takes_turns(std::chrono::milliseconds limit) const {
  return impl_->takes_turns(limit);
}
void KubeletSession::stop() { impl_->stop(); }

Result<std::unique_ptr<KubeletSession>> KubeletSession::start(Options options, const Pools& pools,
                                                              Logger& logger) {
  if (options.instance.empty()) options.instance = fmt::format("{:08x}", std::random_device()());
  if (!is_valid_instance(options.instance)) {
    return fail(ErrorCode::invalid_argument,
                "instance {}: expected up to 16 letters, digits, '-' or '_'", options.instance);
  }
  auto watch = host::FolderWatch::open();
  if (!watch) return pass(watch);
  auto clock = std::make_unique<SystemClock>();
  auto loop = Loop::open(*clock);
  if (!loop) return pass(loop);
  auto impl = std::make_unique<Impl>(std::move(options), std::move(*watch), std::move(clock),
                                     std::move(*loop), pools, logger);
  if (auto started = impl->start(); !started) return pass(started, "kubelet");
  return std::unique_ptr<KubeletSession>(new KubeletSession(std::move(impl)));
}

}  // namespace railhead::kubelet
