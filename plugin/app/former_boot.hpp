#pragma once
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/log.hpp"
#include "plugin/ledger/holdings.hpp"

namespace railhead::app {

// What containers were given before this boot, and have not been started with since, as far as
// kubelet asked: after a boot another device may have these nodes. Kubelet's file does not tell.
//   <state_dir>/boot         the boot in which an agent served last, which outlives it
//   <run_root>/former.json   {"schema": 1, "former": {"rdma/vf": ["<id>", …]}}, of this boot
class FormerBoot {
 public:
  // `proc_root`: of /proc, for sys/kernel/random/boot_id. `log` outlives it. Where no agent has
  // served before, or that is not known, everything counts as given in this boot.
  FormerBoot(std::string state_dir, std::string run_root, const std::string& proc_root,
             Logger& log);

  // Marks in what kubelet has saved what was given in a former boot: what is there at the first
  // call after a boot. An error but not_found is no answer, and the next call is the first.
  void mark(Result<std::vector<ledger::Saved>>& saved);
  // A container has these offers of the resource in this boot; whether that is new. From any
  // thread.
  bool started(const std::string& resource, const std::vector<std::string>& ids);
  // This agent serves the node from now on, and writes what it learns. What the one before it wrote
  // in this boot counts.
  void keep();

 private:
  using Offers = std::set<std::pair<std::string, std::string>>;  // resource, id

  // What agents of this boot wrote; nothing when none did. With mutex_.
  [[nodiscard]] Result<std::optional<Offers>> load() const;
  void write();  // with mutex_

  const std::string boot_file_;
  const std::string file_;
  Logger& log_;
  std::string boot_;  // "": not known
  std::mutex mutex_;
  Offers former_;
  bool is_first_look_ = false;  // of a boot after another one
  bool keeps_ = false;
};

}  // namespace railhead::app
