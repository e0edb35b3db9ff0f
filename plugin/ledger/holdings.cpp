#include "plugin/ledger/holdings.hpp"

#include <algorithm>
#include <tuple>

#include "base/text.hpp"
#include "device/sub_functions.hpp"

namespace railhead::ledger {
namespace {

constexpr std::string_view kShareMark = "::";
constexpr std::string_view kGroups = "/dev/vfio/";
constexpr std::string_view kCdevs = "/dev/vfio/devices/";  // of one device, not of a group

using Key = Facts::Key;

class Merging {
 public:
  explicit Merging(const Facts& facts) : facts_(facts) {
    for (const auto& allocation : facts.allocations) {
      allocations_[allocation.device.to_string()] = &allocation;
    }
    if (!facts.saved) return;
    for (const auto& saved : *facts.saved) {
      for (const auto& id : saved.ids) saved_.emplace(Key(saved.resource, id), &saved);
    }
  }

  // Whoever is listed with it still had it before.
  void leave_to_newer_grants() {
    for (const auto& granted : facts_.granted) {
      if (!granted.is_newer) continue;
      for (const auto& id : granted.ids) regranted_.emplace(granted.resource, id);
    }
  }

  Holdings run() && {
    leave_to_newer_grants();
    if (facts_.listed) add(*facts_.listed);
    add(facts_.listed_early);
    if (!facts_.listed && facts_.saved) {
      for (const auto& saved : *facts_.saved) add(saved);
    }
    for (const auto& granted : facts_.granted) {
      if (granted.ids.empty()) continue;
      const auto owner = fmt::format("grant of {} {}", granted.resource, granted.ids.front());
      for (const auto& id : granted.ids) {
        add({"", "", "", granted.resource, id, granted.nodes, false, Source::grant, owner},
            granted.devices);
      }
    }
    for (const auto& attached : facts_.attached) add(attached);
    return {std::move(holdings_), facts_.listed.has_value()};
  }

 private:
  void add(const std::vector<Listed>& all) {
    for (const auto& listed : all) {
      for (const auto& id : listed.ids) {
        if (regranted_.contains(Key(listed.resource, id))) continue;
        const auto* saved = saved_of(listed, id);
        add({"", listed.pod, listed.container, listed.resource, id,
             saved ? saved->nodes : std::vector<std::string>{}, saved && saved->former,
             Source::podresources, listed.pod},
            saved ? saved->devices : std::vector<std::string>{});
      }
    }
  }

  void add(const Saved& saved) {
    for (const auto& id : saved.ids) {
      add({"", "", saved.container, saved.resource, id, saved.nodes, saved.former,
           Source::checkpoint, saved.pod_uid},
          saved.devices);
    }
  }

  // An attachment of a pod that is known to have the device says nothing new.
  void add(const Attached& attached) {
    const auto [first, last] = pods_.equal_range(attached.device);
    for (auto one = first; one != last; ++one) {
      if (attached.pod.empty() || one->second.empty() || attached.pod == one->second) return;
    }
    holdings_.push_back({attached.device,
                         attached.pod,
                         "",
                         "",
                         attached.device,
                         {},
                         false,
                         Source::attachment,
                         attached.pod.empty() ? attached.device : attached.pod});
  }

  // `named`: what a share of a whole pool was said to be.
  void add(Holding holding, const std::vector<std::string>& named) {
    const auto device = device_of(holding.id);
    if (!device && !parse_int<uint32_t>(holding.id)) return;           // no device of ours
    if (!known_.emplace(holding.resource, holding.id).second) return;  // a better source said so
    std::vector<std::string> devices;
    if (device) {
      devices = {*device};
    } else if (!named.empty()) {
      devices = named;
    } else if (const auto pool = facts_.pools.find(holding.resource); pool != facts_.pools.end()) {
      devices = pool->second;
    } else {
      devices = {""};
    }
    for (auto& one : devices) {
      auto& added = holdings_.emplace_back(holding);
      added.device = std::move(one);
      // What this boot's records say is not of before it.
      if (const auto given = facts_.given.find({added.resource, added.id});
          given != facts_.given.end() && added.nodes.empty()) {
        added.nodes = given->second;
      }
      if (auto recorded = nodes_by_allocation(added); !recorded.empty()) {
        if (added.nodes.empty() || added.former) added.nodes = std::move(recorded);
        added.former = false;
      }
      pods_.emplace(added.device, added.pod);
    }
  }

