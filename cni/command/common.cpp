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

}  // namespace railhead::cni
