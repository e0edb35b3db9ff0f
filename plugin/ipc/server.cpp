#include "plugin/ipc/server.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipc/message.hpp"
#include "ipc/question.hpp"
#include "ipc/socket.hpp"

namespace railhead::ipc {
namespace {

constexpr int kBacklog = 64;

}  // namespace

Server::Server(Loop& loop, const Clock& clock, std::string path, Handler handler, Logger& log,
               const Limits& limits)
    : loop_(loop),
      clock_(clock),
      path_(std::move(path)),
      handler_(std::move(handler)),
      log_(log),
      limits_(limits),
      paused_(loop, [this] { wait_for_connections(); }) {}

Result<void> Server::listen() {
  auto listener = publish();
  if (!listener) return pass(listener, path_);
  listener_ = std::move(*listener);
  wait_for_connections();
  return {};
}

// Under another name first. What a killed agent left under that one is nobody's.
Result<UniqueFd> Server::publish() {
  const auto hidden = path_ + ".new";
  const auto address = to_address(hidden);
  if (!address) return pass(address);
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return fail_errno(errno, "make a socket");
  // bind(2) gives the file the socket's own mode: nobody can connect before a chmod.
  if (::fchmod(fd.get(), 0600) != 0) return fail_errno(errno, "chmod");
  ::unlink(hidden.c_str());
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof(*address)) != 0) {
    return fail_errno(errno, "bind");
  }
  if (::listen(fd.get(), kBacklog) != 0) return fail_errno(errno, "listen");
  struct stat info {};
  if (::lstat(hidden.c_str(), &info) != 0) return fail_errno(errno, "stat");
  if (::rename(hidden.c_str(), path_.c_str()) != 0) return fail_errno(errno, "rename");
  file_ = File{info.st_dev, info.st_ino};
  return fd;
}

void Server::stop() {
  peers_.clear();
  accepting_.drop();
  paused_.cancel();
  struct stat info {};
  if (file_ && ::lstat(path_.c_str(), &info) == 0 && info.st_dev == file_->device &&
      info.st_ino == file_->inode) {
    ::unlink(path_.c_str());
  }
  file_.reset();
  listener_ = UniqueFd();  // after that: as long as it is open no other file has its inode
}

Server::Peers::iterator Server::first_to_go() {
  return std::ranges::find(peers_, State::reading, [](const Peer& peer) { return peer->state; });
}

bool Server::has_room() {
  return peers_.size() < limits_.connections || first_to_go() != peers_.end();
}

// Called whenever that may have changed.
void Server::wait_for_connections() {
  if (!listener_ || !has_room() || paused_.due()) {
    accepting_.drop();
  } else if (!accepting_.is_of_a_file()) {
    auto watch = loop_.watch(listener_.get(), [this] { accept(); });
    if (watch) {
      accepting_ = std::move(*watch);
    } else {
      paused_.set(clock_.now() + limits_.pause);
    }
  }
}

void Server::accept() {
  if (!has_room()) return wait_for_connections();
  UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (fd) {
    serve(std::move(fd));
  } else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
    // No descriptor or memory left: the connection stays in the queue, and would wake us at once.
    paused_.set(clock_.now() + limits_.pause);
  }
  wait_for_connections();
}

void Server::serve(UniqueFd fd) {
  if (auto trusted = check_peer(fd.get()); !trusted) {
    log_.warning("a connection is refused",
                 {{"socket", path_}, {"error", trusted.error().message}});
    return;
  }
  if (peers_.size() >= limits_.connections) peers_.erase(first_to_go());
  const auto peer = peers_.emplace_back(std::make_shared<Connection>(loop_, std::move(fd)));
  const auto is_over = [this, weak = std::weak_ptr(peer)] {
    if (const auto late = weak.lock()) end(late);
  };
  peer->deadline.on_expiry(is_over);
  peer->deadline.set(clock_.now() + limits_.connection_time);
  wait_for(peer, EPOLLIN, &Server::read);
}

void Server::read(const Peer& peer) {
  std::array<char, 4096> buffer{};
  const ssize_t got = ::recv(peer->fd.get(), buffer.data(), buffer.size(), 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return end(peer);
  peer->received.append(buffer.data(), static_cast<size_t>(got));
  const auto text = text_of(peer->received);
  if (text && !*text) return;
  peer->watch.drop();  // until the answer is there: a peer that hangs up would wake us on and on
  peer->state = State::answering;
  if (text) {
    answer(peer, **text);
  } else {
    reply(peer, encode(text.error()));
  }
  wait_for_connections();  // it gives its place to nobody now
}

void Server::answer(const Peer& peer, std::string_view text) {
  handler_(text, [this, weak = std::weak_ptr(peer)](const std::string& reply_text) {
    // One that is there is in the server's list: so is the server.
    const auto asker = weak.lock();
    if (asker && asker->state == State::answering) reply(asker, reply_text);
  });
}

void Server::reply(const Peer& peer, const std::string& text) {
  auto message = to_message(text);
  if (!message) message = to_message(encode(message.error()));
  if (!message) return end(peer);
  peer->answer = std::move(*message);
  peer->state = State::writing;
  write(peer);
}

void Server::write(const Peer& peer) {
  const auto rest = std::string_view(peer->answer).substr(peer->sent);
  const ssize_t sent = ::send(peer->fd.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN && errno != EINTR) return end(peer);
  if (sent > 0) peer->sent += static_cast<size_t>(sent);
  if (peer->sent == peer->answer.size()) return end(peer);
  if (!peer->watch.is_of_a_file()) wait_for(peer, EPOLLOUT, &Server::write);
}

void Server::wait_for(const Peer& peer, uint32_t events, void (Server::*then)(const Peer&)) {
  auto watch = loop_.watch(
      peer->fd.get(),
      [this, then, weak = std::weak_ptr(peer)] {
        if (const auto ready = weak.lock()) (this->*then)(ready);
      },
      events);
  if (!watch) return end(peer);
  peer->watch = std::move(*watch);
}

void Server::end(const Peer& peer) {
  peers_.remove(peer);
  wait_for_connections();
}

}  // namespace railhead::ipc
