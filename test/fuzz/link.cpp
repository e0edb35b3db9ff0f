#include "netlink/link.hpp"

#include "netlink/link_events.hpp"
#include "test/fuzz/netlink_input.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace railhead::netlink;
  LinkEvents events;
  railhead::host::EventBatch batch;
  return railhead::fuzz::each_message(data, size, [&](const Message& message) {
    (void)decode_link(message);
    events.note(message, batch);
  });
}
