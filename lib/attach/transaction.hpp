#pragma once
// One ADD and its undo, with the device's lock held.
#include "attach/attachment.hpp"
#include "attach/record.hpp"
#include "attach/store.hpp"

namespace railhead::attach {

// The namespace a record speaks of, while it is still that one: a path can come to name another.
[[nodiscard]] Result<std::optional<host::Netns>> living_netns(host::Host& host,
                                                              const Record& record);

// Looks, records, applies, verifies, and fills in what of `pod` is missing; after an error
// everything stands as before, or the record says what could not be undone.
[[nodiscard]] Result<Attached> add(host::Host& host, const Store& store,
                                   const AttachRequest& request, Pod& pod, Logger& log);

// Undoes a record and forgets it; on failure it stays, for the next DEL or ADD to take up.
[[nodiscard]] Result<void> undo(host::Host& host, const Store& store, const Record& record,
                                Logger& log);

}  // namespace railhead::attach
