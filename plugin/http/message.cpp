#include "plugin/http/message.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"

namespace railhead::http {
namespace {

std::string_view reason_of(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 431:
      return "Request Header Fields Too Large";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Internal Server Error";
  }
}

// The path of "/metrics?x" and, as proxies and some scrapers write it, of
// "http://10.0.0.1:9478/metrics". Nothing for another form.
std::optional<std::string_view> path_of(std::string_view target) {
  constexpr std::string_view kScheme = "http://";
  if (equal_ignoring_case(target.substr(0, kScheme.size()), kScheme)) {
    target.remove_prefix(kScheme.size());
    const auto server_end = std::min(target.find_first_of("/?"), target.size());
    if (server_end == 0) return std::nullopt;
    target.remove_prefix(server_end);
    if (!target.starts_with('/')) return "/";
  }
  if (!target.starts_with('/')) return std::nullopt;
  return target.substr(0, target.find('?'));
}

bool is_printable(char c) { return c > ' ' && c < 0x7f; }

}  // namespace

// A bare LF ends a line too (RFC 9112, 2.2).
std::optional<size_t> head_end(std::string_view received) {
  for (size_t line_end = received.find('\n'); line_end != std::string_view::npos;
       line_end = received.find('\n', line_end + 1)) {
    const auto rest = received.substr(line_end + 1);
    if (rest.starts_with('\n')) return line_end + 2;
    if (rest.starts_with("\r\n")) return line_end + 3;
  }
  return std::nullopt;
}

Parsed parse_head(std::string_view head) {
  std::string_view line = head.substr(0, head.find('\n'));
  if (line.ends_with('\r')) line.remove_suffix(1);
  const auto method_end = line.find(' ');
  const auto target_end = line.rfind(' ');
  if (method_end == std::string_view::npos || method_end == 0 || target_end == method_end)
    return {};
  const auto method = line.substr(0, method_end);
  const auto target = line.substr(method_end + 1, target_end - method_end - 1);
  const auto version = line.substr(target_end + 1);
  if (!std::all_of(method.begin(), method.end(), is_printable) ||
      !std::all_of(target.begin(), target.end(), is_printable) || !version.starts_with("HTTP/")) {
    return {};
  }
  if (!version.starts_with("HTTP/1.")) return {std::nullopt, 505};
  if (method != "GET" && method != "HEAD") return {std::nullopt, 405};
  const auto path = path_of(target);
  if (!path) return {};
  return {Request{*path, method == "HEAD"}};
}

// In the body's own memory: a page of metrics may have megabytes.
std::string to_bytes(Response response, bool head_only) {
  const auto head = fmt::format(
      "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n{}Connection: close\r\n\r\n",
      response.status, reason_of(response.status), response.content_type, response.body.size(),
      response.status == 405 ? "Allow: GET, HEAD\r\n" : "");
  if (head_only) return head;
  return std::move(response.body.insert(0, head));
}

Response plain(int status) { return {status, std::string(reason_of(status)) + '\n'}; }

}  // namespace railhead::http
