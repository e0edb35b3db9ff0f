#include "base/container_devices.hpp"

#include <algorithm>
#include <string_view>
#include <tuple>

#include "base/pci_address.hpp"

namespace railhead {
namespace {

constexpr std::string_view kShareMark = "::";

struct Place {
  bool is_no_address;
  PciAddress address;
  std::string_view text;
  friend auto operator<=>(const Place&, const Place&) = default;
};

Place place_of(const std::string& id) {
  const auto address = PciAddress::parse(std::string_view(id).substr(0, id.find(kShareMark)));
  return {!address, address.value_or(PciAddress{}), id};
}

}  // namespace

// By text alone domain 10000 would stand before domain 2000, and so would upper-case digits.
void sort_device_ids(std::vector<std::string>& ids) { std::ranges::sort(ids, {}, place_of); }

}  // namespace railhead
