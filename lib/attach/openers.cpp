#include "attach/openers.hpp"

#include <algorithm>
#include <set>

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/text.hpp"
#include "device/iommu.hpp"
#include "host/files.hpp"

namespace railhead::attach {
namespace {

struct Nodes {
  std::set<std::string> paths;  // as the host names them
  std::set<dev_t> numbers;      // a container may have them under other names
};

void add_path(Nodes& nodes, const std::string& path) {
  nodes.paths.insert(path);
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0 && S_ISCHR(status.st_mode)) {
    nodes.numbers.insert(status.st_rdev);
  }
}

// "231:196"
std::optional<dev_t> number_of(const std::string& text) {
  const auto parts = split(text, ':');
  if (parts.size() != 2) return std::nullopt;
  const auto major_number = parse_int<unsigned>(parts[0]);
  const auto minor_number = parse_int<unsigned>(parts[1]);
  if (!major_number || !minor_number) return std::nullopt;
  return makedev(*major_number, *minor_number);
}

// Of userspace drivers: VFIO's group or cdev, and UIO's.
void add_user_nodes(Nodes& nodes, const host::Host& host, const Record& record) {
  const auto function = host::Directory::open(
      fmt::format("{}/bus/pci/devices/{}", host.roots.sysfs, record.device.name));
  if (!function) return;
  if (const auto group = function->link_name("iommu_group")) {
    add_path(nodes, device::vfio_node(*group, false));
    add_path(nodes, device::vfio_node(*group, true));
  }
  const auto own = function->list("vfio-dev");
  for (const auto& name : own.value_or(std::vector<std::string>{})) {
    add_path(nodes, device::vfio_cdev_node(name));
  }
  const auto uio = function->list("uio");
  for (const auto& name : uio.value_or(std::vector<std::string>{})) {
    add_path(nodes, "/dev/" + name);
  }
}

Nodes nodes_of(const host::Host& host, const Record& record) {
  Nodes nodes;
  if (is_of_userspace(record.kind) || !record.link) add_user_nodes(nodes, host, record);
  if (!record.rdma || record.changes_rdma()) return nodes;
  for (const auto& device : record.rdma->before) {
    for (const auto& node : device.nodes) {
      if (node.kind != device::CharKind::uverbs) continue;
      nodes.paths.insert(node.path());
      if (const auto number = number_of(node.dev)) nodes.numbers.insert(*number);
    }
  }
  return nodes;
}

std::optional<std::string> open_node(const host::Directory& descriptors, const Nodes& nodes) {
  const auto names = descriptors.list(".");
  if (!names) return std::nullopt;  // it ended, or is not ours to look at
  for (const auto& name : *names) {
    const auto target = descriptors.link(name);
    if (!target || !target->starts_with("/dev/")) continue;
    if (nodes.paths.contains(*target)) return *target;
    struct stat status {};
    if (::fstatat(descriptors.fd(), name.c_str(), &status, 0) == 0 && S_ISCHR(status.st_mode) &&
        nodes.numbers.contains(status.st_rdev)) {
      return *target;
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> who_has_open(const host::Host& host, const Record& record) {
  const auto nodes = nodes_of(host, record);
  if (nodes.paths.empty()) return std::nullopt;
  const auto proc = host::Directory::open(host.roots.proc);
  const auto names = proc ? proc->list(".") : pass(proc);
  if (!names) return std::nullopt;
  for (const auto& pid : *names) {
    if (!parse_int<uint32_t>(pid)) continue;
    const auto descriptors = proc->sub(pid + "/fd");
    if (!descriptors) continue;
    const auto node = open_node(*descriptors, nodes);
    if (!node) continue;
    return fmt::format("pid {} ({}) has {} open", pid,
                       proc->read(pid + "/comm").value_or("its name is not known"), *node);
  }
  return std::nullopt;
}

}  // namespace railhead::attach
