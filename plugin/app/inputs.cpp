#include "plugin/app/inputs.hpp"

#include "device/scan.hpp"
#include "plugin/config/files.hpp"
#include "plugin/pool/remembered.hpp"
#include "plugin/topology/file.hpp"

namespace railhead::app {

namespace {

constexpr size_t kMaxTopology = 16 << 20;  // bytes

ReadConfig read(const std::vector<std::string>& paths, std::string_view default_prefix) {
  std::vector<config::Source> all;
  std::vector<Error> unreadable;
  for (const auto& path : paths) {
    auto sources = config::read_sources(path);
    if (!sources) unreadable.push_back(sources.error());
    for (auto& source : sources.value_or(std::vector<config::Source>{})) {
      if (source.file.empty() && paths.size() > 1) source.file = path;
      all.push_back(std::move(source));
    }
  }
  auto parsed = config::parse(all, default_prefix);
  parsed.errors.insert(parsed.errors.begin(), unreadable.begin(), unreadable.end());
  return {std::move(parsed), std::move(all)};
}

}  // namespace

config::Parsed read_config_files(const std::vector<std::string>& paths,
                                 std::string_view default_prefix) {
  return read(paths, default_prefix).parsed;
}

ReadConfig read_config(const std::string& config_file, std::string_view default_prefix) {
  auto result = read({config_file}, default_prefix);
  for (auto& error : result.parsed.errors) {
    if (error.code == ErrorCode::not_found) error.message += "; --config-file says where to look";
  }
  return result;
}

std::optional<Options> with_topology(Options options, Logger& log) {
  if (options.topology_file.empty()) return options;
  const auto text = host::read_regular_file(options.topology_file, kMaxTopology);
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
  auto wanted = options.scan;
  wanted.all_ports = true;
  auto inventory = device::scan(host, wanted);
  if (!inventory) {
    log.error("cannot look at the node's devices", {{"error", inventory.error().message}});
    return std::nullopt;
  }
  for (const auto& warning : inventory->warnings()) {
    log.warning("cannot read all of the node's devices", {{"error", warning}});
  }
  return std::move(*inventory);
}

pool::Knowledge read_knowledge(const config::Config& config, const std::string& run_root,
                               const std::string& state_dir, Logger& log) {
  pool::Knowledge knowledge;
  auto rails = pool::read_rails(state_dir);
  if (rails) {
    knowledge.rails = std::move(*rails);
  } else {
    log.error("cannot read the rails' numbers; they are given anew",
              {{"error", rails.error().message}});
  }
  knowledge.allocated = pool::read_allocated(config, run_root);
  knowledge.members = knowledge.allocated;
  return knowledge;
}

}  // namespace railhead::app
