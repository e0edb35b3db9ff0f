// The node's network as sorted text, for two looks that are compared: links with their VFs,
// addresses, sysctls, programs on them, RDMA devices, of the host and of each namespace in
// /run/netns; PCI functions with their drivers; the names of records.
//
//   vm_dump_node [FOLDER…]     the names in these folders too
//
// What the kernel gives anew at each move (indexes, minor numbers), counts, or changes by itself a
// little later (carrier, port states, link-local addresses) is left out. It has nothing in common
// with the code under test, not even a way to read netlink.
#include <algorithm>
#include <cstdint>
#include <cstdio>

#include <fcntl.h>
#include <rdma/rdma_netlink.h>
#include <sched.h>
#include <unistd.h>

#include "test/vm/watchers/dump_node/links.hpp"
#include "test/vm/watchers/dump_node/netlink.hpp"
#include "test/vm/watchers/dump_node/text.hpp"

namespace dump_node {
namespace {

namespace fs = std::filesystem;

// ---- RDMA ----

constexpr int nldev(int command) { return RDMA_NL_GET_TYPE(RDMA_NL_NLDEV, command); }

// "shared", "exclusive", or "" where there is no RDMA.
std::string rdma_mode() {
  const Question question{.type = nldev(RDMA_NLDEV_CMD_SYS_GET), .dump = false};
  for (const auto& message : ask(NETLINK_RDMA, question)) {
    const auto mode = Attributes(message).value<uint8_t>(RDMA_NLDEV_SYS_ATTR_NETNS_MODE);
    if (mode) return *mode != 0 ? "shared" : "exclusive";
  }
  return "";
}

void add_rdma(const std::string& where, Lines& lines) {
  for (const auto& message : ask(NETLINK_RDMA, {nldev(RDMA_NLDEV_CMD_GET)})) {
    const Attributes device(message);
    const auto head = where + " rdma " + device.string(RDMA_NLDEV_ATTR_DEV_NAME);
    const auto guid = device.value<uint64_t>(RDMA_NLDEV_ATTR_NODE_GUID).value_or(0);
    const auto system = device.value<uint64_t>(RDMA_NLDEV_ATTR_SYS_IMAGE_GUID).value_or(0);
    lines.push_back(head + text(" node_guid %016llx sys_image_guid %016llx",
                                static_cast<unsigned long long>(guid),
                                static_cast<unsigned long long>(system)));
    const auto index = device.value<uint32_t>(RDMA_NLDEV_ATTR_DEV_INDEX).value_or(0);
    for (const auto& port :
         ask(NETLINK_RDMA, {nldev(RDMA_NLDEV_CMD_PORT_GET), RDMA_NLDEV_ATTR_DEV_INDEX, index})) {
      const Attributes attributes(port);
      lines.push_back(head +
                      text(" port %u netdev %s",
                           attributes.value<uint32_t>(RDMA_NLDEV_ATTR_PORT_INDEX).value_or(0),
                           attributes.string(RDMA_NLDEV_ATTR_NDEV_NAME).c_str()));
    }
  }
}

// ---- namespaces, functions, records ----

void add_namespace(const std::string& where, bool with_rdma, Lines& lines) {
  add_links_and_addresses(where, lines);
  if (with_rdma) add_rdma(where, lines);
}

void add_named_namespaces(bool with_rdma, Lines& lines) {
  const int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  for (const auto& name : names_in("/run/netns")) {
    const int fd = open(("/run/netns/" + name).c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNET) != 0) {
      lines.push_back("netns:" + name + " cannot be entered");
    } else {
      add_namespace("netns:" + name, with_rdma, lines);
    }
    close(fd);
    if (setns(home, CLONE_NEWNET) != 0) die("back to the host's namespace");
  }
  close(home);
}

void add_functions(Lines& lines) {
  const fs::path devices = "/sys/bus/pci/devices";
  for (const auto& address : names_in(devices)) {
    const auto path = devices / address;
    if (!first_line(path / "class").starts_with("0x02")) continue;
    const auto value = [](const std::string& now) {
      return now.empty() || now == "(null)" ? "-" : now;
    };
    lines.push_back("pci " + address + " driver " + value(link_target(path / "driver")) +
                    " override " + value(first_line(path / "driver_override")) + " vfs " +
                    value(first_line(path / "sriov_numvfs")) + " pf " +
                    value(link_target(path / "physfn")) + " netdevs " +
                    value(joined(names_in(path / "net"))) + " rdma " +
                    value(joined(names_in(path / "infiniband"))));
  }
}

// A name that begins with a dot stands for nothing: a file that a killed program was writing.
void add_names(const std::string& folder, Lines& lines) {
  for (const auto& name : names_in(folder)) {
    if (name.front() == '.') continue;
    const auto target = link_target(folder + '/' + name);
    lines.push_back("file " + folder + '/' + name + (target.empty() ? "" : " -> " + target));
  }
}

}  // namespace
}  // namespace dump_node

int main(int argc, char** argv) {
  using namespace dump_node;
  Lines lines;
  const auto mode = rdma_mode();
  if (!mode.empty()) lines.push_back("rdma " + mode);
  add_namespace("host", !mode.empty(), lines);
  // shared: what the host sees, each namespace does
  add_named_namespaces(mode == "exclusive", lines);
  add_functions(lines);
  for (const auto* folder : {"attachments", "devices", "debts", "baseline"}) {
    add_names(std::string("/run/railhead/") + folder, lines);
  }
  for (int i = 1; i < argc; ++i) add_names(argv[i], lines);
  std::sort(lines.begin(), lines.end());
  for (const auto& line : lines) std::puts(line.c_str());
}
