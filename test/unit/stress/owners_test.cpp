// When a stress run may take an answer for wrong: only where no other call can have been its cause.
#include <catch2/catch_test_macros.hpp>

#include "test/stress/model.hpp"

using namespace railhead::stress;

TEST_CASE("An ADD that met nobody was not contended") {
  Owners owners(2);
  const auto add = owners.begin(0, false);
  const auto elsewhere = owners.begin(1, false);
  CHECK_FALSE(owners.end(add));
  CHECK_FALSE(owners.end(elsewhere));
}

TEST_CASE("An ADD of a device that a pod has is contended, and a second success names that pod") {
  Owners owners(1);
  const auto first = owners.begin(0, false);
  CHECK_FALSE(owners.taken(first, "pod0"));
  owners.end(first);
  const auto second = owners.begin(0, false);
  CHECK(owners.taken(second, "pod1") == "pod0");
  CHECK(owners.end(second));
}

TEST_CASE("Calls that overlap are contended, whichever began or ended first") {
  Owners owners(1);
  const auto early = owners.begin(0, false);
  const auto late = owners.begin(0, false);
  CHECK(owners.end(late));
  CHECK(owners.end(early));
  const auto outer = owners.begin(0, false);
  owners.end(owners.begin(0, true));
  CHECK(owners.end(outer));
}

TEST_CASE("A device that is being given back has no owner any more") {
  Owners owners(1);
  const auto add = owners.begin(0, false);
  CHECK_FALSE(owners.taken(add, "pod0"));
  owners.end(add);
  CHECK(owners.is_held(0));
  const auto del = owners.begin(0, true);
  CHECK_FALSE(owners.is_held(0));
  owners.end(del);
  CHECK_FALSE(owners.end(owners.begin(0, false)));
}
