#include "plugin/pool/preferred.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "plugin/pool/covering.hpp"
#include "plugin/pool/packing.hpp"

namespace railhead::pool {
namespace {

std::vector<const device::PciFunction*> known_gpus(const device::Inventory& inventory,
                                                   std::vector<PciAddress> addresses) {
  std::sort(addresses.begin(), addresses.end());
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  std::vector<const device::PciFunction*> gpus;
  for (const auto& address : addresses) {
    if (const auto* function = inventory.find(address)) gpus.push_back(function);
  }
  return gpus;
}

std::string_view name_of(config::Order order) {
  switch (order) {
    case config::Order::packed:
      return "packed";
    case config::Order::spread:
      return "spread";
    case config::Order::rail:
      return "rail";
  }
  return "unknown";
}

// One choice in the making: which of the pool's offers are available, and which are chosen.
class Chooser {
 public:
  Chooser(const Pool& pool, const device::Inventory& inventory)
      : pool_(pool), inventory_(inventory), offers_(offers(pool)) {
    for (size_t i = 0; i < offers_.size(); ++i) place_.emplace(offers_[i].id, i);
  }

  Result<void> read(const Wish& wish) {
    auto available = marked(wish.available, Unknown::passed_over);
    if (!available) return pass(available);
    auto included = marked(wish.must_include, Unknown::is_an_error);
    if (!included) return pass(included);
    for (size_t i = 0; i < offers_.size(); ++i) {
      if ((*included)[i] && !(*available)[i]) {
        return fail(ErrorCode::invalid_argument, "device {} must be included but is not available",
                    offers_[i].id);
      }
    }
    available_ = std::move(*available);
    chosen_ = std::move(*included);
    const auto count = [](const std::vector<bool>& marks) {
      return static_cast<size_t>(std::count(marks.begin(), marks.end(), true));
    };
    free_ = count(available_) - count(chosen_);
    const std::set<std::string_view> told(wish.available.begin(), wish.available.end());
    if (wish.size > told.size()) {
      return fail(ErrorCode::invalid_argument, "{} devices are asked for, {} are available",
                  wish.size, told.size());
    }
    if (wish.size < count(chosen_)) {
      return fail(ErrorCode::invalid_argument, "{} devices are asked for, {} must be included",
                  wish.size, count(chosen_));
    }
    // Kubelet takes the rest from those that this agent does not know.
    wanted_ = std::min(wish.size - count(chosen_), free_);
    return {};
  }

  Choice choose(const std::vector<PciAddress>& gpus_of_pod,
                const std::vector<PciAddress>& free_gpus) {
    if (wanted_ == 0 || wanted_ == free_) {
      if (wanted_ == free_) chosen_ = available_;
      return finish("there is no other choice");
    }
    Ports ports(offers_, available_, inventory_);
    for (size_t i = 0; i < offers_.size(); ++i) {
      if (chosen_[i]) ports.choose(i);
    }
    return finish(choose_of(ports, gpus_of_pod, free_gpus));
  }

 private:
  // Kubelet may know devices of a list before this one.
  enum class Unknown { passed_over, is_an_error };
  [[nodiscard]] Result<std::vector<bool>> marked(const std::vector<std::string>& ids,
                                                 Unknown unknown) const {
    std::vector<bool> marks(offers_.size(), false);
    for (const auto& id : ids) {
      const auto at = place_.find(id);
      if (at == place_.end() && unknown == Unknown::passed_over) continue;
      if (at == place_.end()) {
        return fail(ErrorCode::not_found, "device {} is not one of {}", id,
                    pool_.resource.full_name());
      }
      marks[at->second] = true;
    }
    return marks;
  }

