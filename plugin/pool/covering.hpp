#pragma once
// Ports for GPUs: each GPU its own port, the nearest ones.
#include <vector>

#include "device/assignment.hpp"
#include "plugin/pool/ports.hpp"

namespace railhead::pool {

class Covering {
 public:
  // `gpus` not empty, in PCI order. `ports` must outlive it.
  Covering(Ports& ports, const std::vector<const device::PciFunction*>& gpus);

  // Some GPU is nearer to one port than another is: else the distances say nothing.
  [[nodiscard]] bool tells_ports_apart() const;

  // Chooses `number` offers more; as many are free. Less than one per GPU: for the GPUs that can
  // be served best, and of several such sets the lowest group of neighbouring rails (0-3, 4-7), so
  // that pods of other nodes get the same. More: the same number for each GPU, or one less.
  [[nodiscard]] std::vector<size_t> choose(size_t number);

 private:
  using Columns = std::vector<size_t>;  // ports; one may stand there several times

  // By what is chosen already.
  void find_served();
  [[nodiscard]] std::vector<size_t> waiting() const;  // GPUs
  [[nodiscard]] Columns free_columns(size_t at_most) const;
  enum class Ties { left, by_rail };
  [[nodiscard]] std::vector<std::vector<device::Cost>> costs(const std::vector<size_t>& gpus,
                                                             const Columns& columns,
                                                             Ties ties) const;
  [[nodiscard]] device::Cost lowest_cost(const Columns& columns, size_t number) const;
  // Nothing when no group does it at the lowest cost.
  [[nodiscard]] Columns rail_group(size_t number) const;

  Ports& ports_;
  std::vector<std::vector<int64_t>> distances_;  // [gpu][port]
  std::vector<bool> served_;                     // by GPU
};

}  // namespace railhead::pool
