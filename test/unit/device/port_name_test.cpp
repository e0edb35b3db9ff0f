#include "device/port_name.hpp"

#include <string>
#include <utility>
#include <vector>

#include <catch2/catch_test_macros.hpp>

namespace railhead::test {

using device::PortName;

TEST_CASE("every form of a port's name is told apart") {
  const std::vector<std::pair<std::string, PortName>> forms = {
      {"p0", {.port = 0}},
      {"p11", {.port = 11}},
      {"p0s1", {.port = 0, .split = 1}},
      {"l2p3", {.line_card = 2, .port = 3}},
      {"l2p3s0", {.line_card = 2, .port = 3, .split = 0}},
      {"pf0", {.pf = 0}},
      {"pf1vf127", {.pf = 1, .vf = 127}},
      {"pf0sf88", {.pf = 0, .sf = 88}},
      {"c1pf0", {.controller = 1, .pf = 0}},
      {"c1pf0vf0", {.controller = 1, .pf = 0, .vf = 0}},
      {"c2pf1sf5", {.controller = 2, .pf = 1, .sf = 5}},
      {"p0pf0vf3", {.port = 0, .pf = 0, .vf = 3}},
      {"vf3", {.vf = 3}},
      {"3", {.vf = 3}},
      {"4294967295", {.vf = 4294967295}},
  };
  for (const auto& [text, name] : forms) {
    INFO(text);
    CHECK(PortName::parse(text) == name);
  }
}

TEST_CASE("what is no port's name is none") {
  for (const auto* text :
       {"",    "p",     "pf",        "vf",     "c1",      "c1p0",        "l1", "l1pf0", "p0x",
        "xp0", "pf0vf", "pf0vf3sf4", "pf0vfx", "c1c1pf0", "c1vf0",       "s1", "sf4",   "p00",
        "007", "p-1",   "p+1",       "p 1",    "p0 ",     "p4294967296", "P0", "n0",    "sw1p2"}) {
    INFO(text);
    CHECK(PortName::parse(text) == std::nullopt);
  }
}

TEST_CASE("uplinks are ports to the wire, split ones too, and no representors") {
  for (const auto* text : {"p0", "p11", "p0s1", "l1p2"}) {
    INFO(text);
    CHECK(device::is_uplink_port(text));
  }
  for (const auto* text : {"", "p", "pf0", "pf0vf3", "c1pf0", "p0pf0vf3", "0", "vf0"}) {
    INFO(text);
    CHECK_FALSE(device::is_uplink_port(text));
  }
}

TEST_CASE("another controller's representors are not this machine's") {
  CHECK(PortName::parse("pf0vf0")->represents_own());
  CHECK(PortName::parse("pf0sf5")->represents_own());
  CHECK(PortName::parse("0")->represents_own());
  CHECK_FALSE(PortName::parse("c1pf0vf0")->represents_own());
  CHECK_FALSE(PortName::parse("c1pf0sf5")->represents_own());
  CHECK_FALSE(PortName::parse("pf0")->represents_own());
  CHECK_FALSE(PortName::parse("p0")->represents_own());
}

}  // namespace railhead::test
