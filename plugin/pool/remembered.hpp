#pragma once
// What agents left for the next one: of this boot below Roots::run, `run_root`; beyond it in
// `state_root`.
#include "plugin/pool/select.hpp"

namespace railhead::pool {

// The resource of the configuration that `full_name` is, or is a rail of.
[[nodiscard]] std::string configured_name(const config::Config& config,
                                          const std::string& full_name);
// Which resource of the configuration had a device that a container was given. A record that cannot
// be read is of use to nobody here: its device is found by what is seen of it, if at all.
[[nodiscard]] std::set<Membership> read_allocated(const config::Config& config,
                                                  const std::string& run_root);

// <state_root>/resources.json, which outlives a boot: the resources that were served when it was
// written. Nothing when there is none; decode: it cannot be read, the message names it.
[[nodiscard]] Result<std::set<std::string>> read_own_resources(const std::string& state_root);
// Atomically, 0600, in a folder 0700.
[[nodiscard]] Result<void> write_own_resources(const std::string& state_root,
                                               const std::set<std::string>& resources);

// <state_root>/rails.json, which outlives a boot as the pods do whose devices have their names by
// it. Nothing when there is none; decode: it cannot be read, the message names it.
[[nodiscard]] Result<Rails> read_rails(const std::string& state_root);
// Atomically, 0600.
[[nodiscard]] Result<void> write_rails(const std::string& state_root, const Rails& rails);

}  // namespace railhead::pool
