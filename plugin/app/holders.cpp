#include "plugin/app/holders.hpp"

#include <algorithm>

#include <sys/stat.h>

#include "kubelet/checkpoint.hpp"
#include "plugin/ledger/attachments.hpp"

namespace railhead::app {
namespace {

constexpr std::chrono::seconds kListLimit{10};           // nobody waits for it
constexpr std::chrono::milliseconds kAskLimit{500};      // kubelet waits for a choice
constexpr std::chrono::seconds kMoving{1};               // while an ADD or DEL is at work
constexpr std::chrono::seconds kUnread{1};               // records that could not be read
constexpr std::chrono::milliseconds kRecordsPause{100};  // a pod's ADD writes several
constexpr std::chrono::milliseconds kFilesPause{200};  // kubelet writes at each allocation and list
constexpr std::string_view kCheckpoint = "kubelet_internal_checkpoint";
constexpr std::string_view kKubeletSocket = "kubelet.sock";

std::vector<ledger::Saved> saved_of(std::vector<kubelet::SavedDevices> saved) {
  std::vector<ledger::Saved> all;
  for (auto& one : saved) {
    auto& entry = all.emplace_back();
    entry.pod_uid = std::move(one.pod_uid);
    entry.container = std::move(one.container);
    entry.resource = std::move(one.resource);
    entry.ids = std::move(one.ids);
    auto given = kubelet::parse_answer(one.answer);
    if (!given) continue;
    entry.devices = devices_named(*given);
    entry.nodes = std::move(given->host_paths);
  }
  return all;
}

// By the sockets that each kubelet makes anew: the one that lists is there before the one of its
// devices, of which it knows nothing until then. An inode alone may be handed out again.
std::optional<std::string> kubelet_of(const std::string& kubelet_dir) {
  std::string all;
  for (const auto* socket : {"/pod-resources/kubelet.sock", "/device-plugins/kubelet.sock"}) {
    struct stat info {};
    if (stat((kubelet_dir + socket).c_str(), &info) != 0) return std::nullopt;
    all += fmt::format("{} {}.{} ", info.st_ino, info.st_ctim.tv_sec, info.st_ctim.tv_nsec);
  }
  return all;
}

}  // namespace

Holders::Holders(Options options, Loop& loop, const host::Host& host, const ClaimedDevices& claimed,
                 News& news, Logger& log, std::function<void()> changed)
    : options_(std::move(options)),
      loop_(loop),
      host_(host),
      claimed_(claimed),
      news_(news),
      changed_(std::move(changed)),
      store_(host.roots.run),
      saved_nodes_(options_.kubelet_dir, host.roots.run),
      former_boot_(options_.state_dir, host.roots.run, host.roots.proc, log),
      ledger_(loop, host.clock, sources(), log, options_.ledger, changed_),
      pod_resources_(options_.kubelet_dir + "/pod-resources/kubelet.sock"),
      attachments_(loop, [this] { look_at_attachments(); }),
      files_(loop, [this] { ledger_.look(); }) {}

ledger::Sources Holders::sources() {
  const auto folder = options_.kubelet_dir + "/device-plugins/";
  return {[this](auto answer) {
            pod_resources_.list(kListLimit, [this, answer](auto pods) {
              answer(std::move(pods).map(
                  [this](auto listed) { return listed_of(std::move(listed), *claimed_.all()); }));
            });
          },
          [this, file = folder + std::string(kCheckpoint)] {
            auto saved = kubelet::read_checkpoint(file).map(saved_of);
            former_boot_.mark(saved);
            return saved;
          },
          [run = host_.roots.run] { return device::read_allocations(run); },
          [dir = options_.kubelet_dir] { return kubelet_of(dir); }};
}

Result<void> Holders::start() {
  auto records = host::FolderWatch::open();
  if (!records) return pass(records);
  records_ = std::move(*records);
  auto kubelet = host::FolderWatch::open();
  if (!kubelet) return pass(kubelet);
  kubelet_ = std::move(*kubelet);
  // Neither folder need be there yet: who makes the first records, and kubelet, will be seen by the
  // next look at the node.
  (void)records_->add(store_.folder());
  (void)kubelet_->add(options_.kubelet_dir + "/device-plugins");
  auto on_records = loop_.watch(records_->fd(), [this] {
    if (!records_->read_names().empty()) {
      attachments_.set_if_sooner(host_.clock.now() + kRecordsPause);
    }
  });
  if (!on_records) return pass(on_records);
  records_watch_ = std::move(*on_records);
  auto on_kubelet = loop_.watch(kubelet_->fd(), [this] { kubelet_changed(); });
  if (!on_kubelet) return pass(on_kubelet);
  kubelet_watch_ = std::move(*on_kubelet);
  ledger_.look();
  return {};
}

Answers Holders::answers() {
  return {ledger_.grants(),
          [this](const device::Inventory& inventory) {
            const auto now = ledger_.fresh(kAskLimit).value_or(ledger::Ledger::Now{});
            return ledger::who_asks(now.listed, now.saved, device::GpuIds(inventory), inventory);
          },
          [this](const std::string& resource, const std::vector<std::string>& ids) {
            return saved_nodes_.given(resource, ids);
          },
          // Kubelet writes its file after an Allocate, and not at a start.
          [this](const std::string& resource, const std::vector<std::string>& ids) {
            if (former_boot_.started(resource, ids)) {
              loop_.post([this, alive = std::weak_ptr(alive_)] {
                if (!alive.expired()) files_.set_if_sooner(host_.clock.now() + kFilesPause);
              });
            }
          }};
}

void Holders::kubelet_changed() {
  const auto names = kubelet_->read_names();
  const bool concerned = std::ranges::any_of(names, [](const auto& name) {
    return name.empty() || name == kCheckpoint || name == kKubeletSocket;
  });
  if (concerned) files_.set_if_sooner(host_.clock.now() + kFilesPause);
}

void Holders::set_inventory(std::shared_ptr<const device::Inventory> inventory) {
  inventory_ = std::move(inventory);
  (void)records_->add(store_.folder());
  (void)kubelet_->add(options_.kubelet_dir + "/device-plugins");
  look_at_attachments();
}

void Holders::look_at_attachments() {
  attachments_.cancel();
  if (!inventory_) return;
  auto all = ledger::read_attachments(store_, host_.locks, *inventory_);
  if (!all) {
    news_.tell_unreadable_records({all.error()});
    attachments_.set(host_.clock.now() + kUnread);
    return;
  }
  news_.tell_unreadable_records(all->unreadable);
  if (all->is_moving) attachments_.set(host_.clock.now() + kMoving);
  ledger_.set_attached(std::move(all->attached));
}

}  // namespace railhead::app
