#include "plugin/config/config.hpp"

// JSON and YAML: the first character decides.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)railhead::config::parse(text, "example.com");
  return 0;
}
