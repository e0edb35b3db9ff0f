#include "netlink/address.hpp"

#include <algorithm>

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

namespace railhead::netlink {
namespace {

uint8_t family_of(const host::IpPrefix& prefix) { return prefix.v6 ? AF_INET6 : AF_INET; }

bool is_ip(uint8_t family) { return family == AF_INET || family == AF_INET6; }

std::array<uint8_t, 4> broadcast_of(const host::IpPrefix& address) {
  std::array<uint8_t, 4> bytes{};
  for (size_t i = 0; i < bytes.size(); ++i) {
    const int host_bits = std::clamp(static_cast<int>(8 * (i + 1)) - address.length, 0, 8);
    bytes[i] = static_cast<uint8_t>(address.bytes[i] | ((1 << host_bits) - 1));
  }
  return bytes;
}

}  // namespace

Bytes address_bytes(const host::IpPrefix& prefix) {
  return std::as_bytes(std::span(prefix.bytes)).first(prefix.v6 ? 16 : 4);
}

Result<host::IpPrefix> prefix_of(bool v6, Bytes address, uint8_t length) {
  host::IpPrefix prefix;
  prefix.v6 = v6;
  prefix.length = length;
  if (address.size() != address_bytes(prefix).size() || length > address.size() * 8) {
    return fail(ErrorCode::decode, "address of {} bytes with prefix length {}", address.size(),
                length);
  }
  std::memcpy(prefix.bytes.data(), address.data(), address.size());
  return prefix;
}

Request get_addresses(uint32_t index) {
  ifaddrmsg header{};
  header.ifa_index = index;
  return {RTM_GETADDR, NLM_F_DUMP, header};
}

Request add_address(uint32_t index, const host::IpPrefix& address) {
  ifaddrmsg header{};
  header.ifa_family = family_of(address);
  header.ifa_prefixlen = address.length;
  header.ifa_index = index;
  Request request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, header);
  request.put(IFA_LOCAL, address_bytes(address));
  request.put(IFA_ADDRESS, address_bytes(address));
  // The kernel sets no broadcast address by itself; /31 and /32 have none (RFC 3021).
  if (!address.v6 && address.length < 31) {
    request.put(IFA_BROADCAST, bytes_of(broadcast_of(address)));
  }
  // Usable while it is looked for duplicates (RFC 4429). The kernel takes the flag only from the
  // request, and drops it where the link's sysctl optimistic_dad does not permit it.
  if (address.v6) request.put_u32(IFA_FLAGS, IFA_F_OPTIMISTIC);
  return request;
}

Result<std::optional<host::LinkAddress>> decode_address(const Message& message) {
  auto header = read_header<ifaddrmsg>(message.payload);
  if (!header) return pass(header, "address");
  if (!is_ip(header->ifa_family)) return std::nullopt;
  auto attributes = Attributes::parse(message.payload, sizeof(ifaddrmsg));
  if (!attributes) return pass(attributes, "address");
  // IFA_ADDRESS is the peer's on a point-to-point link; IFA_LOCAL is then the link's own.
  auto bytes = attributes->bytes(IFA_LOCAL);
  if (!bytes) bytes = attributes->bytes(IFA_ADDRESS);
  if (!bytes) {
    return fail(ErrorCode::decode, "address of family {} without a value", header->ifa_family);
  }
  auto address = prefix_of(header->ifa_family == AF_INET6, *bytes, header->ifa_prefixlen);
  if (!address) return pass(address);
  return host::LinkAddress{header->ifa_index, *address, header->ifa_scope,
                           (header->ifa_flags & IFA_F_DADFAILED) != 0};
}

}  // namespace railhead::netlink
