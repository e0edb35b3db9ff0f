#include "attach/vf_settings.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace railhead;
using namespace railhead::attach;
using host::VfAttributes;

TEST_CASE("Only what differs is changed, and what the kernel does not tell is asked for") {
  VfAttributes now;
  now.vlan = host::VfVlan{100, 0, 0x8100};
  now.trust = false;
  VfAttributes wanted;
  wanted.vlan = host::VfVlan{100, 0, 0x8100};
  wanted.trust = true;
  wanted.link_state = host::VfLinkState::enable;
  VfAttributes change;
  change.trust = true;
  change.link_state = host::VfLinkState::enable;
  CHECK(difference(now, wanted) == change);
  CHECK(difference(wanted, wanted).empty());
  CHECK(difference(now, {}).empty());
}

TEST_CASE("An explicit VLAN 0 takes a VLAN off") {
  VfAttributes now;
  now.vlan = host::VfVlan{100, 3, 0x88a8};
  VfAttributes wanted;
  wanted.vlan = host::VfVlan{0, 0, 0x8100};
  CHECK(difference(now, wanted) == wanted);
}

TEST_CASE("A difference is told with both values") {
  VfAttributes now;
  now.vlan = host::VfVlan{7, 0, 0x8100};
  now.spoofchk = true;
  VfAttributes wanted;
  wanted.vlan = host::VfVlan{100, 0, 0x8100};
  wanted.spoofchk = false;
  wanted.trust = true;
  CHECK(describe_difference(now, wanted) ==
        "vlan is 7 qos 0 proto 802.1Q, not 100 qos 0 proto 802.1Q; spoofchk is on, not off; "
        "trust is unknown, not on");
}
