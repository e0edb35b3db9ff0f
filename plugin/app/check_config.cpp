// check-config: what is wrong with a configuration, what is in effect of it, and what it takes
// here.
#include <algorithm>

#include "plugin/app/commands.hpp"
#include "plugin/app/findings.hpp"
#include "plugin/app/inputs.hpp"
#include "plugin/config/describe.hpp"
#include "plugin/pool/ask.hpp"
#include "plugin/pool/list_size.hpp"

namespace railhead::app {
namespace {

// Who asks for all of the pool's devices: whoever asks for a share of a whole pool does.
std::string asker_of_all(const pool::Pool& pool) {
  const auto& sharing = pool.resource.sharing;
  if (sharing && sharing->unit == config::Sharing::Unit::pool) return "a container with any share";
  return fmt::format("a container with {} {} devices", sharing ? "a share of all" : "all",
                     pool.members.size());
}

// What it would be given of the devices that are here. Nothing is written.
Result<grant::Grant> all_of(const pool::Pool& pool, const grant::Places& places) {
  auto all = pool;
  for (auto& member : all.members) member.sickness.clear();
  if (all.resource.sharing) all.resource.sharing->shares = 1;
  std::vector<std::string> ids;
  for (auto& offer : pool::offers(all)) ids.push_back(std::move(offer.id));
  auto ask = pool::ask_for(all, ids, places);
  if (!ask) return pass(ask);
  ask->leaves_records = false;
  ask->some_are_enough = true;
  return grant::give(*ask, places);
}

// What cannot work with the devices of this node.
std::vector<std::string> limits_of(const pool::Pool& pool, const grant::Places& places) {
  std::vector<std::string> limits;
  if (const auto untold = pool::count_untold(pool); untold > 0) {
    const auto offers = pool::offers(pool);
    limits.push_back(fmt::format(
        "{} shares of {} devices make a list of {} bytes, kubelet takes {}: {} shares would not be "
        "offered; perDevice can be at most {} here",
        offers.size(), pool.members.size(), pool::list_bytes(offers), pool::kMaxListBytes, untold,
        pool::most_shares_per_device(pool)));
  }
  const auto all = all_of(pool, places);
  if (!all) return limits;  // what is wrong with devices is told elsewhere
  for (const auto& [name, bytes] : all->left_out) {
    limits.push_back(fmt::format(
        "{} would do without {}, which has {} bytes: one variable can have {}, and all of a "
        "resource together {}",
        asker_of_all(pool), name, bytes, grant::kMaxVariableBytes, grant::kMaxEnvironmentBytes));
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

std::string taken_here(const config::Resource& resource, std::span<const pool::Pool> pools,
                       const grant::Places& places) {
  if (resource.rails_auto && pools.empty()) return "  on this node: no rail\n";
  std::string text;
  for (const auto& pool : pools) {
    const auto rail = resource.rails_auto ? pool.resource.full_name() + ": " : "";
    text += fmt::format("  on this node: {}{}\n", rail, taken_by(pool));
    for (const auto& limit : limits_of(pool, places)) {
      text += fmt::format("  warning: {}{}\n", rail, limit);
    }
  }
  return text;
}

}  // namespace

int check_config(const Options& options, const host::Host& host, Logger& log) {
  const auto parsed = read_config_files(options.checked_files, options.resource_prefix);
  write(findings(parsed));
  if (!parsed.errors.empty()) return kConfigRefused;

  const auto& config = parsed.config;
  auto looking = options;
  looking.scan = pool::scan_options(config, options.scan);
  const auto inventory = look_at_node(looking, host, log);
  pool::Selection selection;
  if (inventory) {
    selection = pool::select(config, *inventory,
                             read_knowledge(config, host.roots.run, options.state_dir, log));
  }
  grant::Places places;
  places.sysfs = host.roots.sysfs;
  places.run = host.roots.run;
  places.devinfo = options.devinfo_dir;
  const auto pools = inventory ? pool::pools_by_resource(config, selection)
                               : std::vector<std::span<const pool::Pool>>{};
  for (size_t i = 0; i < config.resources.size(); ++i) {
    write(config::describe(config.resources[i]));
    if (inventory) write(taken_here(config.resources[i], pools[i], places));
  }
  // Another machine may check what a node is to have; a node's tree that cannot be read was asked
  // for.
  if (!inventory && options.roots.sysfs != host::Roots{}.sysfs) return kFailed;
  return parsed.dropped.empty() ? kDone : kResourcesDropped;
}

}  // namespace railhead::app
