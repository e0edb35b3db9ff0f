#include "cni/admin/admin.hpp"

#include <csignal>
#include <set>

#include <unistd.h>

#include "attach/attachments.hpp"
#include "base/deadline.hpp"
#include "base/loop.hpp"
#include "base/text.hpp"
#include "cni/meta/pod_undo.hpp"
#include "cni/meta/pods.hpp"
#include "host/files.hpp"
#include "host/folder_watch.hpp"
#include "ipam/rails.hpp"

namespace railhead::cni {

using attach::Reconciled;
using Verb = AdminCommand::Verb;

namespace {

constexpr std::chrono::minutes kBudget{5};  // nobody waits for these but a person

constexpr std::string_view kStateHelp =
    "usage: railhead state [--json]\n"
    "\n"
    "Lists the devices that attachments have on record on this node, with their pods, the pods "
    "that\n"
    "the meta plugin gave their networks, and what a former undo could not give back. Changes "
    "nothing.\n"
    "\n"
    "  held         a pod has the device\n"
    "  in work      an ADD or DEL is at work on it\n"
    "  gone         the device is back in the host, and not given back yet: reconcile does it\n"
    "  quarantined  it is not as it must be, and no pod gets it before it is; the reason is told\n"
    "  stale        of a boot before this one\n"
    "  unknown      what stands there cannot be read; the reason is told\n"
    "\n"
    "Pods are attached, in work, or stale; or pending: a DEL did not come to its end, and the next "
    "one,\n"
    "GC or reconcile goes on.\n"
    "\n"
    "Exit code 0, whatever is listed; 1: it could not be done; 2: wrong arguments.\n";

constexpr std::string_view kReconcileHelp =
    "usage: railhead reconcile [--dry-run] [--watch]\n"
    "\n"
    "Gives back the networks of pods whose namespace is gone, by their plugins, and the devices "
    "of\n"
    "attachments that no longer have them; mends those in quarantine, and\n"
    "tries again what a former undo owes. Acts on positive evidence only: it never takes a device\n"
    "out of a namespace that exists.\n"
    "\n"
    "  --dry-run  says what it would do\n"
    "  --watch    goes on: at each change of the node's devices, and every 30 s\n"
    "\n"
    "Exit code 3: something was left that is not as it must be; 1: it could not be done.\n";

constexpr std::string_view kReleaseHelp =
    "usage: railhead release DEVICE [--force]\n"
    "       railhead release --all\n"
    "\n"
    "Gives back one device, \"0000:3b:00.2\", as its record says it was, or all that no pod "
    "holds.\n"
    "\n"
    "  --force  also from a pod that lives: the pod loses the device; and where the record cannot "
    "be\n"
    "           read: the device becomes what it was before, once it is back in the host\n"
    "\n"
    "Exit code 3: something was left, or is held; 1: it could not be done, or nothing is on "
    "record.\n";

std::string_view help_of(Verb verb) {
  switch (verb) {
    case Verb::state:
      return kStateHelp;
    case Verb::reconcile:
      return kReconcileHelp;
    case Verb::release:
      break;
  }
  return kReleaseHelp;
}

std::optional<Verb> parse_verb(std::string_view text) {
  if (text == "state") return Verb::state;
  if (text == "reconcile") return Verb::reconcile;
  if (text == "release") return Verb::release;
  return std::nullopt;
}

// The switch of that name, where the subcommand has it.
bool* switch_of(AdminCommand& command, std::string_view name) {
  if (command.verb == Verb::state && name == "--json") return &command.json;
  if (command.verb == Verb::reconcile && name == "--dry-run") return &command.dry_run;
  if (command.verb == Verb::reconcile && name == "--watch") return &command.watch;
  if (command.verb == Verb::release && name == "--all") return &command.all;
  if (command.verb == Verb::release && name == "--force") return &command.force;
  return nullptr;
}

Answer failed(const Error& error) { return {1, {}, fmt::format("railhead: {}\n", error.message)}; }

Answer told(const Result<Reconciled>& result) {
  if (!result) return failed(result.error());
  Answer answer;
  for (const auto& line : result->done) answer.output += line + "\n";
  for (const auto& line : result->left) answer.output += "left: " + line + "\n";
  if (answer.output.empty()) answer.output = "nothing to do\n";
  answer.exit_code = result->left.empty() ? 0 : 3;
  return answer;
}

Result<Reconciled> release(const AdminCommand& command, const attach::Work& work) {
  if (command.all) return attach::release_all(work);
  auto device = device::DeviceId::parse(command.device);
  if (!device) device = device::DeviceId::from_file_name(command.device);
  const auto bare = device::DeviceId::from_parts("net", command.device);
  if (!device && !bare) {
    return fail(ErrorCode::invalid_argument,
                "{}: expected a PCI address like 0000:3b:00.2, an auxiliary device or a netdev",
                command.device);
  }
  return attach::release(work, device ? *device : *bare,
                         command.force ? attach::Even::if_held : attach::Even::not_if_held);
}

// One at a time on the node, whoever starts it.
Result<host::FileLock> lock_reconcile(host::Host& host, const attach::Store& store) {
  if (auto ready = store.prepare(); !ready) return pass(ready);
  auto lock = host.locks.lock(host.roots.run + "/locks/reconcile.lock", {});
  if (is(lock, ErrorCode::timeout)) {
    return fail(ErrorCode::busy,
                "another railhead reconcile runs on this node (the reconciler's DaemonSet tries "
                "every 30 s); by hand: railhead release DEVICE");
  }
  return lock;
}

// Who reconciles, and how.
struct Reconciler {
  host::Host& host;
  const cnispec::Environment& environment;  // of other plugins
  const attach::Store& store;
  Logger& log;
  attach::Doing doing;
};

// Who has a record, of whatever kind. Errors: it cannot be told.
Result<std::set<std::string>> recorded_containers(const Reconciler& with) {
  std::set<std::string> all;
  const auto pods = Pods(with.host.roots).list();
  if (!pods) return pass(pods);
  if (!pods->unreadable.empty()) return Failure(pods->unreadable.front());
  for (const auto& record : pods->records) all.insert(record.container_id);
  const auto folder = host::Directory::open(with.store.folder());
  if (is(folder, ErrorCode::not_found)) return all;
  const auto names = folder ? folder->list(".") : pass(folder);
  if (!names) return pass(names);
  for (const auto& name : *names) {
    if (const auto key = attach::key_of_record_name(name)) all.insert(key->container_id);
  }
  return all;
}

// Addresses over rails whose container nothing on this node knows any more: a DEL that could not
// ask for them was the last one, or a record was removed by force.
Reconciled reconcile_leases(const Reconciler& with) {
  constexpr std::chrono::seconds kLimit{10};
  if (is(host::Directory::open(with.host.roots.state + "/ipam"), ErrorCode::not_found)) return {};
  const auto collect = [&]() -> Result<std::vector<ipam::PodLeases>> {
    const auto leases = ipam::RailLeases::open(with.host, {with.host.clock, kLimit, {}});
    if (!leases) return pass(leases);
    // Under its lock: an ADD has its record before its addresses.
    const auto known = recorded_containers(with);
    if (!known) return pass(known);
    return ipam::collect_lost(
        *leases, *known,
        with.doing == attach::Doing::it ? ipam::Lost::freed : ipam::Lost::only_told);
  };
  Reconciled all;
  const auto lost = collect();
  if (!lost) all.left.push_back("addresses over rails: " + lost.error().text());
  for (const auto& pod : lost ? *lost : std::vector<ipam::PodLeases>{}) {
    all.done.push_back(fmt::format("addresses of container {}{} in network {}: freed",
                                   pod.container_id, pod.pod.empty() ? "" : " of pod " + pod.pod,
                                   pod.network));
  }
  return all;
}

void add_to(Reconciled& all, const Reconciled& more) {
  all.done.insert(all.done.end(), more.done.begin(), more.done.end());
  all.left.insert(all.left.end(), more.left.begin(), more.left.end());
}

// The pods first: with them go their devices, and the addresses that only their plugins can free.
Result<Reconciled> reconcile_once(const Reconciler& with, attach::Pauses& pauses) {
  auto pods = reconcile_pods(with.host, with.environment, with.doing, with.log);
  const Deadline deadline(with.host.clock, kBudget, {});
  auto devices = attach::reconcile({with.host, with.store, deadline, with.log}, with.doing, pauses);
  if (!pods) return pods;
  if (!devices) return devices;
  add_to(*pods, *devices);
  add_to(*pods, reconcile_leases(with));
  return pods;
}

// What was left is told when it is new, not at each turn.
class Watcher {
 public:
  explicit Watcher(const Reconciler& with) : with_(with), pauses_(with.host.clock) {}

