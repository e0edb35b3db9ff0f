#include "plugin/kubelet/pool_registration.hpp"

#include <algorithm>
#include <utility>

#include <unistd.h>

namespace railhead::kubelet {

using std::chrono::steady_clock;

PoolRegistration::PoolRegistration(std::shared_ptr<PoolService> pool, std::string socket_name,
                                   const KubeletSession::Options& options,
                                   const std::optional<KubeletPlace>& place, Loop& loop,
                                   Logger& logger)
    : pool_(std::move(pool)),
      resource_(pool_->resource_name()),
      socket_name_(std::move(socket_name)),
      options_(options),
      place_(place),
      loop_(loop),
      logger_(logger),
      delay_(options.first_retry),
      next_(loop, [this] { (void)announce(); }),
      unwatched_(loop, [this] { nobody_came(); }) {}

PoolRegistration::~PoolRegistration() { begin_stop(); }

void PoolRegistration::announce_soon() {
  delay_ = options_.first_retry;
  next_.set(steady_clock::now());
}

// Kubelet hears of the end a moment after the socket has gone; what was registered before that
// moment would end with it.
void PoolRegistration::announce_after_other() {
  constexpr std::chrono::milliseconds kMoment{1'000};
  if (!next_.due()) next_.set(steady_clock::now() + kMoment);
}

Result<void> PoolRegistration::announce() {
  next_.cancel();
  auto announced = try_to_announce();
  if (!announced) {
    const auto delay = retry_later();
    logger_.error("cannot serve a pool", {{"resource", resource_},
                                          {"error", announced.error().message},
                                          {"retry_after_ms", delay.count()}});
  }
  return announced;
}

Result<void> PoolRegistration::try_to_announce() {
  if (!place_) return {};  // found later, which will be told
  const auto& place = *place_;
  // In plugins_registry the appearance of the socket is what makes kubelet come: a new one, if it
  // is to come again.
  if (place.mode == Mode::registry || !served()) {
    if (auto serving = serve(place); !serving) return serving;
  }
  // Without a kubelet there is nothing to retry: its socket's appearance will say so.
  if (place.mode == Mode::legacy && access(place.kubelet_socket.c_str(), F_OK) == 0) {
    call_register(place);
  }
  return {};
}

Result<void> PoolRegistration::serve(const KubeletPlace& place) {
  server_.reset();  // before its successor takes the name
  if (std::exchange(watches_, 0) > 0) pool_->watched(false);
  latest_watch_ = 0;
  const int serving = ++servings_;
  const auto on_thread = [this, serving](auto report) {
    return [this, poster = loop_.poster(), alive = std::weak_ptr(alive_), serving,
            report](auto... arguments) {
      poster.post([this, alive, serving, report, arguments...] {
        if (!alive.expired() && serving == servings_) (this->*report)(arguments...);
      });
    };
  };
  auto server = PoolServer::serve(*pool_, place.folder, socket_name_,
                                  {.watch_opened = on_thread(&PoolRegistration::watch_opened),
                                   .watch_closed = on_thread(&PoolRegistration::watch_closed),
                                   .greeted = on_thread(&PoolRegistration::answered)},
                                  logger_);
  if (!server) return pass(server, resource_);
  server_ = std::move(*server);
  unwatched_.set(steady_clock::now() + options_.greet_timeout);
  logger_.info("pool served",
               {{"resource", resource_}, {"socket", place.folder + '/' + socket_name_}});
  return {};
}

void PoolRegistration::call_register(const KubeletPlace& place) {
  call_.reset();
  const int attempt = ++attempts_;
  const auto done = [this, poster = loop_.poster(), alive = std::weak_ptr(alive_),
                     attempt](const Result<>& answer) {
    poster.post([this, alive, attempt, answer] {
      if (!alive.expired() && attempt == attempts_) answered(answer);
    });
  };
  call_ = RegisterCall::start(place.kubelet_socket, *pool_, socket_name_, done);
}

void PoolRegistration::answered(const Result<>& answer) {
  call_.reset();
  if (!answer) {
    const auto delay = retry_later();
    logger_.warning("kubelet did not take the pool", {{"resource", resource_},
                                                      {"error", answer.error().message},
                                                      {"retry_after_ms", delay.count()}});
    return;
  }
  logger_.info("pool registered with kubelet", {{"resource", resource_}});
  // Kubelets up to 1.20 answer before they have dialed, and never say that it failed.
  if (watches_ == 0) next_.set(steady_clock::now() + options_.watch_timeout);
}

void PoolRegistration::watch_opened(int number) {
  if (++watches_ == 1) pool_->watched(true);
  latest_watch_ = number;
  watched_since_ = steady_clock::now();
  next_.cancel();
  unwatched_.cancel();
}

// In plugins_registry nothing tells a kubelet that looks elsewhere from one that is not there yet.
void PoolRegistration::nobody_came() const {
  logger_.warning(
      "kubelet does not watch the pool; is kubelet running, and is its --root-dir the one that "
      "--kubelet-dir names?",
      {{"resource", resource_},
       {"socket", place_ ? place_->folder + '/' + socket_name_ : socket_name_},
       {"seconds",
        std::chrono::duration_cast<std::chrono::seconds>(options_.greet_timeout).count()}});
}

// While kubelet lives it ends the watch of a pool when another instance that had registered the
// same resource goes; the resource then has no devices until somebody registers it again.
void PoolRegistration::watch_closed(int number) {
  if (--watches_ == 0) pool_->watched(false);
  // Of a pool that was registered again kubelet keeps the former watch open, and does not read it.
  if (number != latest_watch_ || call_) return;
  if (steady_clock::now() - watched_since_ > options_.watch_timeout) delay_ = options_.first_retry;
  const auto delay = retry_later();
  logger_.warning(
      "kubelet no longer watches the pool: it ended, or another instance that had registered the "
      "resource did; registering again",
      {{"resource", resource_}, {"retry_after_ms", delay.count()}});
  unwatched_.set(steady_clock::now() + options_.greet_timeout);
}

std::chrono::milliseconds PoolRegistration::retry_later() {
  const auto delay = std::exchange(delay_, std::min(2 * delay_, options_.last_retry));
  next_.set(steady_clock::now() + delay);
  return delay;
}

void PoolRegistration::send_devices() {
  if (server_) server_->send_devices();
}

void PoolRegistration::begin_stop() {
  call_.reset();
  if (server_) server_->begin_stop();
}

}  // namespace railhead::kubelet
