#pragma once
// What an ADD's and an undo's steps of a netdev share; of attach/parts/link* only.
#include <string>
#include <vector>

#include "attach/parts/link.hpp"

namespace railhead::attach::link {

[[nodiscard]] bool has(const std::vector<std::string>& names, const std::string& name);

// not_found: it is not in the host's namespace.
[[nodiscard]] Result<host::Link> find_in_host(const Subject& subject);
// Of subject.link, in the host's namespace.
[[nodiscard]] Result<void> change(Subject& subject, const host::LinkChange& what);
// Those that the pod gave it: they may be taken here, or be a name that the next pod wants.
[[nodiscard]] Result<void> remove_new_alt_names(host::Links& links, const Subject& subject);
// Addresses and routes, but for those that the kernel makes itself when the link is up.
[[nodiscard]] Result<void> inspect_host_use(host::Links& links, const host::Link& link,
                                            LinkState& state);

}  // namespace railhead::attach::link
