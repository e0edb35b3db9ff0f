// bench-whole-nic: whole-NIC mode (the plugin type host-device) on veth devices of this machine,
// against the bare kernel work (floor.h), and against another program of that type.
//
//   bench-whole-nic [--json FILE] [--pairs N] [--programs DIR] [--debian PROGRAM]
//   bench-whole-nic --step ADD|DEL     half of the transaction, where another one has made the
//   place:
//                                      it starts itself so, under strace
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <stdexcept>

#include <CLI/CLI.hpp>
#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <net/if.h>
#include <sched.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attach/attachments.hpp"
#include "attach/transaction.hpp"
#include "base/unique_fd.hpp"
#include "bench/figures.hpp"
#include "bench/floor.h"
#include "bench/place.hpp"
#include "bench/samples.hpp"
#include "bench/trace.hpp"
#include "linux/file_locks.hpp"
#include "linux/functions.hpp"
#include "linux/netns.hpp"
#include "linux/processes.hpp"
#include "netlink/linux_devlink.hpp"
#include "netlink/linux_links.hpp"
#include "netlink/linux_rdma.hpp"

namespace railhead::bench {
namespace {

// The same by lib/attach.
class Many {
 public:
  Many() {
    for (size_t i = 0; i < kDevices; ++i) {
      attach::AttachRequest request{
          {"bench", "c0", ifname(i)}, Place::kPod, {device::DeviceId::Kind::net, Place::name(i)}};
      request.kind = attach::KindName::whole_nic;
      request.group = group_;
      requests_.push_back(std::move(request));
    }
  }

  Sample run() {
    Sample sample;
    sample.add_ms = milliseconds([&] { add(); });
    sample.del_ms = milliseconds([&] { del(); });
    return sample;
  }

  void add() {
    attach::Transaction transaction(host_, deadline(), log_);
    must(transaction.attach(requests_));
    for (size_t i = 0; i < kDevices; ++i) {
      auto prefix = host::IpPrefix::parse(address(i) + "/24");
      must(transaction.activate(i, {{*prefix}, {}}));
    }
    must(transaction.commit());
  }

  void del() {
    const auto limit = deadline();
    const auto done = attach::Attachments(host_, limit, log_).detach(group_, Place::kPod);
    if (done.error) throw std::runtime_error(done.error->message);
    if (done.quarantined) throw std::runtime_error(*done.quarantined);
  }

 private:
  [[nodiscard]] Deadline deadline() const { return {clock_, std::chrono::minutes(1), {}}; }

