#include "netlink/event_cause.hpp"
#include "test/fuzz/netlink_input.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace railhead::netlink;
  const auto uevent = decode_uevent(std::as_bytes(std::span(data, size)));
  railhead::host::EventBatch batch;
  if (uevent) note(*uevent, batch);
  return 0;
}
