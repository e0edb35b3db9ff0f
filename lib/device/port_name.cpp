#include "device/port_name.hpp"

#include <charconv>

namespace railhead::device {
namespace {

// Takes "pf12" off the front of the text: 12. Nothing, and the text as it was, when it does not
// begin so. A number without leading zeros, as printf("%u") writes it.
std::optional<uint32_t> take(std::string_view& text, std::string_view letters) {
  if (!text.starts_with(letters)) return std::nullopt;
  const auto digits = text.substr(letters.size());
  uint32_t number = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), number, 10);
  const auto length = static_cast<size_t>(end - digits.data());
  if (error != std::errc() || (digits.front() == '0' && length > 1)) return std::nullopt;
  text = digits.substr(length);
  return number;
}

}  // namespace

std::optional<PortName> PortName::parse(std::string_view text) {
  PortName name;
  if ((name.vf = take(text, "")) || (name.vf = take(text, "vf"))) {
    return text.empty() ? std::optional(name) : std::nullopt;
  }
  name.controller = take(text, "c");
  if (!name.controller) {
    name.line_card = take(text, "l");
    name.port = take(text, "p");
    if (name.line_card && !name.port) return std::nullopt;
    if (name.port) name.split = take(text, "s");
  }
  name.pf = take(text, "pf");
  if (name.pf && !(name.vf = take(text, "vf"))) name.sf = take(text, "sf");
  if (!text.empty() || (!name.port && !name.pf)) return std::nullopt;
  return name;
}

bool is_representor_port(std::string_view phys_port_name) {
  const auto name = PortName::parse(phys_port_name);
  return name && !name->is_uplink();
}

bool is_uplink_port(std::string_view phys_port_name) {
  const auto name = PortName::parse(phys_port_name);
  return name && name->is_uplink();
}

}  // namespace railhead::device
