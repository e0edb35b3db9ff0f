#include "device/gpu_ids.hpp"

#include "base/text.hpp"
#include "host/files.hpp"

namespace railhead::device {
namespace {

// "GPU UUID: \t GPU-8f9d…" among lines of that form, with question marks in place of what the
// driver does not know yet.
std::optional<std::string> uuid_in(std::string_view information) {
  for (const auto line : split(information, '\n')) {
    const auto colon = line.find(':');
    if (colon == std::string_view::npos || trim(line.substr(0, colon)) != "GPU UUID") continue;
    const auto uuid = trim(line.substr(colon + 1));
    if (uuid.empty() || uuid.find('?') != std::string_view::npos) return std::nullopt;
    return std::string(uuid);
  }
  return std::nullopt;
}

}  // namespace

Result<std::optional<std::string>> read_gpu_uuid(const std::string& proc_root,
                                                 const PciAddress& gpu) {
  const auto path = fmt::format("{}/driver/nvidia/gpus/{}/information", proc_root, gpu.to_string());
  const auto information = host::read_file(path);
  if (is(information, ErrorCode::not_found)) return std::nullopt;
  if (!information) return pass(information);
  auto uuid = uuid_in(*information);
  if (!uuid) return fail(ErrorCode::unavailable, "{}: no UUID yet", path);
  return uuid;
}

GpuIds::GpuIds(const Inventory& inventory) {
  for (const auto& function : inventory.functions()) {
    if (!function.is_gpu) continue;
    by_id_[function.address.to_string()] = function.address;
    if (function.gpu_uuid) by_id_[*function.gpu_uuid] = function.address;
  }
}

std::optional<PciAddress> GpuIds::find(std::string_view id) const {
  const auto found = by_id_.find(id.substr(0, id.find("::")));
  return found == by_id_.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace railhead::device
