#pragma once
// Several NICs in a pod, each with a routing table of its own: sysctls, rules, routes, neighbours.
// The kernel's documentation: networking/ip-sysctl.rst (arp_ignore, arp_announce, rp_filter),
// ip-rule(8).
#include "attach/subject.hpp"

namespace railhead::attach {

// Before the link is taken up, and before it has addresses. Errors: already_exists (somebody uses
// the table: the message names it). What the namespace's own settings overrule is a warning.
[[nodiscard]] Result<void> prepare_own_table(Subject& subject, host::Links& links,
                                             const IpConfig& config);
// `config` as it is for the main table: what stays there of the routes IPAM gave.
[[nodiscard]] IpConfig for_main_table(IpConfig config);
// With the link up: the table's routes, then its rules, then neighbours.
[[nodiscard]] Result<void> fill_own_table(Subject& subject, host::Links& links,
                                          const IpConfig& config);
// Of an undo, and of a check: the rules by which the record's table is asked. None where the
// namespace is gone.
[[nodiscard]] Result<std::vector<host::Rule>> own_rules(host::Links& links, uint32_t table);
[[nodiscard]] Result<void> remove_own_rules(Subject& subject);

}  // namespace railhead::attach
