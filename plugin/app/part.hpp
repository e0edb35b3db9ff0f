#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace railhead::app {

// A part of the agent. Parts are started in their order and stopped in the reverse one; what is
// shown of the agent's state asks each of them.
class Part {
 public:
  virtual ~Part() = default;
  [[nodiscard]] virtual std::string_view name() const = 0;  // one word, for logs
  // Waits for nothing that may never come.
  [[nodiscard]] virtual Result<void> start() = 0;
  // By explicit steps, within a second, also while a thread hangs: no destructor may run after it.
  virtual void stop() {}
  // What keeps it from doing all of its work now, a line each; the agent is not ready then.
  [[nodiscard]] virtual std::vector<std::string> troubles() const { return {}; }
};

}  // namespace railhead::app
