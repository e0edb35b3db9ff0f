#pragma once
// PORT: devlink (linux/devlink.h).
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace railhead::host {

class Devlink {
 public:
  virtual ~Devlink() = default;
  // What runs on the function "0000:3b:00.0" as "fw.app.name", as Intel's drivers call the DDP
  // profile that is loaded; nothing where the driver does not say, or has no devlink.
  [[nodiscard]] virtual Result<std::optional<std::string>> firmware_app(std::string_view pci) = 0;
};

}  // namespace railhead::host
