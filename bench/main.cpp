// railhead-bench: what the programs cost, measured on generated trees.
#include <filesystem>
#include <fstream>
#include <iostream>
#include <stdexcept>

#include <CLI/CLI.hpp>

#include "bench/agent.hpp"
#include "bench/exec.hpp"
#include "bench/life.hpp"

int main(int argc, char** argv) {
  using namespace railhead::bench;
  std::string programs = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  std::string json;
  unsigned rounds = 15;
  CLI::App app("Measures railhead and railhead-agent.", "railhead-bench");
  app.add_option("--programs", programs, "Folder of the binaries")->capture_default_str();
  app.add_option("--json", json, "Write the figures to this file");
  app.add_option("--rounds", rounds, "Starts of the agent per figure")->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  std::vector<Figure> figures;
  const auto add = [&](std::vector<Figure> more) {
    std::cout << "." << std::flush;
    figures.insert(figures.end(), more.begin(), more.end());
  };
  try {
    add(measure_exec(programs, 400));
    for (const unsigned pools : {8U, 1U}) {
      add({measure_scan({programs, 16, pools, rounds}, std::nullopt)});
      const auto middle = measure_scan({programs, 127, pools, rounds}, 100.0);
      add({middle});
      add({measure_scan({programs, 255, pools, rounds}, 2.2 * middle.median())});
    }
    add({measure_scan_with_cdi({programs, 127, 8, rounds})});
    add({measure_scan_with_rdma(rounds)});
    add(measure_handover(programs, rounds));
    add({measure_start_with_hung_pf(programs, 3)});
    for (const bool cdi : {false, true}) add(measure_allocate({programs, 127, 8, 1, cdi}));
  } catch (const std::exception& error) {
    std::cerr << "railhead-bench: " << error.what() << '\n';
    return 1;
  }
  std::cout << '\n' << format_table(figures);
  if (!json.empty()) std::ofstream(json) << format_json(figures);
  return 0;
}
