#include "linux/processes.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/files.hpp"
#include "linux/pidfd.hpp"

namespace railhead::linux {
namespace {

constexpr size_t kMaxOutput = 16 * 1024 * 1024;
constexpr size_t kMaxErrorOutput = 64 * 1024;
constexpr int kBusyRetries = 6;

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

Result<Pipe> make_pipe() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return fail_errno(errno, "pipe");
  Pipe pipe{UniqueFd(fds[0]), UniqueFd(fds[1])};
  // Only our end: the program must be able to write as it is used to.
  if (::fcntl(fds[0], F_SETFL, O_NONBLOCK) != 0) return fail_errno(errno, "pipe");
  return pipe;
}

// A file in memory, so that nobody has to feed a pipe while the program runs (or does not read).
Result<UniqueFd> make_input(std::string_view text) {
  UniqueFd file(::memfd_create("stdin", MFD_CLOEXEC));
  if (!file) return fail_errno(errno, "memfd_create");
  if (auto written = host::write_all(file.get(), text); !written) {
    return pass(written, "the program's input");
  }
  if (::lseek(file.get(), 0, SEEK_SET) != 0) return fail_errno(errno, "rewind the input");
  return file;
}

struct Streams {
  UniqueFd input;
  Pipe output;
  Pipe errors;
};

Result<Streams> make_streams(std::string_view input_text) {
  auto input = make_input(input_text);
  if (!input) return pass(input);
  auto output = make_pipe();
  if (!output) return pass(output);
  auto errors = make_pipe();
  if (!errors) return pass(errors);
  return Streams{std::move(*input), std::move(*output), std::move(*errors)};
}

// In the child, between vfork(2) and execve(2): only system calls. The errno of what failed.
int become(const char* program, char* const* arguments, char* const* environment,
           const Streams& streams, pid_t parent) {
  // What we ignore or block is our own affair.
  sigset_t none;
  sigemptyset(&none);
  struct sigaction as_usual {};
  as_usual.sa_handler = SIG_DFL;
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::sigaction(SIGPIPE, &as_usual, nullptr);
  ::setpgid(0, 0);
  // Who is killed must not leave a plugin behind that goes on, and gives what nobody takes back.
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return errno;
  if (::getppid() != parent) return ESRCH;
  const int ends[] = {streams.input.get(), streams.output.write.get(), streams.errors.write.get()};
  for (int stream = 0; stream < 3; ++stream) {
    const int end = ends[stream];
    // One that has its number already would be closed.
    const bool done = end == stream ? ::fcntl(end, F_SETFD, 0) == 0 : ::dup2(end, stream) >= 0;
    if (!done) return errno;
  }
  ::execve(program, arguments, environment);
  return errno;
}

// The program's pid, or the errno of what went wrong as a negative number. PDEATHSIG comes when the
// thread ends that calls this: the main one.
pid_t spawn(const host::ProcessRequest& request, const Streams& streams) {
  std::vector<char*> environment;
  for (const auto& entry : request.environment) {
    environment.push_back(const_cast<char*>(entry.c_str()));
  }
  environment.push_back(nullptr);
  char* const arguments[] = {const_cast<char*>(request.program.c_str()), nullptr};
  const pid_t parent = ::getpid();
  volatile int failed = 0;  // the child's memory is ours
  // posix_spawn(3) has no way to set PDEATHSIG. NOLINTNEXTLINE(clang-analyzer-security*)
  const pid_t pid = ::vfork();
  if (pid == 0) {
    failed = become(request.program.c_str(), arguments, environment.data(), streams, parent);
    ::_exit(127);
  }
  if (pid < 0) return -errno;
  if (failed == 0) return pid;
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  return -failed;
}

// Takes what stands in the pipe now, with one read: who writes without a pause must not keep us
// from looking at the limits. False when its other end is closed.
bool drain(int fd, const std::function<void(std::string_view)>& take) {
  int size = 0;
  if (::ioctl(fd, FIONREAD, &size) != 0) return false;
  std::string buffer(static_cast<size_t>(std::max(size, 1)), '\0');
  const ssize_t got = ::read(fd, buffer.data(), buffer.size());
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  if (got == 0) return false;
  take({buffer.data(), static_cast<size_t>(got)});
  return true;
}

// Ends what is left of a program and takes its exit status, whatever way run() is left.
class Child {
 public:
  Child(pid_t pid, UniqueFd handle) : pid_(pid), handle_(std::move(handle)) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (!reaped_) {
      ::kill(-pid_, SIGKILL);
      wait();
    }
  }
  [[nodiscard]] int handle() const { return handle_.get(); }
  int wait() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    reaped_ = true;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }

 private:
  pid_t pid_;
  UniqueFd handle_;
  bool reaped_ = false;
};

// Collects both streams until the program has ended.
Result<host::ProcessResult> collect(Child& child, const Streams& streams,
                                    std::chrono::milliseconds limit) {
  host::ProcessResult result;
  auto keep_output = [&](std::string_view text) { result.output += text; };
  auto keep_errors = [&](std::string_view text) {
    const auto room = kMaxErrorOutput - std::min(kMaxErrorOutput, result.error_output.size());
    result.error_output += text.substr(0, room);
    [[maybe_unused]] auto passed_on = ::write(STDERR_FILENO, text.data(), text.size());
  };

  const auto end = std::chrono::steady_clock::now() + limit;
  pollfd polled[] = {{streams.output.read.get(), POLLIN, 0},
                     {streams.errors.read.get(), POLLIN, 0},
                     {child.handle(), POLLIN, 0}};
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        end - std::chrono::steady_clock::now());
    const int ready = ::poll(polled, std::size(polled),
                             static_cast<int>(std::clamp<int64_t>(left.count(), 0, INT32_MAX)));
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) return fail_errno(errno, "poll");
    // A descriptor below zero is not polled: that stream is closed.
    if (polled[0].fd >= 0 && !drain(polled[0].fd, keep_output)) polled[0].fd = -1;
    if (polled[1].fd >= 0 && !drain(polled[1].fd, keep_errors)) polled[1].fd = -1;
    if (result.output.size() > kMaxOutput) {
      return fail(ErrorCode::io, "more than {} bytes of output", kMaxOutput);
    }
    // Its pipes may stay open in a process it left behind: its own end is what counts.
    if (polled[2].revents != 0) break;
    if (left.count() <= 0) return fail(ErrorCode::timeout, "killed after {} ms", limit.count());
  }
  drain(streams.output.read.get(), keep_output);
  drain(streams.errors.read.get(), keep_errors);
  return result;
}

}  // namespace

Result<host::ProcessResult> LinuxProcesses::run(const host::ProcessRequest& request) {
  auto streams = make_streams(request.input);
  if (!streams) return pass(streams, request.program);

  pid_t pid = spawn(request, *streams);
  for (int retry = 0; pid == -ETXTBSY && retry < kBusyRetries; ++retry) {
    clock_.sleep(std::chrono::seconds(1));
    pid = spawn(request, *streams);
  }
  if (pid < 0) return fail_errno(-pid, "run {}", request.program);

  Child child(pid, open_process(pid));
  streams->output.write = UniqueFd();
  streams->errors.write = UniqueFd();
  if (child.handle() < 0) return fail_errno(errno, "pidfd_open of {}", request.program);
  auto result = collect(child, *streams, request.limit);
  if (!result) return pass(result, request.program);
  result->exit_code = child.wait();
  return result;
}

}  // namespace railhead::linux
