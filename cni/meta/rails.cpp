#include "cni/meta/rails.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "base/go_json.hpp"
#include "base/raw_json.hpp"
#include "cni/rails_ipam.hpp"
#include "device/device_id.hpp"

namespace railhead::cni {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kType = "railhead";
constexpr std::string_view kPrefix = "rail";
constexpr size_t kMaxRailName = 15;  // IFNAMSIZ without its NUL
constexpr int64_t kMaxRails = 1024;

std::optional<uint32_t> rail_number(const Json& value, int64_t least) {
  if (!value.is_number_integer()) return std::nullopt;
  const auto number = value.get<int64_t>();
  if (number < least || number >= kMaxRails) return std::nullopt;
  return static_cast<uint32_t>(number);
}

std::optional<AskedRails> asked_by(const Json& value) {
  if (value == "all") return AskedRails{};
  AskedRails asked;
  if (value.is_number()) {
    asked.count = rail_number(value, 1);
    return asked.count ? std::optional(asked) : std::nullopt;
  }
  if (!value.is_array() || value.empty()) return std::nullopt;
  std::set<uint32_t> listed;
  for (const auto& item : value) {
    const auto rail = rail_number(item, 0);
    if (!rail || !listed.insert(*rail).second) return std::nullopt;
  }
  asked.listed = std::move(listed);
  return asked;
}

// "rdma/vf", "rdma/rail*".
bool fits(const WantedNetwork& one, std::string_view resource) {
  if (one.rails->resources.empty()) return resource == one.resource;
  return std::ranges::any_of(one.rails->resources, [&](std::string_view wanted) {
    if (!wanted.ends_with('*')) return resource == wanted;
    wanted.remove_suffix(1);
    return resource.starts_with(wanted);
  });
}

std::vector<GivenDevice> devices_left(const WantedNetwork& one, const DeviceQueue& queue) {
  return queue.left([&](std::string_view resource) { return fits(one, resource); },
                    one.selection.container);
}

std::string resources_of(const WantedNetwork& one) {
  return one.rails->resources.empty() ? one.resource
                                      : fmt::format("{}", fmt::join(one.rails->resources, ", "));
}

struct RailDevice {
  GivenDevice given;
  device::RailPlace place;
  std::optional<device::DeviceId> id;
};
using ByRail = std::map<uint32_t, std::vector<RailDevice>>;

// NCCL takes its devices in the order of their PCI addresses, whatever they are called: where that
// is another order, the n-th device of one node may talk to another rail's of the next.
bool rises_by_pci(const ByRail& devices) {
  std::vector<std::pair<device::RailPlace, device::DeviceId>> all;
  for (const auto& [rail, of_rail] : devices) {
    for (const auto& one : of_rail) {
      if (one.id) all.emplace_back(one.place, *one.id);
    }
  }
  std::ranges::sort(all);
  return std::ranges::is_sorted(all, {}, [](const auto& one) { return one.second; });
}

std::optional<Affinity> affinity_of(std::string_view word) {
  if (word == "require") return Affinity::require;
  if (word == "warn") return Affinity::warn;
  if (word == "ignore") return Affinity::ignore;
  return std::nullopt;
}

// One warning for all of a network's, which becomes an Event.
Result<void> check_affinity(const WantedNetwork& one, const ByRail& devices,
                            const FarPairs& far_pairs, Objections& objections) {
  if (one.rails->affinity == Affinity::ignore) return {};
  std::set<std::string> own;
  for (const auto& [rail, of_rail] : devices) {
    for (const auto& device : of_rail) own.insert(device.given.device);
  }
  std::vector<std::string> far;
  for (const auto& pair : far_pairs()) {
    if (own.contains(pair.device)) {
      far.push_back(fmt::format("container {}: {}", pair.container, pair.text));
    }
  }
  if (far.empty()) return {};
  const auto text = fmt::format("{}: affinity: {}", one.selection.place, fmt::join(far, "; "));
  if (one.rails->affinity == Affinity::require) {
    return refuse("{}: delete the pod, so that it gets other devices", text);
  }
  objections.warn(text);
  return {};
}

Result<void> check_rails(const WantedNetwork& one, const ByRail& devices) {
  const auto& asked = *one.rails;
  std::vector<uint32_t> have;
  for (const auto& [rail, of_rail] : devices) have.push_back(rail);
  const auto& place = one.selection.place;
  if (have.empty()) {
    return refuse("{}: rails: the pod has no device of {} left: add it to a container's resources",
                  place, resources_of(one));
  }
  if (asked.count && have.size() != *asked.count) {
    return refuse("{}: rails: {}: the pod's devices of {} are of {} (rails {})", place,
                  *asked.count, resources_of(one), have.size(), fmt::join(have, ", "));
  }
  for (const auto rail : asked.listed) {
    if (devices.contains(rail)) continue;
    return refuse("{}: rails: rail {}: the pod has no device of {} on it (it has those of {})",
                  place, rail, resources_of(one), fmt::join(have, ", "));
  }
  return {};
}

}  // namespace

