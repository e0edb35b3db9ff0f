#pragma once
// The little of HTTP/1.1 (RFC 9112) that probes and scrapers need: GET and HEAD, one request a
// connection.
#include <optional>
#include <string>
#include <string_view>

namespace railhead::http {

struct Response {
  int status = 200;
  std::string body;
  std::string_view content_type = "text/plain; charset=utf-8";
  friend bool operator==(const Response&, const Response&) = default;
};

struct Request {
  std::string_view path;   // without the query, and without the server's name (RFC 9112, 3.2.2)
  bool head_only = false;  // HEAD: the answer is GET's without its body
};

// Where the head of a request ends in what was received so far; nothing: not yet.
[[nodiscard]] std::optional<size_t> head_end(std::string_view received);

// What the first line of a head asks for, or what to answer to a line that is wrong (400), of
// another method (405) or of another version (505).
struct Parsed {
  std::optional<Request> request;
  int refusal = 400;  // status, without a request
};
[[nodiscard]] Parsed parse_head(std::string_view head);

// With the length, and `Connection: close`. `head_only`: without the body.
[[nodiscard]] std::string to_bytes(Response response, bool head_only = false);

// A response with the status' own name as its text.
[[nodiscard]] Response plain(int status);

}  // namespace railhead::http
