#pragma once
// host::Links of test/support/fake_host.hpp; nobody else includes this.
#include <algorithm>
#include <cerrno>
#include <functional>

#include "base/text.hpp"
#include "test/support/fake_host.hpp"

namespace railhead::test {

inline std::string describe(const host::VfAttributes& change) {
  std::vector<std::string> words;
  if (change.mac) words.push_back("mac=" + change.mac->to_string());
  if (change.vlan) words.push_back(fmt::format("vlan={}", change.vlan->id));
  if (change.rate) words.emplace_back("rate");
  if (change.spoofchk) words.push_back(fmt::format("spoofchk={}", *change.spoofchk));
  if (change.link_state)
    words.push_back(fmt::format("link_state={}", to_string(*change.link_state)));
  if (change.trust) words.push_back(fmt::format("trust={}", *change.trust));
  if (change.node_guid) words.emplace_back("node_guid");
  if (change.port_guid) words.emplace_back("port_guid");
  return join(words, " ");
}

class FakeHost::Links final : public host::Links {
 public:
  Links(FakeHost& fake, NetnsInode netns) : fake_(fake), netns_(netns) {}

  Result<std::vector<host::Link>> list() override {
    std::vector<host::Link> all;
    auto done = fake_.run("list", [&]() -> Result<void> {
      for (const auto& link : fake_.kernel.links) {
        if (link->netns == netns_) all.push_back(link->link);
      }
      return {};
    });
    if (!done) return pass(done);
    return all;
  }
  Result<host::Link> by_index(uint32_t index) override {
    return get("by_index", [&] { return fake_.kernel.find(netns_, index); });
  }
  Result<host::Link> by_name(std::string_view name) override {
    return get("by_name", [&] { return fake_.kernel.find(netns_, name); });
  }
  Result<host::Link> by_parent(std::string_view pci,
                               host::LinkLayer layer = host::LinkLayer::ethernet) override {
    return get("by_parent", [&]() -> Result<FakeLink*> {
      FakeLink* first = nullptr;
      for (auto& link : fake_.kernel.links) {
        if (link->netns != netns_ || link->link.parent_device != pci) continue;
        if (!link->link.is_of(layer)) continue;
        if (!first || link->link.index < first->link.index) first = link.get();
      }
      if (!first) return fail_errno(ENODEV, "link of {}", pci);
      return first;
    });
  }

  Result<void> change(uint32_t index, const host::LinkChange& change) override {
    std::vector<std::string> words;
    if (change.netns_fd) words.push_back("netns=" + fake_.name_of_fd(*change.netns_fd));
    if (change.name) words.push_back("name=" + *change.name);
    if (change.address) words.push_back("address=" + change.address->to_string());
    if (change.mtu) words.push_back(fmt::format("mtu={}", *change.mtu));
    if (change.up) words.emplace_back(*change.up ? "up" : "down");
    if (change.promisc) words.push_back(fmt::format("promisc={}", *change.promisc));
    if (change.allmulti) words.push_back(fmt::format("allmulti={}", *change.allmulti));
    if (change.alias) words.push_back("alias=" + *change.alias);
    return fake_.record(netns_, "change", fmt::format("{}: {}", name(index), join(words, " ")),
                        [&] { return fake_.kernel.change(netns_, index, change); });
  }
  Result<void> remove(uint32_t index) override {
    return fake_.record(netns_, "remove", name(index),
                        [&] { return fake_.kernel.remove(netns_, index); });
  }
  // On record only where there is something to take off: mostly nothing is.
  Result<unsigned> detach_programs(uint32_t index) override {
    unsigned count = 0;
    const auto detach = [&]() -> Result<void> {
      auto detached = fake_.kernel.detach_programs(netns_, index);
      if (!detached) return pass(detached);
      count = *detached;
      return {};
    };
    auto link = fake_.kernel.find(netns_, index);
    const bool is_change = link && !(*link)->programs.empty();
    auto done = is_change ? fake_.record(netns_, "detach_programs", name(index), detach)
                          : fake_.run("detach_programs", detach);
    if (!done) return pass(done);
    return count;
  }
  Result<void> add_alt_name(uint32_t index, std::string_view alt) override {
    return fake_.record(netns_, "add_alt_name", fmt::format("{}: {}", name(index), alt),
                        [&] { return fake_.kernel.add_alt_name(netns_, index, alt); });
  }
  Result<void> remove_alt_name(uint32_t index, std::string_view alt) override {
    return fake_.record(netns_, "remove_alt_name", fmt::format("{}: {}", name(index), alt),
                        [&] { return fake_.kernel.remove_alt_name(netns_, index, alt); });
  }

