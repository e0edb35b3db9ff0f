#include "plugin/app/served_pool.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iterator>
#include <set>

#include "base/text.hpp"
#include "plugin/grant/compare.hpp"
#include "plugin/grant/known_nodes.hpp"
#include "plugin/pool/ask.hpp"
#include "plugin/pool/list_size.hpp"
#include "plugin/pool/preferred.hpp"

namespace railhead::app {
namespace {

std::vector<kubelet::Device> devices_of(const PoolView& view) {
  std::vector<kubelet::Device> devices;
  for (auto& offer : pool::offers_told(view.pool, *view.holdings)) {
    kubelet::Device device{std::move(offer.id), offer.healthy, {}};
    if (offer.numa_node) device.numa_nodes.push_back(*offer.numa_node);
    devices.push_back(std::move(device));
  }
  return devices;
}

// The devices that Allocate would give.
std::set<std::string> given_devices(const PoolView& view) {
  std::set<std::string> given;
  for (const auto& member : view.pool.members) {
    const auto nodes = grant::known_own_nodes(member, *view.inventory);
    const bool is_taken = std::ranges::any_of(nodes, [&](const auto& node) {
      return view.holdings->other_with_node(node, member.id) != nullptr;
    });
    if (member.withheld.empty() && !is_taken) given.insert(member.id);
  }
  return given;
}

// Without those that Allocate would refuse, where enough are left: kubelet may not have heard yet
// of a device that is another resource's now, and is not told of nodes that a pod may have open
// since a boot.
std::vector<std::string> leave_out_refused(const PoolView& view,
                                           const kubelet::PreferenceRequest& request) {
  const auto given = given_devices(view);
  const std::set<std::string> wanted(request.must_include.begin(), request.must_include.end());
  auto left = request.available;
  std::erase_if(left, [&](const auto& id) {
    const auto device = ledger::device_of(id);
    return !wanted.contains(id) && (!device || !given.contains(*device));
  });
  return left.size() >= request.size ? left : request.available;
}

}  // namespace

bool ServedPool::prefers(const config::Resource& resource) {
  return !resource.sharing || resource.sharing->unit != config::Sharing::Unit::pool;
}

ServedPool::ServedPool(PoolView view, grant::Places places, std::optional<grant::CdiOptions> cdi,
                       Answers answers, metrics::Metrics& metrics, Logger& log)
    : resource_name_(view.pool.resource.full_name()),
      has_preference_(prefers(view.pool.resource)),
      places_(std::move(places)),
      cdi_(std::move(cdi)),
      answers_(std::move(answers)),
      metrics_(metrics),
      log_(log),
      view_(std::make_shared<const PoolView>(std::move(view))) {
  if (!cdi_) return;
  cdi_spec_ = std::make_unique<grant::CdiSpec>(cdi_->folder, pool::name_of(view_->pool.resource),
                                               places_.dev);
}

bool ServedPool::show(PoolView view, std::optional<TimePoint> event) {
  auto next = std::make_shared<const PoolView>(std::move(view));
  const bool changed = devices_of(*next) != devices();
  const std::lock_guard lock(mutex_);
  view_ = std::move(next);
  if (changed && watched_ && !event_) event_ = event;
  return changed;
}

void ServedPool::end() {
  const auto last = view();
  (void)show({{.resource = last->pool.resource}, last->inventory, last->holdings, {}},
             std::nullopt);
}

// Allocate writes what is missing, and fails when it cannot.
void ServedPool::write_cdi_spec() {
  if (!cdi_spec_) return;
  const auto view = this->view();
  auto wanted = pool::wanted_of(view->pool);
  // What a pod has and the resource no longer offers must be found when its containers start again.
  std::ranges::move(pool::wanted_of_held(view->pool, *view->inventory, *view->holdings),
                    std::back_inserter(wanted));
  std::map<std::string, TimePoint> read_at;
  for (const auto& one : wanted) {
    if (!view->read_at) break;
    const auto read = view->read_at->find(one.address);
    if (read != view->read_at->end()) read_at[one.id] = read->second;
  }
  const auto written = cdi_spec_->set(
      grant::cdi_nodes(wanted, *view->inventory, grant::has_connection_manager(places_)), read_at);
  if (!written) {
    log_.error("the CDI spec stays as it is",
               {{"resource", resource_name_}, {"error", written.error().message}});
  }
}

// The spec must be right before kubelet has its answer: the runtime reads it next.
Result<void> ServedPool::name_cdi_devices(const grant::Grant& granted, TimePoint began,
                                          kubelet::ContainerAllocation& answer) {
  if (auto written = cdi_spec_->update(granted.by_device, began); !written) return written;
  const auto resource = pool::name_of(view()->pool.resource);
  for (const auto& [id, nodes] : granted.by_device) {
    if (!nodes.empty()) answer.cdi_devices.push_back(grant::cdi_kind(resource) + '=' + id);
  }
  if (cdi_->annotations && !answer.cdi_devices.empty()) {
    answer.annotations[grant::cdi_annotation_key(resource)] = join(answer.cdi_devices, ",");
  }
  return {};
}

// The first devices of a stream are no answer to an event.
void ServedPool::watched(bool by_kubelet) {
  watched_ = by_kubelet;
  const std::lock_guard lock(mutex_);
  event_.reset();
}

void ServedPool::devices_sent(std::chrono::nanoseconds took) {
  metrics_.devices_sent(took);
  const std::lock_guard lock(mutex_);
  if (event_) metrics_.event_answered(std::chrono::steady_clock::now() - *event_);
  event_.reset();
}

std::shared_ptr<const PoolView> ServedPool::view() const {
  const std::lock_guard lock(mutex_);
  return view_;
}

std::vector<kubelet::Device> ServedPool::devices() const { return devices_of(*view()); }

Result<kubelet::ContainerAllocation> ServedPool::allocate(
    const std::vector<std::string>& device_ids) {
  const auto start = std::chrono::steady_clock::now();
  auto answer = give(device_ids);
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
  metrics_.allocated(resource_name_, answer.has_value(), took);
  if (!answer) return answer;
  log_.info("allocated", {{"resource", resource_name_},
                          {"devices", join(device_ids, ",")},
                          {"milliseconds", std::round(took.count() * 100) / 100}});
  return answer;
}

// A share of a whole pool does without the devices that are withheld.
Result<grant::Ask> ServedPool::decide(const PoolView& view,
                                      const std::vector<std::string>& device_ids) const {
  const auto& sharing = view.pool.resource.sharing;
  if (!sharing || sharing->unit == config::Sharing::Unit::device) {
    for (const auto& id : device_ids) {
      for (const auto* member : pool::members_of(view.pool, id)) {
        if (member->withheld.empty()) continue;
        return fail(ErrorCode::unavailable, "device {} is not given: {}", member->id,
                    member->withheld);
      }
    }
  }
  return pool::ask_for(view.pool, device_ids, places_);
}

Result<kubelet::ContainerAllocation> ServedPool::give(const std::vector<std::string>& device_ids) {
  std::shared_ptr<const PoolView> view;
  grant::Ask ask;
  auto noted = answers_.grants.grant([&]() -> Result<ledger::Granted> {
    view = this->view();
    auto decided = decide(*view, device_ids);
    if (!decided) return pass(decided);
    ask = std::move(*decided);
    ledger::Granted granted{resource_name_, device_ids, {}, {}};
    for (const auto& device : ask.devices) granted.devices.push_back(device.id);
    return granted;
  });
  if (!noted) return pass(noted);
  auto answer = answer_with(*view, std::move(ask), *noted);
  if (answer) {
    answers_.grants.complete(*noted);
    answers_.opened(resource_name_, device_ids);
  } else {
    answers_.grants.take_back(*noted);
  }
  return answer;
}

// By what stands there now.
Result<grant::Grant> ServedPool::grant_now(const PoolView& view, Result<grant::Ask> ask) const {
  if (!ask) return pass(ask);
  ask->taken_by = [&holdings = *view.holdings](const std::string& node, const std::string& device) {
    const auto* other = holdings.other_with_node(node, device);
    return other ? std::optional(other->who()) : std::nullopt;
  };
  return grant::give(*ask, places_);
}

Result<kubelet::ContainerAllocation> ServedPool::answer_with(const PoolView& view, grant::Ask ask,
                                                             ledger::Granted& noted) {
  const auto began = std::chrono::steady_clock::now();
  auto granted = grant_now(view, std::move(ask));
  if (!granted) return pass(granted);
  for (const auto& node : granted->device_nodes()) noted.nodes.push_back(node.host_path);
  tell_left_out(*granted);
  kubelet::ContainerAllocation answer;
  answer.envs = std::move(granted->envs);
  if (cdi_spec_) {
    if (auto named = name_cdi_devices(*granted, began, answer); !named) return pass(named);
    return answer;
  }
  for (auto& node : granted->device_nodes()) {
    answer.devices.push_back({std::move(node.host_path), std::move(node.container_path), "rw"});
  }
  return answer;
}

Result<void> ServedPool::pre_start(const std::vector<std::string>& device_ids) {
  auto start = judge_start(device_ids);
  metrics_.pre_started(resource_name_, start.result);
  if (start.done) answers_.opened(resource_name_, device_ids);
  return std::move(start.done);
}

ServedPool::Start ServedPool::judge_start(const std::vector<std::string>& device_ids) {
  for (const auto& id : device_ids) {
    const auto device = ledger::device_of(id);
    if (device && grant::is_gone(*device, places_)) return {"error", grant::gone(*device)};
  }
  auto given = answers_.given(resource_name_, device_ids);
  const bool by_cdi = cdi_spec_ && (!given || given->by_cdi);
  if (given && !by_cdi && given->devices.empty()) {
    given->devices = devices_held_by(device_ids);
    if (given->devices.empty()) given.reset();  // there is nothing to compare its nodes with
  }
  Result<void> done;
  if (by_cdi) {
    done = refresh_cdi_spec(device_ids);
  } else if (given) {
    done = compare(*given);
    if (is(done, ErrorCode::busy)) return {"mismatch", std::move(done)};
  }
  if (!done) return {"error", std::move(done)};
  if (given) return {"ok", {}};
  log_.warning("a container starts, and what it was given with its devices is not known",
               {{"resource", resource_name_}, {"devices", join(device_ids, ",")}});
  return {"unknown", {}};
}

Result<void> ServedPool::refresh_cdi_spec(const std::vector<std::string>& device_ids) {
  const auto began = std::chrono::steady_clock::now();
  const auto view = this->view();
  const auto granted = grant_now(*view, pool::ask_again_for(view->pool, *view->inventory,
                                                            *view->holdings, device_ids, places_));
  return granted ? cdi_spec_->update(granted->by_device, began) : pass(granted);
}

std::vector<std::string> ServedPool::devices_held_by(
    const std::vector<std::string>& device_ids) const {
  const auto view = this->view();
  std::set<std::string> devices;
  for (const auto& id : device_ids) {
    devices.merge(pool::devices_held_by(view->pool, *view->holdings, id));
  }
  return {devices.begin(), devices.end()};
}

// Errors: busy (it was given nodes that its devices do not have), io.
Result<void> ServedPool::compare(const grant::Given& given) const {
  const auto& devices = given.devices;
  const auto reader = grant::NodeReader::open(places_);
  if (!reader) return pass(reader);
  const auto now = reader->own_nodes(devices);
  if (!now) return pass(now);
  const auto stale = grant::stale_nodes(given.host_paths, *now);
  if (stale.empty()) return {};
  return fail(ErrorCode::busy,
              "the container was given {}, which {} has no more (it has {} now): it would open "
              "another device there; delete the pod",
              join(stale, ", "), join(devices, ", "), now->empty() ? "none" : join(*now, ", "));
}

void ServedPool::tell_left_out(const grant::Grant& granted) {
  if (granted.left_out.empty()) return;
  std::vector<std::string> variables;
  for (const auto& [name, bytes] : granted.left_out) {
    variables.push_back(fmt::format("{} ({} bytes)", name, bytes));
  }
  log_.warning("variables are too large for a container and left out",
               {{"resource", resource_name_},
                {"variables", join(variables, ",")},
                {"limit_bytes", grant::kMaxVariableBytes},
                {"limit_bytes_together", grant::kMaxEnvironmentBytes}});
}

Result<std::vector<std::string>> ServedPool::preferred(const kubelet::PreferenceRequest& request) {
  const auto view = this->view();
  const auto gpus = answers_.who_asks(*view->inventory);
  auto choice =
      pool::prefer(view->pool, *view->inventory,
                   {leave_out_refused(*view, request), request.must_include, request.size},
                   gpus.of_pod, gpus.free);
  if (!choice) {
    // An error would fail the pod, where kubelet's own choice serves it.
    log_.warning("no preference",
                 {{"resource", resource_name_}, {"error", choice.error().message}});
    return std::vector<std::string>{};
  }
  log_.info("preferred", {{"resource", resource_name_},
                          {"devices", join(choice->ids, ",")},
                          {"ground", choice->ground},
                          {"pod", gpus.pod}});
  return std::move(choice->ids);
}

}  // namespace railhead::app
