#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "cni/command/command.hpp"
#include "cni/ip_config.hpp"
#include "cni/sriov_conf.hpp"

namespace railhead::cni {

using cnispec::Outcome;
using cnispec::PluginResult;

namespace {

// A pod's interface must not be "moved" into the host's own namespace: nothing would be given back
// when the pod ends.
Outcome<> check_netns(const Call& call) {
  const auto netns = call.host.netns.open(call.request.netns);
  if (!netns) {
    return cnispec::refuse(
        cnispec::code::kInvalidNetns,
        fmt::format("failed to open netns \"{}\": {}", call.request.netns, netns.error().message));
  }
  if (call.request.netns_override) return {};
  const auto own = call.host.netns.current();
  if (!own) return cnispec::refuse(cnispec::to_cni_error(own.error()));
  if (netns->id() == own->id()) {
    return cnispec::refuse(cnispec::code::kInvalidNetns,
                           "plugin's netns and netns from CNI_NETNS should not be the same");
  }
  return {};
}

struct Steps {
  double attach_ms = 0;
  double ipam_ms = 0;
  double activate_ms = 0;
};

// What follows attach(): addresses from IPAM, and onto the interface.
Outcome<PluginResult> address(const Call& call, attach::Attacher& attacher,
                              const attach::Attached& attached, Stopwatch& watch, Steps& steps) {
  auto given = call.ipam.add();
  steps.ipam_ms = watch.step_ms();
  if (!given) return cnispec::refuse(given.error());
  auto result = std::move(*given).value_or(PluginResult{});
  const auto ip_config = read_ip_config(result);
  if (!ip_config) return cnispec::refuse(ip_config.error());
  if (attached.has_netdev) {  // a userspace driver's VF has no interface to set addresses on
    if (auto done = attacher.activate(*ip_config); !done) {
      return cnispec::refuse(cnispec::to_cni_error(done.error()));
    }
  }
  steps.activate_ms = watch.step_ms();
  return result;
}

// The interface in front, every address on it.
void put_interface(PluginResult& result, const Call& call, const attach::Attached& attached,
                   const cnispec::Dns& dns) {
  cnispec::Interface interface;
  interface.name = attached.ifname;
  if (attached.mac) interface.mac = attached.mac->to_string();
  if (attached.mtu != 0) interface.mtu = attached.mtu;
  interface.sandbox = call.request.netns;
  interface.pci_id = attached.device.to_string();
  result.interfaces = {std::move(interface)};
  for (auto& ip : result.ips) ip.interface = 0;
  if (result.dns == cnispec::Dns{}) result.dns = dns;
}

void log_done(const Call& call, const attach::AttachRequest& request,
              const attach::Attached& attached, const Steps& steps, double total_ms) {
  for (const auto& warning : attached.warnings) {
    call.log.warning(warning, {{"device", attached.device.to_string()}, {"pod", request.pod}});
  }
  call.log.info("ADD done", {{"network", request.key.network},
                             {"container", request.key.container_id},
                             {"ifname", request.key.ifname},
                             {"pod", request.pod},
                             {"device", attached.device.to_string()},
                             {"rdma", join(attached.rdma, ",")},
                             {"attach_ms", steps.attach_ms},
                             {"ipam_ms", steps.ipam_ms},
                             {"activate_ms", steps.activate_ms},
                             {"total_ms", total_ms}});
}

}  // namespace

Outcome<std::string> add(const Call& call) {
  Stopwatch watch(call.host.clock);
  const auto args = cnispec::read_args(call.request.args);
  if (!args) return cnispec::refuse(args.error());
  const auto conf = read_sriov_conf(call.config, *args);
  if (!conf) return cnispec::refuse(conf.error());
  const auto dns = cnispec::read_conf_dns(call.config);
  if (!dns) return cnispec::refuse(dns.error());
  if (!conf->unknown_keys.empty()) {
    call.log.warning("keys that are not known here are ignored",
                     {{"network", call.conf.name}, {"keys", join(conf->unknown_keys, ",")}});
  }
  if (auto good = check_netns(call); !good) return cnispec::refuse(good.error());

  const attach::AttachRequest request{
      call.key(),
      call.request.netns,
      conf->device,
      conf->settings,
      conf->rdma,
      args->pod_name.empty() ? "" : fmt::format("{}/{}", args->pod_namespace, args->pod_name)};
  attach::Attacher attacher(call.host, call.log);
  Steps steps;
  const auto attached = attacher.attach(request);
  if (!attached) return cnispec::refuse(cnispec::to_cni_error(attached.error()));
  steps.attach_ms = watch.step_ms();

  auto result = address(call, attacher, *attached, watch, steps);
  if (!result) {
    auto error = result.error();
    // As DEL does: the VF first.
    const auto detached = to_outcome(attacher.detach(request.key));
    const auto undone = both(detached, call.ipam.call(cnispec::Command::del));
    if (!undone) {
      error.details = fmt::format("{}{}while undoing it: {}", error.details,
                                  error.details.empty() ? "" : "; ", undone.error().text());
    }
    return cnispec::refuse(std::move(error));
  }
  put_interface(*result, call, *attached, *dns);
  log_done(call, request, *attached, steps, watch.total_ms());
  return cnispec::to_json(*result, call.conf.cni_version);
}

}  // namespace railhead::cni
