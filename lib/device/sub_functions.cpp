#include "device/sub_functions.hpp"

#include <algorithm>
#include <tuple>

#include "device/sysfs.hpp"

namespace railhead::device {
namespace {

// Nothing when it went away.
Result<std::optional<SubFunction>> read_sub_function(const host::Directory& bus,
                                                     const std::string& name, const Known& known) {
  const auto folder = optional(bus.sub(name));
  if (!folder) return pass(folder);
  if (!*folder) return std::nullopt;
  SubFunction sub_function;
  sub_function.name = name;
  const auto driver = optional((*folder)->link_name("driver"));
  if (!driver) return pass(driver);
  sub_function.driver = driver->value_or("");
  const auto number = read_number<uint32_t>(**folder, "sfnum");
  if (!number) return pass(number);
  sub_function.number = *number;
  auto netdevs = read_netdevs(**folder, name, sub_function.driver, known.links);
  if (!netdevs) return pass(netdevs);
  sub_function.netdevs = std::move(*netdevs);
  auto rdma = read_rdma(**folder, known.rdma);
  if (!rdma) return pass(rdma);
  sub_function.rdma = std::move(*rdma);
  return sub_function;
}

}  // namespace

bool is_sub_function(std::string_view auxiliary_name) {
  const auto parts = split(auxiliary_name, '.');  // driver, type, number
  return parts.size() == 3 && parts[1] == "sf" && parse_int<uint32_t>(parts[2]);
}

std::string sysfs_folder(const std::string& device) {
  return (is_sub_function(device) ? "bus/auxiliary/devices/" : "bus/pci/devices/") + device;
}

Result<SubFunctionNames> list_sub_functions(const std::string& sysfs_root) {
  SubFunctionNames all;
  const auto bus = host::Directory::open(sysfs_root + "/bus/auxiliary/devices");
  if (absent(bus)) return all;
  if (!bus) return pass(bus);
  const auto names = bus->list(".");
  if (!names) return pass(names);
  for (const auto& name : *names) {
    if (!is_sub_function(name)) continue;
    const auto link = bus->link(name);
    const auto parent = link ? parent_function(*link) : std::nullopt;
    if (parent) all[*parent].push_back(name);
  }
  return all;
}

std::vector<SubFunction> read_sub_functions(const std::string& sysfs_root,
                                            const std::vector<std::string>& names,
                                            const Known& known, Warnings& warnings) {
  std::vector<SubFunction> all;
  if (names.empty()) return all;
  const auto bus = host::Directory::open(sysfs_root + "/bus/auxiliary/devices");
  if (!bus) return all;
  for (const auto& name : names) {
    auto sub_function = read_sub_function(*bus, name, known);
    if (!sub_function) {
      warnings.push_back(fmt::format("{} is left out: {}", name, sub_function.error().message));
    } else if (*sub_function) {
      all.push_back(std::move(**sub_function));
    }
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
    return std::tuple(a.number, a.name.size(), std::string_view(a.name)) <
           std::tuple(b.number, b.name.size(), std::string_view(b.name));
  });
  return all;
}

}  // namespace railhead::device
