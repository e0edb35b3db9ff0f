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

// What containers were given before this boot, and have not been started with since: nobody has
// these nodes open, and after a boot another device may have them. Kubelet's file does not tell.
// <state_dir>/boot.json: {"schema": 1, "boot": "<boot id>", "former": {"rdma/vf": ["<id>", …]}}.
class FormerBoot {
 public:
  // `state_dir` outlives a boot; `proc_root`: of /proc, for sys/kernel/random/boot_id. `log`
  // outlives it. What is on disk and cannot be read is logged; then, and where this program never
  // ran before, everything counts as given in this boot.
  FormerBoot(std::string state_dir, const std::string& proc_root, Logger& log);

  // Takes the nodes that were given in a former boot out of what kubelet has saved. What is there
  // at the first call after a boot was.
  void strike(Result<std::vector<ledger::Saved>>& saved);
  // A container has these offers of the resource in this boot; whether that is new. From any
  // thread.
  bool started(const std::string& resource, const std::vector<std::string>& ids);
  // This agent serves the node from now on, and writes what it learns. What the one before it wrote
  // in this boot counts.
  void keep();

 private:
  using Offer = std::pair<std::string, std::string>;  // resource, id

  // The offers of the file if it is of this boot; nothing if it is of another. With mutex_.
  [[nodiscard]] std::optional<std::set<Offer>> load();
  void write();  // with mutex_

  const std::string file_;
  Logger& log_;
  std::string boot_;  // "": not known
  std::mutex mutex_;
  std::set<Offer> former_;
  bool is_first_look_;  // of this boot
  bool keeps_ = false;
};

}  // namespace railhead::app
