#include "cni/types/railhead.hpp"

#include <nlohmann/json.hpp>

#include "attach/function.hpp"
#include "cni/conf.hpp"
#include "cni/types/multi_nic.hpp"
#include "cni/types/vf_keys.hpp"

namespace railhead::cni {
namespace {

// Of the keys that an Ethernet PF keeps of its VFs, but for the MAC, the first that is asked for.
std::string_view first_of_vf(const host::VfAttributes& vf) {
  if (vf.vlan) return "vlan";
  if (vf.rate) return vf.rate->max_tx != 0 ? "max_tx_rate" : "min_tx_rate";
  if (vf.spoofchk) return "spoofchk";
  return vf.trust ? "trust" : "";
}

// Of the keys that only the other link layer has, the first that is asked for; "": none.
std::string_view misplaced(const host::VfAttributes& vf, host::LinkLayer layer) {
  if (layer == host::LinkLayer::ethernet) return vf.port_guid ? "guid" : "";
  return vf.mac ? "mac" : first_of_vf(vf);
}

// A sub-function, or a function without a PF here: a NIC without SR-IOV, or a VF whose PF is not in
// this machine. "": it is a VF, or cannot be told.
std::string_view what_if_whole(const host::Host& host, const device::DeviceId& device) {
  if (!device.pci()) return "a sub-function";
  const auto function = attach::read_function(host, device);
  return function && !function->pf ? "no VF of a PF that is here" : "";
}

// A netdev with its RDMA devices, for which no PF keeps anything that can be set.
Result<void> make_whole(Asked& asked, host::LinkLayer layer, std::string_view what) {
  if (layer == host::LinkLayer::infiniband) {
    return refuse("{} is {}, and InfiniBand: expected a VF", asked.device.name, what);
  }
  const auto& vf = asked.settings.vf;
  auto key = first_of_vf(vf);
  if (vf.link_state) key = "link_state";
  if (vf.port_guid) key = "guid";
  if (asked.reset) key = "reset";
  if (!key.empty()) {
    return refuse("{}: {} is {}, which has no such setting{}", key, asked.device.name, what,
                  asked.reset || asked.device.pci() ? "" : ": it is its representor's");
  }
  asked.kind = attach::KindName::whole_nic;
  return {};
}

}  // namespace

Result<Asked> read_railhead(const Source& source) {
  // By another meta plugin, or a runtime: one device and one interface for each call.
  if (source.config.contains("rails")) {
    return refuse(
        "rails: a network over several rails needs railhead-meta as the node's meta plugin; here "
        "one network for each rail");
  }
  auto asked = read_vf_keys(source, {.default_rdma = attach::RdmaUse::automatic,
                                     .knows_reset = true,
                                     .knows_guid = true,
                                     .takes_sub_function = true,
                                     .more_keys = kMultiNicKeys});
  if (!asked) return asked;
  auto multi_nic = read_multi_nic(source.config);
  if (!multi_nic) return pass(multi_nic);
  asked->own_table = std::move(multi_nic->own_table);
  asked->announces = multi_nic->announces;
  const auto layer = attach::read_layer(source.host, asked->device);
  if (!layer) return pass(layer);
  if (const auto what = what_if_whole(source.host, asked->device); !what.empty()) {
    if (auto made = make_whole(*asked, *layer, what); !made) return pass(made);
    return asked;
  }
  const bool is_ib = *layer == host::LinkLayer::infiniband;
  if (const auto key = misplaced(asked->settings.vf, *layer); !key.empty()) {
    return refuse("{}: {} is an {} VF, which has no such setting", key, asked->device.name,
                  is_ib ? "InfiniBand" : "Ethernet");
  }
  if (is_ib) asked->kind = attach::KindName::ib_vf;
  return asked;
}

Error railhead_refusal(Error error, const device::DeviceId&) { return error; }

}  // namespace railhead::cni
