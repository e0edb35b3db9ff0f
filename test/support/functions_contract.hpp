#pragma once
// What host::Functions promises, as tests that run on the fakes and on the real adapter: include
// this once in a program and define make_functions_fixture() there.
#include <memory>

#include <catch2/catch_test_macros.hpp>

#include "host/functions.hpp"
#include "test/support/must.hpp"

namespace railhead::test {

class FunctionsFixture {
 public:
  virtual ~FunctionsFixture() = default;
  [[nodiscard]] virtual host::Functions& functions() = 0;
  [[nodiscard]] virtual PciAddress function() = 0;
  [[nodiscard]] virtual std::string driver() = 0;  // that it is bound to
  virtual void let_resets_hang() = 0;
  virtual void let_go() = 0;
};
std::unique_ptr<FunctionsFixture> make_functions_fixture();

TEST_CASE("A function's driver is taken off and put on, and between them it is reset") {
  const auto fixture = make_functions_fixture();
  auto& functions = fixture->functions();
  constexpr std::chrono::seconds kLimit{60};
  must(functions.unbind(fixture->function(), fixture->driver(), kLimit));
  must(functions.reset(fixture->function(), kLimit));
  must(functions.bind(fixture->function(), fixture->driver(), kLimit));
}

TEST_CASE("A function or a driver that is not there is not found") {
  const auto fixture = make_functions_fixture();
  auto& functions = fixture->functions();
  constexpr std::chrono::seconds kLimit{60};
  const PciAddress none{0, 0x77, 0, 0};
  CHECK(is(functions.reset(none, kLimit), ErrorCode::not_found));
  CHECK(is(functions.unbind(none, fixture->driver(), kLimit), ErrorCode::not_found));
  CHECK(is(functions.bind(none, fixture->driver(), kLimit), ErrorCode::not_found));
  CHECK(is(functions.unbind(fixture->function(), "no_such_driver", kLimit), ErrorCode::not_found));
}

TEST_CASE("What hangs is given up at its limit, and comes about once the kernel lets it") {
  const auto fixture = make_functions_fixture();
  auto& functions = fixture->functions();
  fixture->let_resets_hang();
  CHECK(
      is(functions.reset(fixture->function(), std::chrono::milliseconds(50)), ErrorCode::timeout));
  fixture->let_go();
  Result<void> done = functions.reset(fixture->function(), std::chrono::seconds(60));
  // What was left behind may take a moment to end.
  while (is(done, ErrorCode::busy)) {
    done = functions.reset(fixture->function(), std::chrono::seconds(60));
  }
  must(done);
}

TEST_CASE("Without any time left nothing is begun") {
  const auto fixture = make_functions_fixture();
  auto& functions = fixture->functions();
  constexpr std::chrono::milliseconds kNone{0};
  CHECK(is(functions.unbind(fixture->function(), fixture->driver(), kNone), ErrorCode::timeout));
  must(functions.unbind(fixture->function(), fixture->driver(), std::chrono::seconds(60)));
}

}  // namespace railhead::test
