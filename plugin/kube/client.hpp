#pragma once
// HTTP requests to the API server, on the loop. The only place with an HTTP client.
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/loop.hpp"
#include "plugin/kube/access.hpp"

namespace railhead::kube {

struct Request {
  std::string method = "GET";
  std::string path;       // with its query, escaped: "/api/v1/pods?limit=1"
  std::string body = {};  // JSON, of content_type
  std::string content_type = {};
  std::chrono::milliseconds limit{10'000};  // all in all
};

struct Reply {
  int status = 0;    // as HTTP numbers them
  std::string body;  // at most Client::kMaxBody; of a stream with status 200: ""
  std::optional<std::chrono::seconds> retry_after;

  [[nodiscard]] bool is_good() const { return status >= 200 && status < 300; }
};

class Client {
 public:
  static constexpr size_t kMaxBody = size_t{8} << 20U;

  // Both outlive it.
  Client(Loop& loop, const Clock& clock, Access access);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // One under way, which ends without a word when this is dropped. The client outlives it.
  class Call;
  using Pending = std::unique_ptr<Call>;
  // Errors: unavailable (no connection, it broke, TLS, the token cannot be read), timeout, io (the
  // body is too long, or what it was given to did not want more of it).
  using Done = std::function<void(Result<Reply>)>;
  // A part of a body as it comes, after an empty one that says that there is one; false: enough of
  // it. It may not drop the call.
  using Data = std::function<bool(std::string_view)>;

  // `done` is called once, on the loop, and may drop the call.
  [[nodiscard]] Pending send(Request request, Done done);
  // The body of an answer of status 200 goes to `data`.
  [[nodiscard]] Pending stream(Request request, Data data, Done done);

  [[nodiscard]] const std::string& server() const { return access_.server; }

 private:
  struct Multi;

  void watch(int fd, int what);
  void act(int fd);
  void read_ends();

  Loop& loop_;
  const Clock& clock_;
  const Access access_;
  std::unique_ptr<Multi> multi_;
  std::map<int, Loop::Watch> watches_;
  Loop::Timer timer_;
};

class Client::Call {
 public:
  ~Call();
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

 private:
  friend class Client;
  struct Transfer;
  explicit Call(std::unique_ptr<Transfer> transfer);
  std::unique_ptr<Transfer> transfer_;
};

}  // namespace railhead::kube
