#include "bench/trace.hpp"

#include <cstdlib>
#include <fstream>
#include <stdexcept>

#include <fmt/format.h>

namespace railhead::bench {
namespace {

constexpr auto kTrace = "/run/strace.txt";

bool has(const std::string& line, std::string_view text) {
  return line.find(text) != std::string::npos;
}

// strace names the messages of sockets in its own namespace; of others it shows the numbers.
void count_line(const std::string& line, Counts& counts) {
  if (has(line, " execve(")) ++counts.execs;
  if (has(line, " clone") && has(line, "CLONE_THREAD")) ++counts.threads;
  if (!has(line, " sendto(") && !has(line, " sendmsg(")) return;
  if (!has(line, "nlmsg_type=")) return;
  ++counts.messages;
  if (has(line, "nlmsg_type=RTM_NEWLINK") || has(line, "nlmsg_type=0x10 ")) ++counts.newlinks;
  if (has(line, "NLM_F_DUMP") || has(line, "|0x300")) ++counts.dumps;
}

}  // namespace

std::optional<Counts> count_calls(const std::vector<std::string>& command,
                                  const std::vector<std::string>& environment,
                                  const std::string& input) {
  if (std::system("command -v strace >/dev/null") != 0) return std::nullopt;
  std::string line =
      fmt::format("strace -f -o {} -e trace=execve,clone,clone3,sendto,sendmsg", kTrace);
  for (const auto& entry : environment) line += fmt::format(" -E '{}'", entry);
  for (const auto& word : command) line += fmt::format(" '{}'", word);
  line += fmt::format(" <'{}' >/run/output 2>&1", input);
  if (std::system(line.c_str()) != 0) throw std::runtime_error(line + " failed");
  Counts counts;
  std::ifstream trace(kTrace);
  for (std::string one; std::getline(trace, one);) count_line(one, counts);
  if (counts.execs == 0) throw std::runtime_error("strace wrote nothing");
  --counts.execs;  // the program itself
  return counts;
}

std::vector<Figure> figures_of(const Counts& counts, const std::string& name, double newlinks) {
  const auto figure = [&](const char* what, const char* unit, unsigned count,
                          std::optional<double> goal) {
    return Figure{name + what, unit, {static_cast<double>(count)}, goal, goal};
  };
  return {figure("_newlinks", "msgs", counts.newlinks, newlinks),
          figure("_dumps", "msgs", counts.dumps, std::nullopt),
          figure("_messages", "msgs", counts.messages, std::nullopt),
          figure("_threads", "", counts.threads, std::nullopt),
          figure("_execs", "", counts.execs, 0)};
}

}  // namespace railhead::bench
