#include "plugin/http/server.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <exception>
#include <list>
#include <mutex>
#include <optional>
#include <thread>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/loop.hpp"

namespace railhead::http {
namespace {

// One request and its answer. After the answer what the peer still sends is read and thrown away:
// closing on unread bytes would reset the connection under the answer.
class Connection {
 public:
  explicit Connection(UniqueFd fd) : fd_(std::move(fd)) {}

  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] short waits_for() const { return state_ == State::writing ? POLLOUT : POLLIN; }
  // How readily it gives its place to another one: an answered one first, then one that has not
  // said yet what it wants; one that is being answered keeps it.
  [[nodiscard]] int readiness_to_go() const {
    return state_ == State::draining ? 2 : state_ == State::reading ? 1 : 0;
  }

  // What can be done without waiting. False: it is over.
  bool proceed(const Server::Handler& handler, size_t request_limit) {
    if (state_ == State::reading && !read(handler, request_limit)) return false;
    if (state_ == State::writing && !write()) return false;
    if (state_ == State::draining) return drain();
    return true;
  }

 private:
  enum class State { reading, writing, draining };

  bool read(const Server::Handler& handler, size_t request_limit) {
    char buffer[4096];
    const ssize_t got = ::recv(fd_.get(), buffer, sizeof(buffer), 0);
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    if (got == 0) return false;
    received_.append(buffer, static_cast<size_t>(got));
    const auto end = head_end(received_);
    if (end && *end <= request_limit) {
      answer(handler, std::string_view(received_).substr(0, *end));
    } else if (received_.size() > request_limit) {
      start_writing(plain(431));
    }
    return true;
  }

  void answer(const Server::Handler& handler, std::string_view head) {
    const auto parsed = parse_head(head);
    if (!parsed.request) return start_writing(plain(parsed.refusal));
    try {
      start_writing(handler(parsed.request->path), parsed.request->head_only);
    } catch (const std::exception&) {  // a bug in the handler must not end the agent
      start_writing(plain(500), parsed.request->head_only);
    }
  }

  void start_writing(Response response, bool head_only = false) {
    answer_ = to_bytes(std::move(response), head_only);
    received_.clear();
    state_ = State::writing;
  }

  bool write() {
    const ssize_t sent =
        ::send(fd_.get(), answer_.data() + sent_, answer_.size() - sent_, MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN || errno == EINTR;
    sent_ += static_cast<size_t>(sent);
    if (sent_ == answer_.size()) {
      answer_ = {};
      ::shutdown(fd_.get(), SHUT_WR);
      state_ = State::draining;
    }
    return true;
  }

  bool drain() {
    char buffer[4096];
    const ssize_t got = ::recv(fd_.get(), buffer, sizeof(buffer), 0);
    return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
  }

  UniqueFd fd_;
  State state_ = State::reading;
  std::string received_;
  std::string answer_;
  size_t sent_ = 0;
};

class LoopServer final : public Server {
 public:
  LoopServer(Address address, Handler handler, Logger& log, const Limits& limits,
             Result<UniqueFd> listener, std::unique_ptr<SystemClock> clock,
             std::unique_ptr<Loop> loop)
      : address_(std::move(address)),
        handler_(std::move(handler)),
        log_(log),
        limits_(limits),
        clock_(std::move(clock)),
        loop_(std::move(loop)),
        listener_(std::move(listener)),
        again_(*loop_, [this] { listener_ ? wait_for_connections() : listen_again(); }) {
    if (listener_) {
      wait_for_connections();
    } else {
      again_.set(clock_->now() + limits_.retry);
    }
    thread_ = std::thread([this] { loop_->run(); });
  }

  ~LoopServer() override {
    stopping_ = true;
    loop_->stop();
    thread_.join();
    const auto* un = std::get_if<UnixAddress>(&address_);
    if (un && listener_) ::unlink(un->path.c_str());
  }

  void stop_listening() override {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    if (listener_) ::shutdown(listener_->get(), SHUT_RDWR);
  }

  Result<Address> address() const override {
    const std::lock_guard lock(mutex_);
    if (!listener_) return pass(listener_);
    return address_of(listener_->get());
  }

