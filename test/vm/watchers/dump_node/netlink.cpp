#include "test/vm/watchers/dump_node/netlink.hpp"

#include <algorithm>
#include <cerrno>

#include <sys/socket.h>
#include <unistd.h>

namespace dump_node {
namespace {

// Nothing when the dump was not whole.
std::optional<Messages> asked_once(int protocol, const Question& question) {
  const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
  if (fd < 0) return Messages{};
  std::vector<char> request(NLMSG_HDRLEN + NLMSG_ALIGN(question.header), 0);
  if (question.attribute != 0) {
    const nlattr header{NLA_HDRLEN + sizeof question.value,
                        static_cast<uint16_t>(question.attribute)};
    const auto* at = reinterpret_cast<const char*>(&header);
    request.insert(request.end(), at, at + sizeof header);
    at = reinterpret_cast<const char*>(&question.value);
    request.insert(request.end(), at, at + sizeof question.value);
  }
  nlmsghdr header{static_cast<uint32_t>(request.size()), static_cast<uint16_t>(question.type),
                  static_cast<uint16_t>(NLM_F_REQUEST | (question.dump ? NLM_F_DUMP : NLM_F_ACK)),
                  1, 0};
  std::memcpy(request.data(), &header, sizeof header);
  if (send(fd, request.data(), request.size(), 0) < 0) die("netlink send");
  Messages answer;
  bool whole = true;
  std::vector<char> buffer(256 * 1024);
  for (bool more = true; more;) {
    const ssize_t got = recv(fd, buffer.data(), buffer.size(), 0);
    if (got <= 0) die("netlink receive");
    Bytes left(buffer.data(), static_cast<size_t>(got));
    while (left.size() >= NLMSG_HDRLEN) {
      std::memcpy(&header, left.data(), sizeof header);
      if (header.nlmsg_len < NLMSG_HDRLEN || header.nlmsg_len > left.size()) die("netlink message");
      if ((header.nlmsg_flags & NLM_F_DUMP_INTR) != 0) whole = false;
      const auto payload = left.subspan(NLMSG_HDRLEN, header.nlmsg_len - NLMSG_HDRLEN);
      if (header.nlmsg_type == NLMSG_DONE || header.nlmsg_type == NLMSG_ERROR) {
        int error = 0;
        std::memcpy(&error, payload.data(), std::min(payload.size(), sizeof error));
        errno = -error;
        if (error != 0) die("netlink question " + std::to_string(question.type));
        more = false;
      }
      if (more) answer.emplace_back(payload.begin(), payload.end());
      left = left.subspan(std::min<size_t>(NLMSG_ALIGN(header.nlmsg_len), left.size()));
    }
  }
  close(fd);
  if (!whole) return std::nullopt;
  return answer;
}

}  // namespace

Messages ask(int protocol, const Question& question) {
  for (int attempt = 0; attempt < 50; ++attempt) {
    if (auto answer = asked_once(protocol, question)) return *answer;
  }
  die("no whole netlink dump");
}

}  // namespace dump_node
