#pragma once
// Calls the plugins of a pod's networks as a runtime does: this program's own types in this very
// process, others as programs.
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/deadline.hpp"
#include "base/log.hpp"
#include "cni/command/command.hpp"
#include "cni/meta/pod_record.hpp"
#include "cnispec/request.hpp"
#include "host/host.hpp"

namespace railhead::cni {

// Whether a pod may have that device, of an own type whose configuration names it.
using MayHave = std::function<Result<void>(const device::DeviceId& device)>;

class PluginCalls {
 public:
  PluginCalls(const cnispec::Environment& environment, const Deadline& deadline, host::Host& host,
              Logger& log, MayHave may_have = {})
      : environment_(environment),
        deadline_(deadline),
        host_(host),
        log_(log),
        may_have_(std::move(may_have)) {}

  // What the plugin prints. `prev_result`: JSON, "" for none. It gets the time that is left, or
  // with `sharers` its part of that. Errors keep the plugin's code, and say which one it is, in
  // libcni's words.
  [[nodiscard]] Result<std::string> call(cnispec::Command command, const PodRecord& record,
                                         const Act& act, const std::string& prev_result,
                                         size_t sharers = 1) const;

  // The own interfaces of these acts, planned: nothing is changed yet, and what their
  // configurations say is refused. attach_own() attaches them in one transaction, all or none;
  // their results, JSON.
  struct OwnTransaction;
  [[nodiscard]] Result<std::shared_ptr<OwnTransaction>> plan_own(const PodRecord& record,
                                                                 std::span<const Act> acts) const;
  [[nodiscard]] Result<std::vector<std::string>> attach_own(OwnTransaction& own) const;

 private:
  struct OwnCall;

  [[nodiscard]] cnispec::Environment environment_of(cnispec::Command command,
                                                    const PodRecord& record,
                                                    const PodNetwork& network) const;
  [[nodiscard]] Result<std::unique_ptr<OwnCall>> own_call(cnispec::Command command,
                                                          const PodRecord& record, const Act& act,
                                                          const std::string& prev_result) const;
  [[nodiscard]] Result<std::string> run_own(cnispec::Command command, const PodRecord& record,
                                            const Act& act, const std::string& prev_result,
                                            const Deadline& deadline) const;
  [[nodiscard]] Result<std::string> run_program(cnispec::Command command, const PodRecord& record,
                                                const Act& act, const std::string& prev_result,
                                                const Deadline& deadline) const;

  const cnispec::Environment& environment_;
  const Deadline& deadline_;
  host::Host& host_;
  Logger& log_;
  MayHave may_have_;
};

}  // namespace railhead::cni
