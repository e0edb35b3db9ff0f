#include "plugin/app/daemon.hpp"

#include <algorithm>
#include <cerrno>
#include <set>
#include <utility>

#include <sys/epoll.h>

#include "base/text.hpp"
#include "device/scan.hpp"
#include "plugin/app/inputs.hpp"
#include "plugin/grant/devinfo.hpp"
#include "plugin/health/held.hpp"
#include "plugin/pool/ask.hpp"
#include "plugin/pool/rails.hpp"
#include "plugin/pool/remembered.hpp"

namespace railhead::app {
namespace {

constexpr std::chrono::seconds kRetry{10};  // after a look that failed
constexpr std::chrono::seconds kModeCheck{30};
constexpr std::string_view kBegun = "BEGIN_RECOVERY";
constexpr std::chrono::seconds kPortCheck{10};
constexpr std::chrono::seconds kMoving{1};  // while an ADD or DEL is at work on a device in sight

// In exclusive mode the devices of a shared pool cannot be used by ordinary pods.
bool needs_shared_mode(const config::Config& config) {
  return std::ranges::any_of(config.resources, [](const config::Resource& resource) {
    return resource.sharing && !resource.sharing->host_network_only;
  });
}

bool has_rails(const config::Config& config) {
  return std::ranges::any_of(config.resources, &config::Resource::rails_auto);
}

Result<UniqueFd> epoll_of(std::initializer_list<int> fds) {
  UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return fail_errno(errno, "epoll_create1");
  for (const int fd : fds) {
    epoll_event readable{};
    readable.events = EPOLLIN;
    if (epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &readable) != 0) {
      return fail_errno(errno, "epoll_ctl");
    }
  }
  return epoll;
}

}  // namespace

Daemon::Daemon(const Options& options, const host::Host& host, host::Events& events,
               metrics::Metrics& metrics, Logger& log, ConfigWatch config_watch,
               host::FolderWatch records_watch, UniqueFd epoll)
    : options_(options),
      host_(host),
      events_(events),
      metrics_(metrics),
      log_(log),
      news_(log),
      config_watch_(std::move(config_watch)),
      records_watch_(std::move(records_watch)),
      epoll_(std::move(epoll)),
      gpus_(options.kubelet_dir, host.roots.proc) {}

Result<std::unique_ptr<Daemon>> Daemon::start(const Options& options, const host::Host& host,
                                              host::Events& events, metrics::Metrics& metrics,
                                              Logger& log) {
  auto watch = ConfigWatch::open(options.config_file);  // before it is read, so that no change
  if (!watch) return pass(watch);                       // falls between
  auto records = host::FolderWatch::open();
  if (!records) return pass(records);
  auto epoll = epoll_of({events.fd(), watch->fd(), records->fd()});
  if (!epoll) return pass(epoll);
  std::unique_ptr<Daemon> daemon(new Daemon(options, host, events, metrics, log, std::move(*watch),
                                            std::move(*records), std::move(*epoll)));
  if (auto begun = daemon->begin(); !begun) return pass(begun);
  return daemon;
}

Result<void> Daemon::begin() {
  const attach::Store records(host_.roots.run);
  if (auto made = records.prepare(); !made) return pass(made, "records of attachments");
  const auto watching = records_watch_.add(records.folder());
  if (!watching) return pass(watching, "records of attachments");
  auto parsed = read_config(options_);
  news_.tell(parsed, options_.config_file);
  if (!parsed.errors.empty()) {
    return fail(ErrorCode::invalid_argument, "the configuration {} is wrong", options_.config_file);
  }
  config_ = std::move(parsed.config);
  metrics_.config_read(true);
  knowledge_ = read_knowledge(config_, host_.roots.run, log_);
  rails_on_disk_ = knowledge_.rails;
  // Which selectors they are of is not on disk; where no container has one they are free.
  std::erase_if(knowledge_.rails, [&](const auto& rails) {
    return std::ranges::none_of(config_.resources, [&](const auto& resource) {
      return resource.full_name() == rails.first &&
             pool::may_have_allocated_rails(resource, knowledge_.allocated);
    });
  });
  if (auto looked = look("start"); !looked) return looked;

  kubelet::KubeletSession::Pools services;
  for (const auto& [name, pool] : pools_) services.push_back(pool);
  kubelet::KubeletSession::Options session;
  session.kubelet_dir = options_.kubelet_dir;
  auto started = kubelet::KubeletSession::start(session, services, log_);
  if (!started) return pass(started, "cannot serve kubelet");
  session_ = std::move(*started);
  return {};
}

