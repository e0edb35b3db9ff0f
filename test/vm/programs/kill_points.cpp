// Runs a program and ends it right before one of its calls, or lets that call fail.
//
//   vm_kill_points list WHICH PROGRAM [ARGUMENT…]         the calls, one per line, on standard
//   error vm_kill_points kill POINT PROGRAM [ARGUMENT…]         SIGKILL instead of that call
//   vm_kill_points fail POINT ERRNO PROGRAM [ARGUMENT…]   the call is not made, and returns ERRNO
//   vm_kill_points refuse POINT ERRNO PROGRAM [ARGUMENT…] of a netlink message, the kernel's
//   answer:
//                                                         nothing is changed, and the answer is
//                                                         ERRNO
//   vm_kill_points late POINT ERRNO PROGRAM [ARGUMENT…]   it is done, and yet the answer is ERRNO
//
// WHICH is `change`: what changes state outside of the program, files, names, links, and netlink
// messages that do not only ask; `write`, `remove` or `netlink`: those of them, `write` being what
// makes and writes files; or `wait`: what a signal may interrupt. POINT is WHICH:N, the Nth of them
// from 1, or WHICH:N+, that and all later ones. ERRNO is a name (ENOSPC). Calls of other programs
// that the program starts are none.
//
// Its exit code is the program's, 137 when it was killed, 120 when there is no such point.
#include <array>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
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

[[noreturn]] void die(const char* what) {
  std::perror(what);
  std::exit(kFailed);
}

// ---- the calls ----

struct Call {
  long number;
  const char* name;
  bool waits = false;    // a signal may interrupt it
  bool removes = false;  // needs no room on a disk
};
constexpr std::array kCalls = {
    Call{SYS_openat, "openat", true},
    Call{SYS_open, "open", true},
    Call{SYS_write, "write"},
    Call{SYS_pwrite64, "pwrite64"},
    Call{SYS_rename, "rename"},
    Call{SYS_renameat, "renameat"},
    Call{SYS_renameat2, "renameat2"},
    Call{SYS_unlink, "unlink", false, true},
    Call{SYS_unlinkat, "unlinkat", false, true},
    Call{SYS_rmdir, "rmdir", false, true},
    Call{SYS_symlink, "symlink"},
    Call{SYS_symlinkat, "symlinkat"},
    Call{SYS_link, "link"},
    Call{SYS_linkat, "linkat"},
    Call{SYS_mkdir, "mkdir"},
    Call{SYS_mkdirat, "mkdirat"},
    Call{SYS_ftruncate, "ftruncate"},
    Call{SYS_fchmod, "fchmod"},
    Call{SYS_fsync, "fsync"},
    Call{SYS_mount, "mount"},
    Call{SYS_umount2, "umount2", false, true},
    Call{SYS_sendto, "sendto", true},
    Call{SYS_sendmsg, "sendmsg", true},
    Call{SYS_recvmsg, "recvmsg", true},
    Call{SYS_recvfrom, "recvfrom", true},
    Call{SYS_flock, "flock", true},
    Call{SYS_poll, "poll", true},
    Call{SYS_ppoll, "ppoll", true},
    Call{SYS_wait4, "wait4", true},
    Call{SYS_waitid, "waitid", true},
    Call{SYS_clock_nanosleep, "clock_nanosleep", true},
};

