#include "plugin/app/status_text.hpp"

#include <algorithm>
#include <ctime>

#include <nlohmann/json.hpp>

namespace railhead::app {
namespace {

using Json = nlohmann::ordered_json;

std::string time_text(std::chrono::system_clock::time_point when) {
  const std::time_t time = std::chrono::system_clock::to_time_t(when);
  std::tm utc{};
  gmtime_r(&time, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", utc.tm_year + 1900, utc.tm_mon + 1,
                     utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec);
}

// Those of a device as this resource, and of attachments of which no resource is known.
std::vector<const ledger::Holding*> holders_of(const Agent::State& state, const std::string& device,
                                               const std::string& resource) {
  auto holders = state.holdings->of(device);
  std::erase_if(holders, [&](const auto* one) {
    return !one->resource.empty() && one->resource != resource;
  });
  return holders;
}

size_t count_healthy(const pool::Pool& pool) {
  const auto offers = pool::offers(pool);
  return static_cast<size_t>(
      std::ranges::count_if(offers, [](const auto& offer) { return offer.healthy; }));
}

std::string holder_text(const ledger::Holding& holding) {
  return fmt::format("    held by {}{}{} since {} ({})\n", holding.who(),
                     holding.container.empty() ? "" : ", container " + holding.container,
                     holding.is_share() ? ", share " + holding.id : "", time_text(holding.since),
                     to_string(holding.source));
}

std::string member_text(const Agent::State& state, const pool::Pool& pool,
                        const pool::Member& member) {
  auto text = fmt::format("  {}  {}\n", member.id,
                          member.sickness.empty() ? "healthy" : "unhealthy: " + member.sickness);
  for (const auto& concern : member.concerns) text += "    degraded: " + concern + '\n';
  for (const auto* holder : holders_of(state, member.id, pool.resource.full_name())) {
    text += holder_text(*holder);
  }
  return text;
}

Json holder_json(const ledger::Holding& holding) {
  return {{"pod", holding.pod},
          {"container", holding.container},
          {"resource", holding.resource},
          {"id", holding.id},
          {"nodes", holding.nodes},
          {"since", time_text(holding.since)},
          {"source", to_string(holding.source)}};
}

Json pool_json(const Agent::State& state, const Pools::Served& served) {
  const auto& pool = served.view->pool;
  const auto name = pool.resource.full_name();
  Json devices = Json::array();
  for (const auto& member : pool.members) {
    Json holders = Json::array();
    for (const auto* holder : holders_of(state, member.id, name)) {
      holders.push_back(holder_json(*holder));
    }
    devices.push_back({{"id", member.id},
                       {"healthy", member.sickness.empty() && pool.sickness.empty()},
                       {"reason", member.sickness},
                       {"degraded", member.concerns},
                       {"holders", std::move(holders)}});
  }
  Json leftovers = Json::array();
  for (const auto& offer : pool.leftovers) leftovers.push_back(offer.id);
  return {{"resource", name},
          {"watched", served.watched},
          {"offers", pool::offers(pool).size()},
          {"healthy", count_healthy(pool)},
          {"reason", pool.sickness},
          {"devices", std::move(devices)},
          {"held_only", std::move(leftovers)}};
}

// A PF falls silent with its VFs.
std::string silence_text(const std::map<PciAddress, node::Snapshot::WallTime>& silent) {
  std::map<node::Snapshot::WallTime, std::vector<PciAddress>> functions;
  for (const auto& [function, since] : silent) functions[since].push_back(function);
  std::string text;
  for (const auto& [since, all] : functions) {
    text += fmt::format("does not answer since {}: {}", time_text(since), all.front().to_string());
    if (all.size() > 1)
      text += fmt::format(" and {} more, to {}", all.size() - 1, all.back().to_string());
    text += '\n';
  }
  return text;
}

Json silence_json(const std::map<PciAddress, node::Snapshot::WallTime>& silent) {
  Json all = Json::array();
  for (const auto& [function, since] : silent) {
    all.push_back({{"function", function.to_string()}, {"since", time_text(since)}});
  }
  return all;
}

}  // namespace

std::string status_text(const Agent::State& state) {
  const auto by = state.server.empty() ? "" : (state.serving ? " as " : ": ") + state.server;
  std::string text =
      (state.serving ? "serving this node" : "standby: another agent serves this node") + by + '\n';
  for (const auto& trouble : state.troubles) text += "not ready: " + trouble + '\n';
  if (!state.holders_unknown.empty()) {
    text += "holders are not all known: " + state.holders_unknown + '\n';
  }
  if (state.snapshot) text += silence_text(state.snapshot->silent);
  for (const auto& served : state.pools) {
    const auto& pool = served.view->pool;
    text += fmt::format("\n{}  {} of {} healthy, {}\n", pool.resource.full_name(),
                        count_healthy(pool), pool::offers(pool).size(),
                        served.watched ? "registered" : "not watched by kubelet");
    if (!pool.sickness.empty()) text += "  unhealthy: " + pool.sickness + '\n';
    for (const auto& member : pool.members) text += member_text(state, pool, member);
    for (const auto& offer : pool.leftovers) {
      text += fmt::format("  {}  held, offered to nobody else\n", offer.id);
      for (const auto& holding : state.holdings->all()) {
        const bool is_its = holding.id == offer.id && holding.resource == pool.resource.full_name();
        if (is_its) text += holder_text(holding);
      }
    }
  }
  return text;
}

std::string status_json(const Agent::State& state) {
  Json pools = Json::array();
  for (const auto& served : state.pools) pools.push_back(pool_json(state, served));
  const Json json = {
      {"serving", state.serving},
      {"server", state.server},
      {"config_current", state.config_current},
      {"troubles", state.troubles},
      {"holders_unknown", state.holders_unknown},
      {"silent", state.snapshot ? silence_json(state.snapshot->silent) : Json::array()},
      {"pools", std::move(pools)}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace railhead::app
