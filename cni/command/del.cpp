#include "cni/command/command.hpp"

namespace railhead::cni {

using cnispec::Outcome;

// Nothing of the configuration but IPAM's type is looked at: what was attached stands in the
// record, and a configuration that has become wrong since must not keep a pod from ending.
Outcome<std::string> del(const Call& call) {
  Stopwatch watch(call.host.clock);
  const auto key = call.key();
  attach::Attacher attacher(call.host, call.log);
  // The VF first: its link goes down before what else can fail of an undo, so that nobody answers
  // to the address any more when it becomes free. Where not even that can be done the address is
  // freed all the same: it would leak when nobody tries this DEL again.
  const auto detached = to_outcome(attacher.detach(key));
  const auto detach_ms = watch.step_ms();
  const auto released = call.ipam.call(cnispec::Command::del);
  const auto ipam_ms = watch.step_ms();
  if (auto done = both(detached, released); !done) return cnispec::refuse(done.error());
  call.log.info("DEL done", {{"network", key.network},
                             {"container", key.container_id},
                             {"ifname", key.ifname},
                             {"detach_ms", detach_ms},
                             {"ipam_ms", ipam_ms},
                             {"total_ms", watch.total_ms()}});
  return {};
}

}  // namespace railhead::cni
