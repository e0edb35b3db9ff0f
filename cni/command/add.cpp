#include <algorithm>
#include <map>

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

// The routes as they stand: those that IPAM put in no table are in the interface's own.
void name_table(const attach::OwnTable& own, PluginResult& result) {
  for (auto& route : result.routes) {
    if (!route.table) route.table = own.table;
  }
}

bool takes_host_use(const Call& call) {
  return call.ipam.is_of_host() || (call.type.keeps_host_use && call.ipam.is_none());
}

// What follows attach(): addresses from IPAM, and onto the interface of that number.
Result<PluginResult> address(const Call& call, const Wanted& wanted,
                             attach::Transaction& transaction, size_t number,
                             const attach::Attached& attached, std::optional<PluginResult> together,
                             Stopwatch& watch, Steps& steps) {
  auto given = together ? Result<std::optional<PluginResult>>(std::move(together))
                        : call.ipam.add(call.deadline);
  steps.ipam_ms = watch.step_ms();
  if (!given) return pass(given);
  auto result = std::move(*given).value_or(PluginResult{});
  if (takes_host_use(call)) result = host_use(attached);
  if (call.ipam.is_of_host() && result.ips.empty()) {
    return refuse("ipam type host: {} has no address on the host", attached.device.name);
  }
  auto ip_config = read_ip_config(result);
  if (!ip_config) return pass(ip_config);
  ip_config->second_default =
      call.takes_default_route ? attach::SecondDefault::warn : call.type.second_default;
  ip_config->announces = wanted.announces;
  ip_config->own_table = wanted.own_table;
  if (attached.has_netdev) {  // a userspace driver's VF has no interface to set addresses on
    if (auto done = transaction.activate(number, *ip_config); !done) return pass(done);
  }
  steps.activate_ms = watch.step_ms();
  if (wanted.own_table) name_table(*wanted.own_table, result);
  return result;
}

// Before any is asked for: a lost DEL's must not be missing, and no GC may ever come. Others' must
// not cost this pod its own.
void free_addresses_of_the_gone(std::span<const Call> calls) {
  constexpr std::chrono::seconds kForOthers{5};
  const auto& first = calls.front();
  const Deadline for_others(first.host.clock, first.deadline.left(kForOthers), {});
  for (const auto& call : calls) {
    if (call.type.is_chained) continue;
    if (const auto freed = free_owed_addresses(call, {}, for_others); !freed) {
      call.log.warning("addresses of pods that are gone stay taken",
                       {{"network", call.conf.name}, {"error", freed.error().text()}});
    }
  }
}

// By call, where IPAM gives to all interfaces together.
using Together = std::vector<std::optional<PluginResult>>;

Result<Together> add_together(std::span<const Call> calls) {
  Together together(calls.size());
  std::vector<size_t> numbers;
  std::vector<RailsCall> of_rails;
  for (size_t i = 0; i < calls.size(); ++i) {
    if (!calls[i].ipam.is_of_rails() || calls[i].type.is_chained) continue;
    numbers.push_back(i);
    of_rails.push_back(calls[i].ipam.rails_call());
  }
  if (numbers.empty()) return together;
  auto results = add_rails(calls.front().host, of_rails, calls.front().deadline);
  if (!results) return pass(results);
  for (size_t k = 0; k < numbers.size(); ++k) together[numbers[k]] = std::move((*results)[k]);
  return together;
}

