#include "plugin/node/scanner.hpp"

#include <algorithm>
#include <utility>

#include "base/text.hpp"

namespace railhead::node {

// What a group's worker brings back. Shared only because jobs are copied on their way.
struct Scanner::GroupResult {
  std::shared_ptr<const device::GroupFacts> facts;  // null: not read
  device::PortsByDevice ports;
  std::map<std::string, std::unique_ptr<host::PortEvents>> opened;  // null: cannot be heard of
};

// What a group's worker is to do, and all that it touches.
struct Scanner::GroupJob {
  std::shared_ptr<const Adapters> adapters;
  std::shared_ptr<const device::ScanOptions> options;
  host::Roots roots;
  device::FunctionGroup members;
  std::shared_ptr<const device::GroupFacts> facts;  // of before
  std::shared_ptr<const device::LinkFacts> links;
  std::shared_ptr<const device::RdmaFacts> rdma;
  std::vector<std::string> open;  // RDMA devices whose ports are to be heard of
  bool functions_wanted = false;
  [[nodiscard]] Result<GroupResult> run() const;
};

namespace {

// Whether some of it could not be read.
bool is_incomplete(const device::LinkFacts& /*facts*/) { return false; }
bool is_incomplete(const device::GroupFacts& facts) {
  return !facts.warnings.empty() || facts.is_early;
}
template <class Facts>
bool is_incomplete(const Facts& facts) {
  return !facts.warnings.empty();
}

}  // namespace

Scanner::Scanner(Loop& loop, const Clock& clock, Adapters adapters, host::Roots roots, Logger& log,
                 std::function<void()> changed)
    : loop_(loop),
      clock_(clock),
      adapters_(std::make_shared<const Adapters>(std::move(adapters))),
      roots_(std::move(roots)),
      log_(log),
      changed_(std::move(changed)),
      options_(std::make_shared<const device::ScanOptions>()),
      links_(loop.poster(), "the network links"),
      rdma_(loop.poster(), "the RDMA devices"),
      bus_(loop.poster(), "the PCI bus"),
      deadline_(loop, [this] { give_up_late(); }),
      patience_(loop, [this] { publish(); }),
      retry_(loop, [this] { retry(); }) {}

Scanner::~Scanner() = default;

std::vector<Scanner::Reading*> Scanner::readings() {
  std::vector<Reading*> all{&links_, &rdma_, &bus_};
  for (auto& [head, group] : groups_) {
    if (!group->gone) all.push_back(group.get());
  }
  return all;
}

std::vector<const Scanner::Reading*> Scanner::readings() const {
  std::vector<const Reading*> all{&links_, &rdma_, &bus_};
  for (const auto& [head, group] : groups_) {
    if (!group->gone) all.push_back(group.get());
  }
  return all;
}

size_t Scanner::pending() const {
  return static_cast<size_t>(
      std::ranges::count_if(readings(), [](const auto* one) { return one->pending(); }));
}

std::vector<std::string> Scanner::troubles() const {
  std::vector<std::string> troubles;
  for (const auto* reading : readings()) {
    if (reading->silent) {
      const auto since =
          std::chrono::duration_cast<std::chrono::seconds>(clock_.now() - reading->started);
      troubles.push_back(fmt::format("{}: no answer since {} s", reading->name, since.count()));
    } else if (!reading->failure.empty()) {
      troubles.push_back(fmt::format("{}: {}", reading->name, reading->failure));
    }
  }
  return troubles;
}

Scanner::Group* Scanner::group_of(const PciAddress& function) {
  for (auto& [head, group] : groups_) {
    const auto& members = group->members.functions;
    if (std::binary_search(members.begin(), members.end(), function)) return group.get();
  }
  return nullptr;
}

void Scanner::configure(device::ScanOptions options) {
  if (options == *options_) return;
  auto same_functions = options;
  same_functions.ports_of = options_->ports_of;
  same_functions.all_ports = options_->all_ports;
  const bool only_ports = same_functions == *options_;
  options_ = std::make_shared<const device::ScanOptions>(std::move(options));
  if (!begun_) return;
  look(only_ports ? Wanted{.ports = true} : Wanted::everything());
}

void Scanner::look(const Wanted& wanted) {
  begun_ = true;
  links_.wanted |= wanted.links;
  rdma_.wanted |= wanted.rdma;
  bus_.wanted |= wanted.bus;
  for (auto& [head, group] : groups_) {
    if (group->gone) continue;
    if (wanted.all_functions) group->functions_wanted = group->wanted = true;
    // A port follows its netdev.
    const bool asks = wanted.ports || wanted.links || wanted.rdma;
    if (asks && group->facts && rdma_.facts) {
      group->wanted |= !devices_to_ask(*group->facts, *rdma_.facts, *options_).empty();
    }
  }
  for (const auto& function : wanted.functions) {
    if (auto* group = group_of(function)) {
      group->functions_wanted = group->wanted = true;
    } else {
      bus_.wanted = true;
    }
  }
  proceed();
}

// Groups are read when it is known what there is, and joined with links and RDMA devices as they
// are now. A source that does not answer is not waited for.
void Scanner::proceed() {
  std::erase_if(groups_, [](const auto& one) { return one.second->gone && one.second->idle(); });
  if (links_.wanted && !links_.worker.busy()) read_links();
  if (rdma_.wanted && !rdma_.worker.busy()) read_rdma();
  if (bus_.wanted && !bus_.worker.busy()) read_bus();
  if (!links_.pending() && !rdma_.pending() && !bus_.pending()) {
    for (auto& [head, group] : groups_) {
      if (!group->gone && group->wanted && !group->worker.busy()) read_group(*group);
    }
  }
  deadline_.cancel();
  publish_in_time();
  for (const auto* reading : readings()) {
    if (reading->pending() && reading->worker.busy()) {
      deadline_.set_if_sooner(reading->started + kDeadline);
    }
  }
}

void Scanner::publish_in_time() {
  if (pending() == 0) {
    patience_.cancel();
    publish();
  } else if (latest_) {
    if (!patience_.due()) patience_.set(clock_.now() + kPatience);
  } else if (std::ranges::any_of(groups_,
                                 [](const auto& one) { return one.second->facts != nullptr; })) {
    patience_.set(clock_.now() + kPatience);
  }
}

void Scanner::retry() {
  for (auto* reading : readings()) reading->wanted |= !reading->failure.empty();
  rdma_.wanted |= rdma_.incomplete;
  bus_.wanted |= bus_.incomplete;
  for (auto& [head, group] : groups_) {
    close_some(*group);
    if (!group->gone && group->incomplete) group->functions_wanted = group->wanted = true;
  }
  proceed();
}

void Scanner::give_up_late() {
  const auto now = clock_.now();
  for (auto* reading : readings()) {
    if (!reading->pending() || !reading->worker.busy() || reading->started + kDeadline > now) {
      continue;
    }
    reading->silent = true;
    log_.warning("no answer; going on without it", {{"what", reading->name}});
  }
  proceed();
}

void Scanner::begin(Reading& reading, Worker::Job job) {
  reading.wanted = false;
  reading.started = clock_.now();
  reading.started_at = std::chrono::system_clock::now();
  if (auto begun = reading.worker.start(std::move(job)); !begun) {
    reading.failure = begun.error().message;
    log_.error("cannot read", {{"what", reading.name}, {"error", reading.failure}});
    retry_.set_if_sooner(clock_.now() + kRetry);
  }
}

// What came back late was begun long ago: it is read again.
void Scanner::ended(Reading& reading) {
  if (!std::exchange(reading.silent, false)) return;
  log_.info("answers again", {{"what", reading.name}});
  reading.wanted = true;
}

template <class Facts>
void Scanner::read(Source<Facts>& source, std::function<Result<Facts>()> job) {
  begin(source, [this, &source, job = std::move(job)]() -> Worker::Finish {
    auto facts = std::make_shared<Result<Facts>>(job());
    return [this, &source, facts] {
      ended(source);
      if (*facts) {
        source.failure.clear();
        source.facts = std::make_shared<const Facts>(std::move(**facts));
        source.incomplete = is_incomplete(*source.facts);
        if (source.incomplete) retry_.set_if_sooner(clock_.now() + kRetry);
        if constexpr (std::is_same_v<Facts, device::BusFacts>) took_bus();
      } else {
        if (source.failure != facts->error().message) {
          log_.error("cannot read", {{"what", source.name}, {"error", facts->error().message}});
        }
        source.failure = facts->error().message;
        retry_.set_if_sooner(clock_.now() + kRetry);
      }
      proceed();
    };
  });
}

void Scanner::read_links() {
  read<device::LinkFacts>(links_, [adapters = adapters_]() -> Result<device::LinkFacts> {
    const auto links = adapters->links();
    if (!links) return pass(links);
    return device::read_links(**links);
  });
}

void Scanner::read_rdma() {
  read<device::RdmaFacts>(rdma_, [adapters = adapters_]() -> Result<device::RdmaFacts> {
    const auto rdma = adapters->rdma();
    if (!rdma) return pass(rdma);
    return device::read_rdma_facts(**rdma);
  });
}

void Scanner::read_bus() {
  read<device::BusFacts>(bus_, [sysfs = roots_.sysfs, options = options_] {
    return device::read_bus(sysfs, *options);
  });
}

void Scanner::took_bus() {
  std::set<PciAddress> heads;
  for (const auto& members : bus_.facts->groups) {
    heads.insert(members.head);
    auto& group = groups_[members.head];
    if (!group) group = std::make_unique<Group>(loop_.poster(), members.head.to_string());
    if (group->gone || group->members != members) {
      group->gone = false;
      ++group->incarnation;
      group->members = members;
      group->functions_wanted = group->wanted = true;
    }
  }
  for (auto& [head, group] : groups_) {
    if (!group->gone && !heads.contains(head)) retire(*group);
  }
}

// One that comes back while a thread still hangs in what it was before gets no second thread.
void Scanner::retire(Group& group) {
  std::vector<std::string> over;
  for (const auto& [name, followed] : followed_) {
    if (followed.head == group.members.head) over.push_back(name);
  }
  for (const auto& name : over) stop_following(name);
  group.gone = true;
  group.members.functions.clear();
  group.facts.reset();
  group.ports.clear();
}

Result<Scanner::GroupResult> Scanner::GroupJob::run() const {
  GroupResult result;
  auto current = facts;
  if (functions_wanted || !current) {
    const auto devlink = adapters->devlink();
    if (!devlink) return pass(devlink);
    current = result.facts = std::make_shared<const device::GroupFacts>(
        device::read_group(roots, members, {*links, *rdma}, **devlink, *options));
  }
  const auto asked = devices_to_ask(*current, *rdma, *options);
  if (!asked.empty()) {
    const auto adapter = adapters->rdma();
    if (!adapter) return pass(adapter);
    for (const auto& one : asked) result.ports[one.name] = device::read_ports(**adapter, one);
  }
  for (const auto& name : open) result.opened[name] = adapters->port_events(name);
  return result;
}

void Scanner::read_group(Group& group) {
  const auto began = clock_.now();
  GroupJob read{adapters_,     options_,     roots_,         group.members,         group.facts,
                known(links_), known(rdma_), to_open(group), group.functions_wanted};
  begin(group,
        [this, &group, read = std::move(read), began,
         incarnation = group.incarnation]() -> Worker::Finish {
          const auto result = std::make_shared<Result<GroupResult>>(read.run());
          return [this, &group, result, began, incarnation] {
            ended(group);
            if (group.gone || incarnation != group.incarnation) {  // what it read is there no more
              if (*result) close_opened(group, std::move(**result));
              return proceed();
            }
            group.failure = *result ? "" : result->error().message;
            if (*result) {
              if ((*result)->facts) group.facts_from = began;
              took(group, std::move(**result));
            } else {
              log_.error("cannot read", {{"what", group.name}, {"error", group.failure}});
              group.functions_wanted = true;
              retry_.set_if_sooner(clock_.now() + kRetry);
            }
            proceed();
          };
        });
  if (group.worker.busy()) group.functions_wanted = false;  // else there was no thread for it
}

void Scanner::close_opened(Group& group, GroupResult result) {
  for (auto& [name, events] : result.opened) close_soon(group, std::move(events));
}

void Scanner::took(Group& group, GroupResult result) {
  group.ports = std::move(result.ports);
  for (auto& [name, events] : result.opened) {
    stop_following(name);  // it was another PF's before
    auto& followed = followed_[name];
    followed = {group.members.head, std::move(events), {}};
    if (!followed.events) continue;
    auto watch = loop_.watch(followed.events->fd(), [this, name = name] { heard(name); });
    if (watch) followed.watch = std::move(*watch);
    if (!watch || !to_follow_.contains(name)) stop_following(name);
  }
  if (!result.facts) return;
  group.facts = std::move(result.facts);
  group.incomplete = is_incomplete(*group.facts);
  if (group.incomplete) retry_.set_if_sooner(clock_.now() + kRetry);
  // What has gone, or could not be heard of while it was as it was before.
  std::vector<std::string> over;
  for (const auto& [name, followed] : followed_) {
    if (followed.head != group.members.head) continue;
    const auto is_this = [&name = name](const auto& device) {
      return device.name == name && device.in_host_namespace;
    };
    const bool here = std::ranges::any_of(group.facts->functions, [&](const auto& function) {
      return std::ranges::any_of(function.rdma, is_this);
    });
    if (!here || (!followed.events && !result.opened.contains(name))) over.push_back(name);
  }
  for (const auto& name : over) stop_following(name);
  if (!to_open(group).empty()) group.wanted = true;
}

// While the kernel does not tell its links nobody knows which devices the node itself lives by:
// none is given, but what pods hold is theirs.
void Scanner::publish() {
  const bool no_links = !links_.facts;
  if (!bus_.facts || (no_links && !links_.silent)) return;
  auto snapshot = std::make_shared<Snapshot>();
  std::vector<const device::GroupFacts*> facts;
  device::PortsByDevice ports;
  for (const auto& [head, group] : groups_) {
    if (group->gone) continue;
    for (const auto& function : group->members.functions) {
      snapshot->on_bus.insert(function);
      if (no_links) snapshot->silent[function] = links_.started_at;
      if (group->silent) snapshot->silent[function] = group->started_at;
      if (group->facts) snapshot->read_at[function] = group->facts_from;
    }
    if (!group->facts) continue;
    facts.push_back(group->facts.get());
    ports.insert(group->ports.begin(), group->ports.end());
  }
  snapshot->inventory = std::make_shared<const device::Inventory>(
      device::assemble(*known(links_), rdma_.facts ? *rdma_.facts : device::RdmaFacts{},
                       *bus_.facts, facts, ports, *options_));
  const bool changed = !latest_ || *latest_->inventory != *snapshot->inventory ||
                       latest_->silent != snapshot->silent || latest_->on_bus != snapshot->on_bus;
  latest_ = std::move(snapshot);
  if (changed) changed_();
}

}  // namespace railhead::node
