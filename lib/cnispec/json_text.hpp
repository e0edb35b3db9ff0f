#pragma once
#include <string>

#include <nlohmann/json.hpp>

namespace railhead::cnispec {

// Four spaces per level and a final newline. Bytes that are no UTF-8 (a driver's or a plugin's
// message) become U+FFFD: an error must not be lost because of its text.
inline std::string json_text(const nlohmann::ordered_json& json) {
  return json.dump(4, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + '\n';
}

}  // namespace railhead::cnispec
