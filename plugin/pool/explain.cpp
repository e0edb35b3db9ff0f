#include "plugin/pool/explain.hpp"

#include <algorithm>

#include "plugin/pool/candidate.hpp"

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

// `owner`: the resource that has the device to itself already, or "".
Verdict judge(const config::Resource& resource, const Candidate& candidate,
              const std::string& owner) {
  Verdict verdict{resource.full_name() + (resource.rails_auto ? "*" : ""), false, {}};
  if (candidate.type() != resource.type) {
    verdict.reasons.push_back(fmt::format("deviceType: it is a device for {}, not for {}",
                                          to_string(candidate.type()), to_string(resource.type)));
    return verdict;
  }
  for (size_t i = 0; i < resource.selectors.size(); ++i) {
    auto refused = refusal(resource.selectors[i], candidate);
    if (!refused) {
      verdict.reasons.clear();
      verdict.takes = true;
      break;
    }
    const auto place = resource.selectors.size() == 1 ? "" : fmt::format("selectors[{}].", i);
    verdict.reasons.push_back(fmt::format("{}{}: {}", place, refused->key, refused->fact));
  }
  if (!verdict.takes) return verdict;
  if (auto reason = reason_against(candidate, resource.sharing.has_value())) {
    verdict.takes = false;
    verdict.reasons.push_back(std::move(*reason));
  } else if (!owner.empty() && !resource.sharing) {
    verdict.takes = false;
    verdict.reasons.push_back(
        fmt::format("it would fit, but belongs to {}, which stands before", owner));
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
      auto verdict = judge(resource, candidate, owner);
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
        text += fmt::format("  {}: taken\n", verdict.resource);
      } else {
        text += fmt::format("  {}: not taken: {}\n", verdict.resource, join(verdict.reasons, "; "));
      }
    }
  }
  return text.empty() ? "no network devices\n" : text;
}

}  // namespace railhead::pool
