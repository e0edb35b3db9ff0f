#include "ipc/client.hpp"

#include <array>
#include <cerrno>

#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/clock.hpp"
#include "base/unique_fd.hpp"
#include "ipc/message.hpp"
#include "ipc/socket.hpp"

namespace railhead::ipc {
namespace {

using Clock = std::chrono::steady_clock;

// One connection, and the time there is for it.
class Asking {
 public:
  explicit Asking(std::chrono::milliseconds limit) : limit_(limit), end_(Clock::now() + limit) {}

  Result<void> connect(const sockaddr_un& address) {
    fd_ = UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd_) return fail_errno(errno, "make a socket");
    while (true) {
      // While the agent's queue is full a connect waits; poll(2) cannot tell when it has room.
      if (auto limited = limit_connect(); !limited) return limited;
      if (::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) {
        return check_peer(fd_.get());
      }
      if (errno == EAGAIN) return timeout();
      if (errno == ECONNREFUSED || errno == ENOENT) {
        return Failure(Error{ErrorCode::not_found, errno, "no agent listens"});
      }
      if (errno != EINTR) return fail_errno(errno, "connect");
    }
  }

  Result<void> send(std::string_view message) {
    while (!message.empty()) {
      const ssize_t sent =
          ::send(fd_.get(), message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent >= 0) {
        message.remove_prefix(static_cast<size_t>(sent));
      } else if (auto can_go_on = wait_after(errno, POLLOUT); !can_go_on) {
        return can_go_on;
      }
    }
    return {};
  }

  Result<std::string> receive() {
    std::string received;
    std::array<char, 4096> buffer{};
    while (true) {
      const auto text = text_of(received);
      if (!text) return pass(text);
      if (*text) return std::string(**text);
      const ssize_t got = ::recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (got > 0) {
        received.append(buffer.data(), static_cast<size_t>(got));
      } else if (got == 0) {
        return ended();
      } else if (auto can_go_on = wait_after(errno, POLLIN); !can_go_on) {
        return pass(can_go_on);
      }
    }
  }

 private:
  [[nodiscard]] Failure timeout() const {
    return fail(ErrorCode::timeout, "no answer within {} ms", limit_.count());
  }
  // As when it is updated; the next one will be there in a moment.
  [[nodiscard]] static Failure ended() {
    return fail(ErrorCode::unavailable, "the agent ended the connection before its answer");
  }

  [[nodiscard]] Result<void> limit_connect() const {
    const auto left = std::chrono::ceil<std::chrono::microseconds>(end_ - Clock::now()).count();
    if (left <= 0) return timeout();  // none would be no limit
    const timeval time{static_cast<time_t>(left / 1'000'000),
                       static_cast<suseconds_t>(left % 1'000'000)};
    if (::setsockopt(fd_.get(), SOL_SOCKET, SO_SNDTIMEO, &time, sizeof(time)) != 0) {
      return fail_errno(errno, "SO_SNDTIMEO");
    }
    return {};
  }

  // After a call that could not do its work at once.
  [[nodiscard]] Result<void> wait_after(int failed, short events) const {
    if (failed == EINTR) return {};
    if (failed == EPIPE || failed == ECONNRESET) return ended();
    if (failed != EAGAIN) return fail_errno(failed, "talk to the agent");
    const auto now = Clock::now();
    if (now >= end_) return timeout();
    pollfd one{fd_.get(), events, 0};
    const int ready = ::poll(&one, 1, poll_timeout_ms(end_, now));
    if (ready < 0 && errno != EINTR) return fail_errno(errno, "poll");
    return {};
  }

  const std::chrono::milliseconds limit_;
  const Clock::time_point end_;
  UniqueFd fd_;
};

Result<std::string> ask(const std::string& socket, std::string_view question,
                        std::chrono::milliseconds limit) {
  const auto address = to_address(socket);
  if (!address) return pass(address);
  const auto message = to_message(question);
  if (!message) return pass(message);
  Asking asking(limit);
  if (auto connected = asking.connect(*address); !connected) return pass(connected);
  if (auto sent = asking.send(*message); !sent) return pass(sent);
  return asking.receive();
}

template <class Decode>
auto ask(const std::string& socket, std::string_view question, std::chrono::milliseconds limit,
         Decode decode) {
  auto answer = ask(socket, question, limit).and_then(decode);
  if (!answer) answer = pass(answer, fmt::format("agent at {}", socket));
  return answer;
}

}  // namespace

Result<OwnerAnswer> ask_owner(const std::string& socket, const OwnerQuestion& question,
                              std::chrono::milliseconds limit) {
  return ask(socket, encode(question), limit, decode_owner_answer);
}

Result<ResolveAnswer> ask_resolve(const std::string& socket, const ResolveQuestion& question,
                                  std::chrono::milliseconds limit) {
  return ask(socket, encode(question), limit, decode_resolve_answer);
}

Result<NadAnswer> ask_nad(const std::string& socket, const NadQuestion& question,
                          std::chrono::milliseconds limit) {
  return ask(socket, encode(question), limit, decode_nad_answer);
}

Result<PodAnswer> ask_pod(const std::string& socket, const PodQuestion& question,
                          std::chrono::milliseconds limit) {
  return ask(socket, encode(question), limit, decode_pod_answer);
}

}  // namespace railhead::ipc
