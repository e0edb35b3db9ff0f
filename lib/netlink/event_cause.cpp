#include "netlink/event_cause.hpp"

#include <algorithm>
#include <array>

#include <linux/devlink.h>
#include <linux/genetlink.h>
#include <rdma/rdma_netlink.h>

#include "base/pci_address.hpp"
#include "base/text.hpp"

namespace railhead::netlink {
namespace {

// "/devices/pci0000:20/0000:20:00.0/0000:23:10.0/net/eth3" -> "0000:23:10.0": what is before it are
// the bridges above.
std::optional<std::string> function_of(std::string_view path) {
  std::optional<std::string> last;
  for (const auto part : split(path, '/')) {
    if (PciAddress::parse(part)) last = part;
  }
  return last;
}

void note_recovery(const Uevent& uevent, host::EventBatch& batch) {
  const bool is_new_start =
      uevent.action == "add" || uevent.action == "remove" || uevent.action == "bind";
  if (uevent.subsystem == "pci" && !uevent.pci_slot.empty() &&
      (is_new_start || !uevent.error_event.empty())) {
    batch.recoveries.push_back({uevent.pci_slot, uevent.error_event});
  }
}

}  // namespace

void note_unreadable(std::string what, host::EventBatch& batch) {
  batch.causes.push_back(std::move(what) + " that cannot be read");
  batch.everything = true;
}

void note(const Uevent& uevent, host::EventBatch& batch) {
  static constexpr std::array<std::string_view, 9> kSubsystems = {
      "pci",  "net",       "infiniband", "infiniband_verbs", "infiniband_mad",
      "vdpa", "auxiliary", "uio",        "vfio-dev"};
  note_recovery(uevent, batch);
  if (std::ranges::find(kSubsystems, uevent.subsystem) == kSubsystems.end()) return;
  // Veth pairs, bridges, and software RDMA devices on them hang off no hardware.
  if (uevent.path.starts_with("/devices/virtual/")) return;
  batch.causes.push_back(fmt::format("{} {} {}", uevent.subsystem, uevent.action,
                                     uevent.path.substr(uevent.path.rfind('/') + 1)));
  batch.links = batch.links || uevent.subsystem == "net";
  batch.rdma = batch.rdma || uevent.subsystem.starts_with("infiniband");
  if (const auto function = function_of(uevent.path)) {
    batch.functions.insert(*function);
  } else {
    batch.everything = true;
  }
}

void note_devlink_message(const Message& message, host::EventBatch& batch) {
  constexpr const char* kWhat = "a devlink message";
  const auto header = read_header<genlmsghdr>(message.payload);
  if (!header) return note_unreadable(kWhat, batch);
  switch (header->cmd) {
    case DEVLINK_CMD_NEW:
    case DEVLINK_CMD_DEL:
    case DEVLINK_CMD_PORT_NEW:
    case DEVLINK_CMD_PORT_DEL:
    case DEVLINK_CMD_PARAM_NEW:
    case DEVLINK_CMD_PARAM_DEL:
      break;
    default:  // traps, regions, rates, health reports: nothing that is looked at
      return;
  }
  const auto attributes = Attributes::parse(message.payload, sizeof(genlmsghdr));
  if (!attributes) return note_unreadable(kWhat, batch);
  const auto name = attributes->string(DEVLINK_ATTR_DEV_NAME).value_or("?");
  batch.causes.push_back("devlink " + name);
  if (PciAddress::parse(name)) {
    batch.functions.insert(name);
  } else {
    batch.everything = true;  // of the auxiliary bus: an SF
  }
}

void note_rdma_message(const Message& message, host::EventBatch& batch) {
  // RDMA_NLDEV_CMD_MONITOR: the group carries nothing else.
  const auto attributes = Attributes::parse(message.payload);
  if (!attributes) return note_unreadable("an RDMA message", batch);
  batch.causes.push_back("rdma " + attributes->string(RDMA_NLDEV_ATTR_DEV_NAME).value_or("?"));
  batch.rdma = true;
}

}  // namespace railhead::netlink
