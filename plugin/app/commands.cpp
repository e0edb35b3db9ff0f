#include "plugin/app/commands.hpp"

#include <cstdio>

#include "device/print.hpp"
#include "plugin/app/inputs.hpp"

namespace railhead::app {
namespace {

void print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

}  // namespace

int check_config(const Options& options) {
  const auto parsed = read_config(options);
  for (const auto& warning : parsed.warnings) print("warning: " + warning + '\n');
  for (const auto& error : parsed.errors) print("error: " + error.message + '\n');
  if (!parsed.errors.empty()) return 1;
  for (const auto& resource : parsed.config.resources) {
    print(fmt::format("{}: {} selector{}\n", resource.full_name(), resource.selectors.size(),
                      resource.selectors.size() == 1 ? "" : "s"));
  }
  return 0;
}

int inventory(const Options& options, const host::Host& host, Logger& log) {
  const auto inventory = look_at_node(options, host, log);
  if (!inventory) return 1;
  print(device::format_tree(*inventory));
  return 0;
}

int topology(const Options& options, const host::Host& host, Logger& log) {
  const auto inventory = look_at_node(options, host, log);
  if (!inventory) return 1;
  print(device::format_matrix(*inventory));
  return 0;
}

}  // namespace railhead::app
