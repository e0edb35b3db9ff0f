#pragma once
// The name servers of a resolv.conf, as host-local hands them on.
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace railhead::ipam {

// What a resolv.conf says.
struct ResolvConf {
  std::vector<std::string> nameservers;
  std::string domain;
  std::vector<std::string> search;
  std::vector<std::string> options;
  friend bool operator==(const ResolvConf&, const ResolvConf&) = default;
};
ResolvConf parse_resolv_conf(std::string_view text);
// Errors: invalid_argument (the path is not below `etc`), not_found, io.
Result<ResolvConf> read_resolv_conf(const std::string& path, const std::string& etc = "/etc");

}  // namespace railhead::ipam
