#include "cnispec/network_list.hpp"

#include <nlohmann/json.hpp>

#include "base/go_json.hpp"
#include "cni/meta/sources.hpp"

// A NetworkAttachmentDefinition and the configuration in it: what plugins are given of it is JSON.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace railhead;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto nad = cni::parse_nad(text, "ns", "name");
  const auto list = cnispec::parse_network(nad ? std::string_view(nad->config) : text, "name");
  if (!list) return 0;
  for (const auto& plugin : list->plugins) {
    const auto input =
        cnispec::plugin_input(*list, plugin, {{"mac", "\"02:00:00:00:00:01\""}, {"ips", "[]"}});
    const auto whole = cnispec::with_prev_result(input, R"({"ips":[]})");
    const auto json = go_json::parse(whole);
    // What was nearly too deep can be too deep inside the whole.
    if (!json && size < go_json::kMaxDepth) __builtin_trap();
  }
  return 0;
}
