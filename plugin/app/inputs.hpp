#pragma once
// What the service and the subcommands both look at.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/app/options.hpp"
#include "plugin/config/config.hpp"
#include "plugin/pool/select.hpp"

namespace railhead::app {

// Of files and folders, all together. One that cannot be read is one of the errors.
[[nodiscard]] config::Parsed read_config_files(const std::vector<std::string>& paths,
                                               std::string_view default_prefix);
// That of --config-file, with what was read.
struct ReadConfig {
  config::Parsed parsed;
  std::vector<config::Source> sources;
};
[[nodiscard]] ReadConfig read_config(const std::string& config_file,
                                     std::string_view default_prefix);

// The options with what --topology-file holds as part of them; an error of the file is logged, and
// so are its warnings.
[[nodiscard]] std::optional<Options> with_topology(Options options, Logger& log);

// What could not be read is logged as warnings; nothing at all is an error of the log.
[[nodiscard]] std::optional<device::Inventory> look_at_node(const Options& options,
                                                            const host::Host& host, Logger& log);

// What agents left in the run folder and in the state folder, all but the devices' sickness. A file
// that cannot be read is logged, and treated as absent.
[[nodiscard]] pool::Knowledge read_knowledge(const config::Config& config,
                                             const std::string& run_root,
                                             const std::string& state_dir, Logger& log);

}  // namespace railhead::app
