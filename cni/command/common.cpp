#include <algorithm>

#include "cni/command/command.hpp"

namespace railhead::cni {

Result<> both(const Result<>& first, const Result<>& second) {
  if (first) return second;
  if (second) return first;
  auto joined = first.error();
  joined.message = fmt::format("{}; {}", first.error().text(), second.error().text());
  joined.details.clear();
  return Failure(std::move(joined));
}

Result<> free_owed_addresses(const Call& call, const std::vector<attach::AttachmentKey>& living) {
  const attach::Store store(call.host.roots.run);
  const auto owed = store.owed_addresses(call.conf.name);
  auto all = owed ? Result<>() : pass(owed);
  for (const auto& key : owed.value_or(std::vector<attach::AttachmentKey>{})) {
    Result<> freed;
    if (std::ranges::find(living, key) == living.end()) {
      freed = call.ipam.release(key.container_id, key.ifname, call.deadline);
    }
    if (freed) freed = store.addresses_are_free(key);
    all = both(all, freed);
  }
  return all;
}

}  // namespace railhead::cni
