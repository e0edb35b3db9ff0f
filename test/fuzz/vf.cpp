#include "netlink/link.hpp"
#include "test/fuzz/netlink_input.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace railhead::netlink;
  return railhead::fuzz::each_message(data, size, [](const Message& message) {
    (void)decode_vfs(message);
    for (uint32_t vf : {0u, 1u, 300u}) (void)decode_vf(message, vf);
  });
}
