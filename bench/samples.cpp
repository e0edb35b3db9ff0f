#include "bench/samples.hpp"

#include <chrono>
#include <fstream>
#include <iterator>

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <net/if.h>
#include <sched.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "bench/floor.h"
#include "bench/place.hpp"

namespace railhead::bench {

namespace {

void must_floor(int failed) {
  if (failed != 0) throw std::runtime_error("the floor: " + errno_text(-failed));
}

}  // namespace

std::string ifname(size_t device) { return fmt::format("net{}", device + 1); }
std::string address(size_t device) { return fmt::format("10.9.0.{}", device + 1); }

double milliseconds(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

Figure time_of(const std::string& name, const Samples& samples, Field field) {
  Figure figure{name, "ms", {}, std::nullopt, std::nullopt};
  for (const auto& sample : samples) figure.samples.push_back(sample.*field);
  return figure;
}

Figure ratio_of(const std::string& name, const Samples& ours, const Samples& others, Field field,
                std::optional<double> goal) {
  Figure figure{name, "", {}, goal, std::nullopt};
  for (size_t i = 0; i < ours.size(); ++i) {
    figure.samples.push_back(ours[i].*field / others[i].*field);
  }
  return figure;
}

void add_over_floor(std::vector<Figure>& figures, const std::string& name, const Samples& ours,
                    const Samples& floor, Field field, std::optional<double> goal) {
  figures.push_back(time_of(name + "_ms", ours, field));
  figures.back().floor = time_of("", floor, field).median();
  figures.push_back(ratio_of(name + "_over_floor", ours, floor, field, goal));
}

double start(std::vector<std::string> command, std::vector<std::string> environment,
             const std::string& input) {
  const auto pointers = [](std::vector<std::string>& words) {
    std::vector<char*> all;
    for (auto& word : words) all.push_back(word.data());
    all.push_back(nullptr);
    return all;
  };
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 0, input.c_str(), O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, 1, "/run/output", O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_addopen(&files, 2, "/run/errors", O_WRONLY | O_CREAT | O_TRUNC, 0600);
  pid_t pid = 0;
  const int failed = posix_spawn(&pid, command[0].c_str(), &files, nullptr,
                                 pointers(command).data(), pointers(environment).data());
  posix_spawn_file_actions_destroy(&files);
  if (failed != 0) throw std::runtime_error(command[0] + ": " + errno_text(failed));
  int status = 0;
  rusage used{};
  if (wait4(pid, &status, 0, &used) != pid || status != 0) {
    std::string text;
    for (const auto* path : {"/run/output", "/run/errors"}) {
      std::ifstream file(path);
      text.append(std::istreambuf_iterator<char>(file), {});
    }
    throw std::runtime_error(command[0] + " failed: " + text);
  }
  const auto time = [](const timeval& value) {
    return static_cast<double>(value.tv_sec) * 1e3 + static_cast<double>(value.tv_usec) / 1e3;
  };
  return time(used.ru_utime) + time(used.ru_stime);
}

FloorOfMany::FloorOfMany(size_t devices)
    : host_(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)),
      pod_(::open(Place::kPod, O_RDONLY | O_CLOEXEC)),
      host_socket_(floor_socket()) {
  for (size_t i = 0; i < devices; ++i) {
    indexes_.push_back(static_cast<int>(if_nametoindex(Place::name(i).c_str())));
  }
  if (::setns(pod_.get(), CLONE_NEWNET) != 0) throw std::runtime_error("setns");
  pod_socket_ = UniqueFd(floor_socket());
  if (::setns(host_.get(), CLONE_NEWNET) != 0) throw std::runtime_error("setns");
}

void FloorOfMany::add() {
  for (size_t i = 0; i < indexes_.size(); ++i) {
    must_floor(floor_leave(host_socket_.get(), indexes_[i], pod_.get(), ifname(i).c_str()));
    must_floor(floor_activate(pod_socket_.get(), indexes_[i], inet_addr(address(i).c_str())));
  }
}

void FloorOfMany::del() {
  for (size_t i = 0; i < indexes_.size(); ++i) {
    must_floor(floor_return(pod_socket_.get(), indexes_[i], host_.get(), Place::name(i).c_str()));
    must_floor(floor_up(host_socket_.get(), indexes_[i]));
  }
}

Sample FloorOfMany::run() {
  Sample sample;
  sample.add_ms = milliseconds([&] { add(); });
  sample.del_ms = milliseconds([&] { del(); });
  return sample;
}

}  // namespace railhead::bench
