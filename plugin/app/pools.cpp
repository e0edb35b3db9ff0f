#include "plugin/app/pools.hpp"

#include <algorithm>
#include <utility>

#include "plugin/app/interest.hpp"
#include "plugin/grant/devinfo.hpp"
#include "plugin/pool/ask.hpp"
#include "plugin/pool/held.hpp"
#include "plugin/pool/rails.hpp"
#include "plugin/pool/remembered.hpp"

namespace railhead::app {
namespace {

std::string silence(const PciAddress& function, node::Snapshot::WallTime since) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since).time_since_epoch().count();
  const std::time_t time = seconds;
  std::tm utc{};
  gmtime_r(&time, &utc);
  return fmt::format("{} does not answer since {:02}:{:02}:{:02} UTC; see the kernel's log",
                     function.to_string(), utc.tm_hour, utc.tm_min, utc.tm_sec);
}

}  // namespace

Pools::Pools(Options options, const host::Host& host, Loop& loop,
             const Configuration& configuration, NodeWatch& node, Holders& holders,
             metrics::Metrics& metrics, News& news, Logger& log)
    : options_(std::move(options)),
      host_(host),
      configuration_(configuration),
      node_(node),
      holders_(holders),
      metrics_(metrics),
      news_(news),
      log_(log),
      records_(options_.state_dir, host.clock, log),
      sort_(loop, [this] { sort(); }) {}

Result<void> Pools::start() {
  node_.set_interest(interest_of(configuration_.config(), options_.scan));  // before the first look
  recall();
  return {};
}

// What the agents before this one knew. Where it has sorted itself, as a standby, they knew better
// what pods have.
void Pools::recall() {
  records_.load();
  auto rails = records_.rails();
  rails.merge(knowledge_.rails);
  knowledge_.rails = std::move(rails);
  if (!records_.rail_map().empty()) knowledge_.rail_map = records_.rail_map();
  inventory_ = nullptr;
}

Result<void> Pools::serve() {
  const attach::Store records(host_.roots.run);
  if (auto made = records.prepare(); !made) return pass(made, "records of attachments");
  kubelet::KubeletSession::Options session;
  session.kubelet_dir = options_.kubelet_dir;
  auto started = kubelet::KubeletSession::start(session, {}, log_);
  if (!started) return pass(started, "cannot serve kubelet");
  session_ = std::move(*started);
  serving_ = true;
  recall();
  holders_.ledger().doubt();
  if (node_.latest()) sort();
  return {};
}

void Pools::stop() {
  if (session_) session_->stop();
}

std::vector<std::string> Pools::troubles() const {
  std::vector<std::string> troubles;
  if (!serving_) return troubles;
  if (!inventory_) troubles.push_back("nothing is offered to kubelet yet");
  for (const auto& [name, pool] : pools_) {
    if (!pool->is_watched()) troubles.push_back("kubelet does not watch " + name);
  }
  return troubles;
}

std::vector<Pools::Served> Pools::served() const {
  std::vector<Served> served;
  for (const auto& [name, pool] : pools_) served.push_back({pool->view(), pool->is_watched()});
  return served;
}

void Pools::changed(std::optional<TimePoint> event) {
  if (event && !event_) event_ = event;
  sort_.set(host_.clock.now());
}

void Pools::reconfigured() {
  config_is_new_ = true;
  changed(std::nullopt);
}

grant::Places Pools::places() const {
  grant::Places places;
  places.sysfs = host_.roots.sysfs;
  places.run = host_.roots.run;
  places.devinfo = options_.devinfo_dir;
  return places;
}

void Pools::sort() {
  const auto snapshot = node_.latest();
  if (!snapshot) return;
  news_.tell_scan_warnings(snapshot->inventory->warnings());
  if (!serving_) {
    remember(select(*snapshot), *snapshot);
    return;
  }
  const auto event = std::exchange(event_, std::nullopt);
  auto& grants = holders_.ledger().grants();
  const auto before = knowledge_;
  // What is granted meanwhile was decided by what is shown now: it is taken into account first, and
  // what would have been shown is forgotten.
  for (bool shown = false; !shown;) {
    knowledge_ = before;
    const auto count = grants.count();
    holders_.ledger().count_grants();
    const auto selection = select(*snapshot);
    auto views = views_of(selection, snapshot);
    shown = grants.show_if_none_since(count, [&] { show(std::move(views), event); });
    if (!shown) continue;
    remember(selection, *snapshot);
    keep(selection);
    tell(selection);
  }
  config_is_new_ = false;
}

pool::Selection Pools::select(const node::Snapshot& snapshot) {
  forget_changed_resources();
  learn(snapshot);
  auto selection = pool::select(configuration_.config(), *snapshot.inventory, knowledge_);
  node_.set_interest(interest_of(configuration_.config(), options_.scan, *snapshot.inventory,
                                 selection, *holders_.ledger().holdings()));
  judge(snapshot, selection);
  return selection;
}

