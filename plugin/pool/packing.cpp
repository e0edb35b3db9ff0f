#include "plugin/pool/packing.hpp"

#include <algorithm>
#include <map>
#include <tuple>

#include "device/pcie.hpp"

namespace railhead::pool {
namespace {

// NUMA node, host bridge, then the PCIe switches towards the port.
using Place = std::vector<std::string>;

Place place_of(const device::PciFunction& function) {
  Place place = {function.numa_node ? std::to_string(*function.numa_node) : ""};
  if (!function.path.empty()) place.push_back(function.path.front());
  for (auto& one : device::switches_above(function)) place.push_back(std::move(one));
  return place;
}

// What to take first: beside what is chosen; what holds all that is wanted, as close together and
// with as little left over as can be; else what holds most; then the least used.
using Preference = std::tuple<bool, bool, size_t, size_t, size_t>;
Preference preference(bool chosen, size_t closeness, size_t capacity, size_t wanted, size_t load) {
  const bool fits = capacity >= wanted;
  return Preference(!chosen, !fits, SIZE_MAX - closeness, fits ? capacity : SIZE_MAX - capacity,
                    load);
}

class Packer {
 public:
  explicit Packer(const Ports& ports) : ports_(ports) {
    for (const auto& port : ports.list) {
      places_.push_back(place_of(*port.function));
      if (port.chosen > 0) beside_.push_back(places_.size() - 1);
    }
  }

  // `number` ports of `group`, all of which stand at one place down to `depth`.
  [[nodiscard]] std::vector<size_t> take(std::vector<size_t> group, size_t depth,
                                         size_t number) const {
    if (number >= group.size()) return group;
    auto children = split(group, depth);
    if (children.size() == 1) return take(std::move(group), depth + 1, number);
    std::vector<size_t> taken;
    while (taken.size() < number) {
      const size_t wanted = number - taken.size();
      const auto next =
          std::min_element(children.begin(), children.end(), [&](const auto& a, const auto& b) {
            return preference_of(a, depth, wanted) < preference_of(b, depth, wanted);
          });
      const auto of_child = take(std::move(*next), depth + 1, wanted);
      taken.insert(taken.end(), of_child.begin(), of_child.end());
      children.erase(next);
    }
    return taken;
  }

  // Some ports share a place that not all share.
  [[nodiscard]] bool tells() const {
    std::map<Place, size_t> together;
    for (const auto& place : places_) {
      for (size_t length = 1; length <= place.size(); ++length) {
        ++together[Place(place.begin(), place.begin() + static_cast<ptrdiff_t>(length))];
      }
    }
    return std::any_of(together.begin(), together.end(), [&](const auto& one) {
      return one.second > 1 && one.second < places_.size();
    });
  }

 private:
  using Group = std::vector<size_t>;

  // By what stands at `depth`, in the order of the ports. What hangs off no further switch stands
  // alone.
  [[nodiscard]] std::vector<Group> split(const Group& group, size_t depth) const {
    std::vector<Group> children;
    std::map<std::string, size_t> known;
    for (const size_t p : group) {
      if (depth >= places_[p].size()) {
        children.push_back({p});
        continue;
      }
      const auto [at, is_new] = known.emplace(places_[p][depth], children.size());
      if (is_new) children.emplace_back();
      children[at->second].push_back(p);
    }
    return children;
  }

  // How deep a place there is in the group that holds all that is wanted; 0 when there is
  // none, and for one alone, which is close to itself anywhere.
  [[nodiscard]] size_t closeness(const Group& group, size_t depth, size_t wanted) const {
    if (group.size() < wanted || wanted == 1) return 0;
    size_t deepest = depth + 1;
    for (const auto& child : split(group, depth + 1)) {
      deepest = std::max(deepest, closeness(child, depth + 1, wanted));
    }
    return deepest;
  }

  [[nodiscard]] Preference preference_of(const Group& group, size_t depth, size_t wanted) const {
    size_t load = 0;
    for (const size_t p : group) load += ports_.list[p].load;
    const auto& place = places_[group.front()];
    const auto end = std::min(depth + 1, place.size());
    const bool chosen = std::any_of(beside_.begin(), beside_.end(), [&](size_t p) {
      return places_[p].size() >= end &&
             std::equal(place.begin(), place.begin() + static_cast<ptrdiff_t>(end),
                        places_[p].begin());
    });
    return preference(chosen, closeness(group, depth, wanted), group.size(), wanted, load);
  }

