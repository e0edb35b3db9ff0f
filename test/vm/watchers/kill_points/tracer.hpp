#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "test/vm/watchers/kill_points/points.hpp"

namespace kill_points {

constexpr int kKilled = 137;
constexpr int kNoSuchPoint = 120;
constexpr int kFailed = 121;

[[noreturn]] void die(const char* what);

enum class Action { list, kill, fail, refuse, late };

struct Wanted {
  Action action = Action::list;
  Which which = Which::change;
  unsigned point = 0;
  bool and_later = false;
  int error = 0;
};

// In the child: each call of the list stops it for its tracer.
void trace_calls();

// Follows the program with its threads and children to its end.
class Tracer {
 public:
  // `program` has stopped itself before its execve.
  Tracer(pid_t program, Wanted wanted) : program_(program), wanted_(wanted) {}

  int run();  // the exit code for the driver

 private:
  // A message whose answer is not to be the kernel's own.
  struct Exchange {
    uint64_t socket = 0;
    uint32_t sequence = 0;
    std::optional<std::pair<uint64_t, uint16_t>> to_restore;  // where the type stands, and which
  };

  [[nodiscard]] int ended(int status) const;
  void stopped(pid_t pid, int status);
  [[nodiscard]] bool is_wanted() const;
  // Not what it starts: an IPAM plugin's calls are its own affair.
  [[nodiscard]] bool is_the_program(pid_t pid);
  // Before a call; whether its end is to be seen too.
  [[nodiscard]] bool called(pid_t pid);
  [[nodiscard]] bool follow(pid_t pid, const user_regs_struct& regs, bool netlink);
  // After a call that was followed: puts the error into the kernel's answer.
  void returned(pid_t pid);

  pid_t program_;
  Wanted wanted_;
  unsigned count_ = 0;
  bool killed_ = false;
  std::map<pid_t, std::string> executables_;
  std::set<pid_t> results_;  // whose call is to have another result
  std::map<pid_t, Exchange> exchanges_;
};

}  // namespace kill_points
