#include "attach/parts/link_common.hpp"

#include <algorithm>

namespace railhead::attach::link {

using host::Link;

namespace {

// Of the record's device, where it stands for something else than itself; else by its names.
Result<Link> find(host::Links& links, const Subject& subject,
                  const std::vector<std::string>& names) {
  const auto& before = subject.record.link->before;
  if (!before.parent.empty()) return links.by_parent(before.parent, layer_of(subject.record.kind));
  for (const auto& name : names) {
    auto found = links.by_name(name);
    if (found && found->kind.value_or("") == before.kind) return found;
    if (!found && !is(found, ErrorCode::not_found)) return found;
  }
  return fail(ErrorCode::not_found, "{} is not here", before.name);
}

bool is_link_local(const host::IpPrefix& address) {  // fe80::/10, RFC 4291
  return address.v6 && address.bytes[0] == 0xfe && (address.bytes[1] & 0xc0) == 0x80;
}

bool is_multicast(const host::IpPrefix& address) {  // ff00::/8, RFC 4291
  return address.v6 && address.bytes[0] == 0xff;
}

}  // namespace

bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

Result<Link> find_in_host(const Subject& subject) {
  return find(subject.host().links, subject,
              {subject.record.link->before.name, temporary_name(subject.record.device)});
}

Result<void> change(Subject& subject, const host::LinkChange& what) {
  return subject.host().links.change(subject.link->index, what);
}

Result<void> remove_new_alt_names(host::Links& links, const Subject& subject) {
  const auto& own = subject.record.link->before.alt_names;
  for (const auto& name : subject.link->alt_names) {
    if (has(own, name)) continue;
    if (auto done = links.remove_alt_name(subject.link->index, name); !done) return done;
  }
  return {};
}

Result<void> inspect_host_use(host::Links& links, const Link& link, LinkState& state) {
  auto addresses = links.addresses(link.index);
  if (!addresses) return pass(addresses, link.name);
  std::erase_if(*addresses, is_link_local);
  state.addresses = std::move(*addresses);
  if (!link.is_up()) return {};  // it has no routes
  auto routes = links.routes(link.index);
  if (!routes) return pass(routes, link.name);
  std::erase_if(*routes, [](const auto& route) {
    return is_link_local(route.destination) || is_multicast(route.destination);
  });
  state.routes = std::move(*routes);
  return {};
}

}  // namespace railhead::attach::link
