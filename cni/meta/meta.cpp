#include "cni/meta/meta.hpp"

#include <algorithm>
#include <map>
#include <set>

#include <nlohmann/json.hpp>
#include <unistd.h>

#include "attach/attachments.hpp"
#include "attach/store.hpp"
#include "base/raw_json.hpp"
#include "base/text.hpp"
#include "cni/conf.hpp"
#include "cni/ipam.hpp"
#include "cni/meta/default_routes.hpp"
#include "cni/meta/knowledge.hpp"
#include "cni/meta/network_status.hpp"
#include "cni/meta/plan.hpp"
#include "cni/meta/plugin_calls.hpp"
#include "cni/meta/pod_undo.hpp"
#include "cni/meta/pods.hpp"
#include "cnispec/cni_error.hpp"
#include "cnispec/version.hpp"
#include "ipc/socket.hpp"

namespace railhead::cni {

using cnispec::Command;
using cnispec::PluginResult;

namespace {

// What of an ADD's time its undo may need, other plugins' DELs too; and no more than a third of it.
constexpr std::chrono::seconds kPodUndoReserve{60};
constexpr size_t kMaxRecord = size_t{4} << 20;       // bytes; it must be read again
constexpr std::chrono::seconds kReadinessLimit{45};  // as long as Multus waits
constexpr std::chrono::milliseconds kReadinessPause{250};
constexpr std::chrono::seconds kStatusLimit{10};  // of statusSync

using Keys = std::map<std::string, std::string>;  // of a configuration, JSON texts

// One call with all that it reads and writes.
class Meta {
 public:
  Meta(const MetaCall& call, MetaConf meta, const Deadline& deadline)
      : call_(call),
        meta_(std::move(meta)),
        deadline_(deadline),
        undo_deadline_(deadline.for_undo()),
        pods_(call.host.roots),
        knowledge_(call.host, meta_, call.request, deadline_),
        calls_(call.environment, deadline_, call.host, call.log,
               [this](const device::DeviceId& device) { return knowledge_.may_have(device); }),
        undo_calls_(call.environment, undo_deadline_, call.host, call.log) {}

  Result<std::string> add();
  Result<std::string> del();
  Result<std::string> check();
  Result<std::string> gc();
  Result<std::string> status();

 private:
  [[nodiscard]] PlanSource source();
  [[nodiscard]] Result<void> wait_until_ready(std::chrono::seconds limit) const;
  [[nodiscard]] Result<host::FileLock> lock_pod() const;
  [[nodiscard]] Result<PodRecord> make_record();
  [[nodiscard]] Result<void> check_names(const host::Netns& netns, const PodRecord& record) const;
  [[nodiscard]] Result<void> attach(const PodRecord& record, PodProgress& progress, size_t& begun);
  void tell(const PodRecord& record, std::span<const PluginResult> results,
            const std::string& status);
  [[nodiscard]] Error undone(const PodRecord& record, const PodProgress& progress, size_t begun,
                             Error error);
  [[nodiscard]] Result<void> del_without_record();
  [[nodiscard]] Result<void> detach_own_of(const std::string& container_id);
  [[nodiscard]] Result<void> forward(Command command, const PodNetwork& network, const Keys& keys);

