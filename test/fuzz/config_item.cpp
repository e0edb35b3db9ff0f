#include <array>

#include "plugin/config/config.hpp"

// One item of each of the three grammars, in JSON or YAML: the first byte decides, so that the
// fuzzer need not find the outer keys first.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr std::array kKeys = {"resourceList", "configList", "pools"};
  if (size == 0) return 0;
  const std::string item(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string key = kKeys[(data[0] >> 1) % kKeys.size()];
  const std::string text = data[0] & 1 ? key + ":\n- " + item : "{\"" + key + "\":[" + item + "]}";
  (void)railhead::config::parse(text, "example.com");
  return 0;
}
