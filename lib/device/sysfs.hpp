#pragma once
// What is missing in sysfs is an empty part, not an error: an attribute that the driver does not
// have, or a device that went away while we were looking (the kernel says ENODEV then).
#include <cerrno>
#include <optional>
#include <string>

#include "base/pci_address.hpp"
#include "base/text.hpp"
#include "host/files.hpp"

namespace railhead::device {

template <class T>
bool absent(const Result<T>& result) {
  return is(result, ErrorCode::not_found) || (!result && result.error().os_errno == ENODEV);
}

template <class T>
Result<std::optional<T>> optional(Result<T> result) {
  if (absent(result)) return std::nullopt;
  if (!result) return pass(result);
  return std::optional<T>(std::move(*result));
}

template <class Int>
Result<std::optional<Int>> read_number(const host::Directory& folder, const std::string& name) {
  auto text = optional(folder.read(name));
  if (!text) return pass(text);
  return *text ? parse_int<Int>(**text) : std::nullopt;
}

// The first by number of a folder's entries that are `prefix` and a number: "uio7" of "uio".
// Nothing without the folder.
[[nodiscard]] Result<std::optional<std::string>> first_numbered(const host::Directory& device,
                                                                const std::string& folder,
                                                                std::string_view prefix);

// The PCI function that a device of another bus stands below, as the link to it says:
// "../../../devices/pci0000:3a/0000:3b:00.0/mlx5_core.sf.4". Nothing for a simulator's.
inline std::optional<PciAddress> parent_function(std::string_view link) {
  const auto parts = split(link, '/');
  return parts.size() < 2 ? std::nullopt : PciAddress::parse(parts[parts.size() - 2]);
}

}  // namespace railhead::device
