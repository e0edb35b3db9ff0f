#include "cni/command/command.hpp"

namespace railhead::cni {

// Nothing of the configuration but IPAM's type is looked at: what was attached stands in the
// record, and a configuration that has become wrong since must not keep a pod from ending.
Result<std::string> del(const Call& call) {
  Stopwatch watch(call.host.clock);
  const auto key = call.key();
  attach::Attachments attachments(call.host, call.deadline, call.log);
  // The device first: its link goes down before what else can fail of an undo. Only then may the
  // address be somebody else's; until then it stays taken, for the next DEL or GC.
  const auto detached = call.type.is_chained
                            ? attachments.detach_rdma(key, call.request.netns)
                            : attachments.detach(key, call.request.netns, call.type.predecessor);
  const auto detach_ms = watch.step_ms();
  Result<> released;
  if (detached.is_silent && !call.type.is_chained) {
    released = call.ipam.call(cnispec::Command::del, call.deadline);
    if (released) released = attach::Store(call.host.roots.run).addresses_are_free(key);
  }
  const auto ipam_ms = watch.step_ms();
  if (auto done = both(as_result(detached.error), released); !done) return pass(done);
  call.log.info("DEL done", {{"network", key.network},
                             {"container", key.container_id},
                             {"ifname", key.ifname},
                             {"detach_ms", detach_ms},
                             {"ipam_ms", ipam_ms},
                             {"total_ms", watch.total_ms()}});
  return {};
}

}  // namespace railhead::cni