Result<std::optional<AskedRails>> read_rails(const cnispec::NetworkList& list) {
  std::optional<AskedRails> asked;
  for (const auto& plugin : list.plugins) {
    if (plugin.type != kType) continue;
    const auto json = go_json::parse(plugin.text);
    if (!json || !json->is_object()) continue;  // refused where it is read in full
    std::vector<Error> errors;
    go_json::Object object(*json, "", errors);
    const auto* value = object.value("rails");
    const auto resources = object.strings("resources");
    const auto affinity = object.string("affinity");
    if (!errors.empty()) return refuse("{}", errors.front().message);
    if (!value || value->is_null()) {
      if (resources) return refuse("resources: expected with the key rails alone");
      if (affinity) return refuse("affinity: expected with the key rails alone");
      continue;
    }
    auto read = asked_by(*value);
    if (!read) {
      return refuse("rails {}: expected \"all\", a number of rails, or a list of theirs",
                    value->dump());
    }
    read->resources = resources.value_or(std::vector<std::string>{});
    const auto pairing = affinity_of(affinity.value_or("warn"));
    if (!pairing) {
      return refuse("affinity {}: expected require, warn or ignore", json_string(*affinity));
    }
    read->affinity = *pairing;
    asked = std::move(*read);
  }
  return asked;
}

bool lacks_rail(const WantedNetwork& one) {
  return !one.rail && std::ranges::any_of(one.list.plugins, [](const auto& plugin) {
    if (plugin.type != kType) return false;
    const auto object = RawObject::of(plugin.text);
    return !object.get("rail") &&
           (plugin.ipam_type == kRailsIpam || object.get("multiNic") == "true");
  });
}

void warn_of_left(const WantedNetwork& one, const DeviceQueue& queue, const RailOf& rail_of,
                  Objections& objections) {
  if (one.rails->listed.empty()) return;
  std::vector<std::string> left;
  for (const auto& device : devices_left(one, queue)) {
    const auto place = rail_of(device.device);
    if (place) left.push_back(fmt::format("{} (rail {})", device.device, place->rail));
  }
  if (left.empty()) return;
  objections.warn(fmt::format("{}: rails: devices of the pod stay on the host: {}",
                              one.selection.place, fmt::join(left, ", ")));
}

Result<std::vector<WantedNetwork>> spread_over_rails(const WantedNetwork& one, DeviceQueue& queue,
                                                     const RailOf& rail_of,
                                                     const FarPairs& far_pairs,
                                                     Objections& objections) {
  const auto& selection = one.selection;
  if (!selection.mac.empty() || !selection.ips.empty() || !selection.infiniband_guid.empty() ||
      selection.gateways || !selection.device.empty() || selection.rail) {
    return refuse(
        "{}: mac, ips, infiniband-guid, default-route, deviceID and rail are of one interface, and "
        "this network has one for each rail",
        selection.place);
  }
  ByRail devices;
  for (const auto& device : devices_left(one, queue)) {
    const auto place = rail_of(device.device);
    if (!place) return pass(place, selection.place);
    if (one.rails->listed.empty() || one.rails->listed.contains(place->rail)) {
      devices[place->rail].push_back({device, *place, device::DeviceId::parse(device.device)});
    }
  }
  if (auto good = check_rails(one, devices); !good) return pass(good);
  if (auto good = check_affinity(one, devices, far_pairs, objections); !good) return pass(good);
  if (!rises_by_pci(devices)) {
    objections.warn(fmt::format(
        "{}: rails: the PCI addresses of the pod's devices do not rise in the order of their "
        "rails, and NCCL takes devices by PCI address: its rails may cross between nodes",
        selection.place));
  }
  const auto prefix = selection.ifname.empty() ? std::string(kPrefix) : selection.ifname;
  std::vector<WantedNetwork> all;
  for (auto& [rail, of_rail] : devices) {
    std::ranges::sort(of_rail, {}, [](const RailDevice& one_of) {
      return std::tuple(one_of.given.container, one_of.place.plane, one_of.id);
    });
    for (uint32_t i = 0; i < of_rail.size(); ++i) {
      auto& network = all.emplace_back(one);
      auto& name = network.selection.ifname;
      name = fmt::format("{}{}", prefix, rail);
      if (i > 0) name += fmt::format("-{}", i);
      if (name.size() > kMaxRailName) {
        return refuse("{}: the interface name {} has {} characters: expected at most {}",
                      selection.place, name, name.size(), kMaxRailName);
      }
      const auto& device = of_rail[i];
      network.device = device.given.device;
      network.resource = device.given.resource;
      network.rail = {device.place, i};
      queue.take(device.given);
    }
  }
  return all;
}

}  // namespace railhead::cni
