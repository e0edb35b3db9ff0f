#include "linux/processes.hpp"

#include <cerrno>
#include <csignal>
#include <fstream>

#include <catch2/catch_test_macros.hpp>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.hpp"
#include "host/files.hpp"
#include "test/support/fake_clock.hpp"
#include "test/support/must.hpp"
#include "test/support/temporary_folder.hpp"

using namespace railhead;
using namespace railhead::test;
using namespace std::chrono_literals;

namespace {

struct Programs {
  FakeClock clock;
  linux::LinuxProcesses processes{clock};
  TemporaryFolder folder;

  // A shell script as a program.
  std::string script(const std::string& text) {
    auto path = folder.path() + "/program";
    must(host::write_file_atomically(path, "#!/bin/sh\n" + text + "\n", 0755));
    return path;
  }
};

}  // namespace

TEST_CASE("A program gets its input and environment; output, errors and exit code come back") {
  Programs p;
  auto result =
      must(p.processes.run({.program = p.script("cat; echo \"$GREETING\"; echo oops >&2; exit 3"),
                            .environment = {"GREETING=hello", "PATH=/usr/bin:/bin"},
                            .input = "input\n"}));
  CHECK(result.output == "input\nhello\n");
  CHECK(result.error_output == "oops\n");
  CHECK(result.exit_code == 3);
}

TEST_CASE("Input that nobody reads and output larger than a pipe hold nobody up") {
  Programs p;
  auto result = must(p.processes.run({.program = p.script("head -c 1000000 /dev/zero"),
                                      .environment = {"PATH=/usr/bin:/bin"},
                                      .input = std::string(1000000, 'x')}));
  CHECK(result.output.size() == 1000000);
  CHECK(result.exit_code == 0);
}

TEST_CASE("A program that a signal ended has 128 and the signal as its exit code") {
  Programs p;
  CHECK(must(p.processes.run({.program = p.script("kill -TERM $$")})).exit_code == 143);
}

TEST_CASE("A program that outlives its limit is killed, with what it started") {
  Programs p;
  auto pid_file = p.folder.path() + "/pid";
  auto result = p.processes.run({.program = p.script("sleep 600 & echo $! >" + pid_file + "; wait"),
                                 .environment = {"PATH=/usr/bin:/bin"},
                                 .limit = 500ms});
  REQUIRE(is(result, ErrorCode::timeout));
  CHECK(result.error().message.ends_with("killed after 500 ms"));
  const auto status = "/proc/" + std::string(must(host::read_file(pid_file)));
  const auto child = status.substr(0, status.size() - 1) + "/stat";
  // Gone, or a zombie that its new parent has not seen yet; SIGKILL takes a moment to end it.
  SystemClock clock;
  CHECK(wait_until(clock, 5s, 5ms, [&] {
    const auto stat = host::read_file(child);
    return !stat || stat->find(") Z ") != std::string::npos;
  }));
}

TEST_CASE("A program that writes without end is killed at the limit of output or time") {
  Programs p;
  const std::string path = "PATH=/usr/bin:/bin";
  CHECK(
      is(p.processes.run({.program = p.script("exec yes"), .environment = {path}}), ErrorCode::io));
  CHECK(is(p.processes.run({.program = p.script("while :; do echo; done"), .limit = 300ms}),
           ErrorCode::timeout));
}

TEST_CASE("A process left behind with the program's pipes does not hold up the result") {
  Programs p;
  auto result = must(p.processes.run({.program = p.script("sleep 5 & echo done"),
                                      .environment = {"PATH=/usr/bin:/bin"},
                                      .limit = 4s}));
  CHECK(result.output == "done\n");
}

TEST_CASE("A program that is missing is not found") {
  Programs p;
  auto result = p.processes.run({.program = "/absent/program"});
  REQUIRE_FALSE(result);
  CHECK(result.error().os_errno == ENOENT);
  CHECK(result.error().message.starts_with("run /absent/program: "));
}

TEST_CASE("A program file that is being written is tried again until it is not") {
  Programs p;
  auto program = p.script("echo new");
  UniqueFd writer(::open(program.c_str(), O_WRONLY | O_CLOEXEC));
  int slept = 0;
  p.clock.on_sleep = [&] {
    if (++slept == 2) writer = UniqueFd();
  };
  CHECK(must(p.processes.run({.program = program})).output == "new\n");
  CHECK(slept == 2);
}

TEST_CASE("A program file that stays busy is an error after six waits of a second") {
  Programs p;
  auto program = p.script("echo new");
  const UniqueFd writer(::open(program.c_str(), O_WRONLY | O_CLOEXEC));
  const auto start = p.clock.now();
  auto result = p.processes.run({.program = program});
  REQUIRE_FALSE(result);
  CHECK(result.error().os_errno == ETXTBSY);
  CHECK(p.clock.now() - start == 6s);
}

TEST_CASE("A program does not outlive a caller that is killed") {
  Programs p;
  const auto said = p.folder.path() + "/pid";
  const auto program =
      p.script("echo $$ >" + said + ".part; mv " + said + ".part " + said + "; exec sleep 1000");
  const pid_t caller = fork();
  REQUIRE(caller >= 0);
  if (caller == 0) {
    (void)p.processes.run({.program = program, .environment = {"PATH=/usr/bin:/bin"}});
    _exit(0);
  }
  SystemClock clock;
  REQUIRE(wait_until(clock, 10s, 5ms, [&] { return host::read_file(said).has_value(); }));
  const auto pid = parse_int<pid_t>(trim(must(host::read_file(said))));
  REQUIRE(pid);
  const UniqueFd program_process(static_cast<int>(syscall(SYS_pidfd_open, *pid, 0)));
  REQUIRE(program_process);
  REQUIRE(kill(caller, SIGKILL) == 0);
  REQUIRE(waitpid(caller, nullptr, 0) == caller);
  pollfd ended{program_process.get(), POLLIN, 0};
  CHECK(poll(&ended, 1, 10'000) == 1);
}
