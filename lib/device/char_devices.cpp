#include "device/char_devices.hpp"

#include <algorithm>
#include <array>

namespace railhead::device {
namespace {

struct Kind {
  CharKind kind;
  std::string_view folder;
  std::string_view prefix;
};
constexpr std::array kKinds = {
    Kind{CharKind::uverbs, "infiniband_verbs", "uverbs"},
    Kind{CharKind::umad, "infiniband_mad", "umad"},
    Kind{CharKind::issm, "infiniband_mad", "issm"},
};
constexpr std::array kFolders = {"infiniband_verbs", "infiniband_mad"};

// Nothing for what is no character device of a known kind ("abi_version").
std::optional<CharKind> kind_of(std::string_view folder, std::string_view name) {
  for (const auto& kind : kKinds) {
    if (kind.folder == folder && name.starts_with(kind.prefix)) return kind.kind;
  }
  return std::nullopt;
}

// uverbs9 before uverbs10.
bool before(const CharDevice& a, const CharDevice& b) {
  return std::tuple(a.kind, a.name.size(), std::string_view(a.name)) <
         std::tuple(b.kind, b.name.size(), std::string_view(b.name));
}

}  // namespace

Result<std::map<std::string, std::vector<CharDevice>>> read_char_devices(
    const host::Directory& function, DevNumbers numbers) {
  std::map<std::string, std::vector<CharDevice>> devices;
  for (const std::string folder : kFolders) {
    auto names = function.list(folder);
    if (is(names, ErrorCode::not_found)) continue;
    if (!names) return pass(names);
    // The verbs folder comes first. Where it shows one RDMA device, the function has no other.
    const bool only_one = folder != kFolders.front() && devices.size() == 1;
    for (auto& name : *names) {
      const auto kind = kind_of(folder, name);
      if (!kind) continue;
      const std::string path = folder + '/' + name;
      auto rdma_device =
          only_one ? Result<std::string>(devices.begin()->first) : function.read(path + "/ibdev");
      if (is(rdma_device, ErrorCode::not_found)) continue;  // it went while we were looking
      if (!rdma_device) return pass(rdma_device);
      auto dev = numbers == DevNumbers::read ? function.read(path + "/dev") : Result<std::string>();
      if (!dev && !is(dev, ErrorCode::not_found)) return pass(dev);
      devices[*rdma_device].push_back({*kind, std::move(name), dev.value_or("")});
    }
  }
  for (auto& [rdma_device, of_device] : devices) {
    std::sort(of_device.begin(), of_device.end(), before);
  }
  return devices;
}

}  // namespace railhead::device
