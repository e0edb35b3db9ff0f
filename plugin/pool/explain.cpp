#include "plugin/pool/explain.hpp"

#include <algorithm>

#include "plugin/pool/candidate.hpp"
#include "plugin/pool/health.hpp"

namespace railhead::pool {
namespace {

using config::DeviceType;

std::string_view to_string(DeviceType type) {
  switch (type) {
    case DeviceType::net:
      return "netDevice";
    case DeviceType::accelerator:
      return "accelerator";
    case DeviceType::auxiliary:
      return "auxNetDevice";
  }
  return "unknown";
}

std::string why_not_given(const config::Resource& resource, const config::Selector& selector,
                          const Candidate& candidate, const device::Inventory& inventory) {
  auto of_all = sickness_of(resource, inventory);
  if (!of_all.empty()) return of_all;
  Member member;
  member.rdma = selector.is_rdma;
  judge(candidate, resource.health, {}, member);
  return std::move(member.sickness);
}

// `owner`: the resource that has the device to itself already, or "".
Verdict judge(const config::Resource& resource, const Candidate& candidate,
              const std::string& owner, const device::Inventory& inventory) {
  Verdict verdict{resource.full_name() + (resource.rails_auto ? "*" : ""), false, {}, ""};
  if (candidate.type() != resource.type) {
    verdict.reasons.push_back(fmt::format("deviceType: it is a device for {}, not for {}",
                                          to_string(candidate.type()), to_string(resource.type)));
    return verdict;
  }
  const config::Selector* fitting = nullptr;
  for (size_t i = 0; i < resource.selectors.size(); ++i) {
    auto refused = refusal(resource.selectors[i], candidate);
    if (!refused) {
      fitting = &resource.selectors[i];
      break;
    }
    const auto place = resource.selectors.size() == 1 ? "" : fmt::format("selectors[{}].", i);
    verdict.reasons.push_back(fmt::format("{}{}: {}", place, refused->key, refused->fact));
  }
  if (!fitting) return verdict;
  verdict.reasons.clear();
  if (auto reason = reason_against(candidate, resource.sharing.has_value())) {
    verdict.reasons.push_back(std::move(*reason));
  } else if (!owner.empty() && !resource.sharing) {
    verdict.reasons.push_back(
        fmt::format("it would fit, but belongs to {}, which stands before", owner));
  } else {
    verdict.takes = true;
    verdict.sickness = why_not_given(resource, *fitting, candidate, inventory);
  }
  return verdict;
}

}  // namespace

std::vector<Explanation> explain(const config::Config& config, const device::Inventory& inventory) {
  std::vector<Explanation> explanations;
  for (const auto& candidate : candidates(inventory)) {
    Explanation explanation{candidate.id(), candidate.description(), {}};
    std::string owner;
    for (const auto& resource : config.resources) {
      auto verdict = judge(resource, candidate, owner, inventory);
      if (verdict.takes && !resource.sharing) owner = verdict.resource;
      explanation.verdicts.push_back(std::move(verdict));
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
