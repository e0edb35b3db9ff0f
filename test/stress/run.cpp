#include "test/stress/run.hpp"

#include <cerrno>
#include <csignal>
#include <stdexcept>
#include <system_error>

#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/unique_fd.hpp"

namespace railhead::stress {
namespace {

[[noreturn]] void fail(int number, const std::string& what) {
  throw std::system_error(number, std::generic_category(), what);
}

UniqueFd memory_file(const char* name) {
  UniqueFd file(memfd_create(name, MFD_CLOEXEC));
  if (!file) fail(errno, "memfd_create");
  return file;
}

std::string content(const UniqueFd& file) {
  std::string text(static_cast<size_t>(lseek(file.get(), 0, SEEK_END)), '\0');
  const auto size = pread(file.get(), text.data(), text.size(), 0);
  text.resize(size < 0 ? 0 : static_cast<size_t>(size));
  return text;
}

std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> out;
  out.reserve(words.size() + 1);
  for (const auto& word : words) out.push_back(const_cast<char*>(word.c_str()));
  out.push_back(nullptr);
  return out;
}

}  // namespace

Ended run(const Run& what) {
  const auto in = memory_file("in");
  const auto out = memory_file("out");
  const auto error = memory_file("error");
  if (pwrite(in.get(), what.input.data(), what.input.size(), 0) < 0) fail(errno, "standard input");
  posix_spawn_file_actions_t actions{};
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in.get(), 0);
  posix_spawn_file_actions_adddup2(&actions, out.get(), 1);
  posix_spawn_file_actions_adddup2(&actions, error.get(), 2);
  pid_t pid = -1;
  const auto begin = std::chrono::steady_clock::now();
  const int failed = posix_spawnp(&pid, what.command[0].c_str(), &actions, nullptr,
                                  pointers(what.command).data(), pointers(what.environment).data());
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) fail(failed, "start " + what.command[0]);

  Ended ended;
  const UniqueFd process(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  pollfd over{process.get(), POLLIN, 0};
  const auto limit = std::chrono::duration_cast<std::chrono::milliseconds>(what.limit);
  if (poll(&over, 1, static_cast<int>(limit.count())) <= 0) {
    ended.in_time = false;
    kill(pid, SIGKILL);
  }
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  ended.took = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - begin);
  ended.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  ended.output = content(out);
  ended.error = content(error);
  return ended;
}

std::string output_of(const std::vector<std::string>& command) {
  const auto ended = run({command, {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, {}});
  if (ended.code != 0) {
    std::string line;
    for (const auto& word : command) line += word + " ";
    throw std::runtime_error(line + "ended with " + std::to_string(ended.code) + ": " +
                             ended.error);
  }
  return ended.output;
}

}  // namespace railhead::stress
