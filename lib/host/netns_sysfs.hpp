#pragma once
#include "host/files.hpp"
#include "host/netns.hpp"

namespace railhead::host {

// The sysfs of a network namespace: net/ and infiniband/ show what is in that namespace, which no
// other sysfs does. It is mounted for this program alone, nowhere in the file tree, until the last
// open file of it is closed. Errors: permission (it takes CAP_SYS_ADMIN to enter a namespace, and
// to mount), unsupported (kernels before 5.2).
[[nodiscard]] Result<Directory> open_sysfs(NetNamespaces& namespaces, const Netns& netns);

}  // namespace railhead::host
