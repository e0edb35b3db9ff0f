#pragma once
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>

#include "base/log.hpp"
#include "plugin/kube/client.hpp"

namespace railhead::kube {

// Writes to the API server, no faster than it is told to, and again until they are done; what is
// never given up goes before what may be. All calls are made on the loop's thread.
class Writer {
 public:
  struct Options {
    double per_second = 10;  // requests, after the first `burst` of them
    double burst = 20;
    size_t at_once = 4;
    std::chrono::milliseconds first_pause{1'000};  // after a failure; doubled by each further one
    std::chrono::milliseconds longest_pause{60'000};
  };
  // Done, or refused for good: not_found (there is no such object, or another one has its name),
  // invalid_argument (nobody would take it).
  using Done = std::function<void(const Result<void>&)>;
  // What to ask after the reply to a request, where that is not the last one: at once after a good
  // reply, else after a pause. Errors: it can never be done.
  using Next = std::function<Result<std::optional<Request>>(const Request&, const Reply&)>;

  // All outlives it.
  Writer(Options options, Loop& loop, const Clock& clock, Client& client, Logger& log);
  void stop();

  // In place of what waits under the same key. `tries`: given up after so many; 0: never.
  void put(const std::string& key, Request request, unsigned tries, Done done, Next next = {});
  // What waits under a key, or is under way, is not needed any more; nobody is told.
  void drop(const std::string& key);
  [[nodiscard]] bool has(const std::string& key) const { return jobs_.contains(key); }
  [[nodiscard]] size_t waiting() const { return jobs_.size(); }
  // Why something waits that is never given up; "": nothing does.
  [[nodiscard]] std::string trouble() const;

 private:
  struct Job {
    Request request;
    unsigned tries = 0;
    Done done;
    Next next;
    bool is_replaced = false;  // while it was under way
    unsigned failures = 0;
    std::string why;  // it failed last
    Loop::TimePoint due;
    Client::Pending call;
  };
  using Jobs = std::map<std::string, Job>;

  void start();
  void answered(const std::string& key, const Result<Reply>& reply);
  [[nodiscard]] std::chrono::milliseconds pause_after(unsigned failures, const Reply* reply);
  void finish(Jobs::iterator job, const Result<void>& result);
  [[nodiscard]] bool take_token();

  const Options options_;
  const Clock& clock_;
  Client& client_;
  Logger& log_;
  Jobs jobs_;
  size_t under_way_ = 0;
  double tokens_;
  Loop::TimePoint counted_;  // when tokens_ was right
  std::string told_;         // in the log, of what failed last
  std::minstd_rand random_{std::random_device{}()};
  Loop::Timer again_;
};

}  // namespace railhead::kube
