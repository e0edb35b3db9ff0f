#pragma once
// Netlink's framing (linux/netlink.h): messages and attributes as bytes, without a socket.
// Everything is in host byte order and aligned to 4 bytes.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <linux/netlink.h>

#include "base/error.hpp"

namespace railhead::netlink {

using Bytes = std::span<const std::byte>;

template <class T>
Bytes bytes_of(const T& value) {
  return std::as_bytes(std::span(&value, 1));
}

// One received message; `payload` looks into the datagram it was read from.
struct Message {
  uint16_t type = 0;
  uint16_t flags = 0;  // NLM_F_*
  uint32_t sequence = 0;
  Bytes payload;
};

// All messages of a datagram, which must consist of whole messages. Errors: decode.
Result<std::vector<Message>> parse_messages(Bytes datagram);

// The fixed header a payload begins with (ifinfomsg, ifaddrmsg, …). Errors: decode.
template <class T>
Result<T> read_header(Bytes payload) {
  if (payload.size() < sizeof(T)) {
    return fail(ErrorCode::decode, "{} bytes where a header of {} is due", payload.size(),
                sizeof(T));
  }
  T header;
  std::memcpy(&header, payload.data(), sizeof(T));
  return header;
}

struct Attribute {
  uint16_t type = 0;  // without NLA_F_NESTED and NLA_F_NET_BYTEORDER
  Bytes data;
};

// The attributes of a payload or of a nested attribute. A getter gives nothing when the attribute
// is missing; one that is too short for its getter makes verify() fail.
class Attributes {
 public:
  // `skip`: size of the fixed header in front. Errors: decode.
  static Result<Attributes> parse(Bytes bytes, size_t skip = 0);

  std::optional<uint8_t> u8(uint16_t type) { return value<uint8_t>(type); }
  std::optional<uint16_t> u16(uint16_t type) { return value<uint16_t>(type); }
  std::optional<uint32_t> u32(uint16_t type) { return value<uint32_t>(type); }
  std::optional<uint64_t> u64(uint16_t type) { return value<uint64_t>(type); }
  std::optional<std::string> string(uint16_t type) const;  // up to its NUL
  std::optional<Bytes> bytes(uint16_t type) const;
  // A struct of the kernel's ABI; a newer kernel may have put more behind it.
  template <class T>
  std::optional<T> value(uint16_t type) {
    auto data = bytes(type);
    if (!data) return std::nullopt;
    if (data->size() < sizeof(T)) {
      too_short_ = type;
      return std::nullopt;
    }
    T result;
    std::memcpy(&result, data->data(), sizeof(T));
    return result;
  }

  [[nodiscard]] Result<void> verify() const;
  [[nodiscard]] auto begin() const { return all_.begin(); }
  [[nodiscard]] auto end() const { return all_.end(); }

 private:
  std::vector<Attribute> all_;
  std::optional<uint16_t> too_short_;
};

// What NLMSG_ERROR and NLMSG_DONE say; an errno of 0 is the acknowledgement.
struct Acknowledgement {
  int os_errno = 0;  // positive
  std::string text;  // NLMSGERR_ATTR_MSG, the kernel's own words; often empty
};
Result<Acknowledgement> parse_acknowledgement(const Message& message);

// A request in the making. Padding is zero, so the same request is always the same bytes.
class Request {
 public:
  template <class Header>
  Request(uint16_t type, uint16_t flags, const Header& header) : Request(type, flags) {
    append(bytes_of(header));
  }
  Request(uint16_t type, uint16_t flags);

  void put(uint16_t type, Bytes data);
  void put_u32(uint16_t type, uint32_t value) { put(type, bytes_of(value)); }
  void put_string(uint16_t type, std::string_view text);  // with a NUL behind it
  // What `fill` puts stands inside the attribute `type`.
  void nest(uint16_t type, const std::function<void()>& fill);

  void set_sequence(uint32_t sequence);
  // The whole message, its length filled in.
  [[nodiscard]] Bytes bytes() const { return bytes_; }

 private:
  void append(Bytes data);
  void write_at(size_t offset, Bytes data);

  std::vector<std::byte> bytes_;
};

}  // namespace railhead::netlink