std::optional<Daemon::TimePoint> Daemon::due() const {
  std::optional<TimePoint> first;
  for (const auto& one : {events_seen_.due(), config_seen_.due(), rescan_, mode_check_, port_check_,
                          judgement_due()}) {
    if (one && (!first || *one < *first)) first = one;
  }
  return first;
}

// Only a look that succeeds judges; after one that failed the next has its own time.
std::optional<Daemon::TimePoint> Daemon::judgement_due() const {
  return look_failed_ ? std::nullopt : hysteresis_.due();
}

void Daemon::turn() {
  const auto now = host_.clock.now();
  const auto batch = events_.read();
  if (batch.lost) log_.warning("events were lost; the whole node is looked at");
  if (!batch.empty()) {
    events_seen_.event(now);
    events_lost_ = events_lost_ || batch.lost;
    if (log_.enabled(LogLevel::debug)) log_.debug("events", {{"causes", join(batch.causes, "; ")}});
  }
  // What is lost may be the end of a recovery.
  if (batch.lost) std::erase_if(recovering_, [](auto& one) { return one.second == kBegun; });
  for (const auto& recovery : batch.recoveries) note_recovery(recovery);
  if (!records_watch_.read_names().empty()) events_seen_.event(now);
  if (config_watch_.touched()) config_seen_.event(now);

  const auto is_due = [now](const std::optional<TimePoint>& due) { return due && *due <= now; };
  if (is_due(config_seen_.due())) {
    config_seen_.looking(now);
    read_config_file();
  }
  const bool by_events = is_due(events_seen_.due());
  if (config_is_new_ || by_events || is_due(rescan_) || is_due(judgement_due())) {
    const auto first = events_seen_.first();
    const bool lost = std::exchange(events_lost_, false);
    events_seen_.looking(now);
    // It has logged what failed, and is tried again.
    (void)look(lost             ? "lost_events"
               : by_events      ? "event"
               : config_is_new_ ? "config"
                                : "timer",
               first);
  }
  if (is_due(mode_check_)) check_rdma_mode();
  if (is_due(port_check_)) check_ports();
}

void Daemon::reload() {
  read_config_file();
  (void)look("signal");
}

void Daemon::read_config_file() {
  auto parsed = read_config(options_);
  news_.tell(parsed, options_.config_file);
  config_current_ = parsed.errors.empty();
  metrics_.config_read(config_current_);
  if (!config_current_) {
    log_.error("the new configuration is wrong; the old one stays in force",
               {{"file", options_.config_file}});
    return;
  }
  if (parsed.config == config_) return;
  forget_changed_resources(parsed.config);
  config_ = std::move(parsed.config);
  config_is_new_ = true;
  log_.info("new configuration",
            {{"file", options_.config_file}, {"resources", config_.resources.size()}});
}

// Rail numbers that no container has, and devices that were taken before they went to a pod, are
// those of a resource that selected as it does now.
void Daemon::forget_changed_resources(const config::Config& next) {
  const auto allocated = pool::read_allocated(config_, host_.roots.run);
  for (const auto& resource : config_.resources) {
    const auto name = resource.full_name();
    const auto selects_alike = [&](const config::Resource& other) {
      return other.full_name() == name && other.type == resource.type &&
             other.selectors == resource.selectors && other.rails_auto == resource.rails_auto;
    };
    if (std::ranges::any_of(next.resources, selects_alike)) continue;
    if (!pool::may_have_allocated_rails(resource, allocated)) knowledge_.rails.erase(name);
    std::erase_if(knowledge_.members, [&](const auto& member) { return member.first == name; });
  }
}

// RDMA devices belong to namespaces or are seen by all: the kernel tells nobody when that is
// changed (tried on 6.12), which it allows only while no other namespace exists.
void Daemon::check_rdma_mode() {
  mode_check_ = host_.clock.now() + kModeCheck;
  const auto mode = host_.rdma.netns_mode();
  if (mode && *mode != inventory_->rdma_netns_mode()) (void)look("rdma_mode");
}

Daemon::State Daemon::state() const {
  State state{inventory_, {}, config_current_};
  for (const auto& [name, pool] : pools_) state.pools.push_back({pool->view(), pool->is_watched()});
  return state;
}

