#include "cni/ipam.hpp"

#include <fmt/format.h>

#include "cnispec/delegate.hpp"

namespace railhead::cni {

using cnispec::Command;
using cnispec::Outcome;
using cnispec::PluginResult;

Outcome<std::string> Ipam::run(Command command) {
  const auto who =
      fmt::format("IPAM plugin type \"{}\" {} failed", type_, cnispec::to_string(command));
  auto program = cnispec::find_plugin(type_, cnispec::value_of(environment_, "CNI_PATH"));
  if (!program) return cnispec::refuse(program.error().in(who));
  auto result = processes_.run(
      {.program = std::move(*program),
       .environment = cnispec::with(environment_, "CNI_COMMAND", cnispec::to_string(command)),
       .input = config_});
  if (!result) return cnispec::refuse(cnispec::to_cni_error(result.error().in(who)));
  if (result->exit_code == 0) return std::move(result->output);
  return cnispec::refuse(
      cnispec::delegate_error(result->exit_code, result->output, result->error_output).in(who));
}

Outcome<std::optional<PluginResult>> Ipam::add() {
  if (type_.empty()) return std::nullopt;
  auto output = run(Command::add);
  if (!output) return cnispec::refuse(output.error());
  auto result = cnispec::parse_result(*output);
  if (!result) {
    return cnispec::refuse(
        result.error().in(fmt::format("result of IPAM plugin type \"{}\"", type_)));
  }
  if (result->ips.empty()) {
    return cnispec::refuse(cnispec::code::kInternal, "IPAM plugin returned missing IP config");
  }
  return std::move(*result);
}

Outcome<> Ipam::call(Command command) {
  if (type_.empty()) return {};
  const auto output = run(command);
  if (!output) return cnispec::refuse(output.error());
  return {};
}

}  // namespace railhead::cni
