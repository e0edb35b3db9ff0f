// What an administrator writes for addresses over rails, and what a cluster's dump says of nv-ipam.
#include <cstdint>
#include <string_view>

#include "ipam/rail_leases.hpp"
#include "plugin/ipam/node_rule.hpp"
#include "plugin/ipam/nv_ipam.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace railhead;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto confs = ipam_tools::rails_confs("fuzz", text)) {
    for (const auto& one : *confs) {
      if (one.conf.rails == 0) __builtin_trap();
      const std::vector<ipam_tools::CheckedNode> nodes{{"a", 0}};
      if (!ipam_tools::check({&one, 1}, nodes)) __builtin_trap();  // one node, and it has a block
    }
  }
  if (const auto pools = ipam_tools::nv_pools("fuzz", text)) {
    (void)ipam_tools::import_pools(*pools, {});
  }
  if (const auto all = ipam_tools::documents(text)) {
    for (const auto& one : *all) (void)ipam_tools::node_rule(one);
  }
  if (const auto pod = ipam::decode_leases(text)) {
    if (!ipam::decode_leases(ipam::encode_leases(*pod))) __builtin_trap();
  }
  return 0;
}
