#include "ipam/host_local.hpp"

#include <nlohmann/json.hpp>

#include "base/go_json.hpp"
#include "ipam/resolv_conf.hpp"
#include "ipam/static.hpp"

// A network's configuration as its author writes it, and a resolv.conf: what is read of the first
// is ranges that have something to give.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace railhead;
  const std::string text(reinterpret_cast<const char*>(data), size);
  (void)ipam::parse_resolv_conf(text);
  const auto config = go_json::parse(text);
  if (!config || !config->is_object()) return 0;
  const auto conf = ipam::read_host_local(*config, "");
  if (conf && conf->sets.empty()) __builtin_trap();
  for (const auto& set : conf ? conf->sets : std::vector<ipam::RangeSet>{}) {
    for (const auto& range : set) {
      if (range.last < range.first || !ipam::contains(range.subnet, range.first)) __builtin_trap();
      if (ipam::parse_go(ipam::go_text(range.first)) != range.first) __builtin_trap();
    }
  }
  (void)ipam::read_static(*config, {.addresses = text, .gateways = ""});
  return 0;
}
