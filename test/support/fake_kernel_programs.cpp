// Stacked links and BPF programs of test/support/fake_kernel.hpp.
#include <algorithm>
#include <cerrno>

#include "test/support/fake_kernel.hpp"

namespace railhead::test {
namespace {

Failure kernel(int os_errno) { return fail_errno(os_errno, "fake kernel"); }

constexpr uint16_t kLoopback = 772;  // ARPHRD_LOOPBACK

// What RTM_GETLINK tells of XDP; of tcx it tells nothing.
std::optional<host::XdpPrograms> xdp_of(const std::vector<FakeProgram>& programs) {
  host::XdpPrograms xdp;
  for (const auto& program : programs) {
    if (program.hook == FakeProgram::Hook::xdp_generic) xdp.generic = program.id;
    if (program.hook == FakeProgram::Hook::xdp_driver) xdp.driver = program.id;
  }
  if (xdp == host::XdpPrograms{}) return std::nullopt;
  return xdp;
}

}  // namespace

// rtnl_delete_link(): hardware and the loopback have no dellink.
Result<void> FakeKernel::remove(NetnsInode inode, uint32_t index) {
  auto found = find(inode, index);
  if (!found) return pass(found);
  const FakeLink* link = *found;
  if (link->link.is_hardware() || link->link.type == kLoopback) return kernel(EOPNOTSUPP);
  remove_sysctls(*link);
  std::erase_if(links, [&](const auto& one) { return one.get() == link; });
  return {};
}

void FakeKernel::attach_program(FakeLink& link, const FakeProgram& program) {
  link.programs.push_back(program);
  link.link.xdp = xdp_of(link.programs);
}

Result<unsigned> FakeKernel::detach_programs(NetnsInode inode, uint32_t index) {
  auto link = find(inode, index);
  if (!link) return pass(link);
  const auto count = static_cast<unsigned>((*link)->programs.size());
  (*link)->programs.clear();
  (*link)->link.xdp.reset();
  return count;
}

}  // namespace railhead::test
