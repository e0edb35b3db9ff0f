#include "attach/addresses.hpp"

#include <algorithm>

#include "attach/function.hpp"

namespace railhead::attach {

Result<void> activate_addresses(Subject& subject, const IpConfig& config) {
  auto opened = subject.pod->links(subject.host().netns);
  if (!opened) return pass(opened);
  host::Links& links = **opened;
  const host::Link& link = *subject.link;
  const host::Netns& netns = subject.pod->netns;
  auto& host = subject.host();
  // Neighbours are told of an IPv4 address by the kernel when the link is taken up, if it has
  // carrier by then; where IPv6 was switched off for new interfaces an address needs it on. Without
  // the sysctl: nothing lost.
  const bool v6 = std::any_of(config.addresses.begin(), config.addresses.end(),
                              [](const auto& address) { return address.v6; });
  auto prepared = host.netns.run(netns, [&]() -> Result<void> {
    std::ignore = write_sysctl(host, "ipv4/conf/*/arp_notify", link.name, "1");
    std::ignore = write_sysctl(host, "ipv6/conf/*/ndisc_notify", link.name, "0");
    if (v6) {
      std::ignore = write_sysctl(host, "ipv6/conf/*/disable_ipv6", link.name, "0");
      // Permits what add_address() asks for.
      std::ignore = write_sysctl(host, "ipv6/conf/*/optimistic_dad", link.name, "1");
    }
    return {};
  });
  if (!prepared) return prepared;
  for (const auto& address : config.addresses) {
    if (auto done = links.add_address(link.index, address); !done) {
      return pass(done, fmt::format("address {} on {}", address.to_string(), link.name));
    }
  }
  if (auto done = links.change(link.index, {.up = true}); !done) {
    return pass(done, fmt::format("bringing {} up", link.name));
  }
  // Only now: an announcement at the link's up would come while the address is looked for
  // duplicates. A NIC's switch that gives a VF its own multicasts back would then make the kernel
  // take the address for one, and drop it; the nonce of RFC 7527 is in solicitations only.
  std::ignore = host.netns.run(netns, [&]() -> Result<void> {
    return write_sysctl(host, "ipv6/conf/*/ndisc_notify", link.name, "1");
  });
  for (auto route : config.routes) {
    route.out_index = link.index;
    if (auto done = links.add_route(route); !done) {
      return pass(done, fmt::format("route {} on {}", route.destination.to_string(), link.name));
    }
  }
  return {};
}

}  // namespace railhead::attach
