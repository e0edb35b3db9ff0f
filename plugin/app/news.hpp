#pragma once
#include <set>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "plugin/config/config.hpp"
#include "plugin/pool/select.hpp"

namespace railhead::app {

// What the log says of the node and its pools: each thing when it is new, not at every look.
class News {
 public:
  explicit News(Logger& log) : log_(log) {}

  // What is wrong, or doubtful, with what was read from `file`. Said each time it is read.
  void tell(const config::Parsed& parsed, const std::string& file);

  // Each of these is given all that there is now.
  void tell_scan_warnings(const std::vector<std::string>& warnings);
  void tell_unreadable_records(const std::vector<Error>& errors);
  void tell_left_out(const std::vector<pool::LeftOut>& left_out);

  // `before` is empty for a pool that is new.
  void tell_health(const pool::Pool& before, const pool::Pool& now);

 private:
  void tell_health(const std::string& resource, const pool::Member& before,
                   const pool::Member& now);

  Logger& log_;
  std::set<std::string> scan_warnings_;
  std::set<std::string> unreadable_records_;
  std::set<std::string> left_out_;
};

}  // namespace railhead::app
