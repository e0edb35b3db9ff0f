#pragma once
// Why a device is in the pool it is in, and not in the others.
#include <string>
#include <vector>

#include "plugin/pool/select.hpp"

namespace railhead::pool {

struct Verdict {
  std::string resource;  // "rdma/vf"; of one with rails_auto the rail's, or "rdma/rail*" for all
  bool takes = false;
  std::vector<std::string> reasons;  // why not; one per selector, or one for all
  std::string sickness;  // of a device that it takes: why it is not given out now; "": it is
  friend bool operator==(const Verdict&, const Verdict&) = default;
};

struct Explanation {
  std::string device;             // as Member::id
  std::string description;        // "VF 3 of p0  15b3:101e  mlx5_core"
  std::vector<Verdict> verdicts;  // of each resource, in the configuration's order
  friend bool operator==(const Explanation&, const Explanation&) = default;
};

// Of every network function, and of accelerators and sub-functions where the inventory has them.
// What is taken is as select() says.
[[nodiscard]] std::vector<Explanation> explain(const config::Config& config,
                                               const device::Inventory& inventory,
                                               const Knowledge& knowledge = {});

// For people.
[[nodiscard]] std::string format_explanations(const std::vector<Explanation>& explanations);

}  // namespace railhead::pool
