// check-config: what is wrong with a configuration, what is in effect of it, and what it takes
// here.
#include <cstdio>

#include "plugin/app/commands.hpp"
#include "plugin/app/findings.hpp"
#include "plugin/app/inputs.hpp"
#include "plugin/config/describe.hpp"
#include "plugin/pool/list_size.hpp"

namespace railhead::app {
namespace {

// What cannot work with the devices of this node.
std::vector<std::string> limits_of(const pool::Pool& pool) {
  std::vector<std::string> limits;
  const auto& sharing = pool.resource.sharing;
  const auto bytes = pool::list_bytes(pool::offers(pool));
  if (bytes > pool::kMaxListBytes && sharing) {
    limits.push_back(fmt::format(
        "{} shares of {} devices make a list of {} bytes, kubelet takes {}: it would take none of "
        "them; perDevice can be at most {} here",
        pool.members.size() * sharing->shares, pool.members.size(), bytes, pool::kMaxListBytes,
        pool::most_shares_per_device(pool)));
  }
  return limits;
}

std::string taken_by(const pool::Pool& pool) {
  const auto& sharing = pool.resource.sharing;
  const auto count = pool.members.size();
  auto text = fmt::format("{} device{}", count, count == 1 ? "" : "s");
  if (sharing) text += fmt::format(", {} shares", pool::offers(pool).size());
  if (!pool.sickness.empty()) return text + ", none healthy: " + pool.sickness;
  const auto sick = std::ranges::count_if(
      pool.members, [](const pool::Member& member) { return !member.sickness.empty(); });
  if (sick > 0) text += fmt::format(", {} of them unhealthy", sick);
  return text;
}

std::string taken_here(const config::Resource& resource, std::span<const pool::Pool> pools) {
  if (resource.rails_auto && pools.empty()) return "  on this node: no rail\n";
  std::string text;
  for (const auto& pool : pools) {
    const auto rail = resource.rails_auto ? pool.resource.full_name() + ": " : "";
    text += fmt::format("  on this node: {}{}\n", rail, taken_by(pool));
    for (const auto& limit : limits_of(pool)) {
      text += fmt::format("  warning: {}{}\n", rail, limit);
    }
  }
  return text;
}

}  // namespace

int check_config(const Options& options, const host::Host& host, Logger& log) {
  const auto parsed = read_config(options.checked_files, options.resource_prefix);
  write(findings(parsed));
  if (!parsed.errors.empty()) return kConfigRefused;

  const auto& config = parsed.config;
  auto looking = options;
  looking.scan = pool::scan_options(config, options.scan);
  const auto inventory = look_at_node(looking, host, log);
  pool::Selection selection;
  if (inventory) {
    selection = pool::select(config, *inventory, read_knowledge(config, host.roots.run, log));
  }
  const auto pools = inventory ? pool::pools_by_resource(config, selection)
                               : std::vector<std::span<const pool::Pool>>{};
  for (size_t i = 0; i < config.resources.size(); ++i) {
    write(config::describe(config.resources[i]));
    if (inventory) write(taken_here(config.resources[i], pools[i]));
  }
  // Another machine may check what a node is to have; a node's tree that cannot be read was asked
  // for.
  if (!inventory && options.roots.sysfs != host::Roots{}.sysfs) return kFailed;
  return parsed.dropped.empty() ? kDone : kResourcesDropped;
}

}  // namespace railhead::app
