#pragma once
// What the netlink fuzz targets share: their input is a datagram, as test/golden/netlink has them.
#include <cstddef>
#include <cstdint>

#include "netlink/wire.hpp"

namespace railhead::fuzz {

// Gives every message of the input to `decode`.
template <class Decode>
int each_message(const uint8_t* data, size_t size, Decode decode) {
  auto messages = netlink::parse_messages(std::as_bytes(std::span(data, size)));
  if (!messages) return 0;
  for (const auto& message : *messages) decode(message);
  return 0;
}

}  // namespace railhead::fuzz