bool Daemon::session_takes_turns(std::chrono::milliseconds limit) const {
  return session_->takes_turns(limit);
}

// RDMA netlink tells of no port that goes down. Verbs do, of PFs that can be opened; with a RoCE
// port its netdev's carrier goes too; what is left is asked now and then. Of VFs only where a pod
// depends on it: a log line is not worth the asking.
void Daemon::follow_ports(const pool::Selection& selection) {
  bool matters = false;
  std::set<std::string> vfs;
  for (const auto& pool : selection.pools) {
    matters |= pool.resource.health.rdma != config::Concern::ignore;
    if (pool.resource.health.rdma != config::Concern::require) continue;
    for (const auto& member : pool.members) vfs.insert(member.id);
  }
  const auto ports = matters ? health::ports_of(*inventory_, vfs) : health::Ports{};
  std::vector<std::string> names;
  for (const auto* device : ports.of_pfs) names.push_back(device->name);
  const auto unheard = events_.follow_ports(names);
  polled_ = ports.of_vfs;
  for (const auto* device : ports.of_pfs) {
    if (std::ranges::find(unheard, device->name) != unheard.end() &&
        ports.untold.contains(device->name)) {
      polled_.push_back(device);
    }
  }
  port_check_.reset();
  if (!polled_.empty()) port_check_ = host_.clock.now() + kPortCheck;
}

void Daemon::check_ports() {
  port_check_ = host_.clock.now() + kPortCheck;
  bool changed = false;
  for (const auto* device : polled_) {
    if (!device->index) continue;
    const auto ask = [&](uint32_t number) {
      metrics_.port_polled();
      return host_.rdma.port(*device->index, number);
    };
    // In error state at the last look, it could not tell its ports then.
    if (device->ports.empty()) changed |= ask(1).has_value();
    for (const auto& was : device->ports) {
      const auto now = ask(was.number);
      changed |= !now || *now != was;
    }
  }
  if (changed) (void)look("timer");
}

Result<void> Daemon::look(const std::string& reason, std::optional<TimePoint> event) {
  metrics_.rescanned(reason);
  rescan_.reset();
  look_began_ = host_.clock.now();
  auto wanted = pool::scan_options(config_, options_.scan);
  wanted.all_ports = true;
  auto inventory = device::scan(host_, wanted);
  look_failed_ = !inventory;
  if (!inventory) {
    log_.error("cannot look at the node's devices", {{"error", inventory.error().message}});
    rescan_ = host_.clock.now() + kRetry;
    return pass(inventory);
  }
  if (config_.rescan) rescan_ = host_.clock.now() + std::max(*config_.rescan, kRetry);
  mode_check_.reset();
  if (needs_shared_mode(config_)) mode_check_ = host_.clock.now() + kModeCheck;
  news_.tell_scan_warnings(inventory->warnings());
  inventory_ = std::make_shared<const device::Inventory>(std::move(*inventory));
  gather_sickness();
  if (has_rails(config_)) {
    knowledge_.allocated = pool::read_allocated(config_, host_.roots.run);
  }
  auto selection = pool::select(config_, *inventory_, knowledge_);
  follow_ports(selection);
  keep_rails(selection.rails);
  knowledge_.members = selection.members;
  judge(selection);
  show(std::move(selection), event);
  if (auto removed = grant::remove_stale_devinfo(*inventory_, places()); !removed) {
    log_.warning("cannot remove the devinfo of a device that is gone",
                 {{"error", removed.error().message}});
  }
  return {};
}

// A pod that runs on after this agent has its device by a rail's number.
void Daemon::keep_rails(pool::Rails rails) {
  rails.merge(knowledge_.rails);  // of resources that the configuration may name again
  knowledge_.rails = std::move(rails);
  if (knowledge_.rails == rails_on_disk_) return;
  if (auto written = pool::write_rails(host_.roots.run, knowledge_.rails); !written) {
    log_.error("a restart will number the rails anew", {{"error", written.error().message}});
    return;
  }
  rails_on_disk_ = knowledge_.rails;
}

grant::Places Daemon::places() const {
  return {host_.roots.sysfs, host_.roots.run, options_.devinfo_dir};
}

