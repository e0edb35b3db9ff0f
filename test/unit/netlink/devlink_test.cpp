#include "netlink/devlink.hpp"

#include <catch2/catch_test_macros.hpp>
#include <linux/devlink.h>
#include <linux/genetlink.h>

#include "test/support/must.hpp"

namespace railhead::netlink {
namespace {

using test::must;

// An answer to get_info() as ice gives it: a fixed, two running and a stored version.
std::vector<std::byte> info() {
  genlmsghdr header{};
  header.cmd = DEVLINK_CMD_INFO_GET;
  Request answer(20, 0, header);
  answer.put_string(DEVLINK_ATTR_INFO_DRIVER_NAME, "ice");
  const auto put = [&](uint16_t type, std::string_view name, std::string_view value) {
    answer.nest(type, [&] {
      answer.put_string(DEVLINK_ATTR_INFO_VERSION_NAME, name);
      answer.put_string(DEVLINK_ATTR_INFO_VERSION_VALUE, value);
    });
  };
  put(DEVLINK_ATTR_INFO_VERSION_FIXED, "board.id", "K65390-000");
  put(DEVLINK_ATTR_INFO_VERSION_RUNNING, "fw.mgmt", "5.4.5");
  put(DEVLINK_ATTR_INFO_VERSION_RUNNING, "fw.app.name", "ICE OS Default Package");
  put(DEVLINK_ATTR_INFO_VERSION_STORED, "fw.app.name", "another");
  const Bytes all = answer.bytes();
  return {all.begin() + NLMSG_HDRLEN, all.end()};
}

}  // namespace

TEST_CASE("the running version of a component is found by its name") {
  const auto payload = info();
  const Message message{20, 0, 0, payload};
  CHECK(must(decode_running_version(message, "fw.app.name")) == "ICE OS Default Package");
  CHECK(must(decode_running_version(message, "fw.mgmt")) == "5.4.5");
  CHECK_FALSE(must(decode_running_version(message, "board.id")));
}

TEST_CASE("devlink info cut at any byte is an error or a shorter message, never a wrong version") {
  const auto payload = info();
  for (size_t size = 0; size < payload.size(); ++size) {
    const Message message{20, 0, 0, Bytes(payload).first(size)};
    const auto version = decode_running_version(message, "fw.app.name");
    if (version && *version) CHECK(*version == "ICE OS Default Package");
  }
}

}  // namespace railhead::netlink