  const MetaCall& call_;
  const MetaConf meta_;
  const Deadline deadline_;
  const Deadline undo_deadline_;
  const Pods pods_;
  Knowledge knowledge_;
  const PluginCalls calls_;
  const PluginCalls undo_calls_;
  std::shared_ptr<PluginCalls::OwnTransaction> own_;  // of the plan
  std::vector<std::string> warnings_;                 // of the plan
};

Result<std::vector<PluginResult>> read_results(const PodProgress& progress) {
  std::vector<PluginResult> all;
  for (const auto& text : progress.results) {
    auto result = cnispec::parse_result(text.empty() ? "null" : text);
    if (!result) return pass(result);
    all.push_back(std::move(*result));
  }
  return all;
}

PlanSource Meta::source() {
  return {call_.request,
          call_.conf,
          meta_,
          [this](const std::string& namespace_, const std::string& name) {
            return knowledge_.nad(namespace_, name);
          },
          [this] { return knowledge_.annotations(); },
          [this](const auto& is_content) { return knowledge_.await_annotations(is_content); },
          [this] { return knowledge_.devices(); },
          [this](const std::string& device) { return knowledge_.rail_of(device); },
          [this] { return knowledge_.far_pairs(); },
          [this](const std::string& device) { return knowledge_.may_have(device); }};
}

Result<host::FileLock> Meta::lock_pod() const {
  if (auto ready = pods_.prepare(); !ready) return pass(ready);
  auto lock = call_.host.locks.lock(pods_.lock_of(call_.request.container_id), {});
  if (!is(lock, ErrorCode::timeout)) return lock;
  return fail(ErrorCode::busy, "another call is at work on container {}",
              call_.request.container_id);
}

// Until the cluster network says by a file that it is there.
Result<void> Meta::wait_until_ready(std::chrono::seconds limit) const {
  if (meta_.readiness_file.empty()) return {};
  const auto is_there = [this] { return ::access(meta_.readiness_file.c_str(), F_OK) == 0; };
  if (wait_until(call_.host.clock, deadline_.left(limit), kReadinessPause, is_there)) return {};
  return fail(ErrorCode::unavailable,
              "have you checked that your default network is ready? still waiting for "
              "readinessindicatorfile @ {}",
              meta_.readiness_file);
}

// A plugin that finds its name taken would have that interface removed by its DEL.
Result<void> Meta::check_names(const host::Netns& netns, const PodRecord& record) const {
  const auto links = call_.host.netns.links(netns);
  const auto present = links ? (*links)->list() : pass(links);
  if (!present) return pass(present, record.netns_path);
  for (const auto& network : record.networks) {
    for (const auto& link : *present) {
      if (link.name != network.ifname) continue;
      return fail(ErrorCode::already_exists, "{}: interface name {} already exists in {}",
                  network.place, network.ifname, record.netns_path);
    }
  }
  return {};
}

// The plan, with what tells the pod's namespace again, on the disk.
Result<PodRecord> Meta::make_record() {
  const auto former = pods_.load(call_.request.container_id);
  if (!former) return pass(former);
  if (*former) {
    return fail(ErrorCode::busy,
                "container {} has networks on record already: it must have its DEL before another "
                "ADD",
                call_.request.container_id);
  }
  auto plan = make_plan(source());
  if (!plan) return pass(plan);
  for (const auto& warning : plan->warnings) {
    call_.log.warning(warning, {{"pod", plan->record.pod()}});
  }
  warnings_ = std::move(plan->warnings);
  if (!meta_.unknown_keys.empty()) {
    call_.log.warning("keys that are not known here are ignored",
                      {{"network", call_.conf.name}, {"keys", join(meta_.unknown_keys, ",")}});
  }
  auto& record = plan->record;
  const auto netns = call_.host.netns.open(call_.request.netns);
  if (!netns) {
    return cnispec::fail_cni(
        cnispec::code::kInvalidNetns,
        fmt::format("failed to open netns \"{}\": {}", call_.request.netns, netns.error().message));
  }
  record.netns = netns->id();
  record.boot_id = attach::boot_id(call_.host);
  if (auto free = check_names(*netns, record); !free) return pass(free);
  std::vector<Act> own;
  for (const auto& act : acts_of(record)) {
    if (is_in_transaction(record, act)) own.push_back(act);
  }
  auto planned = calls_.plan_own(record, own);
  if (!planned) return pass(planned);
  own_ = std::move(*planned);
  if (const auto size = to_json(record).size(); size > kMaxRecord) {
    return refuse(
        "the networks of the pod have {} bytes of configuration in all: expected at most {}", size,
        kMaxRecord);
  }
  const auto saved = pods_.save(record);
  if (!saved) return pass(saved);
  return std::move(record);
}

// Gives the pod its networks. `begun`: of acts_of(), how many may have changed something.
Result<void> Meta::attach(const PodRecord& record, PodProgress& progress, size_t& begun) {
  const auto acts = acts_of(record);
  progress.results.resize(record.networks.size());
  while (begun < acts.size()) {
    const auto first = begun;
    const auto& act = acts[first];
    if (!is_in_transaction(record, act)) {
      ++begun;
      auto& result = progress.results[act.network];
      auto output = calls_.call(Command::add, record, act, result);
      if (!output) return pass(output);
      result = std::move(*output);
      continue;
    }
    while (begun < acts.size() && is_in_transaction(record, acts[begun])) ++begun;
    const std::span own(acts.data() + first, begun - first);
    auto outputs = calls_.attach_own(*own_);
    if (!outputs) return pass(outputs);
    for (size_t i = 0; i < own.size(); ++i) {
      progress.results[own[i].network] = std::move((*outputs)[i]);
    }
  }
  if (auto set = set_default_routes(call_.host, record); !set) return set;
  const auto results = read_results(progress);
  if (!results) return pass(results);
  progress.network_status = network_status(record, *results);
  progress.is_attached = true;
  if (auto saved = pods_.save(record, progress); !saved) return saved;
  tell(record, *results, progress.network_status);
  return {};
}

// The pod has its networks, whether the cluster hears of it or not.
void Meta::tell(const PodRecord& record, std::span<const PluginResult> results,
                const std::string& status) {
  if (record.pod_name.empty()) return;
  ipc::PodNews news{record.pod_namespace,
                    record.pod_name,
                    record.pod_uid,
                    status,
                    added_events(record, results),
                    attached_devices(record, results),
                    shared_interfaces(record, results)};
  for (const auto& warning : warnings_) news.events.push_back({true, "NetworkWarning", warning});
  if (const auto told = pods_.tell(record, news); !told) {
    call_.log.warning("the cluster is not told of a pod's networks",
                      {{"pod", record.pod()}, {"error", told.error().message}});
  }
  if (!meta_.status_sync) return;
  const auto is_told = [&] { return !pods_.has_news(record.container_id); };
  if (wait_until(call_.host.clock, deadline_.left(kStatusLimit), kReadinessPause, is_told)) return;
  call_.log.warning("the network-status of a pod is not written yet", {{"pod", record.pod()}});
}

Error Meta::undone(const PodRecord& record, const PodProgress& progress, size_t begun,
                   Error error) {
  const auto acts = acts_of(record);
  const auto done =
      undo_pod(undo_calls_, pods_, record, progress, {acts.data(), begun}, call_.host, call_.log);
  if (!done) {
    error.details = fmt::format("{}{}while undoing it: {}", error.details,
                                error.details.empty() ? "" : "; ", done.error().text());
  }
  return error;
}

Result<std::string> Meta::add() {
  Stopwatch watch(call_.host.clock);
  if (auto ready = wait_until_ready(kReadinessLimit); !ready) return pass(ready);
  // A DEL of the same container waits for its end.
  const auto lock = lock_pod();
  if (!lock) return pass(lock);
  const auto record = make_record();
  if (!record) {
    // What a refused ADD leaves of the lock: no record's removal takes it along.
    std::ignore = host::remove_file(pods_.lock_of(call_.request.container_id));
    return pass(record);
  }
  const auto plan_ms = watch.step_ms();
  PodProgress progress;
  size_t begun = 0;
  if (auto done = attach(*record, progress, begun); !done) {
    return Failure(undone(*record, progress, begun, done.error()));
  }
  const auto result = cnispec::parse_result(progress.results.front());
  if (!result) return pass(result);
  call_.log.info("ADD of a pod done", {{"container", record->container_id},
                                       {"pod", record->pod()},
                                       {"networks", record->networks.size()},
                                       {"plan_ms", plan_ms},
                                       {"attach_ms", watch.step_ms()},
                                       {"total_ms", watch.total_ms()}});
  return cnispec::to_json(*result, call_.conf.cni_version);
}

// Own attachments of the container, whatever record told of them.
Result<void> Meta::detach_own_of(const std::string& container_id) {
  const attach::Store store(call_.host.roots.run);
  const auto listing = store.list();
  if (!listing) return pass(listing);
  attach::Attachments attachments(call_.host, deadline_, call_.log);
  Result<void> all;
  for (const auto& record : listing->records) {
    if (record.key.container_id != container_id) continue;
    // Whoever knows its IPAM: the network's next ADD or GC.
    if (auto owed = store.owe_addresses(record.key); !owed) all = both(all, owed);
    const auto detached = attachments.detach(record.key, call_.request.netns);
    all = both(all, as_result(detached.error));
  }
  return all;
}

// The cluster network's plugins are asked by the configuration as it stands now.
Result<void> Meta::del_without_record() {
  auto done = detach_own_of(call_.request.container_id);
  PodRecord gone;
  gone.container_id = call_.request.container_id;
  done = both(done, pods_.remove(gone));
  auto cluster = plan_cluster_network(source());
  if (!cluster) {
    call_.log.warning("the cluster network is not known, its DEL is left out",
                      {{"error", cluster.error().message}});
    return done;
  }
  PodRecord record;
  record.container_id = call_.request.container_id;
  // What names no namespace any more some plugins would fail on for ever.
  if (call_.host.netns.open(call_.request.netns)) record.netns_path = call_.request.netns;
  record.plugin_path = plugin_path(call_.request, meta_);
  record.networks.push_back(std::move(*cluster));
  const auto acts = acts_of(record);
  std::string previous;
  if (const auto result = cnispec::read_prev_result(call_.config); result && *result) {
    previous = cnispec::to_json(**result, record.networks.front().cni_version);
  }
  for (const auto& act : std::vector<Act>(acts.rbegin(), acts.rend())) {
    const auto output = calls_.call(Command::del, record, act, previous);
    done = both(done, output ? Result<void>() : pass(output));
  }
  return done;
}

Result<std::string> Meta::del() {
  Stopwatch watch(call_.host.clock);
  const auto record = pods_.load(call_.request.container_id);
  if (!record && !is(record, ErrorCode::decode)) return pass(record);
  if (!record) {
    call_.log.error("the record of a pod cannot be read, it is set aside",
                    {{"error", record.error().message}});
    if (auto aside = pods_.set_aside(call_.request.container_id); !aside) return pass(aside);
  }
  Result<void> done;
  if (record && *record) {
    auto known = **record;
    // Plugins may have been moved since.
    const auto now = plugin_path(call_.request, meta_);
    if (known.plugin_path != now) known.plugin_path += ":" + now;
    done = undo_pod_on_record(calls_, pods_, known, call_.request.netns, deadline_.left(),
                              call_.host, call_.log);
  } else {
    done = del_without_record();
  }
  if (!done) return pass(done);
  take_up_left(call_.environment, deadline_, pods_, call_.host, call_.log);
  call_.log.info("DEL of a pod done",
                 {{"container", call_.request.container_id}, {"total_ms", watch.total_ms()}});
  return {};
}

Result<std::string> Meta::check() {
  const auto record = pods_.load(call_.request.container_id);
  if (!record) return pass(record);
  if (!*record) {
    return fail(ErrorCode::not_found, "container {} has no networks on record",
                call_.request.container_id);
  }
  const auto progress = pods_.progress(**record);
  if (!progress.is_attached) {
    return fail(ErrorCode::io, "container {}: its ADD did not come to its end",
                call_.request.container_id);
  }
  for (const auto& act : acts_of(**record)) {
    const auto& network = (*record)->networks[act.network];
    const auto version = cnispec::Version::parse(network.cni_version);
    if (network.disable_check || !version || *version < cnispec::Version{0, 4, 0}) continue;
    const auto good = calls_.call(Command::check, **record, act, progress.results[act.network]);
    if (!good) return pass(good);
  }
  return {};
}

// Of a network's plugins those that know the verb (CNI 1.1.0), in their order; all are asked.
Result<void> Meta::forward(Command command, const PodNetwork& network, const Keys& keys) {
  const auto version = cnispec::Version::parse(network.cni_version);
  if (!version || *version < cnispec::Version{1, 1, 0}) return {};
  PodRecord record;
  record.plugin_path = plugin_path(call_.request, meta_);
  record.networks.push_back(network);
  for (auto& plugin : record.networks[0].plugins) {
    auto input = RawObject::of(plugin.input);
    for (const auto& [key, value] : keys) input.set(key, value);
    plugin.input = input.text();
  }
  Result<void> all;
  for (const auto& act : acts_of(record)) {
    const auto output = calls_.call(command, record, act, "");
    all = both(all, output ? Result<void>() : pass(output));
  }
  return all;
}

Result<std::string> Meta::gc() {
  const auto valid = cnispec::read_valid_attachments(call_.config);
  if (!valid) return pass(valid);
  std::set<std::string> living;
  for (const auto& one : *valid) living.insert(one.container_id);
  auto listing = pods_.list();
  if (!listing) return pass(listing);
  Result<void> all;
  for (const auto& error : listing->unreadable) all = both(all, Failure(error));
  for (const auto& record : listing->records) {
    if (record.network != call_.conf.name || living.contains(record.container_id)) continue;
    if (!is_gone(call_.host, record)) {
      call_.log.warning("a pod that the runtime does not list has its namespace still: it is left",
                        {{"container", record.container_id}, {"pod", record.pod()}});
      continue;
    }
    all = both(all, undo_pod_on_record(calls_, pods_, record, "", {}, call_.host, call_.log));
  }
  const auto cluster = plan_cluster_network(source());
  if (!cluster) return pass(cluster);
  Keys keys;  // as they came
  const auto input = RawObject::parse(call_.input).value_or(RawObject());
  for (const auto* key : {"cni.dev/valid-attachments", "cni.dev/attachments"}) {
    if (const auto value = input.get(key)) keys.emplace(key, *value);
  }
  if (!cluster->disable_gc) all = both(all, forward(Command::gc, *cluster, keys));
  if (!all) return pass(all);
  return {};
}

Result<std::string> Meta::status() {
  auto ready = pods_.prepare();
  if (ready) ready = pods_.probe();
  if (ready) ready = attach::Attachments(call_.host, deadline_, call_.log).status();
  if (ready) ready = wait_until_ready(std::chrono::seconds(0));
  if (!ready) return cnispec::fail_cni(cnispec::code::kNotAvailable, ready.error().message);
  const auto cluster = plan_cluster_network(source());
  if (!cluster) return cnispec::fail_cni(cnispec::code::kNotAvailable, cluster.error().message);
  if (auto good = forward(Command::status, *cluster, {}); !good) return pass(good);
  return {};
}

// Where the agent that follows the cluster is, where it is not with the other records. A container
// that has no folder of the node but CNI's, as Multus' in its operators' manifests, puts it beside
// the place of Multus' kubeconfig, which a configuration written for Multus names.
std::string agent_folder(const MetaConf& meta, const std::string& run) {
  const auto slash = meta.kubeconfig.rfind('/');
  if (!meta.agent_dir.empty() || !meta.kubeconfig.starts_with('/')) return meta.agent_dir;
  auto beside = meta.kubeconfig.substr(0, slash) + "/railhead";
  const auto is_there = [](const std::string& path) { return ::access(path.c_str(), F_OK) == 0; };
  // One that was tried once, and is gone, is no reason to pass over one that serves.
  const bool serves_elsewhere = !is_there(ipc::socket_in(beside)) && is_there(ipc::socket_in(run));
  return is_there(beside) && !serves_elsewhere ? beside : "";
}

}  // namespace

Result<std::string> run_meta(Command command, const MetaCall& call) {
  if (command == Command::version) return cnispec::version_json();
  if (is_nested(call.environment) || !cnispec::value_of(call.environment, kOfMeta).empty()) {
    return refuse("type {}: it was called by this program itself", call.conf.type);
  }
  auto [meta, good_meta] = read_meta_conf(call.config, call.input);
  // A configuration that has become wrong since must not keep a pod from ending.
  if (!good_meta && command != Command::del) return pass(good_meta);
  host::Host host = call.host;
  if (!meta.state_dir.empty()) host.roots.state = meta.state_dir;
  if (!meta.run_dir.empty()) host.roots.run = meta.run_dir;
  host.roots.cluster = agent_folder(meta, host.roots.run);
  const MetaCall here{call.environment, call.request, call.conf, call.config,
                      call.input,       host,         call.log};
  if (auto good = check_budgets(call.config); !good && command == Command::add) return pass(good);
  const bool is_add = command == Command::add;
  const auto budget = read_budget(call.config, command);
  const Deadline deadline(call.host.clock, budget,
                          is_add ? std::min(kPodUndoReserve, budget / 3) : std::chrono::seconds(0));
  Meta one(here, std::move(meta), deadline);
  switch (command) {
    case Command::add:
      return one.add();
    case Command::del:
      return one.del();
    case Command::check:
      return one.check();
    case Command::gc:
      return one.gc();
    case Command::status:
      return one.status();
    case Command::version:
      break;
  }
  return fail(ErrorCode::internal, "a verb without code");
}

}  // namespace railhead::cni
