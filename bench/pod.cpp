// bench-pod: the meta plugin on veth devices of this machine: a pod's cluster network, and so many
// NICs that are moved, or plugins that do nothing.
//
//   bench-pod [--json FILE] [--pairs N] [--programs DIR]
#include <filesystem>
#include <fstream>
#include <iostream>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <sys/resource.h>

#include "bench/place.hpp"
#include "bench/samples.hpp"

namespace railhead::bench {
namespace {

constexpr auto kNads = "/run/nads/bench";

void write_nad(const std::string& name, const std::string& config) {
  std::ofstream(fmt::format("{}/{}.json", kNads, name))
      << fmt::format(R"({{"kind":"NetworkAttachmentDefinition","metadata":{{"name":"{}"}},)"
                     R"("spec":{{"config":"{}"}}}})",
                     name, config);
}

// The node's configuration for a pod of `count` networks, whose NADs are called `nad`N.
std::string write_conf(const std::string& programs, const std::string& nad, size_t count) {
  std::string networks;
  std::string devices;
  for (size_t i = 0; i < count; ++i) networks += fmt::format("{}{}{}", i ? "," : "", nad, i);
  for (size_t i = 0; i < kDevices; ++i) {
    devices += fmt::format(R"({}"{}")", i ? "," : "", Place::name(i));
  }
  const auto path = fmt::format("/run/conf-{}-{}", nad, count);
  std::ofstream(path) << fmt::format(
      R"({{"cniVersion":"1.0.0","name":"bench","type":"railhead-meta","ownership":"off",)"
      R"("logLevel":"error","nadDir":"/run/nads","binDir":"{}","allowUnallocatedDevices":[{}],)"
      R"("delegates":[{{"cniVersion":"1.0.0","name":"cluster","type":"bench_delegate"}}],)"
      R"("runtimeConfig":{{"io.kubernetes.cri.pod-annotations":{{"k8s.v1.cni.cncf.io/networks":"{}"}}}}}})",
      programs, devices, networks);
  return path;
}

void make_networks() {
  std::filesystem::create_directories(kNads);
  for (size_t i = 0; i < kDevices; ++i) {
    write_nad(
        fmt::format("nic{}", i),
        fmt::format(R"({{\"cniVersion\":\"1.0.0\",\"type\":\"host-device\",\"device\":\"{}\"}})",
                    Place::name(i)));
    write_nad(fmt::format("idle{}", i),
              R"({\"cniVersion\":\"1.0.0\",\"type\":\"bench_delegate\"})");
  }
}

std::vector<std::string> environment_of(const std::string& verb) {
  return {"CNI_COMMAND=" + verb,
          "CNI_CONTAINERID=c0",
          std::string("CNI_NETNS=") + Place::kPod,
          "CNI_IFNAME=eth0",
          "CNI_PATH=/usr/lib/cni",
          "CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAMESPACE=bench;K8S_POD_NAME=pod;K8S_POD_UID=u"};
}

Sample run_pod(const std::string& programs, const std::string& conf) {
  Sample sample;
  sample.add_ms = milliseconds(
      [&] { sample.cpu_ms = start({programs + "/railhead"}, environment_of("ADD"), conf); });
  sample.del_ms =
      milliseconds([&] { start({programs + "/railhead"}, environment_of("DEL"), conf); });
  return sample;
}

// Of this process so far, user and kernel.
double own_cpu_ms() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto time = [](const timeval& value) {
    return static_cast<double>(value.tv_sec) * 1e3 + static_cast<double>(value.tv_usec) / 1e3;
  };
  return time(used.ru_utime) + time(used.ru_stime);
}

// So many starts of the plugin that does nothing, and the bare kernel work.
Sample run_floor(const std::string& programs, size_t starts, FloorOfMany* moves) {
  Sample sample;
  const auto all = [&](const char* verb) {
    for (size_t i = 0; i < starts; ++i) {
      start({programs + "/bench_delegate"}, environment_of(verb), "/dev/null");
    }
  };
  sample.add_ms = milliseconds([&] { all("ADD"); });
  const auto before = own_cpu_ms();
  if (moves) sample.add_ms += milliseconds([&] { moves->add(); });
  sample.cpu_ms = own_cpu_ms() - before;
  sample.del_ms = milliseconds([&] {
    if (moves) moves->del();
    all("DEL");
  });
  return sample;
}

// A pod whose NICs are moved.
void measure_moves(std::vector<Figure>& figures, unsigned pairs, const std::string& programs,
                   size_t devices) {
  constexpr double kGoal = 1.15;
  constexpr double kCpuGoal = 6;  // ms
  const auto conf = write_conf(programs, "nic", devices);
  const auto goal = devices == kDevices ? std::optional(kGoal) : std::nullopt;
  Samples floor;
  Samples ours;
  for (unsigned pair = 0; pair <= pairs; ++pair) {
    FloorOfMany moves(devices);  // the indexes of now
    floor.push_back(run_floor(programs, 1, &moves));
    ours.push_back(run_pod(programs, conf));
    for (size_t i = 0; i < devices; ++i) Place::take_up(i);
  }
  floor.erase(floor.begin());  // the first of each warms up
  ours.erase(ours.begin());
  add_over_floor(figures, fmt::format("pod_add_{}", devices), ours, floor, &Sample::add_ms, goal);
  add_over_floor(figures, fmt::format("pod_del_{}", devices), ours, floor, &Sample::del_ms, goal);
  figures.push_back(time_of(fmt::format("pod_add_{}_cpu_ms", devices), ours, &Sample::cpu_ms));
  figures.back().floor = time_of("", floor, &Sample::cpu_ms).median();
  Figure own{fmt::format("pod_add_{}_own_cpu_ms", devices), "ms", {}, std::nullopt, std::nullopt};
  for (size_t i = 0; i < ours.size(); ++i) {
    own.samples.push_back(ours[i].cpu_ms - floor[i].cpu_ms);
  }
  if (devices == kDevices) own.goal = kCpuGoal;
  figures.push_back(std::move(own));
}

// A pod of plugins that do nothing: what is left is our own.
void measure_idle(std::vector<Figure>& figures, unsigned pairs, const std::string& programs,
                  size_t plugins) {
  const double goal = plugins == 0 ? 2 : 4;  // ms
  const auto conf = write_conf(programs, "idle", plugins);
  Figure figure{fmt::format("pod_own_cost_{}_ms", plugins), "ms", {}, goal, std::nullopt};
  for (unsigned pair = 0; pair <= pairs; ++pair) {
    const auto floor = run_floor(programs, plugins + 1, nullptr);
    const auto ours = run_pod(programs, conf);
    if (pair != 0) figure.samples.push_back(ours.add_ms - floor.add_ms);
  }
  figures.push_back(std::move(figure));
}

}  // namespace
}  // namespace railhead::bench

int main(int argc, char** argv) {
  using namespace railhead::bench;
  std::string programs =
      std::filesystem::path(std::filesystem::read_symlink("/proc/self/exe")).parent_path();
  std::string json;
  unsigned pairs = 30;
  CLI::App app("Measures the meta plugin on veth devices.", "bench-pod");
  app.add_option("--programs", programs, "Folder of the binaries")->capture_default_str();
  app.add_option("--json", json, "Write the figures to this file");
  app.add_option("--pairs", pairs, "Interleaved pairs per figure")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    const Place place(kDevices);
    make_networks();
    std::vector<Figure> figures;
    for (const size_t devices : {1U, 4U, 8U}) measure_moves(figures, pairs, programs, devices);
    for (const size_t plugins : {0U, 8U}) measure_idle(figures, pairs, programs, plugins);
    std::cout << format_table(figures);
    if (!json.empty()) std::ofstream(json) << format_json(figures);
  } catch (const std::exception& error) {
    std::cerr << "bench-pod: " << error.what() << '\n';
    return 1;
  }
  return 0;
}