  const Ports& ports_;
  std::vector<Place> places_;
  std::vector<size_t> beside_;  // ports of which the choice held something at first
};

std::vector<size_t> choose_packed(Ports& ports, size_t number) {
  std::vector<size_t> offers;
  while (offers.size() < number) {
    const size_t wanted = number - offers.size();
    const auto preference_of = [&](const Port& port) {
      return std::tuple(port.free.empty(),
                        preference(port.chosen > 0, 0, port.free.size(), wanted, port.load));
    };
    const auto next = std::min_element(
        ports.list.begin(), ports.list.end(),
        [&](const Port& a, const Port& b) { return preference_of(a) < preference_of(b); });
    if (next == ports.list.end() || next->free.empty()) break;
    const auto port = static_cast<size_t>(next - ports.list.begin());
    for (size_t i = 0; i < wanted && !next->free.empty(); ++i) {
      offers.push_back(ports.choose_from(port));
    }
  }
  return offers;
}

std::vector<size_t> choose_spread(Ports& ports, size_t number) {
  std::vector<size_t> offers;
  while (offers.size() < number) {
    const auto next = ports.next_round();
    const auto least_used = std::min_element(next.begin(), next.end(), [&](size_t a, size_t b) {
      return ports.list[a].load < ports.list[b].load;
    });
    if (least_used == next.end()) break;
    offers.push_back(ports.choose_from(*least_used));
  }
  return offers;
}

// The lowest group of `size` neighbouring rails that are all among `next`; else the lowest of them.
std::vector<size_t> lowest_rails(const std::vector<size_t>& next, size_t size) {
  for (size_t i = 0; i + size <= next.size(); ++i) {
    if (next[i] % size == 0 && next[i + size - 1] == next[i] + size - 1) {
      return {next.begin() + static_cast<ptrdiff_t>(i),
              next.begin() + static_cast<ptrdiff_t>(i + size)};
    }
  }
  return {next.begin(), next.begin() + static_cast<ptrdiff_t>(size)};
}

// The lowest VF index that is free of all these ports.
std::optional<uint32_t> common_vf(const Ports& ports, const std::vector<size_t>& rails) {
  std::map<uint32_t, size_t> free;
  for (const size_t p : rails) {
    for (const size_t offer : ports.list[p].free) {
      if (ports.vf_of_offer[offer]) ++free[*ports.vf_of_offer[offer]];
    }
  }
  for (const auto& [vf, count] : free) {
    if (count == rails.size()) return vf;
  }
  return std::nullopt;
}

std::vector<size_t> choose_rails(Ports& ports, size_t number) {
  std::vector<size_t> offers;
  while (offers.size() < number) {
    const auto next = ports.next_round();
    if (next.empty()) break;
    const auto rails = lowest_rails(next, std::min(number - offers.size(), next.size()));
    const auto vf = common_vf(ports, rails);
    for (const size_t p : rails) {
      const auto& free = ports.list[p].free;
      const auto same = std::find_if(free.begin(), free.end(),
                                     [&](size_t offer) { return ports.vf_of_offer[offer] == vf; });
      const size_t offer = vf && same != free.end() ? *same : free.front();
      ports.choose(offer);
      offers.push_back(offer);
    }
  }
  return offers;
}

}  // namespace

bool tells_neighbours(const Ports& ports) { return Packer(ports).tells(); }

std::vector<size_t> choose_neighbours(Ports& ports, size_t number) {
  const Packer packer(ports);
  std::vector<size_t> offers;
  while (offers.size() < number) {
    const auto next = ports.next_round();
    if (next.empty()) break;
    for (const size_t p : packer.take(next, 0, number - offers.size())) {
      offers.push_back(ports.choose_from(p));
    }
  }
  return offers;
}

std::vector<size_t> choose_by_order(Ports& ports, config::Order order, size_t number) {
  switch (order) {
    case config::Order::packed:
      return choose_packed(ports, number);
    case config::Order::spread:
      return choose_spread(ports, number);
    case config::Order::rail:
      return choose_rails(ports, number);
  }
  return {};
}

}  // namespace railhead::pool
