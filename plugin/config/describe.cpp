#include "plugin/config/describe.hpp"

namespace railhead::config {
namespace {

std::string_view to_text(Concern concern) {
  switch (concern) {
    case Concern::ignore:
      return "ignore";
    case Concern::warn:
      return "warn";
    case Concern::require:
      return "require";
  }
  return "";
}

std::string_view to_text(Near near) {
  switch (near) {
    case Near::gpu:
      return "gpu";
    case Near::numa:
      return "numa";
    case Near::none:
      return "none";
  }
  return "";
}

std::string_view to_text(FunctionKind kind) {
  switch (kind) {
    case FunctionKind::vf:
      return "vf";
    case FunctionKind::nic:
      return "nic";
    case FunctionKind::pf:
      return "pf";
  }
  return "";
}

std::string_view to_text(Addressed addressed) {
  switch (addressed) {
    case Addressed::refuse:
      return "false";
    case Addressed::warn:
      return "true, with a warning";
    case Addressed::allow:
      return "true";
  }
  return "";
}

std::string to_text(const std::optional<Order>& order) {
  if (!order) return "packed, where nothing else tells";
  switch (*order) {
    case Order::packed:
      return "packed";
    case Order::spread:
      return "spread";
    case Order::rail:
      return "rail";
  }
  return "";
}

std::string to_text(const std::optional<Sharing>& sharing) {
  if (!sharing) return "exclusive";
  return fmt::format(
      "shared, {} shares of {}{}", sharing->shares,
      sharing->unit == Sharing::Unit::pool ? "all its devices together" : "each device",
      sharing->host_network_only ? ", for pods of the host's network" : "");
}

std::string to_text(const VfsOfPf& item) {
  std::vector<std::string> ranges;
  for (const auto& range : item.vfs.value_or(std::vector<IndexRange>{})) {
    ranges.push_back(range.first == range.last ? std::to_string(range.first)
                                               : fmt::format("{}-{}", range.first, range.last));
  }
  return ranges.empty() ? item.pf : item.pf + '#' + join(ranges, ",");
}
std::string to_text(const PciAddress& address) { return address.to_string(); }
const std::string& to_text(const std::string& text) { return text; }

// The parts of a selector that filter or give something.
class Parts {
 public:
  template <class T>
  void list(const char* key, const std::vector<T>& values) {
    if (values.empty()) return;
    std::vector<std::string> texts;
    for (const auto& value : values) texts.emplace_back(to_text(value));
    add(key, '[' + join(texts, ", ") + ']');
  }
  void flag(const char* key, bool value) {
    if (value) add(key, "true");
  }
  void add(const std::string& key, std::string_view text) {
    parts_.push_back(fmt::format("{}: {}", key, text));
  }
  [[nodiscard]] std::string text() const { return '{' + join(parts_, ", ") + '}'; }

 private:
  std::vector<std::string> parts_;
};

}  // namespace

std::string_view to_string(DeviceType type) {
  switch (type) {
    case DeviceType::net:
      return "netDevice";
    case DeviceType::accelerator:
      return "accelerator";
    case DeviceType::auxiliary:
      return "auxNetDevice";
  }
  return "";
}

std::string describe(const Selector& selector) {
  Parts parts;
  parts.list("vendors", selector.vendors);
  parts.list("devices", selector.devices);
  parts.list("drivers", selector.drivers);
  parts.list("pciAddresses", selector.pci_addresses);
  parts.list("acpiIndexes", selector.acpi_indexes);
  parts.list("auxTypes", selector.aux_types);
  parts.list("pfNames", selector.pf_names);
  parts.list("rootDevices", selector.root_devices);
  parts.list("ifNames", selector.if_names);
  parts.list("linkTypes", selector.link_types);
  parts.list("ddpProfiles", selector.ddp_profiles);
  parts.list("pKeys", selector.p_keys);
  parts.flag("isRdma", selector.is_rdma);
  if (selector.vdpa) {
    parts.add("vdpaType", *selector.vdpa == VdpaType::vhost ? "vhost" : "virtio");
  }
  parts.flag("needVhostNet", selector.need_vhost_net);
  if (!selector.impossible.empty()) {
    parts.add(selector.impossible, "what no device can have: it takes none");
  }
  return parts.text();
}

std::string describe(const Resource& resource) {
  std::string text = resource.full_name() + ":\n";
  const auto line = [&](std::string_view key, std::string_view value) {
    text += fmt::format("  {}: {}\n", key, value);
  };
  line("deviceType", to_string(resource.type));
  line("kind", to_text(resource.sharing));
  for (size_t i = 0; i < resource.selectors.size(); ++i) {
    line(resource.selectors.size() == 1 ? "selectors" : fmt::format("selectors[{}]", i),
         describe(resource.selectors[i]));
  }
  if (resource.type == DeviceType::net) {
    std::vector<std::string> functions;
    for (const auto kind : resource.functions) functions.emplace_back(to_text(kind));
    line("functions", '[' + join(functions, ", ") + ']');
  }
  if (resource.type != DeviceType::accelerator) {
    if (!resource.sharing) line("allowAddressed", to_text(resource.addressed));
    line("issm", resource.issm ? "true" : "false");
    line("health", fmt::format("{{link: {}, rdma: {}}}", to_text(resource.health.link),
                               to_text(resource.health.rdma)));
  }
  line("excludeTopology", resource.exclude_topology ? "true" : "false");
  if (!resource.sharing || resource.sharing->unit == Sharing::Unit::device) {
    line("near", to_text(resource.near));
    line("order", to_text(resource.order));
  }
  if (resource.rails_auto) line("rails", "auto");
  if (resource.nccl_env) line("env", "nccl");
  for (const auto& [device, info] : resource.additional_info) {
    std::vector<std::string> pairs;
    for (const auto& [key, value] : info) pairs.push_back(fmt::format("{}: {}", key, value));
    line(fmt::format("additionalInfo[{}]", device), '{' + join(pairs, ", ") + '}');
  }
  return text;
}

}  // namespace railhead::config
