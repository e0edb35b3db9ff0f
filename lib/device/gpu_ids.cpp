#include "device/gpu_ids.hpp"

#include "base/text.hpp"
#include "host/files.hpp"

namespace railhead::device {
namespace {

// "GPU UUID: \t GPU-8f9d…" among lines of that form; nothing while the driver does not know it.
std::optional<std::string> uuid_in(std::string_view information) {
  for (const auto line : split(information, '\n')) {
    const auto colon = line.find(':');
    if (colon == std::string_view::npos || trim(line.substr(0, colon)) != "GPU UUID") continue;
    return std::string(trim(line.substr(colon + 1)));
  }
  return std::nullopt;
}

}  // namespace

GpuIds::GpuIds(const Inventory& inventory, const std::string& proc_root) {
  for (const auto& function : inventory.functions()) {
    if (!function.is_gpu) continue;
    const auto address = function.address.to_string();
    by_id_[address] = function.address;
    const auto information =
        host::read_file(fmt::format("{}/driver/nvidia/gpus/{}/information", proc_root, address));
    if (!information) continue;  // another driver's GPU
    if (auto uuid = uuid_in(*information)) by_id_[std::move(*uuid)] = function.address;
  }
}

std::optional<PciAddress> GpuIds::find(std::string_view id) const {
  const auto found = by_id_.find(id.substr(0, id.find("::")));
  return found == by_id_.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace railhead::device
