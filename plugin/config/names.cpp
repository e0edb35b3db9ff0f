#include "plugin/config/names.hpp"

#include <algorithm>

#include <net/if.h>

#include "base/pci_address.hpp"
#include "base/text.hpp"

namespace railhead::config {
namespace {

bool is_lower_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool is_letter_or_digit(char c) { return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z'); }

bool is_dns_label(std::string_view label) {
  return !label.empty() && label.size() <= 63 && label.front() != '-' && label.back() != '-' &&
         std::all_of(label.begin(), label.end(),
                     [](char c) { return is_lower_or_digit(c) || c == '-'; });
}

}  // namespace

bool is_resource_prefix(std::string_view text) {
  const auto labels = split(text, '.');
  return text.size() <= 253 && std::all_of(labels.begin(), labels.end(), is_dns_label) &&
         text != "kubernetes.io" && !text.ends_with(".kubernetes.io") &&
         labels.front() != "requests";
}

bool is_resource_name(std::string_view text) {
  return !text.empty() && text.size() <= 63 && is_letter_or_digit(text.front()) &&
         is_letter_or_digit(text.back()) && std::all_of(text.begin(), text.end(), [](char c) {
           return is_letter_or_digit(c) || c == '_' || c == '-';
         });
}

bool is_hex_id(std::string_view text) { return text.size() == 4 && parse_int<uint16_t>(text, 16); }

bool is_p_key(std::string_view text) {
  return text.size() == 6 && text.starts_with("0x") && parse_int<uint16_t>(text.substr(2), 16);
}

// The file says it as %llu, or %d (drivers/pci/pci-label.c).
bool is_acpi_index(std::string_view text) {
  return parse_int<uint64_t>(text) && (text == "0" || !text.starts_with('0'));
}

bool is_interface_name(std::string_view text) {
  constexpr size_t kMost = IFNAMSIZ - 1;  // it ends with a zero
  return !text.empty() && text.size() <= kMost && text != "." && text != ".." &&
         is_plain_text(text) && text.find_first_of("/: ") == std::string_view::npos;
}

bool is_driver_name(std::string_view text) {
  return is_plain_text(text) && text.find('/') == std::string_view::npos &&
         !PciAddress::parse(text);
}

bool is_plain_text(std::string_view text) {
  return !text.empty() && trim(text) == text && std::all_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) >= ' ' && c != 0x7f;
  });
}

}  // namespace railhead::config