  // Kubelet's file knows a pod by its UID, its list by its name: they meet in the container's name
  // and the device.
  [[nodiscard]] const Saved* saved_of(const Listed& listed, const std::string& id) const {
    const auto [first, last] = saved_.equal_range(Key(listed.resource, id));
    for (auto one = first; one != last; ++one) {
      if (one->second->container == listed.container) return one->second;
    }
    return nullptr;
  }

  [[nodiscard]] std::vector<std::string> nodes_by_allocation(const Holding& holding) const {
    const auto found = allocations_.find(holding.device);
    if (found == allocations_.end() || found->second->resource != holding.resource) return {};
    return found->second->host_paths();
  }

  const Facts& facts_;
  std::map<std::string, const device::Allocation*> allocations_;  // by device
  std::multimap<Key, const Saved*> saved_;
  std::set<Key> known_;
  std::set<Key> regranted_;
  std::multimap<std::string, std::string> pods_;  // of what was added, by device
  std::vector<Holding> holdings_;
};

}  // namespace

std::string_view to_string(Source source) {
  switch (source) {
    case Source::podresources:
      return "podresources";
    case Source::checkpoint:
      return "checkpoint";
    case Source::grant:
      return "grant";
    case Source::attachment:
      return "attachment";
  }
  return "";
}

std::string Holding::who() const { return pod.empty() ? "a pod" : pod; }

std::optional<std::string> device_of(std::string_view id) {
  const auto device = id.substr(0, id.find(kShareMark));
  if (!PciAddress::parse(device) && !device::is_sub_function(device)) return std::nullopt;
  return std::string(device);
}

Holdings::Holdings(std::vector<Holding> holdings, bool complete)
    : holdings_(std::move(holdings)), complete_(complete) {
  std::ranges::stable_sort(holdings_, [](const Holding& a, const Holding& b) {
    return std::tie(a.device, a.resource, a.id, a.pod) <
           std::tie(b.device, b.resource, b.id, b.pod);
  });
  std::set<std::pair<std::string_view, std::string_view>> known;  // a share has its pool's nodes
  for (const bool former : {false, true}) {
    for (size_t i = 0; i < holdings_.size(); ++i) {
      if (holdings_[i].former != former) continue;
      for (const auto& node : holdings_[i].nodes) {
        if (known.emplace(node, holdings_[i].owner).second) by_node_.emplace(node, i);
      }
    }
  }
}

void Holdings::stamp(const Holdings& before, std::chrono::system_clock::time_point now) {
  for (auto& holding : holdings_) {
    holding.since = now;
    // A better source says nothing new.
    for (const auto* was : before.of(holding.device)) {
      const bool same_pod = was->pod == holding.pod || was->pod.empty();
      if (same_pod && was->resource == holding.resource && was->id == holding.id) {
        holding.since = was->since;
      }
    }
  }
}

std::vector<const Holding*> Holdings::of(std::string_view device) const {
  std::vector<const Holding*> found;
  const auto device_of_holding = [](const Holding& one) { return std::string_view(one.device); };
  auto one = std::ranges::lower_bound(holdings_, device, {}, device_of_holding);
  for (; one != holdings_.end() && one->device == device; ++one) found.push_back(&*one);
  return found;
}

State Holdings::state(std::string_view device) const {
  if (!of(device).empty()) return State::held;
  return complete_ ? State::free : State::unknown;
}

const Holding* Holdings::other_with_node(std::string_view node, std::string_view device,
                                         bool certainly) const {
  const auto [first, last] = by_node_.equal_range(node);
  if (first == last) return nullptr;
  std::set<std::string_view> owners;
  for (const auto* own : of(device)) owners.insert(own->owner);
  const bool of_group = node.starts_with(kGroups) && !node.starts_with(kCdevs);
  for (auto one = first; one != last; ++one) {
    const auto& holding = holdings_[one->second];
    if (of_group && holding.source == Source::grant) continue;
    if (certainly && holding.former) continue;
    if (!owners.contains(holding.owner)) return &holding;
  }
  return nullptr;
}

Holdings merge(const Facts& facts) { return Merging(facts).run(); }

}  // namespace railhead::ledger
