#include "netlink/devlink.hpp"

#include <linux/devlink.h>
#include <linux/genetlink.h>

namespace railhead::netlink {
namespace {

genlmsghdr header(uint8_t command, uint8_t version) {
  genlmsghdr result{};
  result.cmd = command;
  result.version = version;
  return result;
}

// A question about one PCI function.
Request ask(uint16_t devlink_family, uint8_t command, std::string_view pci) {
  Request request(devlink_family, 0, header(command, DEVLINK_GENL_VERSION));
  request.put_string(DEVLINK_ATTR_BUS_NAME, "pci");
  request.put_string(DEVLINK_ATTR_DEV_NAME, pci);
  return request;
}

}  // namespace

Request get_generic_family(std::string_view name) {
  Request request(GENL_ID_CTRL, 0, header(CTRL_CMD_GETFAMILY, 1));
  request.put_string(CTRL_ATTR_FAMILY_NAME, name);
  return request;
}

Result<uint16_t> decode_generic_family(const Message& message) {
  auto attributes = Attributes::parse(message.payload, sizeof(genlmsghdr));
  if (!attributes) return pass(attributes, "generic netlink family");
  auto id = attributes->u16(CTRL_ATTR_FAMILY_ID);
  if (!id) return fail(ErrorCode::decode, "generic netlink family without an id");
  return *id;
}

Result<std::optional<uint32_t>> decode_generic_group(const Message& message,
                                                     std::string_view name) {
  auto attributes = Attributes::parse(message.payload, sizeof(genlmsghdr));
  if (!attributes) return pass(attributes, "generic netlink family");
  auto list = attributes->bytes(CTRL_ATTR_MCAST_GROUPS);
  if (!list) return std::nullopt;
  auto groups = Attributes::parse(*list);
  if (!groups) return pass(groups, "generic netlink groups");
  for (const auto& entry : *groups) {
    auto group = Attributes::parse(entry.data);
    if (!group) return pass(group, "generic netlink group");
    if (group->string(CTRL_ATTR_MCAST_GRP_NAME) != name) continue;
    auto id = group->u32(CTRL_ATTR_MCAST_GRP_ID);
    if (auto fits = group->verify(); !fits) return pass(fits, "generic netlink group");
    return id;
  }
  return std::nullopt;
}

Request get_info(uint16_t devlink_family, std::string_view pci) {
  return ask(devlink_family, DEVLINK_CMD_INFO_GET, pci);
}

Result<std::optional<std::string>> decode_running_version(const Message& message,
                                                          std::string_view name) {
  auto attributes = Attributes::parse(message.payload, sizeof(genlmsghdr));
  if (!attributes) return pass(attributes, "devlink info");
  for (const auto& attribute : *attributes) {
    if (attribute.type != DEVLINK_ATTR_INFO_VERSION_RUNNING) continue;
    const auto version = Attributes::parse(attribute.data);
    if (!version) return pass(version, "devlink info");
    if (version->string(DEVLINK_ATTR_INFO_VERSION_NAME) == name) {
      return version->string(DEVLINK_ATTR_INFO_VERSION_VALUE);
    }
  }
  return std::nullopt;
}

}  // namespace railhead::netlink
