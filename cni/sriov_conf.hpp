#pragma once
// The keys of plugin types `railhead` and `sriov`, with the rules and texts that sriov-cni users
// know.
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "attach/attachment.hpp"
#include "base/log.hpp"
#include "base/pci_address.hpp"
#include "cnispec/cni_error.hpp"
#include "cnispec/request.hpp"

namespace railhead::cni {

struct SriovConf {
  PciAddress device;
  attach::VfSettings settings;
  attach::RdmaUse rdma = attach::RdmaUse::automatic;
  std::vector<std::string> unknown_keys;  // ignored, worth a warning: it may be a typing error
  friend bool operator==(const SriovConf&, const SriovConf&) = default;
};

// Errors: code 7. The MAC is runtimeConfig's, else that of CNI_ARGS, else the configuration's; the
// device is `deviceID`, else runtimeConfig.deviceID, else `pciBusID`.
cnispec::Outcome<SriovConf> read_sriov_conf(const nlohmann::ordered_json& config,
                                            const cnispec::CniArgs& args);

struct LogConf {
  std::string file;  // "": standard error
  LogLevel level = LogLevel::info;
  friend bool operator==(const LogConf&, const LogConf&) = default;
};

// Never fails: what cannot be read is as if it were not there, as in sriov-cni.
LogConf read_log_conf(const nlohmann::ordered_json& config);

}  // namespace railhead::cni
