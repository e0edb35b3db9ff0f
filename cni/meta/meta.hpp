#pragma once
// The meta plugin: a pod's networks as one act, in the place of Multus.
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "base/log.hpp"
#include "cnispec/net_conf.hpp"
#include "cnispec/request.hpp"
#include "host/host.hpp"

namespace railhead::cni {

struct MetaCall {
  const cnispec::Environment& environment;
  const cnispec::Request& request;
  const cnispec::NetConf& conf;
  const nlohmann::ordered_json& config;  // the whole of it
  const std::string& input;              // the same, as it came
  host::Host& host;
  Logger& log;
};

// Serves the verb. ADD: all networks of the pod, or none. DEL: from the record, in the reverse
// order, whatever else has become of the configuration. Gives what goes to standard output.
Result<std::string> run_meta(cnispec::Command command, const MetaCall& call);

}  // namespace railhead::cni
