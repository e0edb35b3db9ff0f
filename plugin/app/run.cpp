#include "plugin/app/run.hpp"

#include "plugin/app/commands.hpp"
#include "plugin/app/inputs.hpp"
#include "plugin/app/service.hpp"

namespace railhead::app {

int run(const Options& given, const host::Host& host, const Machine& machine, Logger& log) {
  const auto options = with_topology(given, log);
  if (!options) return kFailed;
  switch (options->command) {
    case Command::serve:
      return serve(*options, host, machine, log);
    case Command::inventory:
      return inventory(*options, host, log);
    case Command::topology:
      return topology(*options, host, log);
    case Command::check_config:
      return check_config(*options, host, log);
    case Command::explain:
      return explain(*options, host, log);
    case Command::probe:
      return probe(*options);
    case Command::status:
      return status(*options);
    case Command::ipam_check:
      return ipam_check(*options);
    case Command::ipam_import:
      return ipam_import(*options);
  }
  return kFailed;
}

}  // namespace railhead::app
