#include "plugin/pool/explain.hpp"

#include <algorithm>

#include "plugin/pool/candidate.hpp"

namespace railhead::pool {
namespace {

std::optional<Verdict> taken(std::span<const Pool> pools, const Candidate& candidate) {
  const auto id = candidate.id();
  for (const auto& pool : pools) {
    const auto member = std::ranges::find(pool.members, id, &Member::id);
    if (member == pool.members.end()) continue;
    return Verdict{pool.resource.full_name(),
                   true,
                   {},
                   pool.sickness.empty() ? member->sickness : pool.sickness};
  }
  return std::nullopt;
}

// `owner`: the pool that has the device to itself already, or "".
std::vector<std::string> reasons_against(const config::Resource& resource,
                                         const Candidate& candidate, Before before,
                                         const std::string& owner) {
  if (candidate.type() != resource.type) {
    return {fmt::format("deviceType: it is a device for {}, not for {}",
                        config::to_string(candidate.type()), config::to_string(resource.type))};
  }
  std::vector<std::string> refusals;
  for (size_t i = 0; i < resource.selectors.size(); ++i) {
    const auto refused = refusal(resource.selectors[i], candidate, before);
    if (!refused) {
      return {reason_against(candidate, resource)
                  .value_or(
                      fmt::format("it would fit, but belongs to {}, which stands before", owner))};
    }
    const auto place = resource.selectors.size() == 1 ? "" : fmt::format("selectors[{}].", i);
    refusals.push_back(fmt::format("{}{}: {}", place, refused->key, refused->fact));
  }
  return refusals;
}

}  // namespace

std::vector<Explanation> explain(const config::Config& config, const device::Inventory& inventory,
                                 const Knowledge& knowledge) {
  const auto selection = select(config, inventory, knowledge);
  const auto pools = pools_by_resource(config, selection);
  std::vector<Explanation> explanations;
  for (const auto& candidate : candidates(inventory)) {
    Explanation explanation{candidate.id(), candidate.description(), {}};
    std::string owner;
    for (size_t i = 0; i < pools.size(); ++i) {
      const auto& resource = config.resources[i];
      auto verdict = taken(pools[i], candidate);
      if (!verdict) {
        verdict = Verdict{
            resource.full_name() + (resource.rails_auto ? "*" : ""), false,
            reasons_against(resource, candidate, before_of(resource, candidate, knowledge), owner),
            ""};
      } else if (!resource.sharing) {
        owner = verdict->resource;
      }
      explanation.verdicts.push_back(std::move(*verdict));
    }
    explanations.push_back(std::move(explanation));
  }
  return explanations;
}

std::string format_explanations(const std::vector<Explanation>& explanations) {
  std::string text;
  for (const auto& one : explanations) {
    text += fmt::format("{}  {}\n", one.device, one.description);
    for (const auto& verdict : one.verdicts) {
      if (verdict.takes) {
        text += fmt::format("  {}: taken{}{}\n", verdict.resource,
                            verdict.sickness.empty() ? "" : "; unhealthy: ", verdict.sickness);
      } else {
        text += fmt::format("  {}: not taken: {}\n", verdict.resource, join(verdict.reasons, "; "));
      }
    }
  }
  return text.empty() ? "no network devices\n" : text;
}

}  // namespace railhead::pool