  SystemClock clock_;
  linux::LinuxProcesses processes_{clock_};
  linux::LinuxFileLocks locks_{clock_};
  linux::LinuxFunctions functions_;
  std::unique_ptr<host::Links> links_ = must(netlink::LinuxLinks::open());
  std::unique_ptr<host::RdmaDevices> rdma_ = must(netlink::LinuxRdma::open());
  std::unique_ptr<host::Devlink> devlink_ = must(netlink::LinuxDevlink::open());
  std::unique_ptr<host::NetNamespaces> netns_ =
      must(linux::LinuxNetns::open({netlink::LinuxLinks::open, netlink::LinuxRdma::open}));
  host::Host host_{*links_, *rdma_, *devlink_, *netns_, functions_, processes_, locks_, clock_, {}};
  Logger log_{STDERR_FILENO, LogLevel::error};
  attach::AttachmentKey group_{"bench", "c0", "eth0"};
  std::vector<attach::AttachRequest> requests_;
};

Sample run_floor(const std::string& programs) {
  Sample sample;
  const auto index = std::to_string(if_nametoindex(Place::name(0).c_str()));
  const auto step = [&](const char* verb, const std::string& name) {
    sample.cpu_ms +=
        start({programs + "/bench_floor", verb, index, Place::kPod, name}, {}, "/dev/null");
  };
  sample.add_ms = milliseconds([&] { step("ADD", ifname(0)); });
  sample.del_ms = milliseconds([&] { step("DEL", Place::name(0)); });
  return sample;
}

constexpr auto kConf = "/run/conf";

std::vector<std::string> environment_of(const std::string& verb) {
  return {"CNI_COMMAND=" + verb, "CNI_CONTAINERID=c0", std::string("CNI_NETNS=") + Place::kPod,
          "CNI_IFNAME=" + ifname(0), "CNI_PATH=/usr/lib/cni"};
}

Sample run_plugin(const std::string& program) {
  Sample sample;
  const std::string conf = "/run/conf";
  std::ofstream(conf) << fmt::format(
      R"({{"cniVersion":"1.0.0","name":"bench","type":"host-device","device":"{}"}})",
      Place::name(0));
  const auto step = [&](const std::string& verb) {
    sample.cpu_ms +=
        start({program},
              {"CNI_COMMAND=" + verb, "CNI_CONTAINERID=c0", std::string("CNI_NETNS=") + Place::kPod,
               "CNI_IFNAME=" + ifname(0), "CNI_PATH=/usr/lib/cni"},
              conf);
  };
  sample.add_ms = milliseconds([&] { step("ADD"); });
  sample.del_ms = milliseconds([&] { step("DEL"); });
  Place::take_up(0);  // not every program gives it back so
  return sample;
}

void add_counts(std::vector<Figure>& figures, const std::string& name, double newlinks,
                const std::vector<std::string>& command,
                const std::vector<std::string>& environment) {
  const auto input = environment.empty() ? "/dev/null" : kConf;
  const auto counts = count_calls(command, environment, input);
  if (!counts) return;
  for (auto& figure : figures_of(*counts, name, newlinks)) figures.push_back(std::move(figure));
}

// Of each device: down, move, up.
constexpr double kNewlinks = 3;

std::vector<Figure> measure_many(unsigned pairs, const std::string& self) {
  constexpr double kGoal = 1.10;
  FloorOfMany floor_of_many(kDevices);
  Many many;
  Samples floor;
  Samples ours;
  floor_of_many.run();
  many.run();
  for (unsigned pair = 0; pair < pairs; ++pair) {
    floor.push_back(floor_of_many.run());
    ours.push_back(many.run());
  }
  std::vector<Figure> figures;
  add_over_floor(figures, "whole_nic_attach_8", ours, floor, &Sample::add_ms, kGoal);
  add_over_floor(figures, "whole_nic_detach_8", ours, floor, &Sample::del_ms, kGoal);
  for (const auto& [name, step] :
       {std::pair{"whole_nic_attach_8", "ADD"}, std::pair{"whole_nic_detach_8", "DEL"}}) {
    add_counts(figures, name, kNewlinks * kDevices, {self, "--step", step}, {});
  }
  return figures;
}

std::vector<Figure> measure_one(unsigned pairs, const std::string& programs,
                                const std::string& debian) {
  constexpr double kGoal = 1.15;
  // At most so much of the other program's: 1.3 times faster, a fifth of its processor time.
  constexpr double kTimeGoal = 1 / 1.3;
  constexpr double kCpuGoal = 1 / 5.0;
  const auto program = programs + "/railhead";
  const bool is_compared = !debian.empty();
  Samples floor;
  Samples ours;
  Samples theirs;
  run_floor(programs);
  run_plugin(program);
  if (is_compared) run_plugin(debian);
  for (unsigned pair = 0; pair < pairs; ++pair) {
    floor.push_back(run_floor(programs));
    ours.push_back(run_plugin(program));
    if (is_compared) theirs.push_back(run_plugin(debian));
  }
  std::vector<Figure> figures;
  add_over_floor(figures, "whole_nic_attach_1", ours, floor, &Sample::add_ms, kGoal);
  add_over_floor(figures, "whole_nic_detach_1", ours, floor, &Sample::del_ms, kGoal);
  add_over_floor(figures, "whole_nic_cpu", ours, floor, &Sample::cpu_ms, std::nullopt);
  for (const auto& [name, verb] :
       {std::pair{"whole_nic_attach_1", "ADD"}, std::pair{"whole_nic_detach_1", "DEL"}}) {
    add_counts(figures, name, kNewlinks, {program}, environment_of(verb));
  }
  Place::take_up(0);
  if (!is_compared) return figures;
  figures.push_back(time_of("debian_attach_1_ms", theirs, &Sample::add_ms));
  figures.push_back(time_of("debian_detach_1_ms", theirs, &Sample::del_ms));
  figures.push_back(time_of("debian_cpu_ms", theirs, &Sample::cpu_ms));
  const auto over = [&](const std::string& name, Field field, double goal) {
    figures.push_back(ratio_of("whole_nic_" + name + "_over_debian", ours, theirs, field, goal));
  };
  over("attach_1", &Sample::add_ms, kTimeGoal);
  over("detach_1", &Sample::del_ms, kTimeGoal);
  over("cpu", &Sample::cpu_ms, kCpuGoal);
  return figures;
}

}  // namespace
}  // namespace railhead::bench

int main(int argc, char** argv) {
  using namespace railhead::bench;
  const std::string self = std::filesystem::read_symlink("/proc/self/exe");
  std::string programs = std::filesystem::path(self).parent_path();
  std::string json;
  std::string debian;
  std::string step;
  unsigned pairs = 30;
  CLI::App app("Measures whole-NIC mode on veth devices.", "bench-whole-nic");
  app.add_option("--programs", programs, "Folder of the binaries")->capture_default_str();
  app.add_option("--json", json, "Write the figures to this file");
  app.add_option("--pairs", pairs, "Interleaved pairs per figure")->capture_default_str();
  app.add_option("--debian", debian, "Debian's program of the type host-device");
  app.add_option("--step", step, "Half of the transaction, in a place that is made")
      ->check(CLI::IsMember({"ADD", "DEL"}));
  CLI11_PARSE(app, argc, argv);
  try {
    if (step == "ADD") Many().add();
    if (step == "DEL") Many().del();
    if (!step.empty()) return 0;
    const Place place(kDevices);
    auto figures = measure_one(pairs, programs, debian);
    const auto more = measure_many(pairs, self);
    figures.insert(figures.end(), more.begin(), more.end());
    std::cout << format_table(figures);
    if (!json.empty()) std::ofstream(json) << format_json(figures);
  } catch (const std::exception& error) {
    std::cerr << "bench-whole-nic: " << error.what() << '\n';
    return 1;
  }
  return 0;
}
