#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace railhead {

// An InfiniBand EUI-64 (node GUID, port GUID), in host order: 0x0011223344556677 is
// "00:11:22:33:44:55:66:77".
struct Guid {
  uint64_t value = 0;

  // Eight hex pairs with ':' between them ("00:11:22:33:44:55:66:77"), or sysfs' form of four
  // groups of four digits ("0011:2233:4455:6677").
  static std::optional<Guid> parse(std::string_view text);
  [[nodiscard]] std::string to_string() const;  // eight pairs, lower case

  friend bool operator==(const Guid&, const Guid&) = default;
};

// The first and the last of them; none is 0 or all ones, which mean none.
struct GuidRange {
  Guid first;
  Guid last;

  // "02:00:00:00:00:00:01:00-02:00:00:00:00:00:01:ff"; nothing where the last is before the first.
  static std::optional<GuidRange> parse(std::string_view text);
  [[nodiscard]] uint64_t count() const { return last.value - first.value + 1; }
  [[nodiscard]] std::string to_string() const;

  friend bool operator==(const GuidRange&, const GuidRange&) = default;
};

}  // namespace railhead
