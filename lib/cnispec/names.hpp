#pragma once
// How container ids, network names and interface names are spelled. The errors carry the texts and
// codes of libcni.
#include <string_view>

#include "cnispec/cni_error.hpp"

namespace railhead::cnispec {

Outcome<> check_container_id(std::string_view id);      // code 4
Outcome<> check_network_name(std::string_view name);    // code 7; also when it is missing
Outcome<> check_interface_name(std::string_view name);  // code 4

}  // namespace railhead::cnispec
