#include "plugin/app/delivery.hpp"

#include <algorithm>
#include <vector>

#include <sys/stat.h>

#include "host/files.hpp"
#include "plugin/app/device_info.hpp"
#include "plugin/app/shared_gids.hpp"

namespace railhead::app {
namespace {

constexpr std::chrono::seconds kFolderRetry{10};
// Kubelet tells the API of its static pods when it can.
constexpr std::chrono::seconds kMirrorRetry{5};
// The kernel adds a RoCE address to the device's GIDs a moment after the interface has it.
constexpr std::chrono::milliseconds kGidRetry{200};
constexpr std::chrono::seconds kGidLimit{2};
// The CNI program tells no more of a pod (cni/meta/pods.cpp).
constexpr off_t kLargest = off_t{1} << 20U;

std::vector<kube::AttachedDevice> attached_of(const ipc::PodNews& news) {
  std::vector<kube::AttachedDevice> all;
  all.reserve(news.attached.size());
  for (const auto& one : news.attached) all.push_back({one.device, one.ifname, one.mac, one.ips});
  return all;
}

}  // namespace

Delivery::Delivery(Options options, Loop& loop, const Clock& clock, kube::Cluster& cluster,
                   metrics::Metrics& metrics, Logger& log, Started started)
    : options_(std::move(options)),
      loop_(loop),
      clock_(clock),
      cluster_(cluster),
      metrics_(metrics),
      log_(log),
      started_(std::move(started)),
      again_(loop, [this] { folder_watch_ ? read() : start(); }) {}

void Delivery::start() {
  const auto watched = watch();
  trouble_ = watched ? "" : watched.error().message;
  if (!watched) return again_.set(clock_.now() + kFolderRetry);
  read();
}

Result<void> Delivery::watch() {
  if (auto made = host::make_private_folder(options_.folder); !made) return made;
  auto watch = host::FolderWatch::open();
  if (!watch) return pass(watch);
  if (auto added = watch->add(options_.folder); !added) return added;
  folder_watch_ = std::move(*watch);
  auto heard = loop_.watch(folder_watch_->fd(), [this] {
    std::ignore = folder_watch_->read_names();
    read();
  });
  if (!heard) return pass(heard);
  news_ = std::move(*heard);
  return {};
}

void Delivery::stop() {
  again_.cancel();
  news_.drop();
}

// The files' times tell which of a pod's sandboxes is the last.
void Delivery::read() {
  const auto folder = host::Directory::open(options_.folder);
  const auto names = folder ? folder->list(".") : pass(folder);
  if (!names) return;  // a boot's records go as a whole, and come anew
  drop_what_is_gone(*names);
  std::vector<std::pair<Stamp, std::string>> files;
  for (const auto& name : *names) {
    struct stat status {};
    const auto path = options_.folder + "/" + name;
    if (name.starts_with('.') || ::lstat(path.c_str(), &status) != 0) continue;
    const Stamp stamp{status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec,
                      status.st_ino};
    const auto taken = taken_.find(name);
    if (taken != taken_.end() && taken->second.stamp == stamp) continue;
    if (status.st_size <= kLargest) {
      files.emplace_back(stamp, name);
      continue;
    }
    taken_[name] = {"", {}, "", stamp};
    log_.error("what is to be told of a pod is too large, it is left out",
               {{"file", path}, {"bytes", status.st_size}});
  }
  std::ranges::sort(files);
  for (const auto& [stamp, name] : files) pass_on(name, stamp);
}

// A pod whose file is gone has ended: what is to be written of it is of no use to anybody.
void Delivery::drop_what_is_gone(const std::vector<std::string>& names) {
  std::erase_if(without_gids_, [&](const auto& one) {
    return std::ranges::find(names, one.first) == names.end();
  });
  std::erase_if(taken_, [&](const auto& one) {
    const auto& file = one.first;
    const auto& gone = one.second;
    if (std::ranges::find(names, file) != names.end()) return false;
    const bool has_other = std::ranges::any_of(taken_, [&](const auto& other) {
      return other.first != file && other.second.uid == gone.uid && other.second.pod == gone.pod;
    });
    if (!gone.pod.name.empty() && !has_other) cluster_.drop_status(gone.pod, gone.uid);
    return true;
  });
}

// A file that is replaced meanwhile is passed on again.
void Delivery::pass_on(const std::string& file, Stamp stamp) {
  const auto path = options_.folder + "/" + file;
  const auto text = host::read_private_file(path);
  if (!text) return;
  auto news = ipc::decode_pod_news(*text);
  if (!news) {
    taken_[file] = {"", {}, "", stamp};
    log_.error("what is to be told of a pod cannot be read",
               {{"file", path}, {"error", news.error().message}});
    return;
  }
  const kube::Name pod{news->pod_namespace, news->pod_name};
  const auto uid = cluster_.uid_of(pod, news->pod_uid);
  if (!uid) return again_.set_if_sooner(clock_.now() + kMirrorRetry);
  news->network_status = with_device_info(*news, options_.devinfo);
  const auto status = with_gids(*news, options_.sysfs);
  if (!status.is_whole && may_wait(file)) return again_.set_if_sooner(clock_.now() + kGidRetry);
  without_gids_.erase(file);
  taken_[file] = {*text, pod, *uid, stamp};
  const auto written = [this, file, pod, uid = *uid, text = *text,
                        news = *news](const Result<void>& result) {
    if (!result) {
      log_.warning("a pod's network-status is not written",
                   {{"pod", pod.text()}, {"error", result.error().message}});
    } else {
      for (const auto& event : news.events) {
        cluster_.tell(pod, uid, {event.is_warning, event.reason, event.message});
      }
      if (options_.tells_claims) cluster_.write_claims(pod, uid, attached_of(news));
      started_(news, uid);
    }
    metrics_.status_written(result ? "written" : "refused");
    told(file, text);
  };
  cluster_.write_status(pod, *uid, status.text, written);
}

bool Delivery::may_wait(const std::string& file) {
  const auto since = without_gids_.emplace(file, clock_.now()).first->second;
  return clock_.now() - since < kGidLimit;
}

// Removes the file, unless it was replaced, and earlier ones of the same pod: nobody waits for what
// was written in their place.
void Delivery::told(const std::string& file, const std::string& text) {
  const auto now = taken_.find(file);
  if (now == taken_.end() || now->second.text != text) return;
  const auto [kept, pod, uid, stamp] = now->second;
  for (const auto& [other, taken] : taken_) {
    if (taken.pod != pod || taken.uid != uid || taken.stamp > stamp) continue;
    const auto path = options_.folder + "/" + other;
    const auto stands = host::read_private_file(path);
    if (stands && *stands == taken.text) std::ignore = host::remove_file(path);
  }
}

}  // namespace railhead::app
