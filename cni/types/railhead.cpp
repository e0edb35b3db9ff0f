#include "cni/types/railhead.hpp"

#include "attach/function.hpp"
#include "cni/conf.hpp"
#include "cni/types/vf_keys.hpp"

namespace railhead::cni {
namespace {

// Of the keys that only the other link layer has, the first that is asked for; "": none.
std::string_view misplaced(const host::VfAttributes& vf, host::LinkLayer layer) {
  if (layer == host::LinkLayer::ethernet) return vf.port_guid ? "guid" : "";
  if (vf.vlan) return "vlan";
  if (vf.mac) return "mac";
  if (vf.rate) return vf.rate->max_tx != 0 ? "max_tx_rate" : "min_tx_rate";
  if (vf.spoofchk) return "spoofchk";
  return vf.trust ? "trust" : "";
}

}  // namespace

Result<Asked> read_railhead(const Source& source) {
  auto asked = read_vf_keys(
      source,
      {.default_rdma = attach::RdmaUse::automatic, .knows_reset = true, .knows_guid = true});
  if (!asked) return asked;
  const auto layer = attach::read_layer(source.host, asked->device);
  if (!layer) return pass(layer);
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
