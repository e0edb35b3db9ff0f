// The BPF part of netlink/linux_links.hpp.
#include <cerrno>

#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "host/netns.hpp"
#include "netlink/bpf.hpp"
#include "netlink/linux_links.hpp"

namespace railhead::netlink {

// Asked for when it is needed, which is seldom: SIOCGSKNS opens the namespace of a socket.
Result<void> LinuxLinks::run_inside(const std::function<Result<void>()>& work) {
  const UniqueFd netns(::ioctl(socket_.fd(), SIOCGSKNS));
  if (!netns) return fail_errno(errno, "open the network namespace of a socket");
  return host::run_in_netns(netns.get(), work);
}

Result<void> LinuxLinks::detach_xdp_program(uint32_t index, XdpMode mode, uint32_t program) {
  auto done = socket_.exchange(detach_xdp(index, mode));
  if (done || done.error().os_errno != EBUSY) return done;
  return run_inside([&]() -> Result<void> { return detach_xdp_link(index, program); });
}

Result<unsigned> LinuxLinks::detach_xdp_programs(const host::Link& link) {
  if (!link.xdp) return 0;
  const std::pair<XdpMode, std::optional<uint32_t>> attached[] = {
      {XdpMode::generic, link.xdp->generic},
      {XdpMode::driver, link.xdp->driver},
      {XdpMode::offload, link.xdp->offload}};
  unsigned count = 0;
  for (const auto& [mode, program] : attached) {
    if (!program) continue;
    auto done = detach_xdp_program(link.index, mode, *program);
    if (!done) return pass(done, fmt::format("detach XDP program {}", *program));
    ++count;
  }
  return count;
}

Result<unsigned> LinuxLinks::detach_programs(uint32_t index) {
  const auto who = fmt::format("link {}", index);
  auto link = get(get_link(index));
  if (!link) return pass(link, who);
  auto count = detach_xdp_programs(*link);
  if (!count) return pass(count, who);
  auto done = run_inside([&]() -> Result<void> {
    for (const auto hook : {TcxHook::ingress, TcxHook::egress}) {
      auto programs = tcx_programs(index, hook);
      if (!programs) return pass(programs);
      for (const auto& program : *programs) {
        auto detached = detach_tcx(index, hook, program);
        if (is(detached, ErrorCode::not_found)) continue;  // whoever held it has let go
        if (!detached) return pass(detached);
        ++*count;
      }
    }
    return {};
  });
  if (!done) return pass(done, who);
  return count;
}

}  // namespace railhead::netlink
