#pragma once
// A pod's interface gets its addresses and routes, and is taken up.
#include "attach/subject.hpp"

namespace railhead::attach {

[[nodiscard]] Result<void> activate_addresses(Subject& subject, const IpConfig& config);

}  // namespace railhead::attach
