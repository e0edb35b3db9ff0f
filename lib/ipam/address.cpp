#include "ipam/address.hpp"

namespace railhead::ipam {
namespace {

// The bits behind a prefix of that length, all set.
Number host_bits(bool v6, unsigned length) {
  const auto bits = bits_of(v6) - length;
  return bits >= 128 ? ~Number{0} : (Number{1} << bits) - 1;
}

}  // namespace

std::optional<Address> Address::parse(std::string_view text) {
  if (text.find('/') != std::string_view::npos) return std::nullopt;
  const auto prefix = host::IpPrefix::parse(text);
  if (!prefix) return std::nullopt;
  return of(*prefix);
}

Address Address::of(const host::IpPrefix& prefix) {
  Address address{.v6 = prefix.v6};
  for (size_t i = 0; i < bits_of(prefix.v6) / 8; ++i) {
    address.value = address.value << 8 | prefix.bytes[i];
  }
  return address;
}

host::IpPrefix Address::with_length(unsigned length) const {
  host::IpPrefix prefix;
  prefix.v6 = v6;
  prefix.length = static_cast<uint8_t>(length);
  const size_t count = bits_of(v6) / 8;
  for (size_t i = 0; i < count; ++i) {
    prefix.bytes[count - 1 - i] = static_cast<uint8_t>(value >> (8 * i) & 0xff);
  }
  return prefix;
}

std::string Address::to_string() const { return with_length(bits_of(v6)).address_string(); }

std::optional<Address> Address::plus(Number offset) const {
  if (offset > host_bits(v6, 0) - value) return std::nullopt;
  return Address{v6, value + offset};
}

Address first_of(const host::IpPrefix& network) {
  auto address = Address::of(network);
  address.value &= ~host_bits(network.v6, network.length);
  return address;
}

Address last_of(const host::IpPrefix& network) {
  auto address = Address::of(network);
  address.value |= host_bits(network.v6, network.length);
  return address;
}

bool contains(const host::IpPrefix& network, const Address& address) {
  return network.v6 == address.v6 && first_of(network) <= address && address <= last_of(network);
}

Number size_of(const host::IpPrefix& network) {
  const auto behind = host_bits(network.v6, network.length);
  return behind == ~Number{0} ? behind : behind + 1;
}

}  // namespace railhead::ipam
