#include "device/sysfs.hpp"

#include <utility>

namespace railhead::device {

Result<std::optional<std::string>> first_numbered(const host::Directory& device,
                                                  const std::string& folder,
                                                  std::string_view prefix) {
  const auto names = device.list(folder);
  if (is(names, ErrorCode::not_found)) return std::nullopt;
  if (!names) return pass(names);
  std::optional<std::pair<uint32_t, std::string>> first;
  for (const auto& name : *names) {
    if (!name.starts_with(prefix)) continue;
    const auto number = parse_int<uint32_t>(std::string_view(name).substr(prefix.size()));
    if (number && (!first || *number < first->first)) first = {*number, name};
  }
  return first ? std::optional(first->second) : std::nullopt;
}

}  // namespace railhead::device