  Result<host::VfAttributes> vf(uint32_t pf_index, uint32_t vf) override {
    host::VfAttributes attributes;
    auto done = fake_.run("vf", [&]() -> Result<void> {
      if (auto told = fake_.kernel.tells_vfs(netns_, pf_index); !told) return told;
      auto found = fake_.kernel.find_vf(netns_, pf_index, vf);
      if (!found) return pass(found);
      attributes = (*found)->attributes;
      return {};
    });
    if (!done) return pass(done);
    return attributes;
  }
  Result<std::map<uint32_t, host::VfAttributes>> vfs(uint32_t pf_index) override {
    std::map<uint32_t, host::VfAttributes> all;
    auto done = fake_.run("vfs", [&]() -> Result<void> {
      if (auto told = fake_.kernel.tells_vfs(netns_, pf_index); !told) return told;
      for (uint32_t vf = 0;; ++vf) {
        auto found = fake_.kernel.find_vf(netns_, pf_index, vf);
        if (!found) return {};
        all[vf] = (*found)->attributes;
      }
    });
    if (!done) return pass(done);
    return all;
  }
  Result<void> change_vf(uint32_t pf_index, uint32_t vf,
                         const host::VfAttributes& change) override {
    return fake_.record(netns_, "change_vf",
                        fmt::format("{} {}: {}", name(pf_index), vf, describe(change)),
                        [&] { return fake_.kernel.change_vf(netns_, pf_index, vf, change); });
  }

  Result<std::vector<host::IpPrefix>> addresses(uint32_t index) override {
    return read<std::vector<host::IpPrefix>>("addresses", index, &FakeLink::addresses);
  }
  Result<void> add_address(uint32_t index, const host::IpPrefix& address) override {
    const auto what = fmt::format("{}: {}", name(index), address.to_string());
    return fake_.record(netns_, "add_address", what,
                        [&] { return insert(index, &FakeLink::addresses, address); });
  }
  Result<void> add_route(const host::Route& route) override {
    const auto what = fmt::format("{}: {}", name(route.out_index), route.destination.to_string());
    return fake_.record(netns_, "add_route", what, [&]() -> Result<void> {
      auto link = fake_.kernel.find(netns_, route.out_index);
      if (!link) return pass(link);
      if (!(*link)->link.is_up()) return fail_errno(ENETDOWN, "route");
      const auto same = [&](const host::Route& other) { return other.is_same_way(route); };
      if (std::ranges::any_of((*link)->routes, same)) return fail_errno(EEXIST, "route");
      (*link)->routes.push_back(route);
      return {};
    });
  }
  Result<void> remove_route(const host::Route& route) override {
    const auto what = fmt::format("{}: {}", name(route.out_index), route.destination.to_string());
    return fake_.record(netns_, "remove_route", what, [&]() -> Result<void> {
      auto link = fake_.kernel.find(netns_, route.out_index);
      if (!link) return pass(link);
      const auto same = [&](const host::Route& other) { return other.is_same_way(route); };
      if (std::erase_if((*link)->routes, same) == 0) return fail_errno(ESRCH, "route");
      return {};
    });
  }
  Result<std::vector<host::Route>> routes(uint32_t index) override {
    return read<std::vector<host::Route>>("routes", index, &FakeLink::routes);
  }
  // Scopes as programs that set addresses give them: a link-local one's is its link.
  Result<std::vector<host::LinkAddress>> all_addresses() override {
    std::vector<host::LinkAddress> all;
    auto done = fake_.run("all_addresses", [&]() -> Result<void> {
      for (const auto& link : fake_.kernel.links) {
        if (link->netns != netns_) continue;
        for (const auto& address : link->addresses) {
          const bool is_local =
              address.v6 && address.bytes[0] == 0xfe && (address.bytes[1] & 0xc0) == 0x80;
          const bool is_duplicate =
              std::ranges::find(link->duplicates, address) != link->duplicates.end();
          all.push_back(
              {link->link.index, address, is_local ? kScopeLink : kScopeUniverse, is_duplicate});
        }
      }
      return {};
    });
    if (!done) return pass(done);
    return all;
  }
  Result<std::vector<host::Route>> default_routes() override {
    auto found = table_routes(kMainTable);
    if (found) std::erase_if(*found, [](const auto& route) { return !route.is_default(); });
    return found;
  }
  Result<std::vector<host::Route>> table_routes(uint32_t table) override {
    std::vector<host::Route> found;
    auto done = fake_.run("table_routes", [&]() -> Result<void> {
      for (const auto& link : fake_.kernel.links) {
        if (link->netns != netns_) continue;
        std::ranges::copy_if(link->routes, std::back_inserter(found),
                             [&](const auto& route) { return route.kernel_table() == table; });
      }
      return {};
    });
    if (!done) return pass(done);
    return found;
  }
  Result<std::vector<host::Rule>> rules(bool v6) override {
    std::vector<host::Rule> found;
    auto done = fake_.run("rules", [&]() -> Result<void> {
      std::ranges::copy_if(netns().rules, std::back_inserter(found),
                           [&](const auto& rule) { return rule.v6 == v6; });
      return {};
    });
    if (!done) return pass(done);
    return found;
  }
  Result<void> add_rule(const host::Rule& rule) override {
    return fake_.record(netns_, "add_rule", rule_text(rule), [&]() -> Result<void> {
      auto& rules = netns().rules;
      if (std::ranges::find(rules, rule) != rules.end()) return fail_errno(EEXIST, "rule");
      rules.push_back(rule);
      return {};
    });
  }
  Result<void> remove_rule(const host::Rule& rule) override {
    return fake_.record(netns_, "remove_rule", rule_text(rule), [&]() -> Result<void> {
      if (std::erase(netns().rules, rule) == 0) return fail_errno(ENOENT, "rule");
      return {};
    });
  }
  Result<void> set_neighbour(uint32_t index, const host::IpPrefix& address,
                             const HwAddress& mac) override {
    const auto what = fmt::format("{}: {}", name(index), address.address_string());
    return fake_.record(netns_, "set_neighbour", what, [&]() -> Result<void> {
      auto link = fake_.kernel.find(netns_, index);
      if (!link) return pass(link);
      if (!(*link)->link.is_up()) return fail_errno(ENETDOWN, "neighbour");
      (*link)->neighbours[address.address_string()] = mac;
      return {};
    });
  }

