#pragma once
#include <string>

namespace railhead::bench {

// Where netdevs can be moved about: this process gets network namespaces and a /run of its own, the
// pod's namespace at kPod, and so many veth devices, nic0 and on, which are up and have carrier.
// All of it goes with the process. Throws std::runtime_error, as where it is not run by root.
class Place {
 public:
  static constexpr auto kPod = "/run/netns/bench";

  explicit Place(unsigned devices);

  static std::string name(size_t device) { return "nic" + std::to_string(device); }
  // Up again, where one that came back is down.
  static void take_up(size_t device);
};

}  // namespace railhead::bench
