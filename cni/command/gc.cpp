#include <nlohmann/json.hpp>

#include "cni/command/command.hpp"

namespace railhead::cni {

Result<std::string> gc(const Call& call) {
  const auto listed = cnispec::read_valid_attachments(call.config);
  if (!listed) return pass(listed);
  std::vector<attach::AttachmentKey> valid;
  for (const auto& attachment : *listed) {
    valid.push_back({call.conf.name, attachment.container_id, attachment.ifname});
  }
  Stopwatch watch(call.host.clock);
  attach::Attachments attachments(call.host, call.deadline, call.log);
  const auto collected = attachments.collect_garbage(call.conf.name, valid);
  const auto collect_ms = watch.step_ms();
  const auto given_back = both(collected, free_owed_addresses(call, valid, call.deadline));
  const auto forwarded = call.ipam.call(cnispec::Command::gc, call.deadline);
  const auto ipam_ms = watch.step_ms();
  if (auto done = both(given_back, forwarded); !done) return pass(done);
  call.log.info("GC done", {{"network", call.conf.name},
                            {"valid", valid.size()},
                            {"collect_ms", collect_ms},
                            {"ipam_ms", ipam_ms},
                            {"total_ms", watch.total_ms()}});
  return {};
}

}  // namespace railhead::cni
