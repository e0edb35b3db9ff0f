#include "host/links.hpp"

#include <arpa/inet.h>
#include <net/if.h>
#include <net/if_arp.h>

#include "base/text.hpp"

namespace railhead::host {

bool Link::is_up() const { return (flags & IFF_UP) != 0; }

bool Link::is_promisc() const { return (flags & IFF_PROMISC) != 0; }

bool Link::is_allmulti() const { return (flags & IFF_ALLMULTI) != 0; }

std::optional<uint32_t> Link::lower() const { return lower_netns ? std::nullopt : lower_index; }

bool Link::is_hardware() const { return parent_device || (!kind && type != ARPHRD_LOOPBACK); }

std::string_view to_string(VfLinkState state) {
  switch (state) {
    case VfLinkState::automatic:
      return "auto";
    case VfLinkState::enable:
      return "enable";
    case VfLinkState::disable:
      return "disable";
  }
  return "unknown";
}

std::optional<IpPrefix> IpPrefix::parse(std::string_view text) {
  const auto slash = text.find('/');
  const std::string address(text.substr(0, slash));
  IpPrefix prefix;
  prefix.v6 = address.find(':') != std::string::npos;
  if (inet_pton(prefix.v6 ? AF_INET6 : AF_INET, address.c_str(), prefix.bytes.data()) != 1) {
    return std::nullopt;
  }
  prefix.length = prefix.v6 ? 128 : 32;
  if (slash == std::string_view::npos) return prefix;
  auto length = parse_int<uint8_t>(text.substr(slash + 1));
  if (!length || *length > prefix.length) return std::nullopt;
  prefix.length = *length;
  return prefix;
}

std::string IpPrefix::address_string() const {
  char text[INET6_ADDRSTRLEN] = "";
  inet_ntop(v6 ? AF_INET6 : AF_INET, bytes.data(), text, sizeof(text));
  return text;
}

std::string IpPrefix::to_string() const { return fmt::format("{}/{}", address_string(), length); }

}  // namespace railhead::host
