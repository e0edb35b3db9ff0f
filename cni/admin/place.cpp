// Whether this process stands where it can judge: in the host's namespace, seeing the pods'.
#include "base/text.hpp"
#include "cni/admin/admin.hpp"

namespace railhead::cni {

Result<void> check_host_netns(host::Host& host) {
  const auto first = host.netns.open(host.roots.proc + "/1/ns/net");
  if (is(first, ErrorCode::permission)) {
    return pass(first, "it takes root, in a container a privileged one with hostPID");
  }
  if (!first) return pass(first, "the host's network namespace (hostPID is needed)");
  const auto own = host.netns.current();
  if (!own) return pass(own);
  if (own->id() == first->id()) return {};
  return fail(ErrorCode::invalid_argument,
              "this process is not in the host's network namespace (hostNetwork is needed)");
}

// /proc/self/mountinfo: the mount point is the fifth field, and "shared:N", "master:N" stand
// between the sixth and "-" (proc(5)).
bool sees_new_namespaces(const host::Host& host) {
  const auto text = host::read_file(host.roots.proc + "/self/mountinfo");
  if (!text) return false;
  for (const auto line : split(*text, '\n')) {
    const auto fields = split(line, ' ');
    if (fields.size() < 7 || (fields[4] != "/run/netns" && fields[4] != "/var/run/netns")) continue;
    bool is_reached = false;
    for (size_t i = 6; i < fields.size() && fields[i] != "-"; ++i) {
      is_reached |= fields[i].starts_with("shared:") || fields[i].starts_with("master:");
    }
    if (!is_reached) return false;
  }
  return true;
}

}  // namespace railhead::cni
