#pragma once
// The BPF programs of a link by bpf(2) (linux/bpf.h). All of it is about links of the network
// namespace that the calling thread is in, which is how the kernel reads an ifindex.
#include <cstdint>
#include <vector>

#include "base/error.hpp"

namespace railhead::netlink {

enum class TcxHook : uint32_t { ingress = 46, egress = 47 };  // BPF_TCX_INGRESS, BPF_TCX_EGRESS

struct TcxProgram {
  uint32_t program = 0;  // the kernel's id
  uint32_t link = 0;     // id of the bpf_link that holds it; 0: none does
  friend bool operator==(const TcxProgram&, const TcxProgram&) = default;
};

// None on kernels without tcx (before Linux 6.6) or without bpf(2). Errors: ENODEV, EPERM.
[[nodiscard]] Result<std::vector<TcxProgram>> tcx_programs(uint32_t ifindex, TcxHook hook);
// Takes one off, through its bpf_link where it has one. ENOENT: it is gone already.
[[nodiscard]] Result<void> detach_tcx(uint32_t ifindex, TcxHook hook, const TcxProgram& attached);

// Takes off the XDP program `program` that a bpf_link holds on the link. An ifindex says nothing
// without its namespace, which the kernel does not tell of a bpf_link: the program's id must be the
// same too. Errors: ENOENT (no bpf_link does so), EBUSY (several do: on links of other namespaces
// too), EPERM.
[[nodiscard]] Result<void> detach_xdp_link(uint32_t ifindex, uint32_t program);

}  // namespace railhead::netlink
