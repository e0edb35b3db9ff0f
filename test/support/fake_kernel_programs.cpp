// Stacked links and BPF programs of test/support/fake_kernel.hpp.
#include <algorithm>
#include <cerrno>

#include "test/support/fake_kernel.hpp"

namespace railhead::test {
namespace {

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

FakeLink& FakeKernel::add_stacked(FakeLink& lower, const std::string& kind,
                                  const std::string& name) {
  host::Link link;
  link.name = name;
  link.type = lower.link.type;
  link.mtu = lower.link.mtu;
  link.address = lower.link.address;
  link.kind = kind;
  auto& added = add_link(lower.netns, std::move(link));
  added.lower = &lower;
  tell_uppers(lower);
  return added;
}

// What IFLA_LINK and IFLA_LINK_NETNSID say after a link moved. vlan_device_event() and its like
// pass over the NETDEV_UNREGISTER of a move.
void FakeKernel::tell_uppers(const FakeLink& lower) {
  constexpr int32_t kSomeNetns = 0;
  for (auto& upper : links) {
    if (upper->lower != &lower) continue;
    upper->link.lower_index = lower.link.index;
    upper->link.lower_netns.reset();
    if (upper->netns != lower.netns) upper->link.lower_netns = kSomeNetns;
  }
}

// With a link goes what stands on it, wherever that is.
void FakeKernel::erase(const FakeLink& link) {
  std::vector<const FakeLink*> uppers;
  for (const auto& one : links) {
    if (one->lower == &link) uppers.push_back(one.get());
  }
  for (const auto* upper : uppers) erase(*upper);
  show_in_sysfs(link, false);
  remove_sysctls(link);
  std::erase_if(links, [&](const auto& one) { return one.get() == &link; });
}

// rtnl_delete_link(): hardware and the loopback have no dellink.
Result<void> FakeKernel::remove(NetnsInode inode, uint32_t index) {
  auto found = find(inode, index);
  if (!found) return pass(found);
  const FakeLink* link = *found;
  if (link->link.is_hardware() || link->link.type == kLoopback) return kernel(EOPNOTSUPP);
  erase(*link);
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
