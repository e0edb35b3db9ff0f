#include "device/eswitch.hpp"

#include <catch2/catch_test_macros.hpp>

namespace railhead::test {
namespace {

device::Netdev port(std::optional<std::string> name, std::optional<std::string> switch_id) {
  device::Netdev netdev;
  netdev.phys_port_name = std::move(name);
  netdev.phys_switch_id = std::move(switch_id);
  return netdev;
}

const std::string kSwitch = "36ac9a0003a1420c";
const std::string kOther = "36ac9a0003a14b00";

}  // namespace

using device::eswitch_mode_of;

TEST_CASE("a PF whose VFs are represented on its uplink's switch is in switchdev mode") {
  for (const auto* representor : {"pf0vf0", "pf0sf88", "c1pf0vf0", "c1pf0", "0", "p0pf0vf0"}) {
    INFO(representor);
    CHECK(eswitch_mode_of({port("p0", kSwitch), port(representor, kSwitch)}, 1) == "switchdev");
    CHECK(eswitch_mode_of({port(representor, kSwitch), port("p0", kSwitch)}, 0) == "switchdev");
  }
}

TEST_CASE("uplink name and switch id without a representor are legacy mode, where there are VFs") {
  CHECK(eswitch_mode_of({port("p0", kSwitch)}, 4) == "legacy");
  CHECK(eswitch_mode_of({port("p0s1", kSwitch)}, 4) == "legacy");
}

TEST_CASE("a PF without VFs and representors does not tell its mode") {
  CHECK(eswitch_mode_of({port("p0", kSwitch)}, 0) == std::nullopt);
}

TEST_CASE("a driver without a switch has no mode") {
  CHECK(eswitch_mode_of({}, 4) == std::nullopt);
  CHECK(eswitch_mode_of({port(std::nullopt, std::nullopt)}, 4) == std::nullopt);
  CHECK(eswitch_mode_of({port("p0", std::nullopt)}, 4) == std::nullopt);  // bnxt in legacy mode
  CHECK(eswitch_mode_of({port(std::nullopt, kSwitch)}, 4) == std::nullopt);
  CHECK(eswitch_mode_of({port("n0", kSwitch)}, 4) == std::nullopt);
}

TEST_CASE("several uplinks on one switch, as in multiport and bonded eswitches, are one mode") {
  CHECK(eswitch_mode_of({port("p0", kSwitch), port("p1", kSwitch), port("pf1vf3", kSwitch)}, 8) ==
        "switchdev");
  CHECK(eswitch_mode_of({port("p0", kSwitch), port("p1", kSwitch)}, 8) == "legacy");
}

TEST_CASE("what is represented on another switch than the uplink's says nothing of the PF") {
  CHECK(eswitch_mode_of({port("p0", kSwitch), port("pf0vf0", kOther)}, 1) == "legacy");
  CHECK(eswitch_mode_of({port("p0", kSwitch), port("pf0vf0", std::nullopt)}, 1) == "legacy");
}

TEST_CASE("representors tell it alone where the uplink is in another namespace") {
  CHECK(eswitch_mode_of({port("pf0vf0", kSwitch)}, 1) == "switchdev");
  CHECK(eswitch_mode_of({port("pf0vf0", std::nullopt)}, 1) == std::nullopt);
}

}  // namespace railhead::test
