#include "netlink/devlink.hpp"

#include "test/fuzz/netlink_input.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace railhead::netlink;
  return railhead::fuzz::each_message(data, size, [](const Message& message) {
    (void)decode_generic_family(message);
    (void)decode_running_version(message, "fw.app.name");
    (void)parse_acknowledgement(message);
  });
}
