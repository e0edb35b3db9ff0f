#pragma once
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "base/log.hpp"
#include "plugin/config/config.hpp"
#include "plugin/pool/select.hpp"

namespace railhead::app {

// What the log says of the node and its pools: each thing when it is new, not at every look.
class News {
 public:
  explicit News(Logger& log) : log_(log) {}

  // All that is wrong with what was read from `file`. Said each time it is read.
  void tell(const config::Parsed& parsed, const std::string& file);

  // Each of these is given all that there is now.
  void tell_scan_warnings(const std::vector<std::string>& warnings);
  void tell_unreadable_records(const std::vector<Error>& errors);
  void tell_left_out(const std::vector<pool::LeftOut>& left_out);

  // What one pool is, how much of it kubelet cannot be told of, and what its devices are; `before`
  // is empty for a pool that is new. What is new of the devices is said by the tell_devices() that
  // follows, for all pools at once: a cable that is pulled is one line, not one for each VF.
  void note_health(const pool::Pool& before, const pool::Pool& now);
  void tell_devices();

 private:
  enum class Change { unhealthy, degraded, healthy };
  // What happened, to devices of which PF (or to which device), and why.
  using Event = std::tuple<Change, PciAddress, std::string>;
  struct Concerned {
    std::set<std::string> devices;
    std::set<std::string> resources;
  };
  void note_health(const std::string& resource, const pool::Member& before,
                   const pool::Member& now);
  void tell_untold(const pool::Pool& before, const pool::Pool& now);
  void tell(const Event& event, const Concerned& concerned);

  Logger& log_;
  std::set<std::string> scan_warnings_;
  std::set<std::string> unreadable_records_;
  std::set<std::string> left_out_;
  std::map<Event, Concerned> events_;  // since the last tell_devices()
};

}  // namespace railhead::app
