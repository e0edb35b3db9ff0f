#pragma once
#include <chrono>
#include <map>
#include <optional>
#include <string>

namespace railhead::health {

// Keeps a device that flaps from flapping at kubelet: it becomes sick when it has been so for 2 s
// (a port that retrains, a namespace on its way out), and well when it has been so for 10 s. What
// is seen for the first time counts at once.
class Hysteresis {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::seconds kUntilSick{2};
  static constexpr std::chrono::seconds kUntilWell{10};

  // What counts now for a device of which `sickness` ("": none) is seen now.
  [[nodiscard]] std::string judge(const std::string& device, const std::string& sickness,
                                  TimePoint now);
  // Forgets the devices that were not judged since the last call.
  void forget_others();
  // When a judgement may change although nothing new is seen.
  [[nodiscard]] std::optional<TimePoint> due() const;

 private:
  struct State {
    std::string counts;              // the sickness that is told
    std::optional<TimePoint> since;  // since when the other state is seen
    bool judged = true;
  };
  static TimePoint due(const State& state);
  std::map<std::string, State> devices_;
};

}  // namespace railhead::health