// What the inventory does not tell.
void Pools::learn(const node::Snapshot& snapshot) {
  const auto& config = configuration_.config();
  const auto& ledger = holders_.ledger();
  knowledge_.sick.clear();
  for (const auto& [device, trouble] : ledger.troubles()) {
    knowledge_.sick[device] = {pool::Cause::undo, trouble};
  }
  const auto& errors = node_.pci_errors();
  for (const auto& function : snapshot.inventory->functions()) {
    auto failed = errors.find(function.address);
    if (failed == errors.end() && function.pf) failed = errors.find(*function.pf);
    if (failed == errors.end()) continue;
    knowledge_.sick[function.address.to_string()] = {
        pool::Cause::pci,
        fmt::format("PCI error of {}: {}", failed->first.to_string(), failed->second)};
  }
  knowledge_.allocated = allocated_as(config);
  if (inventory_) return;
  // It says whose a device is that cannot be told from what is seen of it.
  for (const auto& allocation : ledger.allocations()) {
    knowledge_.members.emplace(pool::configured_name(config, allocation.resource),
                               allocation.device.to_string());
  }
  // Which selectors the rails on disk are of is not known; where no container has one they are
  // free.
  std::erase_if(knowledge_.rails, [&](const auto& rails) {
    return std::ranges::none_of(config.resources, [&](const auto& resource) {
      return resource.full_name() == rails.first &&
             pool::may_have_allocated_rails(resource, knowledge_.allocated);
    });
  });
}

// What containers have, or may have, by the names of this configuration.
std::set<pool::Membership> Pools::allocated_as(const config::Config& config) const {
  std::set<pool::Membership> allocated;
  const auto& ledger = holders_.ledger();
  const auto holdings = ledger.holdings();
  for (const auto& holding : holdings->all()) {
    if (holding.resource.empty()) continue;
    allocated.emplace(pool::configured_name(config, holding.resource), holding.device);
  }
  if (holdings->complete()) return allocated;
  for (const auto& allocation : ledger.allocations()) {
    allocated.emplace(pool::configured_name(config, allocation.resource),
                      allocation.device.to_string());
  }
  return allocated;
}

// Rail numbers that no container has, and devices that were taken before they went to a pod, are
// those of a resource that selected as it does now.
void Pools::forget_changed_resources() {
  const auto& next = configuration_.config();
  if (sorted_ == next) return;
  const auto allocated = allocated_as(sorted_);
  for (const auto& resource : sorted_.resources) {
    const auto name = resource.full_name();
    const auto selects_alike = [&](const config::Resource& other) {
      return other.full_name() == name && other.type == resource.type &&
             other.selectors == resource.selectors && other.rails_auto == resource.rails_auto;
    };
    if (std::ranges::any_of(next.resources, selects_alike)) continue;
    if (!pool::may_have_allocated_rails(resource, allocated)) {
      knowledge_.rails.erase(name);
    }
    std::erase_if(knowledge_.members, [&](const auto& member) { return member.first == name; });
  }
}

// What is seen of health counts after a while; what is known of holders, at once.
void Pools::judge(const node::Snapshot& snapshot, pool::Selection& selection) {
  const auto now = host_.clock.now();
  for (auto& pool : selection.pools) {
    for (auto& member : pool.members) {
      if (member.sickness.empty()) member.cause = pool::Cause::recovering;
      member.sickness =
          hysteresis_.judge(pool.resource.full_name() + ' ' + member.id, member.sickness, now);
      const auto silent = snapshot.silent.find(member.address);
      if (silent == snapshot.silent.end()) continue;
      member.withheld = silence(member.pf.value_or(member.address), silent->second);
      member.sickness = member.withheld;
      member.cause = pool::Cause::silent;
    }
  }
  hysteresis_.forget_others();
  if (const auto due = hysteresis_.due()) sort_.set_if_sooner(*due);

  auto& ledger = holders_.ledger();
  std::map<std::string, std::vector<std::string>> shared;
  for (const auto& pool : selection.pools) {
    if (!pool.resource.sharing) continue;
    for (const auto& member : pool.members) shared[pool.resource.full_name()].push_back(member.id);
  }
  ledger.set_pools(std::move(shared));
  const auto holdings = ledger.holdings();
  std::map<std::string, std::string> last_given_as;
  for (const auto& allocation : ledger.allocations()) {
    last_given_as[allocation.device.to_string()] = allocation.resource;
  }
  auto own = records_.resources();
  for (const auto& pool : selection.pools) own.insert(pool.resource.full_name());
  const bool waits = pool::keep_to_holders({*holdings, last_given_as, own, snapshot.on_bus},
                                           *snapshot.inventory, selection);
  ledger.watch(waits);
}

