#pragma once
#include <chrono>
#include <functional>
#include <random>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "base/log.hpp"
#include "plugin/kube/client.hpp"

namespace railhead::kube {

// Keeps up with the API server's objects of one kind: lists them, then watches what changes, and
// lists anew when the server no longer knows from where to go on (410). While the server does not
// answer, what was heard stays.
class Reflector {
 public:
  // Who keeps the objects. A list replaces them all: between begin_list() and end_list() all that
  // are there are put once; a list that fails is begun again.
  class Sink {
   public:
    virtual ~Sink() = default;
    virtual void begin_list() = 0;
    virtual void put(const nlohmann::ordered_json& object) = 0;
    virtual void end_list() = 0;
    virtual void changed(const nlohmann::ordered_json& object) = 0;
    virtual void removed(const nlohmann::ordered_json& object) = 0;
  };
  struct Options {
    std::string what;             // for logs and troubles: "pods"
    std::string path;             // of the list
    std::string selector = {};    // "fieldSelector=spec.nodeName%3Dnode-1"
    bool may_be_missing = false;  // a server without such objects (404) is no trouble
    std::chrono::milliseconds first_pause{1'000};  // after a failure; doubled by each further one
    std::chrono::milliseconds longest_pause{30'000};
    std::chrono::seconds watch{
        300};  // a watch lasts so long to twice as long, if the server lets it
  };

  // All outlives it.
  Reflector(Options options, Loop& loop, const Clock& clock, Client& client, Sink& sink,
            Logger& log);
  void start() { list(); }
  void stop();

  // Whether all objects were listed once.
  [[nodiscard]] bool is_synced() const { return is_synced_; }
  // Why it does not hear of changes now; "": it does.
  [[nodiscard]] const std::string& trouble() const { return trouble_; }

 private:
  void list();
  void listed(const Result<Reply>& reply, const std::string& rest);
  void watch();
  void heard(std::string_view line);
  void ended(const Result<Reply>& reply);
  void fail_with(const std::string& why, std::optional<std::chrono::seconds> wait);
  void recovered();
  [[nodiscard]] std::chrono::milliseconds next_pause();
  [[nodiscard]] std::string query(const std::string& more) const;
  // Between 1 and 2, so that a cluster's agents do not come all at once.
  [[nodiscard]] double spread();

  const Options options_;
  const Clock& clock_;
  Client& client_;
  Sink& sink_;
  Logger& log_;
  std::minstd_rand random_{std::random_device{}()};
  Loop::Timer again_;
  void (Reflector::*next_)() = nullptr;  // what again_ does
  Client::Pending call_;
  std::string version_;      // from where a watch goes on; "": a list is due
  bool is_expired_ = false;  // the server's cache is behind: list what is stored
  bool is_synced_ = false;
  std::string broken_;     // what the watch under way says is wrong with it
  unsigned failures_ = 0;  // since a watch lasted
  std::string trouble_ = "it has not been listed yet";
  Loop::TimePoint watch_began_;
};

}  // namespace railhead::kube
