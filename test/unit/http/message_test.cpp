#include "plugin/http/message.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace railhead::http;

TEST_CASE("A GET is understood, whatever its query and its version of HTTP 1") {
  CHECK(parse_head("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").request->path == "/metrics");
  CHECK(parse_head("GET /metrics?name=a HTTP/1.0\n\n").request->path == "/metrics");
  CHECK(parse_head("GET / HTTP/1.1\r\n\r\n").request->path == "/");
  CHECK_FALSE(parse_head("GET / HTTP/1.1\r\n\r\n").request->head_only);
  CHECK(parse_head("HEAD /metrics?x HTTP/1.1\r\n\r\n").request->path == "/metrics");
  CHECK(parse_head("HEAD /metrics HTTP/1.1\r\n\r\n").request->head_only);
}

TEST_CASE("A target that names the server, too, is understood by its path") {
  const auto path = [](const std::string& target) {
    const auto head = "GET " + target + " HTTP/1.1\r\n\r\n";
    const auto parsed = parse_head(head);
    return parsed.request ? std::string(parsed.request->path) : "(refused)";
  };
  CHECK(path("http://10.0.0.1:9478/metrics") == "/metrics");
  CHECK(path("HTTP://[::1]:9478/metrics?name=/a") == "/metrics");
  CHECK(path("http://node") == "/");
  CHECK(path("http://node?x=/a") == "/");
  for (const auto* target : {"http://", "http:///metrics", "http:/metrics", "https://node/metrics",
                             "ftp://node/metrics", "node:9478", "*"}) {
    INFO(target);
    CHECK(path(target) == "(refused)");
  }
}

TEST_CASE("Other methods, versions and what is no HTTP are told apart") {
  const auto refusal = [](std::string_view head) {
    const auto parsed = parse_head(head);
    CHECK_FALSE(parsed.request);
    return parsed.refusal;
  };
  CHECK(refusal("POST /metrics HTTP/1.1\r\n\r\n") == 405);
  CHECK(refusal("head /metrics HTTP/1.1\r\n\r\n") == 405);
  CHECK(refusal("get /metrics HTTP/1.1\r\n\r\n") == 405);
  CHECK(refusal("GET /metrics HTTP/2\r\n\r\n") == 505);
  for (const auto* head :
       {"", "\r\n\r\n", "GET\r\n\r\n", "GET /\r\n\r\n", "GET  HTTP/1.1\r\n\r\n", " / HTTP/1.1\n\n",
        "GET metrics HTTP/1.1\r\n\r\n", "GET /a b HTTP/1.1\r\n\r\n", "GET /\x01 HTTP/1.1\r\n\r\n",
        "GET /\xff HTTP/1.1\r\n\r\n", "\x16\x03\x01 / HTTP/1.1\n\n"}) {
    INFO(head);
    CHECK(refusal(head) == 400);
  }
}

TEST_CASE("A head ends at the first empty line, and not before it is there") {
  const std::string head = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
  for (size_t size = 0; size < head.size(); ++size) CHECK_FALSE(head_end(head.substr(0, size)));
  CHECK(head_end(head) == head.size());
  CHECK(head_end(head + "GET /next HTTP/1.1\r\n\r\n") == head.size());
  CHECK(head_end("GET / HTTP/1.0\n\n") == 16);
}

TEST_CASE("A response says its length and that the connection ends") {
  CHECK(to_bytes({200, "ok\n"}) ==
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 3\r\n"
        "Connection: close\r\n\r\nok\n");
  CHECK(to_bytes(plain(405)).find("\r\nAllow: GET, HEAD\r\n") != std::string::npos);
  CHECK(to_bytes({200, "ok\n"}, true) ==
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 3\r\n"
        "Connection: close\r\n\r\n");
}