void Pools::remember(const pool::Selection& selection, const node::Snapshot& snapshot) {
  knowledge_.members = selection.members;
  auto rails = selection.rails;
  rails.merge(knowledge_.rails);  // of resources that the configuration may name again
  knowledge_.rails = std::move(rails);
  knowledge_.rail_map = selection.rail_map;
  inventory_ = snapshot.inventory;
  sorted_ = configuration_.config();
}

// What was shown, for the agent after this one.
void Pools::keep(const pool::Selection& selection) {
  records_.keep_rails(knowledge_.rails);
  records_.keep_rail_map(knowledge_.rail_map);
  std::set<std::string> served;
  for (const auto& pool : selection.pools) served.insert(pool.resource.full_name());
  const auto complete = holders_.ledger().holdings()->complete();
  if (const auto due = records_.keep_resources(served, complete)) sort_.set_if_sooner(*due);
}

// A resource stays with kubelet for as long as the configuration has it, with no devices if need
// be, and after that for as long as a pod has some of it.
Pools::Views Pools::views_of(const pool::Selection& selection,
                             const std::shared_ptr<const node::Snapshot>& snapshot) const {
  const auto read_at = std::shared_ptr<const ReadAt>(snapshot, &snapshot->read_at);
  const auto holdings = holders_.ledger().holdings();
  Views views;
  for (const auto& pool : selection.pools) {
    views[pool.resource.full_name()] = {pool, snapshot->inventory, holdings, read_at};
  }
  for (const auto& [name, pool] : pools_) {
    const auto& resources = configuration_.config().resources;
    const bool is_rail = std::ranges::any_of(resources, [&name = name](const auto& resource) {
      return resource.rails_auto && config::is_rail_of(resource, name);
    });
    if (views.contains(name) || !is_rail || config_is_new_) continue;  // its port is away
    views[name] = {{.resource = pool->view()->pool.resource}, snapshot->inventory, holdings, {}};
  }
  return views;
}

// With the grants' lock: what is shown changes for all pools at once.
void Pools::show(Views views, std::optional<TimePoint> event) {
  changes_.clear();
  for (auto& [name, view] : views) {
    auto& change = changes_[name];
    auto& served = pools_[name];
    if (served && served->has_preference() != ServedPool::prefers(view.pool.resource)) {
      change.ended = std::exchange(served, nullptr);
    }
    if (served) {
      change.before = served->view();
      change.devices = served->show(std::move(view), event);
    } else {
      served = std::make_shared<ServedPool>(std::move(view), places(), options_.cdi,
                                            holders_.answers(), metrics_, log_);
      change.is_new = true;
    }
  }
  for (auto& [name, served] : pools_) {
    if (!views.contains(name)) changes_[name].ended = std::exchange(served, nullptr);
  }
  for (const auto& [name, change] : changes_) {
    if (change.ended) change.ended->end();
  }
  std::erase_if(pools_, [](const auto& one) { return !one.second; });
}

// To kubelet, the runtime and the log, what was shown.
void Pools::tell(const pool::Selection& selection) {
  news_.tell_left_out(selection.left_out);
  for (const auto& [name, change] : changes_) {
    if (change.ended) {
      log_.info("pool ends", {{"resource", name}});
      session_->remove(change.ended);
    }
    const auto found = pools_.find(name);
    if (found == pools_.end()) continue;
    const auto& served = found->second;
    const auto& pool = served->view()->pool;
    news_.note_health(change.before ? change.before->pool : pool::Pool{}, pool);
    tell_if_empty(change.before ? &change.before->pool : nullptr, pool);
    served->write_cdi_spec();
    if (change.is_new) {
      log_.info("pool", {{"resource", name}, {"devices", pool.members.size()}});
      session_->add(served);
    } else if (change.devices) {
      log_.info("pool changed", {{"resource", name}, {"devices", pool.members.size()}});
      session_->devices_changed(*served);
    }
  }
  news_.tell_devices();
  changes_.clear();
  remove_stale_files();
}

// Files that the runtime and CNI plugins read, of resources and devices that are gone.
void Pools::remove_stale_files() {
  if (config_is_new_ && options_.cdi) {
    std::vector<grant::ResourceName> resources;
    for (const auto& [name, pool] : pools_) {
      resources.push_back(pool::name_of(pool->view()->pool.resource));
    }
    const auto removed = grant::remove_stale_cdi_specs(options_.cdi->folder, resources);
    if (!removed) log_.warning("stale CDI specs stay", {{"error", removed.error().message}});
  }
  const auto removed = grant::remove_stale_devinfo(*inventory_, places());
  if (!removed) {
    log_.warning("cannot remove the devinfo of a device that is gone",
                 {{"error", removed.error().message}});
  }
}

void Pools::tell_if_empty(const pool::Pool* before, const pool::Pool& now) {
  const bool had_none = before && before->members.empty();
  if (!now.members.empty() || !now.leftovers.empty() || had_none) return;
  log_.warning("no device of this node fits the resource; it is offered with none",
               {{"resource", now.resource.full_name()}});
}

}  // namespace railhead::app
