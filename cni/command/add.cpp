#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "attach/function.hpp"
#include "attach/transaction.hpp"
#include "base/text.hpp"
#include "cni/command/command.hpp"
#include "cni/conf.hpp"
#include "cni/ip_config.hpp"
#include "cnispec/cni_error.hpp"
#include "ipc/client.hpp"
#include "ipc/owner.hpp"
#include "ipc/socket.hpp"

namespace railhead::cni {

using cnispec::PluginResult;

namespace {

// A pod's interface must not be "moved" into the host's own namespace: nothing would be given back
// when the pod ends.
Result<> check_netns(const Call& call) {
  const auto netns = call.host.netns.open(call.request.netns);
  if (!netns) {
    return cnispec::fail_cni(
        cnispec::code::kInvalidNetns,
        fmt::format("failed to open netns \"{}\": {}", call.request.netns, netns.error().message));
  }
  if (call.request.netns_override) return {};
  const auto own = call.host.netns.current();
  if (!own) return pass(own);
  if (netns->id() == own->id()) {
    return cnispec::fail_cni(cnispec::code::kInvalidNetns,
                             "plugin's netns and netns from CNI_NETNS should not be the same");
  }
  return {};
}

// The agent sees what kubelet gave to whom; nobody else tells two pods with one device apart before
// the first of them has it attached.
Result<> check_owner(const Call& call, const device::DeviceId& device,
                     const cnispec::CniArgs& args) {
  constexpr std::chrono::seconds kLimit{3};  // it may have to ask kubelet
  const auto ownership = read_ownership(call.config);
  if (!ownership) return pass(ownership);
  if (*ownership == Ownership::off || attach::is_bare_netdev(device)) return {};
  const auto answer =
      ipc::ask_owner(ipc::socket_in(call.host.roots.run),
                     {device.name, args.pod_namespace, args.pod_name}, call.deadline.left(kLimit));
  if (!answer) {
    if (*ownership == Ownership::require) {
      return fail(ErrorCode::unavailable, "ownership: require: whose {} is cannot be asked: {}",
                  device.name, answer.error().message);
    }
    if (!is(answer, ErrorCode::not_found)) {
      call.log.warning("whose the device is cannot be asked",
                       {{"device", device.name}, {"error", answer.error().message}});
    }
    return {};
  }
  if (!ipc::is_of_another(*answer, args.pod_namespace, args.pod_name)) return {};
  const auto text = fmt::format("{} was given to {} as {}; it is attached to no other pod",
                                device.name, answer->who(), answer->resource);
  // Who does not say for which pod it asks may ask for that one.
  const bool is_told = !args.pod_name.empty() || *ownership == Ownership::require;
  if (*ownership != Ownership::warn && is_told) {
    return fail(ErrorCode::busy, "{}", text);
  }
  call.log.warning(
      "another pod's device is attached",
      {{"device", device.name}, {"owner", answer->who()}, {"resource", answer->resource}});
  return {};
}

struct Steps {
  double attach_ms = 0;
  double ipam_ms = 0;
  double activate_ms = 0;
};

// What follows attach(): addresses from IPAM, and onto the interface.
Result<PluginResult> address(const Call& call, attach::Transaction& transaction,
                             const attach::Attached& attached, Stopwatch& watch, Steps& steps) {
  // A lost DEL's must not be missing, and no GC may ever come. Others' must not cost this pod its
  // own.
  constexpr std::chrono::seconds kForOthers{5};
  const Deadline for_others(call.host.clock, call.deadline.left(kForOthers), {});
  if (const auto freed = free_owed_addresses(call, {}, for_others); !freed) {
    call.log.warning("addresses of pods that are gone stay taken",
                     {{"network", call.conf.name}, {"error", freed.error().text()}});
  }
  auto given = call.ipam.add(call.deadline);
  steps.ipam_ms = watch.step_ms();
  if (!given) return pass(given);
  auto result = std::move(*given).value_or(PluginResult{});
  auto ip_config = read_ip_config(result);
  if (!ip_config) return pass(ip_config);
  ip_config->second_default = call.type.second_default;
  if (attached.has_netdev) {  // a userspace driver's VF has no interface to set addresses on
    if (auto done = transaction.activate(0, *ip_config); !done) return pass(done);
  }
  steps.activate_ms = watch.step_ms();
  return result;
}

// What the plugins before this one in the chain gave, then the interface with every address on it.
PluginResult join_results(const Call& call, PluginResult previous, PluginResult own,
                          const attach::Attached& attached, const cnispec::Dns& dns) {
  cnispec::Interface interface;
  interface.name = attached.ifname;
  if (attached.mac) interface.mac = attached.mac->to_string();
  if (attached.mtu != 0) interface.mtu = attached.mtu;
  interface.sandbox = call.request.netns;
  if (attached.device.pci()) interface.pci_id = attached.device.name;
  const auto number = static_cast<uint32_t>(previous.interfaces.size());
  previous.interfaces.push_back(std::move(interface));
  for (auto& ip : own.ips) {
    ip.interface = number;
    previous.ips.push_back(std::move(ip));
  }
  for (auto& route : own.routes) previous.routes.push_back(std::move(route));
  if (!(own.dns == cnispec::Dns{})) previous.dns = std::move(own.dns);
  if (previous.dns == cnispec::Dns{}) previous.dns = dns;
  return previous;
}

void log_done(const Call& call, const attach::AttachRequest& request,
              const attach::Attached& attached, const Steps& steps, double total_ms) {
  for (const auto& warning : attached.warnings) {
    call.log.warning(warning, {{"device", attached.device.name}, {"pod", request.pod}});
  }
  call.log.info("ADD done", {{"network", request.key.network},
                             {"container", request.key.container_id},
                             {"ifname", request.key.ifname},
                             {"pod", request.pod},
                             {"device", attached.device.name},
                             {"rdma", join(attached.rdma, ",")},
                             {"attach_ms", steps.attach_ms},
                             {"ipam_ms", steps.ipam_ms},
                             {"activate_ms", steps.activate_ms},
                             {"total_ms", total_ms}});
}

}  // namespace

namespace {

struct Wanted {
  attach::AttachRequest request;
  std::optional<PluginResult> previous;
  cnispec::Dns dns;
};

Result<Wanted> read_wanted(const Call& call) {
  if (call.conf.type != call.type.name) {
    return refuse("type {}: this program is railhead, sriov, rdma and host-device", call.conf.type);
  }
  // It would wait for the device that the call before it holds.
  if (call.ipam.is_nested()) {
    return refuse("the IPAM plugin that was called is this program itself, or leads back to it");
  }
  if (auto good = check_budgets(call.config); !good) return pass(good);
  const auto args = cnispec::read_args(call.request.args);
  if (!args) return pass(args);
  auto previous = cnispec::read_prev_result(call.config);
  if (!previous) return pass(previous);
  const auto asked =
      call.type.read({call.config, *args, *previous ? &**previous : nullptr, call.host});
  if (!asked) return pass(asked);
  auto dns = cnispec::read_conf_dns(call.config);
  if (!dns) return pass(dns);
  if (!asked->unknown_keys.empty()) {
    call.log.warning("keys that are not known here are ignored",
                     {{"network", call.conf.name}, {"keys", join(asked->unknown_keys, ",")}});
  }
  if (auto own = check_owner(call, asked->device, *args); !own) return pass(own);
  for (const auto& warning : asked->warnings) {
    call.log.warning(warning, {{"network", call.conf.name}, {"device", asked->device.name}});
  }
  attach::AttachRequest request{
      call.key(),
      call.request.netns,
      asked->device,
      asked->settings,
      asked->rdma,
      args->pod_name.empty() ? "" : fmt::format("{}/{}", args->pod_namespace, args->pod_name),
      asked->kind,
      {},
      asked->reset};
  return Wanted{std::move(request), std::move(*previous), std::move(*dns)};
}

// As DEL does: the device first, and its address only when nobody answers to it any more.
Error undone(const Call& call, attach::Transaction& transaction, Error error) {
  const auto undone = transaction.undo();
  Result<> released;
  if (undone.silent && !call.type.is_chained) {
    released = call.ipam.call(cnispec::Command::del, call.deadline.for_undo());
  }
  if (const auto both_done = both(as_result(undone.left), released); !both_done) {
    error.details = fmt::format("{}{}while undoing it: {}", error.details,
                                error.details.empty() ? "" : "; ", both_done.error().text());
  }
  return error;
}

}  // namespace

Result<std::string> add(const Call& call) {
  Stopwatch watch(call.host.clock);
  auto wanted = read_wanted(call);
  if (!wanted) return pass(wanted);
  if (auto good = check_netns(call); !good) return pass(good);

  attach::Transaction transaction(call.host, call.deadline, call.log);
  Steps steps;
  const auto all = transaction.attach({&wanted->request, 1});
  if (!all) return Failure(call.type.refusal(all.error(), wanted->request.device));
  const auto& attached = all->front();
  steps.attach_ms = watch.step_ms();

  Result<PluginResult> result = wanted->previous.value_or(PluginResult{});
  if (!call.type.is_chained) {
    auto own = address(call, transaction, attached, watch, steps);
    result = own ? Result<PluginResult>(join_results(call, std::move(*result), std::move(*own),
                                                     attached, wanted->dns))
                 : pass(own);
  }
  if (result) {
    if (auto done = transaction.commit(); !done) result = pass(done);
  }
  if (!result) return Failure(undone(call, transaction, result.error()));
  log_done(call, wanted->request, attached, steps, watch.total_ms());
  return cnispec::to_json(*result, call.conf.cni_version);
}

}  // namespace railhead::cni
