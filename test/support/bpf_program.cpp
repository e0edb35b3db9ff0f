#include "test/support/bpf_program.hpp"

#include <cerrno>
#include <cstring>

#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "netlink/bpf.hpp"
#include "netlink/socket.hpp"

namespace railhead::test {
namespace {

using Hook = FakeProgram::Hook;

bool is_xdp(Hook hook) { return hook == Hook::xdp_generic || hook == Hook::xdp_driver; }

uint32_t xdp_flags(Hook hook) {
  return hook == Hook::xdp_driver ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE;
}

uint32_t attach_type(Hook hook) {
  if (is_xdp(hook)) return BPF_XDP;
  return static_cast<uint32_t>(hook == Hook::tcx_ingress ? netlink::TcxHook::ingress
                                                         : netlink::TcxHook::egress);
}

Result<UniqueFd> bpf(int command, bpf_attr& attributes, const char* what) {
  const auto answer = ::syscall(SYS_bpf, command, &attributes, sizeof(attributes));
  if (answer < 0) return fail_errno(errno, "bpf: {}", what);
  // BPF_PROG_ATTACH answers 0, which is no descriptor.
  return command == BPF_PROG_ATTACH ? UniqueFd() : UniqueFd(static_cast<int>(answer));
}

bpf_attr no_attributes() {
  bpf_attr attributes;
  std::memset(&attributes, 0, sizeof(attributes));
  return attributes;
}

Result<UniqueFd> load(Hook hook) {
  constexpr int32_t kPass = 2;   // XDP_PASS
  constexpr int32_t kNext = -1;  // TCX_NEXT, linux/bpf.h as of Linux 6.6
  const bpf_insn code[] = {
      {.code = BPF_ALU64 | BPF_MOV | BPF_K,
       .dst_reg = 0,
       .src_reg = 0,
       .off = 0,
       .imm = is_xdp(hook) ? kPass : kNext},
      {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}};
  auto attributes = no_attributes();
  attributes.prog_type = is_xdp(hook) ? BPF_PROG_TYPE_XDP : BPF_PROG_TYPE_SCHED_CLS;
  attributes.insn_cnt = std::size(code);
  attributes.insns = reinterpret_cast<uintptr_t>(code);
  attributes.license = reinterpret_cast<uintptr_t>("GPL");
  return bpf(BPF_PROG_LOAD, attributes, "load a program");
}

Result<uint32_t> id_of(const UniqueFd& program) {
  bpf_prog_info info;
  std::memset(&info, 0, sizeof(info));
  auto attributes = no_attributes();
  attributes.info.bpf_fd = static_cast<uint32_t>(program.get());
  attributes.info.info_len = sizeof(info);
  attributes.info.info = reinterpret_cast<uintptr_t>(&info);
  if (::syscall(SYS_bpf, BPF_OBJ_GET_INFO_BY_FD, &attributes, sizeof(attributes)) != 0) {
    return fail_errno(errno, "bpf: ask a program");
  }
  return info.id;
}

Result<UniqueFd> link_program(uint32_t ifindex, Hook hook, const UniqueFd& program) {
  auto attributes = no_attributes();
  attributes.link_create.prog_fd = static_cast<uint32_t>(program.get());
  attributes.link_create.target_ifindex = ifindex;
  attributes.link_create.attach_type = attach_type(hook);
  if (is_xdp(hook)) attributes.link_create.flags = xdp_flags(hook);
  return bpf(BPF_LINK_CREATE, attributes, "make a link");
}

Result<void> attach_xdp(uint32_t ifindex, Hook hook, const UniqueFd& program) {
  auto socket = netlink::Socket::open(NETLINK_ROUTE);
  if (!socket) return pass(socket);
  ifinfomsg header{};
  header.ifi_index = static_cast<int>(ifindex);
  netlink::Request request(RTM_SETLINK, 0, header);
  request.nest(IFLA_XDP, [&] {
    request.put_u32(IFLA_XDP_FD, static_cast<uint32_t>(program.get()));
    request.put_u32(IFLA_XDP_FLAGS, xdp_flags(hook));
  });
  return socket->exchange(std::move(request));
}

Result<void> attach_tcx(uint32_t ifindex, Hook hook, const UniqueFd& program) {
  auto attributes = no_attributes();
  attributes.target_fd = ifindex;
  attributes.attach_bpf_fd = static_cast<uint32_t>(program.get());
  attributes.attach_type = attach_type(hook);
  auto done = bpf(BPF_PROG_ATTACH, attributes, "attach a program");
  if (!done) return pass(done);
  return {};
}

}  // namespace

Result<UniqueFd> link_xdp_program(uint32_t ifindex, const UniqueFd& program) {
  return link_program(ifindex, Hook::xdp_generic, program);
}

Result<AttachedProgram> attach_bpf_program(uint32_t ifindex, const FakeProgram& wanted) {
  auto program = load(wanted.hook);
  if (!program) return pass(program);
  auto id = id_of(*program);
  if (!id) return pass(id);
  AttachedProgram attached{*id, std::move(*program), {}};
  if (wanted.held_by_link) {
    auto link = link_program(ifindex, wanted.hook, attached.program);
    if (!link) return pass(link);
    attached.link = std::move(*link);
    return attached;
  }
  auto done = is_xdp(wanted.hook) ? attach_xdp(ifindex, wanted.hook, attached.program)
                                  : attach_tcx(ifindex, wanted.hook, attached.program);
  if (!done) return pass(done);
  return attached;
}

}  // namespace railhead::test
