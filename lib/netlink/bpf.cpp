#include "netlink/bpf.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/unique_fd.hpp"

namespace railhead::netlink {
namespace {

constexpr size_t kMaxTcx = 64;  // BPF_MPROG_MAX, linux/bpf_mprog.h

// The part `query` of union bpf_attr as of Linux 6.6 (include/uapi/linux/bpf.h); the headers of
// Debian 12 know it as of 6.1, which has no links.
struct TcxQuery {
  uint32_t ifindex = 0;
  uint32_t hook = 0;
  uint32_t query_flags = 0;
  uint32_t attach_flags = 0;
  alignas(8) uint64_t programs = 0;  // address of `count` uint32_t
  uint32_t count = 0;
  uint32_t padding = 0;
  alignas(8) uint64_t program_flags = 0;
  alignas(8) uint64_t links = 0;
  alignas(8) uint64_t link_flags = 0;
  uint64_t revision = 0;
};
static_assert(sizeof(TcxQuery) == 64);

// A system call's answer: a descriptor or 0, else the error.
template <class Attributes>
Result<int> bpf(int command, Attributes& attributes, std::string_view what) {
  const auto answer = ::syscall(SYS_bpf, command, &attributes, sizeof(attributes));
  if (answer < 0) return fail_errno(errno, "bpf: {}", what);
  return static_cast<int>(answer);
}

bpf_attr no_attributes() {
  bpf_attr attributes;
  std::memset(&attributes, 0,
              sizeof(attributes));  // the whole union: the kernel looks at all of it
  return attributes;
}

template <class T>
uint64_t address_of(T* object) {
  return reinterpret_cast<uintptr_t>(object);
}

Result<UniqueFd> open_link(uint32_t id) {
  auto attributes = no_attributes();
  attributes.link_id = id;
  auto fd = bpf(BPF_LINK_GET_FD_BY_ID, attributes, fmt::format("open link {}", id));
  if (!fd) return pass(fd);
  return UniqueFd(*fd);
}

Result<UniqueFd> open_program(uint32_t id) {
  auto attributes = no_attributes();
  attributes.prog_id = id;
  auto fd = bpf(BPF_PROG_GET_FD_BY_ID, attributes, fmt::format("open program {}", id));
  if (!fd) return pass(fd);
  return UniqueFd(*fd);
}

Result<void> detach_link(const UniqueFd& link) {
  auto attributes = no_attributes();
  attributes.link_detach.link_fd = static_cast<uint32_t>(link.get());
  auto done = bpf(BPF_LINK_DETACH, attributes, "detach a link");
  if (!done) return pass(done);
  return {};
}

// Nothing behind the last one.
Result<std::optional<uint32_t>> next_link(uint32_t id) {
  auto attributes = no_attributes();
  attributes.start_id = id;
  auto done = bpf(BPF_LINK_GET_NEXT_ID, attributes, "list links");
  if (is(done, ErrorCode::not_found)) return std::nullopt;
  if (!done) return pass(done);
  return attributes.next_id;
}

Result<bpf_link_info> info_of(const UniqueFd& link) {
  bpf_link_info info;
  std::memset(&info, 0, sizeof(info));
  auto attributes = no_attributes();
  attributes.info.bpf_fd = static_cast<uint32_t>(link.get());
  attributes.info.info_len = sizeof(info);
  attributes.info.info = address_of(&info);
  auto done = bpf(BPF_OBJ_GET_INFO_BY_FD, attributes, "ask a link");
  if (!done) return pass(done);
  return info;
}

}  // namespace

Result<std::vector<TcxProgram>> tcx_programs(uint32_t ifindex, TcxHook hook) {
  std::array<uint32_t, kMaxTcx> programs{};
  std::array<uint32_t, kMaxTcx> links{};
  TcxQuery query{.ifindex = ifindex,
                 .hook = static_cast<uint32_t>(hook),
                 .programs = address_of(programs.data()),
                 .count = kMaxTcx,
                 .links = address_of(links.data())};
  auto done = bpf(BPF_PROG_QUERY, query, fmt::format("link {}: list tcx programs", ifindex));
  if (!done) {
    const int os_errno = done.error().os_errno;
    // EINVAL: the kernel does not know the hook; E2BIG: nor the later part of the question.
    if (os_errno == EINVAL || os_errno == E2BIG || os_errno == ENOSYS)
      return std::vector<TcxProgram>{};
    return pass(done);
  }
  std::vector<TcxProgram> attached;
  for (size_t i = 0; i < query.count && i < kMaxTcx; ++i)
    attached.push_back({programs[i], links[i]});
  return attached;
}

Result<void> detach_tcx(uint32_t ifindex, TcxHook hook, const TcxProgram& attached) {
  if (attached.link != 0) {
    auto link = open_link(attached.link);
    if (!link) return pass(link);
    return detach_link(*link);
  }
  auto program = open_program(attached.program);
  if (!program) return pass(program);
  auto attributes = no_attributes();
  attributes.target_fd = ifindex;  // named target_ifindex since Linux 6.6
  attributes.attach_bpf_fd = static_cast<uint32_t>(program->get());
  attributes.attach_type = static_cast<uint32_t>(hook);
  auto done = bpf(BPF_PROG_DETACH, attributes,
                  fmt::format("link {}: detach tcx program {}", ifindex, attached.program));
  if (!done) return pass(done);
  return {};
}

Result<void> detach_xdp_link(uint32_t ifindex, uint32_t program) {
  std::optional<UniqueFd> found;
  for (uint32_t id = 0;;) {
    auto next = next_link(id);
    if (!next) return pass(next);
    if (!*next) break;
    id = **next;
    auto link = open_link(id);
    if (is(link, ErrorCode::not_found)) continue;  // it went meanwhile
    if (!link) return pass(link);
    auto info = info_of(*link);
    if (!info) return pass(info);
    const bool is_it =
        info->type == BPF_LINK_TYPE_XDP && info->xdp.ifindex == ifindex && info->prog_id == program;
    if (!is_it) continue;
    if (found) {
      return fail_errno(EBUSY, "link {}: several bpf links hold XDP program {} on such an ifindex",
                        ifindex, program);
    }
    found = std::move(*link);
  }
  if (!found) return fail_errno(ENOENT, "link {}: bpf link of XDP program {}", ifindex, program);
  return detach_link(*found);
}

}  // namespace railhead::netlink
