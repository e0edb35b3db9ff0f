#pragma once
#include <optional>

#include "base/error.hpp"
#include "base/unique_fd.hpp"

namespace railhead::app {

// The signals this program lives by, as a file to poll: SIGHUP asks for the configuration to be
// read anew, SIGTERM, SIGINT and SIGQUIT for the end. They are blocked from opening on, in every
// thread that is made later too.
class Signals {
 public:
  [[nodiscard]] static Result<Signals> open();
  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] std::optional<int> read();  // the next one, without waiting

 private:
  explicit Signals(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

}  // namespace railhead::app
