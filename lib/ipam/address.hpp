#pragma once
// IP addresses as numbers: what blocks, ranges and offsets are counted with.
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "host/links.hpp"

namespace railhead::ipam {

__extension__ using Number = unsigned __int128;

// Of an address: 32 or 128.
constexpr unsigned bits_of(bool v6) { return v6 ? 128 : 32; }

struct Address {
  bool v6 = false;
  Number value = 0;  // of IPv4 its 32 bits

  // Without "/len".
  static std::optional<Address> parse(std::string_view text);
  static Address of(const host::IpPrefix& prefix);  // its length is not looked at
  [[nodiscard]] host::IpPrefix with_length(unsigned length) const;
  [[nodiscard]] std::string to_string() const;
  // Nothing where it would leave the family's space.
  [[nodiscard]] std::optional<Address> plus(Number offset) const;
  friend auto operator<=>(const Address&, const Address&) = default;
};

// What an interface is given.
struct Given {
  host::IpPrefix address;  // with the length of its subnet
  std::optional<Address> gateway;
  friend bool operator==(const Given&, const Given&) = default;
};

// First and last address of a network: "10.1.2.0/24" has 10.1.2.0 and 10.1.2.255.
Address first_of(const host::IpPrefix& network);
Address last_of(const host::IpPrefix& network);
bool contains(const host::IpPrefix& network, const Address& address);
// How many addresses it has; of ::/0, which has one more than a Number holds, the largest.
Number size_of(const host::IpPrefix& network);

}  // namespace railhead::ipam
