#pragma once
#include "attach/attachment.hpp"
#include "cnispec/plugin_result.hpp"

namespace railhead::cni {

// An IPAM plugin's addresses and routes as values. A route without gateway gets the first address'
// gateway of its family; without such a gateway it is a route to the link. Code 6 when an address
// cannot be read.
Result<attach::IpConfig> read_ip_config(const cnispec::PluginResult& result);

// What a NIC had on the host, as IPAM's answer: its addresses, of a network of two the other one as
// gateway, and its routes but for those that the kernel makes by an address.
cnispec::PluginResult host_use(const attach::Attached& attached);

}  // namespace railhead::cni
