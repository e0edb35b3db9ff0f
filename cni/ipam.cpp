#include "cni/ipam.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

#include "base/go_json.hpp"
#include "base/text.hpp"
#include "cni/own_ipam.hpp"
#include "cnispec/cni_error.hpp"
#include "cnispec/delegate.hpp"

namespace railhead::cni {

using cnispec::Command;
using cnispec::PluginResult;

namespace {

bool is_same_file(const std::string& a, const std::string& b) {
  struct stat first {};
  struct stat second {};
  return ::stat(a.c_str(), &first) == 0 && ::stat(b.c_str(), &second) == 0 &&
         first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

}  // namespace

bool is_nested(const cnispec::Environment& environment) {
  return parse_int<uint32_t>(cnispec::value_of(environment, kDepth)).value_or(0) > 0;
}

std::string Ipam::who(Command command) const {
  return fmt::format("IPAM plugin type \"{}\" {} failed", type_, cnispec::to_string(command));
}

Result<> Ipam::call_own(Command command, const cnispec::Environment& environment,
                        const Deadline& deadline) {
  const auto config = go_json::parse(*config_);
  if (!config) return pass(config, who(command));
  const auto done = OwnIpam{type_, environment, *config, *host_}.call(command, deadline);
  if (!done) return pass(done, who(command));
  return {};
}

Result<std::string> Ipam::run(Command command, cnispec::Environment environment,
                              const Deadline& deadline) {
  const auto who = this->who(command);
  auto program = cnispec::find_plugin(type_, cnispec::value_of(*environment_, "CNI_PATH"));
  if (!program) return pass(program, who);
  if (is_nested(*environment_) || is_same_file(*program, host_->roots.proc + "/self/exe")) {
    return fail(ErrorCode::invalid_argument, "{}: {} is this program itself, or leads back to it",
                who, *program);
  }
  environment = cnispec::with(std::move(environment), "CNI_COMMAND", cnispec::to_string(command));
  environment = cnispec::with(std::move(environment), kDepth, "1");
  auto result = host_->processes.run({.program = std::move(*program),
                                      .environment = std::move(environment),
                                      .input = *config_,
                                      .limit = deadline.left()});
  if (!result) return pass(result, who);
  if (result->exit_code == 0) return std::move(result->output);
  return Failure(
      cnispec::delegate_error(result->exit_code, result->output, result->error_output).in(who));
}

Result<std::optional<PluginResult>> Ipam::add(const Deadline& deadline) {
  if (type_.empty() || is_of_host()) return std::nullopt;
  if (is_of_rails()) {
    const auto call = rails_call();
    auto results = add_rails(*host_, {&call, 1}, deadline);
    if (!results) return pass(results);
    return std::move(results->front());
  }
  Result<PluginResult> result;
  if (is_own_ipam(type_)) {
    const auto config = go_json::parse(*config_);
    if (!config) return pass(config, who(Command::add));
    result = OwnIpam{type_, *environment_, *config, *host_}.add(deadline);
    if (!result) return pass(result, who(Command::add));
  } else {
    auto output = run(Command::add, *environment_, deadline);
    if (!output) return pass(output);
    result = cnispec::parse_result(*output);
    if (!result) return pass(result, fmt::format("result of IPAM plugin type \"{}\"", type_));
  }
  if (result->ips.empty()) {
    return fail(ErrorCode::not_found, "IPAM plugin returned missing IP config");
  }
  return std::move(*result);
}

Result<> Ipam::call(Command command, const Deadline& deadline) {
  if (type_.empty() || is_of_host()) return {};
  if (is_of_rails()) return call_rails(*host_, command, rails_call(), deadline);
  if (is_own_ipam(type_)) return call_own(command, *environment_, deadline);
  const auto output = run(command, *environment_, deadline);
  if (output) return {};
  // Of a verb that it does not know such a plugin says that the container is missing (3), or the
  // verb (4).
  const bool is_new = command == Command::gc || command == Command::status;
  const auto code = cnispec::code_of(output.error());
  if (is_new &&
      (code == cnispec::code::kUnknownContainer || code == cnispec::code::kInvalidEnvironment)) {
    return {};
  }
  return pass(output);
}

Result<> Ipam::release(const std::string& container_id, const std::string& ifname,
                       const Deadline& deadline) {
  if (type_.empty() || is_of_host()) return {};
  auto environment = cnispec::with(*environment_, "CNI_CONTAINERID", container_id);
  environment = cnispec::with(std::move(environment), "CNI_IFNAME", ifname);
  environment = cnispec::with(std::move(environment), "CNI_NETNS", "");
  if (is_of_rails()) return call_rails(*host_, Command::del, {&environment, config_}, deadline);
  if (is_own_ipam(type_)) return call_own(Command::del, environment, deadline);
  const auto output = run(Command::del, std::move(environment), deadline);
  if (!output) return pass(output);
  return {};
}

}  // namespace railhead::cni