  // Gives the ground.
  std::string choose_of(Ports& ports, const std::vector<PciAddress>& gpus_of_pod,
                        const std::vector<PciAddress>& free_gpus) {
    const auto near = pool_.resource.near;
    const auto order = pool_.resource.order;
    const bool of_pod = !gpus_of_pod.empty();
    // An order that is written goes before GPUs that the container may never see.
    if (near == config::Near::gpu && (of_pod || !order)) {
      const auto gpus = known_gpus(inventory_, of_pod ? gpus_of_pod : free_gpus);
      if (Covering covering(ports, gpus); covering.tells_ports_apart()) {
        mark(ports, covering.choose(wanted_));
        return fmt::format("PCIe distance to the {} GPUs ({})", of_pod ? "pod's" : "free",
                           gpus.size());
      }
    }
    if (order || near == config::Near::none) {
      const auto written = order.value_or(config::Order::packed);
      mark(ports, choose_by_order(ports, written, wanted_));
      return fmt::format("order {}", name_of(written));
    }
    if (tells_neighbours(ports)) {
      mark(ports, choose_neighbours(ports, wanted_));
      return "neighbours by NUMA node and PCIe switch";
    }
    mark(ports, choose_by_order(ports, config::Order::packed, wanted_));
    return "order packed: the topology does not tell";
  }

  void mark(const Ports& ports, const std::vector<size_t>& offers) {
    for (const size_t i : with_same_indexes(ports, offers)) chosen_[i] = true;
    wanted_ -= offers.size();
  }

  // The same ports' VFs with the same indexes, the lowest ones that are free on each, where there
  // are any: their PCI addresses then rise in the order of their ports, which NCCL sorts by, on
  // every node.
  [[nodiscard]] std::vector<size_t> with_same_indexes(const Ports& ports,
                                                      const std::vector<size_t>& offers) const {
    std::map<size_t, size_t> count;  // by port
    for (const size_t i : offers) {
      if (ports.of_offer[i]) ++count[*ports.of_offer[i]];
    }
    const auto each = count.empty() ? 0 : count.begin()->second;
    const auto is_even = [&](const auto& entry) { return entry.second == each; };
    if (count.size() < 2 || each * count.size() != offers.size() ||
        !std::ranges::all_of(count, is_even)) {
      return offers;
    }
    // Of these ports, what is not chosen yet: the first offer of each, by port.
    std::map<uint32_t, std::map<size_t, size_t>> by_index;
    for (size_t i = 0; i < offers_.size(); ++i) {
      const auto port = ports.of_offer[i];
      if (!available_[i] || chosen_[i] || !port || !count.contains(*port)) continue;
      if (ports.vf_of_offer[i]) by_index[*ports.vf_of_offer[i]].emplace(*port, i);
    }
    std::vector<size_t> same;
    for (const auto& [index, of_index] : by_index) {
      if (same.size() == offers.size()) break;
      if (of_index.size() != count.size()) continue;
      for (const auto& [port, offer] : of_index) same.push_back(offer);
    }
    return same.size() == offers.size() ? same : offers;
  }

  Choice finish(std::string ground) {
    // What has no port, such as the shares of a whole pool: the first ones.
    for (size_t i = 0; i < offers_.size() && wanted_ > 0; ++i) {
      if (!available_[i] || chosen_[i]) continue;
      chosen_[i] = true;
      --wanted_;
    }
    Choice choice{{}, std::move(ground)};
    for (size_t i = 0; i < offers_.size(); ++i) {
      if (chosen_[i]) choice.ids.push_back(offers_[i].id);
    }
    return choice;
  }

  const Pool& pool_;
  const device::Inventory& inventory_;
  const std::vector<Offer> offers_;
  std::unordered_map<std::string_view, size_t> place_;
  std::vector<bool> available_;
  std::vector<bool> chosen_;
  size_t free_ = 0;    // available and not chosen
  size_t wanted_ = 0;  // to be chosen yet
};

}  // namespace

Result<Choice> prefer(const Pool& pool, const device::Inventory& inventory, const Wish& wish,
                      const std::vector<PciAddress>& gpus_of_pod,
                      const std::vector<PciAddress>& free_gpus) {
  Chooser chooser(pool, inventory);
  if (auto read = chooser.read(wish); !read) return pass(read);
  return chooser.choose(gpus_of_pod, free_gpus);
}

}  // namespace railhead::pool