 private:
  struct Served {
    Served(Loop& loop, UniqueFd fd, std::function<void()> over)
        : connection(std::move(fd)), deadline(loop, std::move(over)) {}
    Connection connection;
    short waits_for = 0;  // what `watch` is of
    Loop::Watch watch;
    Loop::Timer deadline;
  };
  using Connections = std::list<Served>;

  // The oldest of those that go most readily; end(): none does.
  [[nodiscard]] Connections::iterator first_to_go() {
    const auto found = std::ranges::max_element(
        connections_, {}, [](const Served& one) { return one.connection.readiness_to_go(); });
    const bool goes = found != connections_.end() && found->connection.readiness_to_go() > 0;
    return goes ? found : connections_.end();
  }
  [[nodiscard]] bool has_room() {
    return connections_.size() < limits_.connections || first_to_go() != connections_.end();
  }

  // Whenever that changes: without room the next stays in the kernel's queue.
  void wait_for_connections() {
    if (!has_room() || again_.due()) {
      accepting_.drop();
    } else if (!accepting_.is_of_a_file()) {
      auto watch = loop_->watch(listener_->get(), [this] { accept(); });
      if (watch) accepting_ = std::move(*watch);
    }
  }

  void accept() {
    if (!has_room()) return wait_for_connections();
    const int fd = ::accept4(listener_->get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
      if (connections_.size() >= limits_.connections) connections_.erase(first_to_go());
      serve(UniqueFd(fd));
    } else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
      // No descriptor or memory left: the connection stays in the queue, and would wake us at once.
      again_.set(clock_->now() + limits_.retry);
    }
    wait_for_connections();
  }

  void serve(UniqueFd fd) {
    connections_.emplace_back(*loop_, std::move(fd), [] {});
    const auto served = std::prev(connections_.end());
    served->deadline.on_expiry([this, served] { end(served); });
    served->deadline.set(clock_->now() + limits_.connection_time);
    proceed(served);
  }

  // A handler may take long, so none is begun during the stop.
  void proceed(Connections::iterator served) {
    if (stopping_ || !served->connection.proceed(handler_, limits_.request_bytes)) {
      return end(served);
    }
    wait_for_connections();  // its readiness to go may be another
    const auto waits_for = served->connection.waits_for();
    if (waits_for == served->waits_for) return;
    served->watch.drop();
    auto watch = loop_->watch(
        served->connection.fd(), [this, served] { proceed(served); },
        waits_for == POLLOUT ? EPOLLOUT : EPOLLIN);
    if (!watch) return end(served);
    served->watch = std::move(*watch);
    served->waits_for = waits_for;
  }

  void end(Connections::iterator served) {
    connections_.erase(served);
    wait_for_connections();
  }

  void listen_again() {
    auto listener = listen_on(address_);
    const bool listens = listener.has_value();
    {
      const std::lock_guard lock(mutex_);
      if (closed_) return;
      listener_ = std::move(listener);
    }
    if (!listens) return again_.set(clock_->now() + limits_.retry);
    log_.info("listening", {{"address", to_string(address_)}});
    wait_for_connections();
  }

  const Address address_;
  const Handler handler_;
  Logger& log_;
  const Limits limits_;
  const std::unique_ptr<SystemClock> clock_;
  const std::unique_ptr<Loop> loop_;
  mutable std::mutex mutex_;   // of these two, where another thread looks
  Result<UniqueFd> listener_;  // or why there is none yet
  bool closed_ = false;        // nobody may connect any more
  std::atomic<bool> stopping_ = false;
  Connections connections_;  // the oldest first
  Loop::Watch accepting_;
  Loop::Timer again_;  // to listen, or to accept
  std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<Server>> Server::start(const Address& address, Handler handler, Logger& log,
                                              const Limits& limits) {
  auto clock = std::make_unique<SystemClock>();
  auto loop = Loop::open(*clock);
  if (!loop) return pass(loop);
  auto listener = listen_on(address);
  if (listener) {
    log.info("listening", {{"address", to_string(address_of(listener->get()).value_or(address))}});
  } else if (listener.error().os_errno != 0) {
    log.warning("cannot listen; trying again", {{"error", listener.error().message}});
  } else {
    return pass(listener);
  }
  return std::make_unique<LoopServer>(address, std::move(handler), log, limits, std::move(listener),
                                      std::move(clock), std::move(*loop));
}

}  // namespace railhead::http
