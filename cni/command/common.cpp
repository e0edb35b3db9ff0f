#include <algorithm>

#include "cni/command/command.hpp"

namespace railhead::cni {

using cnispec::Outcome;

Outcome<> both(const Outcome<>& first, const Outcome<>& second) {
  if (first && second) return {};
  if (!first && second) return first;
  if (first && !second) return second;
  auto joined = first.error();
  joined.message = fmt::format("{}; {}", first.error().text(), second.error().text());
  joined.details.clear();
  return cnispec::refuse(std::move(joined));
}

Outcome<> to_outcome(const Result<>& result) {
  if (result) return {};
  return cnispec::refuse(cnispec::to_cni_error(result.error()));
}

Outcome<> to_outcome(const std::optional<Error>& error) {
  if (!error) return {};
  return cnispec::refuse(cnispec::to_cni_error(*error));
}

Outcome<> free_owed_addresses(const Call& call, const std::vector<attach::AttachmentKey>& living) {
  const attach::Store store(call.host.roots.run);
  const auto owed = store.owed_addresses(call.conf.name);
  auto all = to_outcome(owed ? Result<void>() : pass(owed));
  for (const auto& key : owed.value_or(std::vector<attach::AttachmentKey>{})) {
    Outcome<> freed;
    if (std::ranges::find(living, key) == living.end()) {
      freed = call.ipam.release(key.container_id, key.ifname, call.deadline);
    }
    if (freed) freed = to_outcome(store.addresses_are_free(key));
    all = both(all, freed);
  }
  return all;
}

}  // namespace railhead::cni
