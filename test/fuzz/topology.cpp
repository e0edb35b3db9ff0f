#include "plugin/topology/file.hpp"

// XML and YAML: the first character decides.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  (void)railhead::topology::parse({reinterpret_cast<const char*>(data), size});
  return 0;
}
