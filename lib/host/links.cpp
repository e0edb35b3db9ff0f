#include "host/links.hpp"

#include <arpa/inet.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>

#include "base/text.hpp"

namespace railhead::host {

bool Link::is_up() const { return (flags & IFF_UP) != 0; }

bool Link::is_promisc() const { return (flags & IFF_PROMISC) != 0; }

bool Link::is_allmulti() const { return (flags & IFF_ALLMULTI) != 0; }

bool Link::is_of(LinkLayer layer) const {
  if (layer == LinkLayer::ethernet) return type != ARPHRD_INFINIBAND;
  return type == ARPHRD_INFINIBAND && !lower_index;
}

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

IpPrefix IpPrefix::network() const {
  IpPrefix network = *this;
  for (size_t bit = length; bit < 8 * bytes.size(); ++bit) {
    network.bytes[bit / 8] &= static_cast<uint8_t>(~(0x80 >> bit % 8));
  }
  return network;
}

uint32_t Route::kernel_metric() const {
  constexpr uint32_t kOfUsers = 1024;  // IP6_RT_PRIO_USER, net/ipv6
  const auto given = metric.value_or(0);
  return given == 0 && destination.v6 ? kOfUsers : given;
}

uint32_t Route::kernel_table() const {
  const auto given = table.value_or(RT_TABLE_UNSPEC);
  return given == RT_TABLE_UNSPEC ? uint32_t{RT_TABLE_MAIN} : given;
}

bool Route::is_same_way(const Route& other) const {
  const auto via = [](const Route& route) {
    return route.gateway ? route.gateway->address_string() : "";
  };
  return destination.network() == other.destination.network() && via(*this) == via(other) &&
         kernel_metric() == other.kernel_metric() && kernel_table() == other.kernel_table();
}

}  // namespace railhead::host
