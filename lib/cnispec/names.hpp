#pragma once
// How container ids, network names and interface names are spelled. The errors carry the texts and
// codes of libcni.
#include <string_view>

#include "base/error.hpp"

namespace railhead::cnispec {

Result<> check_container_id(std::string_view id);      // code 4
Result<> check_network_name(std::string_view name);    // code 7; also when it is missing
Result<> check_interface_name(std::string_view name);  // code 4

}  // namespace railhead::cnispec
