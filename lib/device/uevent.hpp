#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace railhead::device {

// What a PCI function's `uevent` file tells with one read: "DRIVER=mlx5_core\nPCI_CLASS=20000\n
// PCI_ID=15B3:101E\n…". What is missing stays empty.
struct PciUevent {
  std::string driver;
  uint32_t pci_class = 0;
  std::string vendor;     // lower case
  std::string device_id;  // lower case
};
[[nodiscard]] PciUevent decode_uevent(std::string_view text);

}  // namespace railhead::device