 private:
  static constexpr uint8_t kScopeUniverse = 0;  // linux/rtnetlink.h
  static constexpr uint8_t kScopeLink = 253;
  static constexpr uint32_t kMainTable = 254;

  FakeNetns& netns() { return fake_.kernel.netns.at(netns_); }
  static std::string rule_text(const host::Rule& rule) {
    return fmt::format("{}{}{} table {}", rule.priority,
                       rule.from ? " from " + rule.from->to_string() : "",
                       rule.out_link.empty() ? "" : " oif " + rule.out_link, rule.table);
  }
  std::string name(uint32_t index) {
    auto link = fake_.kernel.find(netns_, index);
    return link ? (*link)->link.name : fmt::format("#{}", index);
  }
  Result<host::Link> get(const char* function, const std::function<Result<FakeLink*>()>& find) {
    Result<host::Link> link;
    auto done = fake_.run(function, [&]() -> Result<void> {
      auto found = find();
      if (!found) return pass(found);
      link = (*found)->link;
      return {};
    });
    if (!done) return pass(done);
    return link;
  }
  template <class T>
  Result<T> read(const char* function, uint32_t index, T FakeLink::*member) {
    T value;
    auto done = fake_.run(function, [&]() -> Result<void> {
      auto link = fake_.kernel.find(netns_, index);
      if (link) value = (**link).*member;
      return {};
    });
    if (!done) return pass(done);
    return value;
  }
  template <class T>
  Result<void> insert(uint32_t index, std::vector<T> FakeLink::*member, const T& value) {
    auto link = fake_.kernel.find(netns_, index);
    if (!link) return pass(link);
    auto& all = (**link).*member;
    if (std::ranges::find(all, value) != all.end()) return fail_errno(EEXIST, "add");
    all.push_back(value);
    return {};
  }

  FakeHost& fake_;
  NetnsInode netns_;
};

}  // namespace railhead::test
