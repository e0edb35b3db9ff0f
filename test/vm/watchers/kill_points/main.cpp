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
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string_view>

#include <sys/ptrace.h>
#include <unistd.h>

#include "test/vm/watchers/kill_points/tracer.hpp"

namespace kill_points {
namespace {

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
}  // namespace kill_points

int main(int argc, char** argv) {
  using namespace kill_points;
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
