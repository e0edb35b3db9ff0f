#include "cni/meta/selection.hpp"

// A pod's annotation: anybody who may make pods writes it.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto all =
      railhead::cni::read_selections({reinterpret_cast<const char*>(data), size}, "ns");
  if (!all) return 0;
  for (const auto& one : *all) {
    // They become paths and names of interfaces.
    const auto is_bad = [](const std::string& name) {
      return name.find_first_of(std::string_view("/\0", 2)) != std::string::npos || name == ".." ||
             name == ".";
    };
    if (one.name.empty() || is_bad(one.name) || is_bad(one.namespace_) || is_bad(one.ifname) ||
        one.ifname.size() > 15) {
      __builtin_trap();
    }
  }
  return 0;
}
