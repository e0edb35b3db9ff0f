// railhead-bench: what the programs cost, measured on generated trees.
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <stdexcept>

#include <CLI/CLI.hpp>

#include "bench/agent.hpp"
#include "bench/exec.hpp"
#include "bench/ipam.hpp"
#include "bench/life.hpp"

int main(int argc, char** argv) {
  using namespace railhead::bench;
  std::string programs = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  std::string json;
  std::string only;
  unsigned rounds = 15;
  CLI::App app("Measures railhead and railhead-agent.", "railhead-bench");
  app.add_option("--programs", programs, "Folder of the binaries")->capture_default_str();
  app.add_option("--json", json, "Write the figures to this file");
  app.add_option("--rounds", rounds, "Starts of the agent per figure")->capture_default_str();
  app.add_option("--only", only, "Only this group of figures")
      ->check(CLI::IsMember({"exec", "scan", "life", "allocate", "ipam"}));
  CLI11_PARSE(app, argc, argv);

  std::vector<Figure> figures;
  const auto measure = [&](std::string_view group,
                           const std::function<std::vector<Figure>()>& run) {
    if (!only.empty() && group != only) return;
    std::cout << "." << std::flush;
    auto more = run();
    figures.insert(figures.end(), more.begin(), more.end());
  };
  try {
    measure("exec", [&] { return measure_exec(programs, 400); });
    for (const unsigned pools : {8U, 1U}) {
      measure("scan", [&] {
        auto few = measure_scan({programs, 16, pools, rounds}, std::nullopt);
        auto middle = measure_scan({programs, 127, pools, rounds}, 100.0);
        auto many = measure_scan({programs, 255, pools, rounds}, 2.2 * middle.median());
        return std::vector{few, middle, many};
      });
    }
    measure("scan", [&] { return std::vector{measure_scan_with_cdi({programs, 127, 8, rounds})}; });
    measure("scan", [&] { return std::vector{measure_scan_with_rdma(rounds)}; });
    measure("life", [&] { return measure_handover(programs, rounds); });
    measure("life", [&] { return std::vector{measure_start_with_hung_pf(programs, 3)}; });
    for (const bool cdi : {false, true}) {
      measure("allocate", [&] { return measure_allocate({programs, 127, 8, 1, cdi}); });
    }
    for (const unsigned pods : {0U, 27U}) measure("ipam", [&] { return measure_ipam(100, pods); });
  } catch (const std::exception& error) {
    std::cerr << "railhead-bench: " << error.what() << '\n';
    return 1;
  }
  std::cout << '\n' << format_table(figures);
  if (!json.empty()) std::ofstream(json) << format_json(figures);
  return 0;
}
