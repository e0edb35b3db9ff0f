#include "cnispec/names.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "cnispec/cni_error.hpp"

namespace railhead::cnispec {
namespace {

constexpr size_t kMaxInterfaceName = 15;  // IFNAMSIZ less its terminating zero

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// ^[a-zA-Z0-9][a-zA-Z0-9_.\-]*$
bool is_identifier(std::string_view text) {
  return !text.empty() && is_alphanumeric(text[0]) &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return is_alphanumeric(c) || c == '_' || c == '.' || c == '-'; });
}

}  // namespace

Result<> check_container_id(std::string_view id) {
  if (is_identifier(id)) return {};
  return fail_cni(code::kInvalidEnvironment, "invalid characters in containerID", std::string(id));
}

Result<> check_network_name(std::string_view name) {
  if (name.empty()) return fail(ErrorCode::invalid_argument, "missing network name");
  if (is_identifier(name)) return {};
  return fail_cni(code::kInvalidConfig, "invalid characters found in network name",
                  std::string(name));
}

Result<> check_interface_name(std::string_view name) {
  if (name.empty()) return fail_cni(code::kInvalidEnvironment, "interface name is empty");
  if (name.size() > kMaxInterfaceName) {
    return fail_cni(code::kInvalidEnvironment, "interface name is too long",
                    "interface name should be less than 16 characters");
  }
  if (name == "." || name == "..") {
    return fail_cni(code::kInvalidEnvironment, "interface name is . or ..");
  }
  if (valid_utf8(name) != name) {
    return fail_cni(code::kInvalidEnvironment, "interface name is not UTF-8");
  }
  if (name.find_first_of("/: \t\n\v\f\r") != std::string_view::npos) {
    return fail_cni(code::kInvalidEnvironment,
                    "interface name contains / or : or whitespace characters");
  }
  return {};
}

}  // namespace railhead::cnispec
