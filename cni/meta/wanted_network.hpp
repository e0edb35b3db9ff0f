#pragma once
// One network that a pod is to have, while it is planned.
#include <algorithm>
#include <cstdint>
#include <iterator>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "cni/conf.hpp"
#include "cni/meta/selection.hpp"
#include "cnispec/network_list.hpp"
#include "device/rail_map.hpp"

namespace railhead::cni {

inline constexpr std::string_view kClusterNetwork = "cluster network";  // its place, for messages

template <class List>
bool has(const List& list, std::string_view word) {
  return std::ranges::find(list, word) != std::end(list);
}

// What becomes of a pod whose devices are far from its GPUs.
enum class Affinity { require, warn, ignore };

// Which rails a network is to have: all that the pod's devices have, so many, or these.
struct AskedRails {
  std::optional<uint32_t> count = {};
  std::set<uint32_t> listed = {};
  // Whose devices, by name, or by what it begins with ("rdma/rail*"); empty: the network's.
  std::vector<std::string> resources = {};
  Affinity affinity = Affinity::warn;
};

// Where an interface of a network over rails stands.
struct RailOfInterface {
  device::RailPlace place;
  uint32_t further = 0;  // how many of the pod's devices of that rail are before it
};

struct WantedNetwork {
  Selection selection;
  cnispec::NetworkList list;
  std::string resource;
  std::string device;    // of the resource, that kubelet gave to the pod; "": none
  bool is_pods = false;  // the pod's author asked for it, not the node's
  std::optional<AskedRails> rails = {};
  std::optional<RailOfInterface> rail = {};  // of one that `rails` has become
};

// What `strict` refuses, and a node in Multus' place warns of.
class Objections {
 public:
  explicit Objections(bool is_strict) : is_strict_(is_strict) {}
  Result<void> raise(const std::string& text) {
    if (is_strict_) return refuse("{}", text);
    warn(text);
    return {};
  }
  void warn(std::string text) { warnings_.push_back(std::move(text)); }
  [[nodiscard]] std::vector<std::string>& warnings() { return warnings_; }

 private:
  const bool is_strict_;
  std::vector<std::string> warnings_;
};

}  // namespace railhead::cni
