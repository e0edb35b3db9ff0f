#pragma once
#include "plugin/app/node_watch.hpp"
#include "plugin/ledger/holdings.hpp"
#include "plugin/pool/select.hpp"

namespace railhead::app {

// What is read of the node for this configuration.
[[nodiscard]] NodeWatch::Interest interest_of(const config::Config& config,
                                              const device::ScanOptions& scan);

// The same with the ports that the health of what was selected depends on, and what pods have of
// before.
[[nodiscard]] NodeWatch::Interest interest_of(const config::Config& config,
                                              const device::ScanOptions& scan,
                                              const device::Inventory& inventory,
                                              const pool::Selection& selection,
                                              const ledger::Holdings& holdings);

}  // namespace railhead::app