// A pool stays with kubelet for as long as the configuration does, with no devices if need be.
void Daemon::show(pool::Selection selection, std::optional<TimePoint> event) {
  news_.tell_left_out(selection.left_out);
  tell_of_empty_pools(selection);
  std::set<std::string> shown;
  for (auto& pool : selection.pools) {
    shown.insert(pool.resource.full_name());
    show(std::move(pool), event);
  }
  std::vector<std::string> others;
  for (const auto& [name, served] : pools_) {
    if (!shown.contains(name)) others.push_back(name);
  }
  for (const auto& name : others) {
    if (config_is_new_) {
      log_.info("pool ends", {{"resource", name}});
      session_->remove(pools_.at(name));
      pools_.erase(name);
    } else {
      show({pools_.at(name)->view()->pool.resource, {}}, event);
    }
  }
  if (config_is_new_ && options_.use_cdi) remove_stale_cdi_specs();
  config_is_new_ = false;
}

void Daemon::remove_stale_cdi_specs() {
  std::vector<grant::ResourceName> resources;
  for (const auto& [name, served] : pools_) {
    resources.push_back(pool::name_of(served->view()->pool.resource));
  }
  const auto removed = grant::remove_stale_cdi_specs(options_.cdi.folder, resources);
  if (!removed) log_.warning("stale CDI specs stay", {{"error", removed.error().message}});
}

void Daemon::show(pool::Pool pool, std::optional<TimePoint> event) {
  const auto name = pool.resource.full_name();
  const auto count = pool.members.size();
  auto& served = pools_[name];
  if (served && served->has_preference() != ServedPool::prefers(pool.resource)) {
    session_->remove(served);
    served.reset();
  }
  news_.tell_health(served ? served->view()->pool : pool::Pool{}, pool);
  if (!served) {
    log_.info("pool", {{"resource", name}, {"devices", count}});
    const auto cdi = options_.use_cdi ? std::optional(options_.cdi) : std::nullopt;
    served = std::make_shared<ServedPool>(PoolView{std::move(pool), inventory_, look_began_},
                                          places(), cdi, gpus_, metrics_, log_);
    if (session_) session_->add(served);
  } else if (served->show({std::move(pool), inventory_, look_began_}, event)) {
    log_.info("pool changed", {{"resource", name}, {"devices", count}});
    session_->devices_changed(*served);
  }
}

void Daemon::note_recovery(const host::PciRecovery& recovery) {
  const auto function = PciAddress::parse(recovery.function);
  if (!function) return;
  if (recovery.step.empty()) {
    recovering_.erase(*function);
    return;
  }
  log_.warning("PCI error", {{"device", recovery.function}, {"step", recovery.step}});
  if (recovery.step == "SUCCESSFUL_RECOVERY") {
    recovering_.erase(*function);
  } else {
    recovering_[*function] = recovery.step;
  }
}

// What the inventory does not tell: PCI errors, and pods that ended without giving back.
void Daemon::gather_sickness() {
  auto held = health::look_at_records(attach::Store(host_.roots.run), host_.locks, *inventory_);
  news_.tell_unreadable_records(held.unreadable);
  if (held.is_moving) {
    const auto again = host_.clock.now() + kMoving;
    rescan_ = rescan_ ? std::min(*rescan_, again) : again;
  }
  knowledge_.sick = std::move(held.sick);
  std::erase_if(recovering_, [&](const auto& one) { return !inventory_->find(one.first); });
  for (const auto& function : inventory_->functions()) {
    auto failed = recovering_.find(function.address);
    if (failed == recovering_.end() && function.pf) failed = recovering_.find(*function.pf);
    if (failed == recovering_.end()) continue;
    knowledge_.sick[function.address] =
        fmt::format("PCI error of {}: {}", failed->first.to_string(), failed->second);
  }
}

void Daemon::judge(pool::Selection& selection) {
  const auto now = host_.clock.now();
  for (auto& pool : selection.pools) {
    for (auto& member : pool.members) {
      member.sickness =
          hysteresis_.judge(pool.resource.full_name() + ' ' + member.id, member.sickness, now);
    }
  }
  hysteresis_.forget_others();
}

void Daemon::tell_of_empty_pools(const pool::Selection& selection) {
  for (const auto& pool : selection.pools) {
    const auto served = pools_.find(pool.resource.full_name());
    const bool had_none = served != pools_.end() && served->second->view()->pool.members.empty();
    if (!pool.members.empty() || had_none) continue;
    log_.warning("no device of this node fits the resource; it is offered with none",
                 {{"resource", pool.resource.full_name()}});
  }
}

}  // namespace railhead::app