// To a netdev that came anew what the plugins before this one in the chain gave its predecessor.
Result<> give_again(attach::Transaction& transaction, size_t number,
                    const attach::Attached& attached, PluginResult& result) {
  auto ip_config = read_ip_config(result);
  if (!ip_config) return pass(ip_config);
  ip_config->second_default = attach::SecondDefault::warn;
  if (auto done = transaction.activate(number, *ip_config); !done) return done;
  for (auto& interface : result.interfaces) {
    const bool is_it = interface.name == attached.ifname && !interface.sandbox.empty();
    if (is_it && attached.mac) interface.mac = attached.mac->to_string();
  }
  return {};
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

Result<Wanted> read_wanted(const Call& call) {
  if (call.conf.type != call.type.name) {
    return refuse(
        "type {}: this program is railhead-meta, railhead, sriov, ib-sriov, rdma, host-device and "
        "amd-host-device",
        call.conf.type);
  }
  // It would wait for the device that the call before it holds.
  if (call.ipam.is_of_child()) {
    return refuse("the plugin that was called is this program itself, or leads back to it");
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
  const auto own =
      call.may_have ? (*call.may_have)(asked->device) : check_owner(call, asked->device, *args);
  if (!own) return pass(own);
  for (const auto& warning : asked->warnings) {
    call.log.warning(warning, {{"network", call.conf.name}, {"device", asked->device.name}});
  }
  attach::AttachRequest request{
      call.key(),
      call.request.netns,
      asked->device,
      asked->settings,
      call.with_rdma ? attach::RdmaUse::require : asked->rdma,
      args->pod_name.empty() ? "" : fmt::format("{}/{}", args->pod_namespace, args->pod_name),
      asked->kind,
      {},
      asked->own_table ? std::optional(asked->own_table->table) : std::nullopt,
      asked->reset,
      takes_host_use(call)};
  return Wanted{std::move(request), std::move(*previous), std::move(*dns), asked->own_table,
                asked->announces};
}

namespace {

// The rule of an address leads to one table: of two interfaces with it both would send by the
// first.
Result<> note_addresses(const PluginResult& given, const std::string& ifname,
                        std::map<std::string, std::string>& addressed) {
  for (const auto& ip : given.ips) {
    const auto address = ip.address.substr(0, ip.address.find('/'));
    const auto [other, is_new] = addressed.emplace(address, ifname);
    if (is_new) continue;
    return refuse("{}: IPAM gave {}, which is {}'s: expected an address of its own", ifname,
                  address, other->second);
  }
  return {};
}

// As DEL does: the devices first, and their addresses only when nobody answers to them any more.
// `asked`: the calls whose IPAM was asked.
Error undone(std::span<const Call> asked, const Deadline& deadline,
             attach::Transaction& transaction, Error error) {
  const auto undone = transaction.undo();
  auto left = as_result(undone.left);
  for (const auto& call : asked) {
    if (!undone.silent || call.type.is_chained) continue;
    left = both(left, call.ipam.call(cnispec::Command::del, deadline.for_undo()));
  }
  if (!left) {
    error.details = fmt::format("{}{}while undoing it: {}", error.details,
                                error.details.empty() ? "" : "; ", left.error().text());
  }
  return error;
}

}  // namespace

Result<std::vector<PluginResult>> attach_all(std::span<const Call> calls,
                                             std::span<const Wanted> wanted) {
  const auto& first = calls.front();
  Stopwatch watch(first.host.clock);
  std::vector<attach::AttachRequest> requests;
  for (const auto& one : wanted) requests.push_back(one.request);
  if (auto good = check_netns(first); !good) return pass(good);

  attach::Transaction transaction(first.host, first.deadline, first.log);
  Steps steps;
  const auto all = transaction.attach(requests);
  if (!all) {
    // Of several it is not said which one was refused, but by the text.
    if (calls.size() > 1) return pass(all);
    return Failure(first.type.refusal(all.error(), requests.front().device));
  }
  steps.attach_ms = watch.step_ms();

  std::vector<PluginResult> results;
  Result<> done;
  std::map<std::string, std::string> addressed;  // by address, the interface with a table
  free_addresses_of_the_gone(calls);
  auto together = add_together(calls);
  if (!together) done = pass(together);
  size_t asked = 0;
  for (size_t i = 0; i < calls.size(); ++i) {
    if (calls[i].ipam.is_of_rails()) asked = i + 1;
  }
  for (size_t i = 0; i < calls.size() && done; ++i) {
    auto result = wanted[i].previous.value_or(PluginResult{});
    if (!calls[i].type.is_chained) {
      asked = std::max(asked, i + 1);
      auto own = address(calls[i], wanted[i], transaction, i, (*all)[i], std::move((*together)[i]),
                         watch, steps);
      if (own && wanted[i].own_table) done = note_addresses(*own, (*all)[i].ifname, addressed);
      if (own) {
        result =
            join_results(calls[i], std::move(result), std::move(*own), (*all)[i], wanted[i].dns);
      } else {
        done = pass(own);
      }
    } else if ((*all)[i].came_anew) {
      done = give_again(transaction, i, (*all)[i], result);
    }
    results.push_back(std::move(result));
  }
  if (done) done = transaction.commit();
  if (!done) {
    return Failure(undone(calls.first(asked), first.deadline, transaction, done.error()));
  }
  for (size_t i = 0; i < calls.size(); ++i) {
    log_done(calls[i], requests[i], (*all)[i], steps, watch.total_ms());
  }
  return results;
}

Result<std::string> add(const Call& call) {
  const auto wanted = read_wanted(call);
  if (!wanted) return pass(wanted);
  const auto results = attach_all({&call, 1}, {&*wanted, 1});
  if (!results) return pass(results);
  return cnispec::to_json(results->front(), call.conf.cni_version);
}

}  // namespace railhead::cni
