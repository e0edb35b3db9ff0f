// Runs a program and ends it right before one of its calls that change state outside of it: files,
// links, names, and netlink messages that do not only ask. Such a call is a point, numbered from 1.
//
//   vm_kill_points list PROGRAM [ARGUMENT…]     the points, one per line, on standard error
//   vm_kill_points N PROGRAM [ARGUMENT…]        SIGKILL instead of point N
//   vm_kill_points N:ERRNO PROGRAM [ARGUMENT…]  that error instead of point N (28 is ENOSPC)
//
// Its exit code is the program's, 137 when it was killed, 120 when there is no point N.
#include <array>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <rdma/rdma_netlink.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

constexpr int kKilled = 137;
constexpr int kNoSuchPoint = 120;
constexpr int kFailed = 121;

struct Call {
  long number;
  const char* name;
};
constexpr std::array kCalls = {
    Call{SYS_openat, "openat"},       Call{SYS_open, "open"},
    Call{SYS_write, "write"},         Call{SYS_pwrite64, "pwrite64"},
    Call{SYS_rename, "rename"},       Call{SYS_renameat2, "renameat2"},
    Call{SYS_unlink, "unlink"},       Call{SYS_unlinkat, "unlinkat"},
    Call{SYS_symlink, "symlink"},     Call{SYS_symlinkat, "symlinkat"},
    Call{SYS_link, "link"},           Call{SYS_linkat, "linkat"},
    Call{SYS_mkdir, "mkdir"},         Call{SYS_mkdirat, "mkdirat"},
    Call{SYS_ftruncate, "ftruncate"}, Call{SYS_fchmod, "fchmod"},
    Call{SYS_mount, "mount"},         Call{SYS_umount2, "umount2"},
    Call{SYS_sendto, "sendto"},       Call{SYS_sendmsg, "sendmsg"},
};

[[noreturn]] void die(const char* what) {
  std::perror(what);
  std::exit(kFailed);
}

// In the child: each call of the list stops it for its tracer.
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

template <class T>
T peek(pid_t pid, uint64_t address) {
  T value{};
  const iovec local{&value, sizeof value};
  const iovec remote{reinterpret_cast<void*>(address), sizeof value};
  process_vm_readv(pid, &local, 1, &remote, 1, 0);
  return value;
}

std::string peek_text(pid_t pid, uint64_t address) {
  const auto bytes = peek<std::array<char, 200>>(pid, address);
  return {bytes.data(), strnlen(bytes.data(), bytes.size())};
}

