#pragma once
#include <map>
#include <string>
#include <vector>

#include "device/functions.hpp"

namespace railhead::device {

// The names of each PF's sub-functions. A kernel without an auxiliary bus has none. Errors: io.
using SubFunctionNames = std::map<PciAddress, std::vector<std::string>>;
[[nodiscard]] Result<SubFunctionNames> list_sub_functions(const std::string& sysfs_root);
// These, by number. One whose files cannot be read is left out with a warning.
[[nodiscard]] std::vector<SubFunction> read_sub_functions(const std::string& sysfs_root,
                                                          const std::vector<std::string>& names,
                                                          const Known& known, Warnings& warnings);

// Whether an auxiliary device's name, "mlx5_core.sf.4", is a sub-function's.
[[nodiscard]] bool is_sub_function(std::string_view auxiliary_name);

// The folder below /sys of a device that is named by its PCI address or as a sub-function.
[[nodiscard]] std::string sysfs_folder(const std::string& device);

}  // namespace railhead::device
