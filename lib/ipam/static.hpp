#pragma once
// The addresses that a configuration of type `static` names, as upstream's plugin of that name
// reads them.
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/error.hpp"
#include "ipam/ranges.hpp"

namespace railhead::ipam {

// IP and GATEWAY of CNI_ARGS, each one or several with commas between; "": not there.
struct StaticArgs {
  std::string addresses;  // "10.1.0.5/24"
  std::string gateways;
};

// runtimeConfig.ips, else args.cni.ips, else `addresses` and then those of CNI_ARGS, with a gateway
// where one of the two names it. None is no error here. Errors (invalid_argument) quote the value.
Result<std::vector<Given>> read_static(const nlohmann::ordered_json& config,
                                       const StaticArgs& asked);

}  // namespace railhead::ipam
