#include <algorithm>

#include "cni/command/command.hpp"
#include "cnispec/version.hpp"

namespace railhead::cni {

Result<> both(const Result<>& first, const Result<>& second) {
  if (first) return second;
  if (second) return first;
  auto joined = first.error();
  joined.message = fmt::format("{}; {}", first.error().text(), second.error().text());
  joined.details.clear();
  return Failure(std::move(joined));
}

Result<std::string> run_verb(cnispec::Command command, const Call& call) {
  using cnispec::Command;
  switch (command) {
    case Command::add:
      return add(call);
    case Command::del:
      return del(call);
    case Command::check:
      return check(call);
    case Command::gc:
      return gc(call);
    case Command::status:
      return status(call);
    case Command::version:
      return cnispec::version_json();
  }
  return fail(ErrorCode::internal, "a verb without code");
}

namespace {

// A container may have been attached again under the same names: its address is in use.
bool is_attached_again(const Call& call, const attach::Store& store,
                       const attach::AttachmentKey& key) {
  if (key == call.key()) return false;  // this very ADD, which has none yet
  const auto record = store.load(key);
  return !record || (*record && !((*record)->undo && (*record)->undo->quarantined));
}

}  // namespace

Result<> free_owed_addresses(const Call& call, const std::vector<attach::AttachmentKey>& living,
                             const Deadline& deadline) {
  const attach::Store store(call.host.roots.run);
  const auto owed = store.owed_addresses(call.conf.name);
  if (!owed) return pass(owed);
  Result<> first;
  for (const auto& key : *owed) {
    if (deadline.left().count() == 0) break;
    Result<> freed;
    if (std::ranges::find(living, key) == living.end()) {
      if (is_attached_again(call, store, key)) continue;
      freed = call.ipam.release(key.container_id, key.ifname, deadline);
    }
    if (freed) freed = store.addresses_are_free(key);
    if (first) first = std::move(freed);
  }
  return first;
}

}  // namespace railhead::cni
