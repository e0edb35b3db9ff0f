#pragma once
// The driver of a device and its incarnation: what says that it is still the one of the record.
#include "attach/function.hpp"
#include "attach/subject.hpp"

namespace railhead::attach::driver {

// ADD. invalid_argument (kNotLocated): no such device.
[[nodiscard]] Result<Function> inspect(Subject& subject);

// Undo: the device of the record, as it stands. Nothing: it is gone for good, by its own folder's
// word, or another was made in its place, so that there is nothing to give back.
[[nodiscard]] Result<std::optional<Function>> find(Subject& subject);

}  // namespace railhead::attach::driver