  void turn() {
    const auto result = reconcile_once(with_, pauses_);
    auto& log = with_.log;
    if (!result) {
      log.error("reconcile failed", {{"error", result.error().message}});
      return;
    }
    if (with_.doing == attach::Doing::it || result->done != told_.done) {
      const auto* done = with_.doing == attach::Doing::it ? "reconciled" : "would be reconciled";
      for (const auto& line : result->done) log.info(done, {{"what", line}});
    }
    if (result->left != told_.left) {
      for (const auto& line : result->left) log.warning("left", {{"what", line}});
    }
    told_ = *result;
  }

 private:
  const Reconciler& with_;
  attach::Pauses pauses_;
  Reconciled told_;
};

Answer watch(const Reconciler& with, const OpenEvents& open_events) {
  constexpr std::chrono::seconds kEvery{30};
  constexpr std::chrono::milliseconds kAfterAnEvent{500};  // more of them come
  auto loop = Loop::open(with.host.clock);
  if (!loop) return failed(loop.error());
  auto events = open_events();
  if (!events) return failed(events.error());
  auto records = host::FolderWatch::open();
  if (!records) return failed(records.error());
  if (auto added = records->add(with.store.folder()); !added) return failed(added.error());
  Watcher watcher(with);
  Loop::Timer timer(**loop, {});
  timer.on_expiry([&] {
    watcher.turn();
    timer.set(with.host.clock.now() + kEvery);
  });
  const auto soon = [&] { timer.set_if_sooner(with.host.clock.now() + kAfterAnEvent); };
  auto of_devices = (*loop)->watch((*events)->fd(), [&] {
    if (!(*events)->read().empty()) soon();
  });
  auto of_records = (*loop)->watch(records->fd(), [&] {
    if (!records->read_names().empty()) soon();
  });
  if (!of_devices) return failed(of_devices.error());
  if (!of_records) return failed(of_records.error());
  with.log.info("watching", {{"records", with.store.folder()}});
  timer.set(with.host.clock.now());
  (*loop)->run();
  return {};
}

Answer reconcile(const AdminCommand& command, Reconciler with, const OpenEvents& open_events) {
  attach::Pauses none(with.host.clock);
  if (command.dry_run) with.doing = attach::Doing::dry_run;
  if (command.dry_run) return told(reconcile_once(with, none));
  auto lock = lock_reconcile(with.host, with.store);
  if (!lock) return failed(lock.error());
  if (!sees_new_namespaces(with.host)) {
    with.log.warning(
        "/run/netns is mounted without propagation (HostToContainer): nothing is changed");
    with.doing = attach::Doing::dry_run;
  }
  if (command.watch) return watch(with, open_events);
  const auto result = reconcile_once(with, none);
  auto answer = told(result);
  const bool is_kept_back = with.doing == attach::Doing::dry_run && result && !result->done.empty();
  if (is_kept_back) answer.exit_code = 3;
  return answer;
}

}  // namespace

ReadAdmin read_admin(const std::vector<std::string>& arguments) {
  const auto verb = arguments.empty() ? std::nullopt : parse_verb(arguments[0]);
  if (!verb) return {};
  AdminCommand command;
  command.verb = *verb;
  const auto wrong = [&](const std::string& why) {
    return ReadAdmin{
        {}, Answer{2, {}, fmt::format("railhead {}: {}\n{}", arguments[0], why, help_of(*verb))}};
  };
  for (size_t i = 1; i < arguments.size(); ++i) {
    const auto& argument = arguments[i];
    if (argument == "--help" || argument == "-h") {
      return {{}, Answer{0, std::string(help_of(*verb)), {}}};
    }
    if (auto* value = switch_of(command, argument)) {
      *value = true;
    } else if (*verb == Verb::release && !argument.starts_with("-") && command.device.empty()) {
      command.device = argument;
    } else {
      return wrong(fmt::format("unknown argument '{}'", argument));
    }
  }
  if (*verb == Verb::release && command.all == !command.device.empty()) {
    return wrong("expected one device, or --all");
  }
  if (command.all && command.force) return wrong("--force goes with one device");
  if (command.watch && command.dry_run) return wrong("--watch and --dry-run exclude each other");
  return {command, {}};
}

Answer run_admin(const AdminCommand& command, host::Host& host,
                 const cnispec::Environment& environment, const OpenEvents& open_events) {
  Logger log(STDERR_FILENO, LogLevel::info);
  const attach::Store store(host.roots.run);
  const Deadline deadline(host.clock, kBudget, {});
  const attach::Work work{host, store, deadline, log};
  if (auto here = check_host_netns(host); !here) return failed(here.error());
  if (command.verb == Verb::reconcile) {
    return reconcile(command, {host, environment, store, log, attach::Doing::it}, open_events);
  }
  if (command.verb == Verb::release) return told(release(command, work));
  const auto overview = attach::look_around(work);
  if (!overview) return failed(overview.error());
  const auto pods = look_at_pods(host);
  if (!pods) return failed(pods.error());
  return {0, command.json ? overview_json(*overview, *pods) : overview_text(*overview, *pods), {}};
}

}  // namespace railhead::cni
