#pragma once
// The plugin types that this program answers to. Each reads its keys into a request of lib/attach,
// and says what that refuses in the words of the program whose place it takes.
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "attach/attachment.hpp"
#include "cnispec/plugin_result.hpp"
#include "cnispec/request.hpp"

namespace railhead::cni {

// What a configuration asks for.
struct Asked {
  device::DeviceId device;
  attach::KindName kind = attach::KindName::eth_vf;
  attach::Settings settings;
  attach::RdmaUse rdma = attach::RdmaUse::automatic;
  std::optional<attach::OwnTable> own_table = {};
  bool announces = true;                  // neighbours are told of its addresses
  bool reset = false;                     // of a VF: the undo resets it
  std::vector<std::string> unknown_keys;  // ignored, worth a warning: it may be a typing error
  std::vector<std::string> warnings;      // what is accepted and does not come about
  friend bool operator==(const Asked&, const Asked&) = default;
};

struct Source {
  const nlohmann::ordered_json& config;
  const cnispec::CniArgs& args;
  const cnispec::PluginResult* previous;  // null: it is the first of its chain
  host::Host& host;
};

struct Type {
  std::string_view name;
  // Code 7 for what the configuration says, else what keeps it from being answered.
  Result<Asked> (*read)(const Source& source);
  // What lib/attach refused of that device, with its CNI code.
  Error (*refusal)(Error error, const device::DeviceId& device);
  // Works on what a plugin before it in the chain has attached: no IPAM, and the result is that
  // plugin's.
  bool is_chained = false;
  // A type that stands in another program's place takes what NADs for that one say.
  attach::SecondDefault second_default = attach::SecondDefault::warn;
  // Without IPAM the interface has the addresses that the NIC has on the host, if any.
  bool keeps_host_use = false;
  // Whose attachments a DEL without a record takes over.
  attach::Predecessor predecessor = attach::Predecessor::sriov_cni;
};

// Whether one of the types is called so.
[[nodiscard]] bool is_own_type(std::string_view name);
// By the configuration's "type"; "railhead" for every other name, by which a DEL gives back what
// stands on record, and no ADD is done.
[[nodiscard]] const Type& type_of(std::string_view name);

}  // namespace railhead::cni
