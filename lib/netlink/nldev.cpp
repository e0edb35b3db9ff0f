#include "netlink/nldev.hpp"

#include <rdma/rdma_netlink.h>

namespace railhead::netlink {
namespace {

// The messages have no fixed header: attributes follow at once.
Request request(rdma_nldev_command command, uint16_t flags = 0) {
  return {static_cast<uint16_t>(RDMA_NL_GET_TYPE(RDMA_NL_NLDEV, command)), flags};
}

}  // namespace

Request get_rdma_devices() { return request(RDMA_NLDEV_CMD_GET, NLM_F_DUMP); }

Request get_rdma_port(uint32_t device_index, uint32_t port) {
  auto get = request(RDMA_NLDEV_CMD_PORT_GET);
  get.put_u32(RDMA_NLDEV_ATTR_DEV_INDEX, device_index);
  get.put_u32(RDMA_NLDEV_ATTR_PORT_INDEX, port);
  return get;
}

Request get_rdma_system() { return request(RDMA_NLDEV_CMD_SYS_GET); }

Request move_rdma_device(uint32_t device_index, int netns_fd) {
  auto set = request(RDMA_NLDEV_CMD_SET);
  set.put_u32(RDMA_NLDEV_ATTR_DEV_INDEX, device_index);
  set.put_u32(RDMA_NLDEV_NET_NS_FD, static_cast<uint32_t>(netns_fd));
  return set;
}

Request rename_rdma_device(uint32_t device_index, std::string_view new_name) {
  auto set = request(RDMA_NLDEV_CMD_SET);
  set.put_u32(RDMA_NLDEV_ATTR_DEV_INDEX, device_index);
  set.put_string(RDMA_NLDEV_ATTR_DEV_NAME, new_name);
  return set;
}

Result<host::RdmaLink> decode_rdma_device(const Message& message) {
  auto attributes = Attributes::parse(message.payload);
  if (!attributes) return pass(attributes, "RDMA device");
  auto index = attributes->u32(RDMA_NLDEV_ATTR_DEV_INDEX);
  auto name = attributes->string(RDMA_NLDEV_ATTR_DEV_NAME);
  if (!index || !name) return fail(ErrorCode::decode, "RDMA device without an index or a name");

  host::RdmaLink device;
  device.index = *index;
  device.name = *name;
  device.node_guid.value = attributes->u64(RDMA_NLDEV_ATTR_NODE_GUID).value_or(0);
  device.protocol = attributes->string(RDMA_NLDEV_ATTR_DEV_PROTOCOL).value_or("");
  device.port_count = attributes->u32(RDMA_NLDEV_ATTR_PORT_INDEX).value_or(0);
  if (auto fits = attributes->verify(); !fits) return pass(fits, *name);
  return device;
}

Result<host::RdmaPort> decode_rdma_port(const Message& message) {
  auto attributes = Attributes::parse(message.payload);
  if (!attributes) return pass(attributes, "RDMA port");
  host::RdmaPort port;
  port.number = attributes->u32(RDMA_NLDEV_ATTR_PORT_INDEX).value_or(0);
  port.state = attributes->u8(RDMA_NLDEV_ATTR_PORT_STATE).value_or(0);
  port.physical_state = attributes->u8(RDMA_NLDEV_ATTR_PORT_PHYS_STATE).value_or(0);
  port.netdev = attributes->string(RDMA_NLDEV_ATTR_NDEV_NAME);
  if (auto fits = attributes->verify(); !fits) return pass(fits, "RDMA port");
  return port;
}

Result<std::optional<host::RdmaNetnsMode>> decode_rdma_system(const Message& message) {
  auto attributes = Attributes::parse(message.payload);
  if (!attributes) return pass(attributes, "RDMA subsystem");
  auto shared = attributes->u8(RDMA_NLDEV_SYS_ATTR_NETNS_MODE);
  if (auto fits = attributes->verify(); !fits) return pass(fits, "RDMA subsystem");
  if (!shared) return std::nullopt;
  return *shared ? host::RdmaNetnsMode::shared : host::RdmaNetnsMode::exclusive;
}

}  // namespace railhead::netlink
