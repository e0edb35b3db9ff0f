#pragma once
// Which of a pool's devices a container should get (GetPreferredAllocation).
#include <cstddef>
#include <string>
#include <vector>

#include "plugin/pool/select.hpp"

namespace railhead::pool {

struct Wish {
  std::vector<std::string> available;     // in any order
  std::vector<std::string> must_include;  // these are among the available
  size_t size = 0;                        // how many, those of must_include counted
};

struct Choice {
  std::vector<std::string> ids;  // in PCI order
  std::string ground;            // why these, one phrase for the log line
  friend bool operator==(const Choice&, const Choice&) = default;
};

// Pure, and the same for equal inputs in any order. `gpus_of_pod` are the GPUs that the same pod
// already holds, empty when that is not known; `free_gpus` those of the node that no pod holds.
// What is available and not of this pool is passed over, so that there may be less than `size`.
// Errors: invalid_argument (must_include is not available or more than size, size is more than is
// available), not_found (an id of must_include that is not of this pool).
[[nodiscard]] Result<Choice> prefer(const Pool& pool, const device::Inventory& inventory,
                                    const Wish& wish, const std::vector<PciAddress>& gpus_of_pod,
                                    const std::vector<PciAddress>& free_gpus);

}  // namespace railhead::pool
