// The subcommands that ask the running agent.
#include <array>
#include <cstdio>
#include <filesystem>

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "plugin/app/commands.hpp"

namespace railhead::app {
namespace {

constexpr std::string_view kOwnFolder = "/run/railhead-agent";
constexpr timeval kSocketLimit{10, 0};  // of one read or write

Result<UniqueFd> connect_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return fail(ErrorCode::invalid_argument, "{}: longer than {} bytes", path,
                sizeof(address.sun_path) - 1);
  }
  path.copy(address.sun_path, path.size());
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return fail_errno(errno, "socket");
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &kSocketLimit, sizeof(kSocketLimit));
  setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &kSocketLimit, sizeof(kSocketLimit));
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return fail_errno(errno, "no agent answers at {}", path);
  }
  return fd;
}

struct Answer {
  bool ok = false;
  std::string body;
};

Result<Answer> ask(const std::string& socket, std::string_view path) {
  const auto fd = connect_to(socket);
  if (!fd) return pass(fd);
  const auto request = fmt::format("GET {} HTTP/1.1\r\nHost: agent\r\n\r\n", path);
  if (auto sent = host::write_all(fd->get(), request); !sent) return pass(sent, socket);
  std::string text;
  std::array<char, 4096> buffer{};
  for (ssize_t got = 0; (got = read(fd->get(), buffer.data(), buffer.size())) != 0;) {
    if (got < 0) return fail_errno(errno, "{}", socket);
    text.append(buffer.data(), static_cast<size_t>(got));
  }
  const auto head = text.find("\r\n\r\n");
  if (head == std::string::npos) return fail(ErrorCode::decode, "{}: no answer", socket);
  return Answer{text.starts_with("HTTP/1.1 200 "), text.substr(head + 4)};
}

int print(const Options& options, std::string_view path) {
  const auto answer = ask(probe_socket_of(options), path);
  if (!answer) {
    std::fputs((answer.error().message + '\n').c_str(), stderr);
    return kFailed;
  }
  std::fwrite(answer->body.data(), 1, answer->body.size(), stdout);
  return answer->ok ? kDone : kFailed;
}

}  // namespace

std::string probe_socket_of(const Options& options) {
  if (!options.probe_socket.empty()) return options.probe_socket;
  std::error_code unknown;
  const bool own = std::filesystem::is_directory(kOwnFolder, unknown);
  return (own ? std::string(kOwnFolder) : options.roots.run) + "/probe.sock";
}

int probe(const Options& options) {
  return print(options, options.probe == "live" ? "/healthz" : "/readyz");
}

int status(const Options& options) {
  return print(options, options.json ? "/status.json" : "/status");
}

}  // namespace railhead::app
