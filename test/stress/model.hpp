#pragma once
// What must be true, as the calls' answers say it: which pod has which device.
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "test/stress/plan.hpp"

namespace railhead::stress {

struct Attachment {
  size_t device = 0;  // of the plan
  std::string netns;
  std::string container;
  std::string ifname;
  Json result;  // of ADD
};

// Faults that were found; of many equal ones the first few are kept.
class Findings {
 public:
  void add(const std::string& text);
  [[nodiscard]] size_t count() const;
  [[nodiscard]] std::vector<std::string> take();  // since the last time

 private:
  mutable std::mutex mutex_;
  size_t count_ = 0;
  std::vector<std::string> new_;
};

// Which device has which owner, while calls run beside each other. A call on a device is open from
// begin() to end(): what it meets may be another call's doing if that was open at the same time.
class Owners {
 public:
  explicit Owners(size_t devices) : devices_(devices) {}

  struct Open {
    size_t device = 0;
    uint64_t began = 0;
    bool contended = false;  // it was held, or another call was open
  };
  Open begin(size_t device, bool gives_back);
  // The ADD succeeded; the one who had it already, if there is one.
  std::optional<std::string> taken(const Open& open, const std::string& owner);
  // Whether it was contended at any time.
  bool end(const Open& open);

  [[nodiscard]] bool is_held(size_t device) const;

 private:
  struct State {
    std::optional<std::string> owner;
    unsigned open = 0;
    uint64_t begun = 0;  // counts calls
  };
  mutable std::mutex mutex_;
  std::vector<State> devices_;
};

}  // namespace railhead::stress
