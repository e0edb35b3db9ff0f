// measured FILE PROGRAM: runs PROGRAM with this process' input, output and environment, and appends
// a line to FILE: its exit code, and the most memory that it had at once (KiB, of it alone, not of
// its children).
#include <cstdio>
#include <cstdlib>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const pid_t pid = fork();
  if (pid == 0) {
    execl(argv[2], argv[2], static_cast<char*>(nullptr));
    _exit(127);
  }
  int status = 0;
  rusage usage{};
  if (pid < 0 || wait4(pid, &status, 0, &usage) != pid) return 2;
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
  if (std::FILE* file = std::fopen(argv[1], "a")) {
    std::fprintf(file, "%d %ld\n", code, usage.ru_maxrss);
    std::fclose(file);
  }
  return code;
}
