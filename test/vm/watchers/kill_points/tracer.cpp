#include "test/vm/watchers/kill_points/tracer.hpp"

#include <array>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test/vm/watchers/kill_points/memory.hpp"

namespace kill_points {

void die(const char* what) {
  std::perror(what);
  std::exit(kFailed);
}

void trace_calls() {
  std::array<sock_filter, 2 * kCalls.size() + 2> code{};
  size_t at = 0;
  code[at++] = BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr));
  for (const auto& call : kCalls) {
    code[at++] = BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(call.number), 0, 1);
    code[at++] = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
  }
  code[at++] = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  const sock_fprog program{static_cast<unsigned short>(at), code.data()};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) die("no_new_privs");
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) die("seccomp");
}

int Tracer::run() {
  int status = 0;
  if (waitpid(program_, &status, 0) < 0) die("waitpid");
  constexpr auto kOptions = PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL | PTRACE_O_TRACECLONE |
                            PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC |
                            PTRACE_O_TRACESYSGOOD;
  if (ptrace(PTRACE_SETOPTIONS, program_, nullptr, kOptions) != 0) die("PTRACE_SETOPTIONS");
  ptrace(PTRACE_CONT, program_, nullptr, nullptr);
  while (true) {
    const pid_t pid = waitpid(-1, &status, __WALL);
    if (pid < 0) die("waitpid");
    if (pid == program_ && (WIFEXITED(status) || WIFSIGNALED(status))) return ended(status);
    if (WIFSTOPPED(status)) stopped(pid, status);
  }
}

int Tracer::ended(int status) const {
  if (killed_) return kKilled;
  if (wanted_.point > count_) return kNoSuchPoint;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void Tracer::stopped(pid_t pid, int status) {
  const int event = status >> 16;
  long signal = 0;
  bool to_its_end = false;
  if (event == PTRACE_EVENT_SECCOMP) {
    if (is_the_program(pid)) to_its_end = called(pid);
  } else if (event == PTRACE_EVENT_EXEC) {
    executables_.erase(pid);
  } else if (event == 0 && WSTOPSIG(status) == (SIGTRAP | 0x80)) {
    returned(pid);
  } else if (event == 0 && WSTOPSIG(status) != SIGSTOP) {
    signal = WSTOPSIG(status);
  }
  ptrace(to_its_end ? PTRACE_SYSCALL : PTRACE_CONT, pid, nullptr, signal);
}

bool Tracer::is_wanted() const {
  return wanted_.point != 0 &&
         (count_ == wanted_.point || (wanted_.and_later && count_ > wanted_.point));
}

bool Tracer::is_the_program(pid_t pid) {
  for (const pid_t one : {pid, program_}) {
    auto& executable = executables_[one];
    if (executable.empty()) executable = link_target("/proc/" + std::to_string(one) + "/exe");
  }
  return executables_[pid] == executables_[program_];
}

bool Tracer::called(pid_t pid) {
  user_regs_struct regs{};
  if (ptrace(PTRACE_GETREGS, pid, nullptr, &regs) != 0) return false;
  if (const auto open = exchanges_.find(pid); open != exchanges_.end() &&
                                              static_cast<long>(regs.orig_rax) == SYS_recvmsg &&
                                              open->second.socket == regs.rdi) {
    return true;
  }
  const auto point = point_of(pid, regs, wanted_.which);
  if (!point) return false;
  ++count_;
  if (wanted_.action == Action::list) {
    std::fprintf(stderr, "%u %s %s %s\n", count_, word_of(point->which), call_of(regs).name,
                 point->what.c_str());
  }
  if (!is_wanted()) return false;
  switch (wanted_.action) {
    case Action::list:
      return false;
    case Action::kill:
      killed_ = true;
      kill(program_, SIGKILL);
      return false;
    case Action::fail:
      regs.orig_rax = static_cast<uint64_t>(-1);  // no call is made
      regs.rax = static_cast<uint64_t>(-wanted_.error);
      ptrace(PTRACE_SETREGS, pid, nullptr, &regs);
      return false;
    case Action::refuse:
    case Action::late:
      return follow(pid, regs, point->which == Which::netlink);
  }
  return false;
}

// To refuse a message is to make one of it that the kernel knows nothing of.
bool Tracer::follow(pid_t pid, const user_regs_struct& regs, bool netlink) {
  if (!netlink) {
    results_.insert(pid);
    return true;
  }
  const auto address = buffer_of(pid, regs);
  const auto header = peek<nlmsghdr>(pid, address);
  Exchange exchange{regs.rdi, header.nlmsg_seq, std::nullopt};
  if (wanted_.action == Action::refuse) {
    const auto place = address + offsetof(nlmsghdr, nlmsg_type);
    exchange.to_restore = {place, header.nlmsg_type};
    poke(pid, place, static_cast<uint16_t>(header.nlmsg_type | 0x3ffU));
  }
  exchanges_[pid] = exchange;
  return true;
}

void Tracer::returned(pid_t pid) {
  user_regs_struct regs{};
  if (ptrace(PTRACE_GETREGS, pid, nullptr, &regs) != 0) return;
  if (results_.erase(pid) != 0) {
    regs.rax = static_cast<uint64_t>(-wanted_.error);
    ptrace(PTRACE_SETREGS, pid, nullptr, &regs);
    return;
  }
  const auto found = exchanges_.find(pid);
  if (found == exchanges_.end()) return;
  auto& exchange = found->second;
  if (exchange.to_restore) {
    poke(pid, exchange.to_restore->first, exchange.to_restore->second);
    exchange.to_restore.reset();
  }
  if (static_cast<long>(regs.orig_rax) != SYS_recvmsg || static_cast<long>(regs.rax) <= 0) return;
  const auto address = buffer_of(pid, regs);
  const auto header = peek<nlmsghdr>(pid, address);
  if (header.nlmsg_type != NLMSG_ERROR || header.nlmsg_seq != exchange.sequence) return;
  poke(pid, address + NLMSG_HDRLEN + offsetof(nlmsgerr, error), -wanted_.error);
  if ((regs.rdx & MSG_PEEK) == 0) exchanges_.erase(found);
}

}  // namespace kill_points
