// The contract of drivers and resets on the fakes.
#include "test/support/fake_host.hpp"
#include "test/support/functions_contract.hpp"

namespace railhead::test {
namespace {

class FakeFunctions final : public FunctionsFixture {
 public:
  FakeFunctions() { fake_.add_pf(); }
  host::Functions& functions() override { return fake_.host.functions; }
  PciAddress function() override { return {0, 0x11, 0, 0}; }
  std::string driver() override { return "mlx5_core"; }
  void let_resets_hang() override { fake_.hanging = "reset"; }
  void let_go() override { fake_.hanging.clear(); }

 private:
  FakeHost fake_;
};

}  // namespace

std::unique_ptr<FunctionsFixture> make_functions_fixture() {
  return std::make_unique<FakeFunctions>();
}

}  // namespace railhead::test
