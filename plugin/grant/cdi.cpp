#include "plugin/grant/cdi.hpp"

#include <algorithm>
#include <functional>

#include <nlohmann/json.hpp>

#include "host/files.hpp"
#include "plugin/grant/known_nodes.hpp"
#include "plugin/grant/modes.hpp"

namespace railhead::grant {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kFilePrefix = "railhead-";
constexpr std::string_view kFileSuffix = ".json";
constexpr size_t kMaxAnnotationName = 63;  // after "cdi.k8s.io/"; Kubernetes' limit of a key's name

bool begins_with_letter(std::string_view text) {
  const char first = text.empty() ? '\0' : text.front();
  return (first >= 'a' && first <= 'z') || (first >= 'A' && first <= 'Z');
}

std::string with_letter_in_front(const std::string& text) {
  return begins_with_letter(text) ? text : "railhead-" + text;
}

// A prefix has no '_': no two resources share a file.
std::string file_name(const ResourceName& resource) {
  return fmt::format("{}{}_{}{}", kFilePrefix, resource.prefix, resource.name, kFileSuffix);
}

Json spec_of(const std::string& kind, const NodesByDevice& devices) {
  Json list = Json::array();
  for (const auto& [name, nodes] : devices) {
    Json device_nodes = Json::array();
    for (const auto& node : nodes) {
      Json one = {{"path", node.container_path}, {"permissions", "rw"}};
      if (node.host_path != node.container_path) one["hostPath"] = node.host_path;
      if (node.mode) one["fileMode"] = *node.mode;
      device_nodes.push_back(std::move(one));
    }
    list.push_back({{"name", name}, {"containerEdits", {{"deviceNodes", device_nodes}}}});
  }
  return {{"cdiVersion", "0.5.0"}, {"kind", kind}, {"devices", std::move(list)}};
}

}  // namespace

std::string cdi_kind(const ResourceName& resource) {
  return with_letter_in_front(resource.prefix) + '/' + with_letter_in_front(resource.name);
}

std::string cdi_annotation_key(const ResourceName& resource) {
  std::string name = fmt::format("railhead_{}_{}", resource.prefix, resource.name);
  if (name.size() > kMaxAnnotationName) {
    name = fmt::format("railhead_{:016x}", std::hash<std::string>{}(resource.full_name()));
  }
  return "cdi.k8s.io/" + name;
}

NodesByDevice cdi_nodes(const std::vector<Wanted>& wanted, const device::Inventory& inventory,
                        bool has_connection_manager) {
  NodesByDevice devices;
  for (const auto& one : wanted) {
    auto nodes = known_nodes(one, inventory, has_connection_manager);
    if (!nodes.empty()) devices[one.id] = std::move(nodes);
  }
  return devices;
}

CdiSpec::CdiSpec(std::string folder, const ResourceName& resource, std::string dev)
    : path_(std::move(folder) + '/' + file_name(resource)),
      kind_(cdi_kind(resource)),
      dev_(std::move(dev)) {}

Result<void> CdiSpec::set(NodesByDevice devices, const std::map<std::string, TimePoint>& began) {
  const std::lock_guard lock(mutex_);
  if (is_written_ && devices == set_ && began == set_from_) return {};
  set_ = devices;
  set_from_ = began;
  std::erase_if(updated_, [&](const auto& device) {
    const auto read = began.find(device.first);
    return !devices.contains(device.first) || (read != began.end() && device.second < read->second);
  });
  NodesByDevice next;
  for (auto& [name, nodes] : devices) {
    if (updated_.contains(name)) nodes = devices_[name];
    put(next, name, std::move(nodes));
  }
  is_written_ = is_written_ && next == devices_;
  devices_ = std::move(next);
  return write();
}

Result<void> CdiSpec::update(const NodesByDevice& devices, TimePoint began) {
  const std::lock_guard lock(mutex_);
  for (const auto& [name, nodes] : devices) {
    const auto read = set_from_.find(name);
    if (read != set_from_.end() && read->second > began) continue;
    const auto [last, is_first] = updated_.emplace(name, began);
    if (!is_first && last->second > began) continue;
    last->second = began;
    is_written_ = !put(devices_, name, nodes) && is_written_;
  }
  return write();
}

bool CdiSpec::put(NodesByDevice& devices, const std::string& name,
                  std::vector<DeviceNode> nodes) const {
  // The runtime refuses a device that changes nothing.
  if (nodes.empty()) return devices.erase(name) != 0;
  for (auto& node : nodes) node.mode = node_mode(dev_, node.host_path);
  auto& there = devices[name];
  if (there == nodes) return false;
  there = std::move(nodes);
  return true;
}

Result<void> CdiSpec::write() {
  if (is_written_) return {};
  if (devices_.empty()) {
    if (auto removed = host::remove_file(path_); !removed) return pass(removed, "CDI");
  } else {
    const auto folder = path_.substr(0, path_.rfind('/'));
    if (auto made = host::make_directories(folder, 0755); !made) return pass(made, "CDI");
    auto written = host::write_file_atomically(path_, spec_of(kind_, devices_).dump(), 0644);
    if (!written) return pass(written, "CDI");
  }
  is_written_ = true;
  return {};
}

Result<void> remove_stale_cdi_specs(const std::string& folder,
                                    const std::vector<ResourceName>& resources) {
  const auto directory = host::Directory::open(folder);
  if (is(directory, ErrorCode::not_found)) return {};
  if (!directory) return pass(directory, "CDI");
  const auto names = directory->list(".");
  if (!names) return pass(names, "CDI");
  for (const auto& name : *names) {
    if (!name.starts_with(kFilePrefix) || !name.ends_with(kFileSuffix)) continue;
    const auto is_its = [&](const auto& resource) { return name == file_name(resource); };
    if (std::ranges::any_of(resources, is_its)) continue;
    auto removed = host::remove_file(folder + '/' + name);
    if (!removed) return pass(removed, "CDI");
  }
  return {};
}

}  // namespace railhead::grant
