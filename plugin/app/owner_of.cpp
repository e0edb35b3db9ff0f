#include "plugin/app/owner_of.hpp"

#include <algorithm>

#include "base/pci_address.hpp"
#include "device/sub_functions.hpp"

namespace railhead::app {
namespace {

using ledger::Holding;

// As the ledger writes it.
std::optional<std::string> name_of(const std::string& device) {
  if (const auto address = PciAddress::parse(device)) return address->to_string();
  if (device::is_sub_function(device)) return device;
  return std::nullopt;
}

// Of at least one.
const Holding& named_of(const std::vector<const Holding*>& all, const ipc::OwnerQuestion& asked) {
  const auto asker = fmt::format("{}/{}", asked.pod_namespace, asked.pod_name);
  const auto rank = [&](const Holding* one) {
    if (one->pod == asker) return 0;
    return one->pod.empty() ? 1 : 2 + static_cast<int>(one->source);
  };
  return **std::ranges::min_element(all, {}, rank);
}

ipc::OwnerState state_of(ledger::State state) {
  switch (state) {
    case ledger::State::held:
      return ipc::OwnerState::held;
    case ledger::State::free:
      return ipc::OwnerState::free;
    case ledger::State::unknown:
      break;
  }
  return ipc::OwnerState::unknown;
}

}  // namespace

ipc::OwnerAnswer owner_of(const ledger::Holdings& holdings, const ipc::OwnerQuestion& question) {
  ipc::OwnerAnswer answer;
  const auto device = name_of(question.device);
  if (!device) return answer;
  answer.state = state_of(holdings.state(*device));
  const auto holders = holdings.of(*device);
  if (holders.empty()) return answer;
  const auto& holding = named_of(holders, question);
  if (const auto slash = holding.pod.find('/'); slash != std::string::npos) {
    answer.pod_namespace = holding.pod.substr(0, slash);
    answer.pod_name = holding.pod.substr(slash + 1);
  }
  if (holding.source == ledger::Source::checkpoint) answer.pod_uid = holding.owner;
  answer.container = holding.container;
  answer.resource = holding.resource;
  answer.source = to_string(holding.source);
  return answer;
}

}  // namespace railhead::app
