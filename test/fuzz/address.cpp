#include "netlink/address.hpp"

#include "test/fuzz/netlink_input.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace railhead::netlink;
  return railhead::fuzz::each_message(data, size, [](const Message& message) {
    (void)decode_address(message);
    (void)decode_route(message);
    (void)decode_rule(message);
  });
}
