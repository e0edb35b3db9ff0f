#pragma once
// The calls that count, and what they are about.
#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/user.h>

namespace kill_points {

struct Call {
  long number;
  const char* name;
  bool waits = false;    // a signal may interrupt it
  bool removes = false;  // needs no room on a disk
};
inline constexpr std::array kCalls = {
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

enum class Which { change, write, remove, netlink, wait };
const char* word_of(Which which);

struct Point {
  Which which = Which::change;  // never that: one of its parts, or `wait`
  std::string what;
};

// The call that a stopped thread is about to make, if it is one of those that are wanted.
std::optional<Point> point_of(pid_t pid, const user_regs_struct& regs, Which wanted);
const Call& call_of(const user_regs_struct& regs);
// Where the bytes of a message are that is sent or received.
uint64_t buffer_of(pid_t pid, const user_regs_struct& regs);

}  // namespace kill_points
