#pragma once
// A BPF program of two instructions on a link of this machine's kernel, as a pod may leave one.
#include <cstdint>

#include "base/error.hpp"
#include "base/unique_fd.hpp"
#include "test/support/fake_kernel.hpp"

namespace railhead::test {

// What keeps it there: the program's id, and its bpf_link where one holds it, which ends with this.
struct AttachedProgram {
  uint32_t id = 0;
  UniqueFd program;
  UniqueFd link;
};

// Attaches a new program to a link of the calling thread's network namespace; it lets every packet
// pass. `program.id` is not looked at. Errors: the kernel's.
[[nodiscard]] Result<AttachedProgram> attach_bpf_program(uint32_t ifindex,
                                                         const FakeProgram& program);
// The same with a program that is loaded already, by a bpf_link: for XDP in the generic mode.
[[nodiscard]] Result<UniqueFd> link_xdp_program(uint32_t ifindex, const UniqueFd& program);

}  // namespace railhead::test
