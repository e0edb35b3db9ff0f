#include "plugin/topology/file.hpp"

#include "base/text.hpp"
#include "plugin/topology/tree.hpp"

namespace railhead::topology {

std::optional<PciAddress> parse_bus_id(std::string_view text) {
  std::string full(trim(text));
  if (split(full, ':').size() == 2) full = "0000:" + full;
  if (full.find('.') == std::string::npos) full += ".0";
  return PciAddress::parse(full);
}

void Tree::enter_bridge(std::string name, std::optional<int> numa_node) {
  here_ = {{std::move(name)}, numa_node};
}

std::string Tree::port_above(std::string_view name) const {
  return fmt::format("port of {}", name);
}

Result<void> Tree::enter_switch(const std::string& name) {
  if (here_.path.size() >= 2 * kMaxDepth) {
    return fail(ErrorCode::decode, "{}: more than {} switches below each other", name, kMaxDepth);
  }
  here_.path.push_back(port_above(name));
  here_.path.push_back(name);
  return {};
}

void Tree::leave_switch() { here_.path.resize(here_.path.size() - 2); }

Result<void> Tree::add(std::string_view bus_id) {
  const auto address = parse_bus_id(bus_id);
  if (!address) {
    return fail(ErrorCode::decode, "expected a PCI address such as 0000:3b:00.0, got {}",
                go_quoted(bus_id));
  }
  auto place = here_;
  place.path.push_back(port_above(address->to_string()));
  if (!file_.topology.places.emplace(*address, std::move(place)).second) {
    warn(fmt::format("{} is named twice; its first place stands", address->to_string()));
  }
  return {};
}

Result<File> parse(std::string_view text) {
  if (text.size() > kMaxSize) {
    return fail(ErrorCode::decode, "{} bytes are more than the {} that are read", text.size(),
                kMaxSize);
  }
  const auto content = trim(text);
  return content.starts_with('<') ? parse_xml(content) : parse_yaml(content);
}

}  // namespace railhead::topology