// A message that only asks is no point: rtnetlink's questions have 2 in the low bits of their type
// (RTM_GET*), NLDEV's are its GETs, and whatever wants a dump asks.
std::string changing_message(pid_t pid, const user_regs_struct& regs) {
  uint64_t address = regs.rsi;
  if (static_cast<long>(regs.orig_rax) == SYS_sendmsg) {
    const auto header = peek<msghdr>(pid, regs.rsi);
    address = reinterpret_cast<uint64_t>(
        peek<iovec>(pid, reinterpret_cast<uint64_t>(header.msg_iov)).iov_base);
  }
  const auto message = peek<nlmsghdr>(pid, address);
  if (message.nlmsg_type < NLMSG_MIN_TYPE) return "";
  const unsigned client = message.nlmsg_type >> 10;
  const unsigned operation = message.nlmsg_type & 0x3ffU;
  if (client == RDMA_NL_NLDEV) {
    const bool changes = operation == RDMA_NLDEV_CMD_SET || operation == RDMA_NLDEV_CMD_NEWLINK ||
                         operation == RDMA_NLDEV_CMD_DELLINK || operation == RDMA_NLDEV_CMD_SYS_SET;
    return changes ? "RDMA " + std::to_string(operation) : "";
  }
  if ((message.nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP || (message.nlmsg_type & 3) == 2) return "";
  return "type " + std::to_string(message.nlmsg_type);
}

// What the call would change; "" when it changes nothing outside of the program.
std::string point_of(pid_t pid, const user_regs_struct& regs) {
  switch (static_cast<long>(regs.orig_rax)) {
    case SYS_open:
    case SYS_openat: {
      const bool at = static_cast<long>(regs.orig_rax) == SYS_openat;
      const auto flags = at ? regs.rdx : regs.rsi;
      if ((flags & (O_CREAT | O_TRUNC)) == 0) return "";
      return peek_text(pid, at ? regs.rsi : regs.rdi);
    }
    case SYS_write:
    case SYS_pwrite64:
      return regs.rdi <= 2 ? "" : std::to_string(regs.rdx) + " bytes";
    case SYS_sendto:
    case SYS_sendmsg:
      return changing_message(pid, regs);
    case SYS_ftruncate:
    case SYS_fchmod:
      return "an open file";
    case SYS_unlinkat:
    case SYS_mkdirat:
    case SYS_renameat2:
    case SYS_linkat:
      return peek_text(pid, regs.rsi);
    case SYS_symlinkat:
      return peek_text(pid, regs.rdx);
    case SYS_symlink:
      return peek_text(pid, regs.rsi);
    default:
      return peek_text(pid, regs.rdi);
  }
}

std::string_view name_of(long number) {
  for (const auto& call : kCalls) {
    if (call.number == number) return call.name;
  }
  return "?";
}

struct Wanted {
  bool list = false;
  unsigned point = 0;
  int error = 0;  // 0: the program is killed
};

Wanted wanted_of(const char* text) {
  if (std::string_view(text) == "list") return {.list = true};
  char* rest = nullptr;
  Wanted wanted{.point = static_cast<unsigned>(std::strtoul(text, &rest, 10))};
  if (*rest == ':') wanted.error = std::atoi(rest + 1);
  return wanted;
}

// Follows the program with its threads and children to its end.
class Tracer {
 public:
  Tracer(pid_t program, Wanted wanted) : program_(program), wanted_(wanted) {}

  int run() {
    int status = 0;
    if (waitpid(program_, &status, 0) < 0) die("waitpid");
    constexpr auto kOptions = PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL | PTRACE_O_TRACECLONE |
                              PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC;
    if (ptrace(PTRACE_SETOPTIONS, program_, nullptr, kOptions) != 0) die("PTRACE_SETOPTIONS");
    ptrace(PTRACE_CONT, program_, nullptr, nullptr);
    while (true) {
      const pid_t pid = waitpid(-1, &status, __WALL);
      if (pid < 0) die("waitpid");
      if (pid == program_ && (WIFEXITED(status) || WIFSIGNALED(status))) return ended(status);
      if (WIFSTOPPED(status)) stopped(pid, status);
    }
  }

 private:
  int ended(int status) const {
    if (killed_) return kKilled;
    if (wanted_.point > count_) return kNoSuchPoint;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

  void stopped(pid_t pid, int status) {
    const int event = status >> 16;
    long signal = 0;
    if (event == PTRACE_EVENT_SECCOMP) {
      called(pid);
    } else if (event == 0 && WSTOPSIG(status) != SIGSTOP) {
      signal = WSTOPSIG(status);
    }
    ptrace(PTRACE_CONT, pid, nullptr, signal);
  }

  void called(pid_t pid) {
    user_regs_struct regs{};
    if (ptrace(PTRACE_GETREGS, pid, nullptr, &regs) != 0) return;
    const auto what = point_of(pid, regs);
    if (what.empty()) return;
    ++count_;
    const auto name = name_of(static_cast<long>(regs.orig_rax));
    if (wanted_.list) {
      std::fprintf(stderr, "%u %.*s %s\n", count_, static_cast<int>(name.size()), name.data(),
                   what.c_str());
    }
    if (count_ != wanted_.point) return;
    if (wanted_.error == 0) {
      killed_ = true;
      kill(program_, SIGKILL);
      return;
    }
    regs.orig_rax = static_cast<uint64_t>(-1);  // no call is made
    regs.rax = static_cast<uint64_t>(-wanted_.error);
    ptrace(PTRACE_SETREGS, pid, nullptr, &regs);
  }

  pid_t program_;
  Wanted wanted_;
  unsigned count_ = 0;
  bool killed_ = false;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: vm_kill_points list|N|N:ERRNO PROGRAM [ARGUMENT...]\n");
    return kFailed;
  }
  const auto wanted = wanted_of(argv[1]);
  const pid_t program = fork();
  if (program < 0) die("fork");
  if (program == 0) {
    if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) die("PTRACE_TRACEME");
    raise(SIGSTOP);
    trace_calls();
    execvp(argv[2], argv + 2);
    die(argv[2]);
  }
  return Tracer(program, wanted).run();
}
