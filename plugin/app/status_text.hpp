#pragma once
#include <string>

#include "plugin/app/agent.hpp"

namespace railhead::app {

// What `railhead-agent status` prints: who serves, pools, devices, their health and holders.
[[nodiscard]] std::string status_text(const Agent::State& state);
[[nodiscard]] std::string status_json(const Agent::State& state);

}  // namespace railhead::app
