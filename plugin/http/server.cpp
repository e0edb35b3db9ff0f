#include "plugin/http/server.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "base/clock.hpp"

namespace railhead::http {
namespace {

using std::chrono::steady_clock;

// One request and its answer. After the answer what the peer still sends is read and thrown away:
// closing on unread bytes would reset the connection under the answer.
class Connection {
 public:
  Connection(UniqueFd fd, steady_clock::time_point deadline)
      : fd_(std::move(fd)), deadline_(deadline) {}

  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] short waits_for() const { return state_ == State::writing ? POLLOUT : POLLIN; }
  [[nodiscard]] steady_clock::time_point deadline() const { return deadline_; }
  [[nodiscard]] bool reading() const { return state_ == State::reading; }

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
  steady_clock::time_point deadline_;
  State state_ = State::reading;
  std::string received_;
  std::string answer_;
  size_t sent_ = 0;
};

class PollingServer final : public Server {
 public:
  PollingServer(Address address, Handler handler, Logger& log, const Limits& limits,
                std::optional<UniqueFd> listener, UniqueFd stop)
      : address_(std::move(address)),
        handler_(std::move(handler)),
        log_(log),
        limits_(limits),
        listener_(std::move(listener)),
        stop_(std::move(stop)),
        thread_([this] { run(); }) {}

  ~PollingServer() override {
    stopping_ = true;
    eventfd_write(stop_.get(), 1);
    thread_.join();
    const auto* un = std::get_if<UnixAddress>(&address_);
    if (un && listener_) ::unlink(un->path.c_str());
  }

  void stop_listening() override {
    const std::lock_guard lock(mutex_);
    if (listener_) ::shutdown(listener_->get(), SHUT_RDWR);
  }

  Result<Address> address() const override {
    const std::lock_guard lock(mutex_);
    if (!listener_) return fail_errno(EADDRINUSE, "{}", to_string(address_));
    return address_of(listener_->get());
  }

 private:
  void run() {
    std::vector<pollfd> fds;
    for (;;) {
      fds.assign(1, {stop_.get(), POLLIN, 0});
      for (const auto& connection : connections_) {
        fds.push_back({connection.fd(), connection.waits_for(), 0});
      }
      const bool accepting = listener_ && !accept_again_ && has_room();
      if (accepting) fds.push_back({listener_->get(), POLLIN, 0});
      ::poll(fds.data(), fds.size(), timeout_ms());
      if (fds.front().revents) return;
      serve_connections(fds);
      if (accepting && fds.back().revents && has_room()) accept();
      if (accept_again_ && steady_clock::now() >= *accept_again_) accept_again_.reset();
      if (!listener_) listen_again();
    }
  }

  // Whoever has not said yet what it wants gives its place to the next.
  [[nodiscard]] bool has_room() const {
    return connections_.size() < limits_.connections ||
           std::ranges::any_of(connections_, &Connection::reading);
  }

  // fds[i + 1] is connections_[i]. A handler may take long, so none is begun during the stop.
  void serve_connections(const std::vector<pollfd>& fds) {
    const auto now = steady_clock::now();
    size_t i = 0;
    std::erase_if(connections_, [&](Connection& connection) {
      const bool ready = fds[++i].revents != 0;
      if (stopping_) return true;
      if (now >= connection.deadline()) return true;
      return ready && !connection.proceed(handler_, limits_.request_bytes);
    });
  }

  void accept() {
    const int fd = ::accept4(listener_->get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
      if (connections_.size() >= limits_.connections) {  // the oldest is the first
        connections_.erase(std::ranges::find_if(connections_, &Connection::reading));
      }
      connections_.emplace_back(UniqueFd(fd), steady_clock::now() + limits_.connection_time);
    } else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
      // No descriptor or memory left: the connection stays in the queue, and would wake us at once.
      accept_again_ = steady_clock::now() + limits_.retry;
    }
  }

  void listen_again() {
    auto listener = listen_on(address_);
    if (!listener) return;
    {
      const std::lock_guard lock(mutex_);
      listener_ = std::move(*listener);
    }
    log_.info("listening", {{"address", to_string(address_)}});
  }

  [[nodiscard]] int timeout_ms() const {
    std::optional<steady_clock::time_point> next = accept_again_;
    for (const auto& connection : connections_) {
      if (!next || connection.deadline() < *next) next = connection.deadline();
    }
    if (!listener_) next = steady_clock::now() + limits_.retry;
    return poll_timeout_ms(next, steady_clock::now());
  }

  const Address address_;
  const Handler handler_;
  Logger& log_;
  const Limits limits_;
  mutable std::mutex mutex_;          // of listener_, where another thread looks
  std::optional<UniqueFd> listener_;  // absent: the address is in use
  UniqueFd stop_;
  std::atomic<bool> stopping_ = false;
  std::vector<Connection> connections_;
  std::optional<steady_clock::time_point> accept_again_;
  std::thread thread_;  // the last: it uses the others
};

}  // namespace

Result<std::unique_ptr<Server>> Server::start(const Address& address, Handler handler, Logger& log,
                                              const Limits& limits) {
  UniqueFd stop(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stop) return fail_errno(errno, "eventfd");
  auto listener = listen_on(address);
  std::optional<UniqueFd> listening;
  if (listener) {
    listening = std::move(*listener);
    log.info("listening", {{"address", to_string(address_of(listening->get()).value_or(address))}});
  } else if (listener.error().os_errno == EADDRINUSE) {
    log.warning("waiting for the address to become free", {{"error", listener.error().message}});
  } else {
    return pass(listener);
  }
  return std::make_unique<PollingServer>(address, std::move(handler), log, limits,
                                         std::move(listening), std::move(stop));
}

}  // namespace railhead::http
