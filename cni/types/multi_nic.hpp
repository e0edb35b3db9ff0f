#pragma once
// The keys of a network that is one of several of its pod: rail, railIndex, multiNic, arp,
// rpFilter, gratuitous, neighbours, mainTable.
#include "base/go_json.hpp"
#include "cni/types/type.hpp"

namespace railhead::cni {

struct MultiNic {
  std::optional<attach::OwnTable> own_table;  // absent: multiNic is off
  bool announces = true;
};

// multiNic is on where a rail is named and nothing is said. Errors (invalid_argument) name the key,
// the value and what was expected.
Result<MultiNic> read_multi_nic(const nlohmann::ordered_json& config);

// For who tells keys that are not known.
inline constexpr std::string_view kMultiNicKeys[] = {
    "rail", "railIndex", "multiNic", "arp", "rpFilter", "gratuitous", "neighbours", "mainTable"};

}  // namespace railhead::cni
