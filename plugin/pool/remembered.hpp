#pragma once
// What the agents of this boot left below Roots::run, `run_root`, for the next one.
#include "plugin/pool/select.hpp"

namespace railhead::pool {

// Which resource of the configuration had a device that a container was given. A record that cannot
// be read is of use to nobody here: its device is found by what is seen of it, if at all.
[[nodiscard]] std::set<Membership> read_allocated(const config::Config& config,
                                                  const std::string& run_root);

// rails.json. Nothing when there is none; decode: it cannot be read, the message names it.
[[nodiscard]] Result<Rails> read_rails(const std::string& run_root);
// Atomically, 0600.
[[nodiscard]] Result<void> write_rails(const std::string& run_root, const Rails& rails);

}  // namespace railhead::pool
