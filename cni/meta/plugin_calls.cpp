#include "cni/meta/plugin_calls.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "cni/ipam.hpp"
#include "cnispec/cni_error.hpp"
#include "cnispec/delegate.hpp"
#include "cnispec/network_list.hpp"

namespace railhead::cni {

using cnispec::Command;

// All that a Call refers to.
struct PluginCalls::OwnCall {
  std::string input;
  cnispec::Environment environment;
  cnispec::Request request;
  nlohmann::ordered_json config;
  cnispec::NetConf conf;
  Ipam ipam;
};

struct PluginCalls::OwnTransaction {
  std::vector<std::unique_ptr<OwnCall>> own;
  std::vector<Call> calls;
  std::vector<Wanted> wanted;
};

namespace {

// libcni's word for the verb, in "plugin type="sriov" name="rail" failed (add)".
std::string_view word_of(Command command) {
  switch (command) {
    case Command::add:
      return "add";
    case Command::del:
      return "delete";
    case Command::check:
      return "check";
    case Command::gc:
      return "gc";
    case Command::status:
      return "status";
    case Command::version:
      break;
  }
  return "version";
}

Error of_plugin(Error error, Command command, const PodNetwork& network, const PodPlugin& plugin) {
  return error.in(fmt::format("{}: plugin type=\"{}\" name=\"{}\" failed ({})", network.place,
                              plugin.type, network.name, word_of(command)));
}

// The rdma plugin of a chain that the chain's own device goes along with.
bool moves_rdma(const PodNetwork& network) {
  return std::ranges::any_of(network.plugins, [](const PodPlugin& plugin) {
    return plugin.is_own && plugin.type == "rdma";
  });
}

}  // namespace

cnispec::Environment PluginCalls::environment_of(Command command, const PodRecord& record,
                                                 const PodNetwork& network) const {
  auto all = cnispec::with(environment_, "CNI_COMMAND", cnispec::to_string(command));
  all = cnispec::with(std::move(all), "CNI_CONTAINERID", record.container_id);
  all = cnispec::with(std::move(all), "CNI_IFNAME", network.ifname);
  all = cnispec::with(std::move(all), "CNI_NETNS", record.netns_path);
  all = cnispec::with(std::move(all), "CNI_ARGS", network.args);
  return cnispec::with(std::move(all), "CNI_PATH", record.plugin_path);
}

Result<std::unique_ptr<PluginCalls::OwnCall>> PluginCalls::own_call(
    Command command, const PodRecord& record, const Act& act,
    const std::string& prev_result) const {
  const auto& network = record.networks[act.network];
  auto input = cnispec::with_prev_result(network.plugins[act.plugin].input, prev_result);
  auto environment = environment_of(command, record, network);
  auto request = cnispec::read_request(environment);
  if (!request) return pass(request);
  auto config = cnispec::parse_config(input);
  auto conf = config ? cnispec::read_net_conf(*config) : pass(config);
  const auto admitted = conf ? cnispec::admit(*request, *conf) : pass(conf);
  if (!admitted) return pass(admitted);
  auto call = std::unique_ptr<OwnCall>(new OwnCall{std::move(input), std::move(environment),
                                                   std::move(*request), std::move(*config), *conf,
                                                   Ipam("", environment_, input, host_)});
  call->ipam = Ipam(conf->ipam_type, call->environment, call->input, host_);
  return call;
}

Result<std::string> PluginCalls::run_own(Command command, const PodRecord& record, const Act& act,
                                         const std::string& prev_result,
                                         const Deadline& deadline) const {
  const auto own = own_call(command, record, act, prev_result);
  if (!own) return pass(own);
  auto& [input, environment, request, config, conf, ipam] = **own;
  return run_verb(command, Call{request, conf, config, type_of(conf.type), deadline, ipam, host_,
                                log_, false, may_have_ ? &may_have_ : nullptr});
}

Result<std::shared_ptr<PluginCalls::OwnTransaction>> PluginCalls::plan_own(
    const PodRecord& record, std::span<const Act> acts) const {
  auto all = std::make_shared<OwnTransaction>();
  for (const auto& act : acts) {
    const auto& network = record.networks[act.network];
    const auto failed = [&](const Error& error) {
      return Failure(of_plugin(error, Command::add, network, network.plugins[act.plugin]));
    };
    auto one = own_call(Command::add, record, act, "");
    if (!one) return failed(one.error());
    auto& [input, environment, request, config, conf, ipam] = **one;
    const Call call{request,
                    conf,
                    config,
                    type_of(conf.type),
                    deadline_,
                    ipam,
                    host_,
                    log_,
                    moves_rdma(network),
                    may_have_ ? &may_have_ : nullptr,
                    network.gateways.has_value()};
    auto wanted = read_wanted(call);
    if (!wanted) return failed(wanted.error());
    all->calls.push_back(call);
    all->wanted.push_back(std::move(*wanted));
    all->own.push_back(std::move(*one));
  }
  return all;
}

Result<std::vector<std::string>> PluginCalls::attach_own(OwnTransaction& own) const {
  std::vector<std::string> texts;
  if (own.calls.empty()) return texts;
  const auto results = attach_all(own.calls, own.wanted);
  if (!results) return pass(results);
  for (size_t i = 0; i < own.calls.size(); ++i) {
    texts.push_back(cnispec::to_json((*results)[i], own.calls[i].conf.cni_version));
  }
  return texts;
}

Result<std::string> PluginCalls::run_program(Command command, const PodRecord& record,
                                             const Act& act, const std::string& prev_result,
                                             const Deadline& deadline) const {
  const auto& network = record.networks[act.network];
  const auto& plugin = network.plugins[act.plugin];
  auto program = cnispec::find_plugin(plugin.type, record.plugin_path);
  if (!program) return pass(program);
  auto environment = environment_of(command, record, network);
  environment = cnispec::with(std::move(environment), kOfMeta, "1");
  auto result = host_.processes.run({.program = std::move(*program),
                                     .environment = std::move(environment),
                                     .input = cnispec::with_prev_result(plugin.input, prev_result),
                                     .limit = deadline.left()});
  if (!result) return pass(result);
  if (result->exit_code == 0) return std::move(result->output);
  return Failure(cnispec::delegate_error(result->exit_code, result->output, result->error_output));
}

Result<std::string> PluginCalls::call(Command command, const PodRecord& record, const Act& act,
                                      const std::string& prev_result, size_t sharers) const {
  const auto& network = record.networks[act.network];
  const auto& plugin = network.plugins[act.plugin];
  const auto count = static_cast<std::chrono::milliseconds::rep>(sharers);
  const Deadline share(host_.clock, deadline_.left() / count, {});
  const auto& deadline = sharers > 1 ? share : deadline_;
  auto output = plugin.is_own ? run_own(command, record, act, prev_result, deadline)
                              : run_program(command, record, act, prev_result, deadline);
  if (!output) return Failure(of_plugin(output.error(), command, network, plugin));
  if (command != Command::add) return output;
  // As libcni passes it on: in the network's version, whatever version the plugin answers in.
  const auto result = cnispec::parse_result(*output);
  if (!result) return Failure(of_plugin(result.error(), command, network, plugin));
  return cnispec::to_json(*result, network.cni_version);
}

}  // namespace railhead::cni
