#pragma once
#include "attach/attachment.hpp"
#include "cnispec/plugin_result.hpp"

namespace railhead::cni {

// An IPAM plugin's addresses and routes as values. A route without gateway gets the first address'
// gateway of its family; without such a gateway it is a route to the link. Code 6 when an address
// cannot be read.
Result<attach::IpConfig> read_ip_config(const cnispec::PluginResult& result);

}  // namespace railhead::cni
