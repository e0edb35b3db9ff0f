#include "test/support/api_server.hpp"

#include <algorithm>
#include <memory>
#include <stdexcept>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

namespace railhead::test {
namespace {

using namespace std::chrono_literals;

bool is_ready(int fd, std::chrono::milliseconds limit) {
  pollfd one{fd, POLLIN, 0};
  return ::poll(&one, 1, static_cast<int>(limit.count())) > 0;
}

bool send_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const auto sent = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    text.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

std::string header_of(const std::string& head, const std::string& name) {
  const auto at = head.find("\r\n" + name + ": ");
  if (at == std::string::npos) return "";
  const auto begin = at + name.size() + 4;
  return head.substr(begin, head.find("\r\n", begin) - begin);
}

}  // namespace

ApiServer::ApiServer(Handler handler) : handler_(std::move(handler)) { start(); }

std::string ApiServer::url() const { return fmt::format("http://127.0.0.1:{}", port_); }

void ApiServer::start() {
  is_over_ = false;
  listener_ = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  setsockopt(listener_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port_);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* any = reinterpret_cast<sockaddr*>(&address);
  if (::bind(listener_.get(), any, size) != 0 || ::listen(listener_.get(), 64) != 0 ||
      ::getsockname(listener_.get(), any, &size) != 0) {
    throw std::runtime_error("the stand-in of an API server cannot listen");
  }
  port_ = ntohs(address.sin_port);
  accepting_ = std::thread([this] { accept(); });
}

void ApiServer::stop() {
  {
    const std::lock_guard lock(mutex_);
    is_over_ = true;
  }
  over_.notify_all();
  if (accepting_.joinable()) accepting_.join();
  listener_ = UniqueFd();
  std::list<std::thread> serving;
  {
    const std::lock_guard lock(mutex_);
    serving.swap(serving_);
  }
  for (auto& thread : serving) thread.join();
}

void ApiServer::accept() {
  while (!is_over_) {
    if (!is_ready(listener_.get(), 10ms)) continue;
    UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    const std::lock_guard lock(mutex_);
    serving_.emplace_back([this, fd = std::move(fd)]() mutable { serve(std::move(fd)); });
  }
}

void ApiServer::serve(UniqueFd fd) {
  std::string text;
  size_t head = std::string::npos;
  size_t length = 0;
  while (head == std::string::npos || text.size() < head + 4 + length) {
    if (is_over_) return;
    if (!is_ready(fd.get(), 10ms)) continue;
    char buffer[65536];
    const auto size = ::recv(fd.get(), buffer, sizeof buffer, 0);
    if (size <= 0) return;
    text.append(buffer, static_cast<size_t>(size));
    head = text.find("\r\n\r\n");
    const auto said =
        head == std::string::npos ? "" : header_of(text.substr(0, head + 2), "Content-Length");
    length = said.empty() ? 0 : std::stoul(said);
  }
  const auto lines = text.substr(0, head + 2);
  const auto space = lines.find(' ');
  const auto bearer = header_of(lines, "Authorization");
  const Request request{lines.substr(0, space),
                        lines.substr(space + 1, lines.find(' ', space + 1) - space - 1),
                        bearer.starts_with("Bearer ") ? bearer.substr(7) : "",
                        header_of(lines, "Content-Type"), text.substr(head + 4)};
  {
    const std::lock_guard lock(mutex_);
    requests_.push_back(request);
  }
  const auto answer = handler_(request);
  {
    std::unique_lock lock(mutex_);
    over_.wait_for(lock, answer.after, [this] { return is_over_.load(); });
  }
  auto out =
      fmt::format("HTTP/1.1 {} X\r\nContent-Type: application/json\r\nConnection: close\r\n{}",
                  answer.status, answer.headers);
  if (!answer.stays_open) {
    send_all(fd.get(),
             out + fmt::format("Content-Length: {}\r\n\r\n", answer.body.size()) + answer.body);
    return;
  }
  const auto watch = std::make_shared<Watch>(Watch{request.target, answer.body, false});
  out += "Transfer-Encoding: chunked\r\n\r\n";
  {
    const std::lock_guard lock(mutex_);
    watches_.push_back(watch);
  }
  bool is_there = send_all(fd.get(), out);
  bool is_over = false;
  while (is_there && !is_over_ && !is_over) {
    std::string pending;
    {
      const std::lock_guard lock(mutex_);
      pending.swap(watch->pending);
      is_over = watch->is_over;
    }
    if (!pending.empty())
      is_there = send_all(fd.get(), fmt::format("{:x}\r\n{}\r\n", pending.size(), pending));
    if (is_over) send_all(fd.get(), "0\r\n\r\n");
    // Whoever watches has nothing more to say: it hangs up.
    if (is_ready(fd.get(), 2ms)) is_there = false;
  }
  const std::lock_guard lock(mutex_);
  watches_.remove(watch);
}

void ApiServer::push(const std::string& part, const std::string& line) {
  const std::lock_guard lock(mutex_);
  for (const auto& watch : watches_) {
    if (watch->target.find(part) != std::string::npos) watch->pending += line + "\n";
  }
}

void ApiServer::end_watches() {
  const std::lock_guard lock(mutex_);
  for (const auto& watch : watches_) watch->is_over = true;
}

size_t ApiServer::watches() const {
  const std::lock_guard lock(mutex_);
  return watches_.size();
}

std::vector<ApiServer::Request> ApiServer::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

size_t ApiServer::count(const std::string& part) const {
  const auto all = requests();
  return static_cast<size_t>(std::ranges::count_if(
      all, [&](const auto& one) { return one.target.find(part) != std::string::npos; }));
}

}  // namespace railhead::test
