// The contract of what a pod may leave on a link, on this kernel and a VF of an igb PF. The suite
// ports.sh sets the node up.
#include "test/support/kernel_left_behind.hpp"

namespace railhead::test {
namespace {

constexpr const char* kName = "pf0v0";

class VfLeftBehind final : public KernelLeftBehind {
 public:
  VfLeftBehind() : KernelLeftBehind(kName), before_(must(links().by_name(kName))) {}
  ~VfLeftBehind() noexcept(false) override {
    end_all();
    const auto& function = before_.parent_device.value();
    REQUIRE(wait_until(linux_.clock, kLimit, kStep,
                       [&] { return links().by_parent(function).has_value(); }));
    const auto now = must(links().by_parent(function));
    must(links().detach_programs(now.index));
    host::LinkChange change{.up = false, .promisc = false, .allmulti = false, .alias = ""};
    if (now.name != before_.name) change.name = before_.name;
    must(links().change(now.index, change));
  }

 private:
  host::Link before_;
};

}  // namespace

std::unique_ptr<LeftBehindFixture> make_left_behind_fixture() {
  return std::make_unique<VfLeftBehind>();
}

}  // namespace railhead::test
