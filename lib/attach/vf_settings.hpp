#pragma once
// The attributes of a VF that its PF keeps: what to change, and changing it, both ways.
#include "host/links.hpp"

namespace railhead::attach {

// The attributes that `wanted` has and that differ from `now`. What `now` does not know is asked
// for: the kernel leaves out what the driver cannot tell.
[[nodiscard]] host::VfAttributes difference(const host::VfAttributes& now,
                                            const host::VfAttributes& wanted);

// Sets each attribute with a message of its own, so that an error names it. The order serves ADD
// and undo alike: the admin MAC before trust, because the next "up" of a VF that is trusted
// overwrites an admin MAC set later (seen on igb). An undo goes on after an error, and returns the
// first, or the first that may pass: one attribute that cannot be given back must not keep the
// others.
enum class OnError { stop, go_on };
[[nodiscard]] Result<void> apply(host::Links& links, uint32_t pf_index, uint32_t vf,
                                 const host::VfAttributes& change,
                                 OnError on_error = OnError::stop);

// With an admin MAC in force drivers refuse the VF's own change of address (EADDRNOTAVAIL): takes
// it off, where `now` has one; then `now` is without.
[[nodiscard]] Result<void> take_off_admin_mac(host::Links& links, uint32_t pf_index, uint32_t vf,
                                              host::VfAttributes& now);

// What a VF answers, or its PF for it, whose driver begins anew: it passes.
[[nodiscard]] bool is_not_ready(const Error& error);

// Of `wanted` without what `now` does not know: drivers take trust and spoofchk that do not tell
// them (their word is -1, which netlink/vf.cpp takes for none).
[[nodiscard]] host::VfAttributes told_of(const host::VfAttributes& now,
                                         const host::VfAttributes& wanted);

// "vlan, trust": those that it has, by the keys of a NAD.
[[nodiscard]] std::string names_of(const host::VfAttributes& attributes);

// "trust is off, not on": what `wanted` has and `now` does not; empty when nothing differs.
[[nodiscard]] std::string describe_difference(const host::VfAttributes& now,
                                              const host::VfAttributes& wanted);

}  // namespace railhead::attach
