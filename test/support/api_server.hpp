#pragma once
// A stand-in for an API server over real HTTP on loopback, for what a real one does not do when it
// is asked to: errors, delays, bookmarks, watches that end. What it answers is the test's word.
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.hpp"

namespace railhead::test {

class ApiServer {
 public:
  struct Request {
    std::string method;
    std::string target;  // path and query
    std::string token;   // of a bearer
    std::string content_type;
    std::string body;
  };
  struct Answer {
    int status = 200;
    std::string body = {};
    std::string headers = {};  // more of them, each with its \r\n
    bool stays_open = false;   // a watch: what is pushed follows
    std::chrono::milliseconds after{0};
  };
  using Handler = std::function<Answer(const Request&)>;

  // `handler` is called on threads of this.
  explicit ApiServer(Handler handler);
  ~ApiServer() { stop(); }

  [[nodiscard]] std::string url() const;
  // A line to each watch that is open and whose target has this part.
  void push(const std::string& part, const std::string& line);
  void end_watches();
  [[nodiscard]] size_t watches() const;
  [[nodiscard]] std::vector<Request> requests() const;
  // Those whose target has this part.
  [[nodiscard]] size_t count(const std::string& part) const;
  // Nobody can connect, and nobody is connected; at the same port it can be started again.
  void stop();
  void start();

 private:
  struct Watch {
    std::string target;
    std::string pending;
    bool is_over = false;
  };
  void accept();
  void serve(UniqueFd fd);

  const Handler handler_;
  uint16_t port_ = 0;
  std::atomic<bool> is_over_{false};
  UniqueFd listener_;
  std::thread accepting_;
  mutable std::mutex mutex_;
  std::condition_variable over_;  // is_over_ was set
  std::list<std::thread> serving_;
  std::vector<Request> requests_;
  std::list<std::shared_ptr<Watch>> watches_;
};

}  // namespace railhead::test
