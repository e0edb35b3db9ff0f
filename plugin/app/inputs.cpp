#include "plugin/app/inputs.hpp"

#include "plugin/config/files.hpp"
#include "plugin/topology/file.hpp"

namespace railhead::app {

config::Parsed read_config(const Options& options) {
  const auto sources = config::read_sources(options.config_file);
  if (!sources) return {{}, {sources.error()}, {}};
  return config::parse(*sources, options.resource_prefix);
}

std::optional<Options> with_topology(Options options, Logger& log) {
  if (options.topology_file.empty()) return options;
  const auto text = host::read_file(options.topology_file);
  auto file = text ? topology::parse(*text) : Result<topology::File>(pass(text));
  if (!file) {
    log.error("cannot use the topology file",
              {{"file", options.topology_file}, {"error", file.error().message}});
    return std::nullopt;
  }
  for (const auto& warning : file->warnings) {
    log.warning(warning, {{"file", options.topology_file}});
  }
  options.scan.topology = std::move(file->topology);
  return options;
}

std::optional<device::Inventory> look_at_node(const Options& options, const host::Host& host,
                                              Logger& log) {
  auto inventory = device::scan(host, options.scan);
  if (!inventory) {
    log.error("cannot look at the node's devices", {{"error", inventory.error().message}});
    return std::nullopt;
  }
  for (const auto& warning : inventory->warnings()) {
    log.warning("cannot read all of the node's devices", {{"error", warning}});
  }
  return std::move(*inventory);
}

}  // namespace railhead::app
