// The contract of what is left on a link, on this machine's kernel with a veth pair.
#include "test/support/kernel_left_behind.hpp"

namespace railhead::test {
namespace {

class VethLeftBehind final : public KernelLeftBehind {
 public:
  VethLeftBehind() : KernelLeftBehind("va") {}
  ~VethLeftBehind() noexcept(false) override {
    must_run("ip link del vb");
    end_all();
  }
};

}  // namespace

std::unique_ptr<LeftBehindFixture> make_left_behind_fixture() {
  enter_private_netns();
  must_run("ip link add va type veth peer name vb");
  return std::make_unique<VethLeftBehind>();
}

}  // namespace railhead::test
