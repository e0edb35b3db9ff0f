// What a former undo left of a netdev, tried again.
#include <algorithm>

#include "attach/parts/link_common.hpp"
#include "base/text.hpp"

namespace railhead::attach::link {

using host::LinkChange;

namespace {

constexpr std::string_view kSysctl = "sysctl ";

// What stands now of what the debt is about.
std::string standing(const Debt& debt, const LinkState& now) {
  if (debt.what == "name") return now.name;
  if (debt.what == "mtu") return std::to_string(now.mtu);
  if (debt.what == "alias") return now.alias;
  if (debt.what == "up") return now.up ? "up" : "down";
  if (debt.what == "altname") {
    const auto& name = debt.wanted.empty() ? debt.found : debt.wanted;
    return has(now.alt_names, name) ? name : "";
  }
  if (debt.what == kAddressDebt) {
    const bool stands = std::ranges::any_of(
        now.addresses, [&](const auto& address) { return address.to_string() == debt.wanted; });
    return stands ? debt.wanted : "";
  }
  if (debt.what == kRouteDebt) {
    const bool stands = std::ranges::any_of(
        now.routes, [&](const auto& route) { return to_text(route) == debt.wanted; });
    return stands ? debt.wanted : "";
  }
  if (debt.what.starts_with(kSysctl)) {
    const auto at = now.sysctls.find(debt.what.substr(kSysctl.size()));
    return at == now.sysctls.end() ? "" : at->second;
  }
  return "";
}

Result<void> pay(Subject& subject, const Debt& debt) {
  auto& links = subject.host().links;
  const auto index = subject.link->index;
  LinkChange one;
  if (debt.what == "name") {
    one.name = debt.wanted;
  } else if (debt.what == "mtu") {
    one.mtu = parse_int<uint32_t>(debt.wanted);
  } else if (debt.what == "alias") {
    one.alias = debt.wanted;
  } else if (debt.what == "up") {
    one.up = debt.wanted == "up";
  } else if (debt.what == kAddressDebt) {
    const auto address = host::IpPrefix::parse(debt.wanted);
    return address ? links.add_address(index, *address) : Result<void>();
  } else if (debt.what == kRouteDebt) {
    auto route = route_from_text(debt.wanted);
    if (!route) return {};
    route->out_index = index;
    return links.add_route(*route);
  } else if (debt.what == "altname") {
    return debt.wanted.empty() ? links.remove_alt_name(index, debt.found)
                               : links.add_alt_name(index, debt.wanted);
  } else {
    return write_sysctl(subject.host(), debt.what.substr(kSysctl.size()), subject.link->name,
                        debt.wanted);
  }
  return links.change(index, one);
}

// As if it had been paid: the next undo tries again.
void count_as_before(LinkState& before, const Debt& debt) {
  if (debt.what == "name") before.name = debt.wanted;
  if (debt.what == "mtu") before.mtu = parse_int<uint32_t>(debt.wanted).value_or(before.mtu);
  if (debt.what == "alias") before.alias = debt.wanted;
  if (debt.what == "up") before.up = debt.wanted == "up";
  if (debt.what == "altname") {
    if (debt.wanted.empty()) std::erase(before.alt_names, debt.found);
    if (!debt.wanted.empty() && !has(before.alt_names, debt.wanted)) {
      before.alt_names.push_back(debt.wanted);
    }
  }
  if (debt.what == kAddressDebt) {
    if (const auto address = host::IpPrefix::parse(debt.wanted)) {
      before.addresses.push_back(*address);
    }
  }
  if (debt.what == kRouteDebt) {
    if (auto route = route_from_text(debt.wanted)) before.routes.push_back(std::move(*route));
  }
  if (debt.what.starts_with(kSysctl)) {
    before.sysctls[debt.what.substr(kSysctl.size())] = debt.wanted;
  }
}

}  // namespace

void settle(Subject& subject, const std::vector<Debt>& debts) {
  auto& before = subject.record.link->before;
  const LinkState found = before;
  for (const auto& debt : debts) {
    if (standing(debt, found) != debt.found) continue;
    auto paid = pay(subject, debt);
    if (!paid) {
      subject.work.log.warning(
          "still not restored",
          {{"device", subject.name()}, {"what", to_string(debt)}, {"error", paid.error().message}});
    }
    count_as_before(before, debt);
    if (paid && debt.what == "name") subject.link->name = debt.wanted;
    if (paid && debt.what == "mtu") subject.link->mtu = before.mtu;
    if (paid && debt.what == "up") subject.link->flags ^= 1U;
    if (paid && debt.what == "altname") subject.link->alt_names = before.alt_names;
  }
}

}  // namespace railhead::attach::link