const Call& call_of(const user_regs_struct& regs) {
  static const Call unknown{-1, "?", false};
  for (const auto& call : kCalls) {
    if (call.number == static_cast<long>(regs.orig_rax)) return call;
  }
  return unknown;
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

// ---- the program's memory and files ----

template <class T>
T peek(pid_t pid, uint64_t address) {
  T value{};
  const iovec local{&value, sizeof value};
  const iovec remote{reinterpret_cast<void*>(address), sizeof value};
  process_vm_readv(pid, &local, 1, &remote, 1, 0);
  return value;
}

template <class T>
void poke(pid_t pid, uint64_t address, T value) {
  const iovec local{&value, sizeof value};
  const iovec remote{reinterpret_cast<void*>(address), sizeof value};
  process_vm_writev(pid, &local, 1, &remote, 1, 0);
}

std::string peek_text(pid_t pid, uint64_t address) {
  const auto bytes = peek<std::array<char, 200>>(pid, address);
  return {bytes.data(), strnlen(bytes.data(), bytes.size())};
}

std::string link_target(const std::string& link) {
  std::array<char, 200> target{};
  const auto size = readlink(link.c_str(), target.data(), target.size());
  return size < 0 ? "?" : std::string(target.data(), static_cast<size_t>(size));
}

std::string file_of(pid_t pid, uint64_t fd) {
  return link_target("/proc/" + std::to_string(pid) + "/fd/" + std::to_string(fd));
}

// The process that a thread is of.
pid_t process_of(pid_t thread) {
  std::ifstream status("/proc/" + std::to_string(thread) + "/status");
  for (std::string word; status >> word;) {
    if (word != "Tgid:") continue;
    pid_t process = 0;
    status >> process;
    return process;
  }
  return thread;
}

// The netlink protocol of a descriptor; nothing when it is no netlink socket.
std::optional<int> netlink_protocol(pid_t pid, uint64_t fd) {
  const auto process = static_cast<int>(syscall(SYS_pidfd_open, process_of(pid), 0));
  const auto copy = static_cast<int>(syscall(SYS_pidfd_getfd, process, fd, 0));
  std::optional<int> found;
  int domain = 0;
  int protocol = 0;
  socklen_t size = sizeof domain;
  if (copy >= 0 && getsockopt(copy, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 &&
      domain == AF_NETLINK && getsockopt(copy, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) == 0) {
    found = protocol;
  }
  close(copy);
  close(process);
  return found;
}

// ---- netlink messages ----

uint64_t buffer_of(pid_t pid, const user_regs_struct& regs) {
  const auto number = static_cast<long>(regs.orig_rax);
  if (number != SYS_sendmsg && number != SYS_recvmsg) return regs.rsi;
  const auto header = peek<msghdr>(pid, regs.rsi);
  return reinterpret_cast<uint64_t>(
      peek<iovec>(pid, reinterpret_cast<uint64_t>(header.msg_iov)).iov_base);
}

// "NEWLINK of 7, flags 0/1, attributes 28 3": numbers as in linux/rtnetlink.h and linux/if_link.h
std::string describe(pid_t pid, uint64_t address, const nlmsghdr& header) {
  const std::map<int, const char*> names = {
      {RTM_NEWLINK, "NEWLINK"},         {RTM_DELLINK, "DELLINK"},
      {RTM_SETLINK, "SETLINK"},         {RTM_NEWADDR, "NEWADDR"},
      {RTM_DELADDR, "DELADDR"},         {RTM_NEWROUTE, "NEWROUTE"},
      {RTM_DELROUTE, "DELROUTE"},       {RTM_NEWLINKPROP, "NEWLINKPROP"},
      {RTM_DELLINKPROP, "DELLINKPROP"},
  };
  const auto found = names.find(header.nlmsg_type);
  if (found == names.end()) return "type " + std::to_string(header.nlmsg_type);
  std::string out = found->second;
  size_t at = NLMSG_HDRLEN;
  if (header.nlmsg_type <= RTM_SETLINK || header.nlmsg_type >= RTM_NEWLINKPROP) {
    const auto link = peek<ifinfomsg>(pid, address + at);
    out += " of " + std::to_string(link.ifi_index);
    if (link.ifi_change != 0) {
      out += " flags " + std::to_string(link.ifi_flags) + "/" + std::to_string(link.ifi_change);
    }
    at += NLMSG_ALIGN(sizeof(ifinfomsg));
  } else {
    return out;
  }
  out += " attributes";
  while (at + NLA_HDRLEN <= header.nlmsg_len) {
    const auto attribute = peek<nlattr>(pid, address + at);
    if (attribute.nla_len < NLA_HDRLEN) break;
    out += " " + std::to_string(attribute.nla_type & NLA_TYPE_MASK);
    at += NLA_ALIGN(attribute.nla_len);
  }
  return out;
}

// A message that only asks is no point: rtnetlink's questions have 2 in the low bits of their type
// (RTM_GET*), NLDEV's are its GETs, and whatever wants a dump asks. Generic netlink is only asked.
std::string changing_message(pid_t pid, const user_regs_struct& regs) {
  const auto protocol = netlink_protocol(pid, regs.rdi);
  if (!protocol || *protocol == NETLINK_GENERIC) return "";
  const auto address = buffer_of(pid, regs);
  const auto message = peek<nlmsghdr>(pid, address);
  if (message.nlmsg_type < NLMSG_MIN_TYPE) return "";
  if (*protocol == NETLINK_RDMA) {
    const unsigned operation = message.nlmsg_type & 0x3ffU;
    const bool changes = operation == RDMA_NLDEV_CMD_SET || operation == RDMA_NLDEV_CMD_NEWLINK ||
                         operation == RDMA_NLDEV_CMD_DELLINK || operation == RDMA_NLDEV_CMD_SYS_SET;
    return changes ? "RDMA " + std::to_string(operation) : "";
  }
  if ((message.nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP || (message.nlmsg_type & 3) == 2) return "";
  return describe(pid, address, message);
}

// ---- points ----

// What the call would change; "" when it changes nothing outside of the program.
std::string change_of(pid_t pid, const user_regs_struct& regs) {
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
      if (regs.rdi <= 2) return "";
      return file_of(pid, regs.rdi) + " " + std::to_string(regs.rdx) + " bytes";
    case SYS_sendto:
    case SYS_sendmsg:
      return changing_message(pid, regs);
    case SYS_ftruncate:
    case SYS_fchmod:
    case SYS_fsync:
      return file_of(pid, regs.rdi);
    case SYS_unlinkat:
    case SYS_mkdirat:
    case SYS_renameat:
    case SYS_renameat2:
    case SYS_linkat:
    case SYS_symlink:
      return peek_text(pid, regs.rsi);
    case SYS_symlinkat:
      return peek_text(pid, regs.rdx);
    case SYS_rename:
    case SYS_unlink:
    case SYS_rmdir:
    case SYS_link:
    case SYS_mkdir:
    case SYS_mount:
    case SYS_umount2:
      return peek_text(pid, regs.rdi);
    default:
      return "";
  }
}

// What the call is about, whether it changes something or not.
std::string subject_of(pid_t pid, const user_regs_struct& regs) {
  switch (static_cast<long>(regs.orig_rax)) {
    case SYS_openat:
      return peek_text(pid, regs.rsi);
    case SYS_open:
      return peek_text(pid, regs.rdi);
    case SYS_sendto:
    case SYS_sendmsg:
      return "type " + std::to_string(peek<nlmsghdr>(pid, buffer_of(pid, regs)).nlmsg_type);
    case SYS_recvmsg:
    case SYS_recvfrom:
    case SYS_flock:
      return file_of(pid, regs.rdi);
    default:
      return "-";
  }
}

enum class Which { change, write, remove, netlink, wait };
enum class Action { list, kill, fail, refuse, late };

struct Wanted {
  Action action = Action::list;
  Which which = Which::change;
  unsigned point = 0;
  bool and_later = false;
  int error = 0;
};

struct Point {
  Which which = Which::change;  // never that: one of its parts, or `wait`
  std::string what;
};

const char* word_of(Which which) {
  switch (which) {
    case Which::change:
      return "change";
    case Which::write:
      return "write";
    case Which::remove:
      return "remove";
    case Which::netlink:
      return "netlink";
    case Which::wait:
      return "wait";
  }
  return "?";
}

std::optional<Point> point_of(pid_t pid, const user_regs_struct& regs, Which wanted) {
  const auto& call = call_of(regs);
  if (wanted == Which::wait) {
    if (!call.waits) return std::nullopt;
    return Point{Which::wait, subject_of(pid, regs)};
  }
  auto which = call.removes ? Which::remove : Which::write;
  if (call.number == SYS_sendto || call.number == SYS_sendmsg) which = Which::netlink;
  if (wanted != Which::change && wanted != which) return std::nullopt;
  auto what = change_of(pid, regs);
  if (what.empty()) return std::nullopt;
  return Point{which, std::move(what)};
}

// ---- following the program ----

// Follows the program with its threads and children to its end.
class Tracer {
 public:
  Tracer(pid_t program, Wanted wanted) : program_(program), wanted_(wanted) {}

  int run() {
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

 private:
  // A message whose answer is not to be the kernel's own.
  struct Exchange {
    uint64_t socket = 0;
    uint32_t sequence = 0;
    std::optional<std::pair<uint64_t, uint16_t>> to_restore;  // where the type stands, and which
  };

  int ended(int status) const {
    if (killed_) return kKilled;
    if (wanted_.point > count_) return kNoSuchPoint;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

  void stopped(pid_t pid, int status) {
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

  [[nodiscard]] bool is_wanted() const {
    return wanted_.point != 0 &&
           (count_ == wanted_.point || (wanted_.and_later && count_ > wanted_.point));
  }

  // Not what it starts: an IPAM plugin's calls are its own affair.
  bool is_the_program(pid_t pid) {
    for (const pid_t one : {pid, program_}) {
      auto& executable = executables_[one];
      if (executable.empty()) executable = link_target("/proc/" + std::to_string(one) + "/exe");
    }
    return executables_[pid] == executables_[program_];
  }

  // Before a call; whether its end is to be seen too.
  bool called(pid_t pid) {
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
  bool follow(pid_t pid, const user_regs_struct& regs, bool netlink) {
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

  // After a call that was followed: puts the error into the kernel's answer.
  void returned(pid_t pid) {
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

  pid_t program_;
  Wanted wanted_;
  unsigned count_ = 0;
  bool killed_ = false;
  std::map<pid_t, std::string> executables_;
  std::set<pid_t> results_;  // whose call is to have another result
  std::map<pid_t, Exchange> exchanges_;
};

// ---- the command line ----

[[noreturn]] void usage() {
  std::fprintf(stderr,
               "usage: vm_kill_points list WHICH | kill POINT | fail|refuse|late POINT ERRNO, "
               "then PROGRAM [ARGUMENT...]\n"
               "WHICH: change, write, remove, netlink, wait; POINT: WHICH:N or WHICH:N+\n");
  std::exit(kFailed);
}

Which which_of(std::string_view word) {
  for (const auto which :
       {Which::change, Which::write, Which::remove, Which::netlink, Which::wait}) {
    if (word == word_of(which)) return which;
  }
  usage();
}

int errno_of(std::string_view name) {
  for (int number = 1; number < 134; ++number) {
    const char* known = strerrorname_np(number);
    if (known != nullptr && name == known) return number;
  }
  usage();
}

// The arguments before the program's, and how many they are.
std::pair<Wanted, int> wanted_of(int argc, char** argv) {
  if (argc < 4) usage();
  const std::map<std::string_view, Action> actions = {{"list", Action::list},
                                                      {"kill", Action::kill},
                                                      {"fail", Action::fail},
                                                      {"refuse", Action::refuse},
                                                      {"late", Action::late}};
  const auto action = actions.find(argv[1]);
  if (action == actions.end()) usage();
  Wanted wanted{.action = action->second};
  const std::string_view point = argv[2];
  const auto colon = point.find(':');
  wanted.which = which_of(point.substr(0, colon));
  if (wanted.action == Action::list) return {wanted, 3};
  if (colon == std::string_view::npos) usage();
  char* rest = nullptr;
  wanted.point = static_cast<unsigned>(std::strtoul(argv[2] + colon + 1, &rest, 10));
  wanted.and_later = *rest == '+';
  if (wanted.point == 0) usage();
  if (wanted.action == Action::kill) return {wanted, 3};
  if (argc < 5) usage();
  wanted.error = errno_of(argv[3]);
  return {wanted, 4};
}

}  // namespace

int main(int argc, char** argv) {
  const auto [wanted, used] = wanted_of(argc, argv);
  const pid_t program = fork();
  if (program < 0) die("fork");
  if (program == 0) {
    if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) die("PTRACE_TRACEME");
    raise(SIGSTOP);
    trace_calls();
    execvp(argv[used], argv + used);
    die(argv[used]);
  }
  return Tracer(program, wanted).run();
}
