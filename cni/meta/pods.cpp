#include "cni/meta/pods.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <deque>
#include <map>

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/text.hpp"

namespace railhead::cni {
namespace {

constexpr std::string_view kEnding = ".json";
// NAME_MAX (linux/limits.h) without what stands around an id; runtimes' have 64 digits.
constexpr size_t kMaxId = 230;
constexpr size_t kMostLeft = 256;
constexpr off_t kMostLeftBytes = off_t{64} << 20U;

std::string file_of(std::string_view container_id) {
  std::string name(container_id);
  if (name.size() > kMaxId) {
    name = fmt::format("{}~{:016x}", name.substr(0, kMaxId - 17), hash_of(name));
  }
  return name + std::string(kEnding);
}

// Its own, as one container has one call at a time: what a killed writer left is written over.
std::string temporary_of(const std::string& folder, const std::string& file) {
  return fmt::format("{}/.{}.new", folder, file);
}

// An annotation's share of the 256 KiB that the API server takes of all of a pod's, and Events: a
// NAD's author decides how long they are.
constexpr size_t kLongestStatus = size_t{128} << 10U;
constexpr size_t kMostEvents = 64;
constexpr size_t kLongestEvent = 1024;

ipc::PodNews bounded(ipc::PodNews news) {
  if (news.events.size() > kMostEvents) news.events.resize(kMostEvents);
  for (auto& event : news.events) {
    if (event.message.size() > kLongestEvent) event.message.resize(kLongestEvent);
  }
  if (news.network_status.size() <= kLongestStatus) return news;
  news.events.push_back({true, "NetworkWarning",
                         fmt::format("its network-status has {} bytes and is not written: expected "
                                     "at most {}",
                                     news.network_status.size(), kLongestStatus)});
  news.network_status = "[]";
  for (auto& one : news.attached) one.ips.clear();  // they are what makes it so long
  news.shared.clear();
  return news;
}

}  // namespace

Result<void> Pods::prepare() const {
  for (const auto& folder : {records_, progress_, left_}) {
    const auto parent = folder.substr(0, folder.rfind('/'));
    if (auto made = host::make_private_folder(parent); !made) return made;
    if (auto made = host::make_private_folder(folder); !made) return made;
  }
  return {};
}

Result<void> Pods::probe() const {
  for (const auto& folder : {records_, progress_}) {
    if (::access(folder.c_str(), W_OK | X_OK) != 0) return fail_errno(errno, "write to {}", folder);
    struct statvfs space {};
    // What is kept for root counts; a tmpfs without a limit has no blocks at all.
    if (::statvfs(folder.c_str(), &space) == 0 && space.f_blocks != 0 && space.f_bfree == 0) {
      return fail_errno(ENOSPC, "write to {}", folder);
    }
  }
  return {};
}

Result<void> Pods::save(const PodRecord& record) const {
  const auto file = file_of(record.container_id);
  return host::create_durable_file(fmt::format("{}/{}", records_, file),
                                   temporary_of(records_, file), to_json(record), 0600);
}

Result<void> Pods::save(const PodRecord& record, const PodProgress& progress) const {
  // A boot took the folder.
  if (auto made = host::make_private_folder(progress_); !made) return made;
  const auto file = file_of(record.container_id);
  return host::replace_file(fmt::format("{}/{}", progress_, file), temporary_of(progress_, file),
                            to_json(progress), 0600);
}

Result<void> Pods::tell(const PodRecord& record, const ipc::PodNews& news) const {
  if (auto made = host::make_private_folder(news_); !made) return made;
  const auto file = file_of(record.container_id);
  return host::replace_file(fmt::format("{}/{}", news_, file), temporary_of(news_, file),
                            ipc::encode(bounded(news)), 0600);
}

bool Pods::has_news(std::string_view container_id) const {
  return ::access(fmt::format("{}/{}", news_, file_of(container_id)).c_str(), F_OK) == 0;
}

Result<std::optional<PodRecord>> Pods::load_file(const std::string& name) const {
  const auto path = fmt::format("{}/{}", records_, name);
  const auto text = host::read_private_file(path);
  if (is(text, ErrorCode::not_found)) return std::nullopt;
  if (!text && !is(text, ErrorCode::invalid_argument)) return pass(text);
  auto record = text ? pod_record_from_json(*text) : pass(text);
  if (record && file_of(record->container_id) != name) {
    return fail(ErrorCode::decode, "{}: it is the record of {}", path, record->container_id);
  }
  if (!record) return fail(ErrorCode::decode, "{}: {}", path, record.error().message);
  return std::move(*record);
}

Result<std::optional<PodRecord>> Pods::load(std::string_view container_id) const {
  return load_file(file_of(container_id));
}

PodProgress Pods::progress(const PodRecord& record) const {
  const auto text =
      host::read_private_file(fmt::format("{}/{}", progress_, file_of(record.container_id)));
  auto progress = text ? pod_progress_from_json(*text) : pass(text);
  auto all = progress ? std::move(*progress) : PodProgress{};
  all.results.resize(record.networks.size());
  return all;
}

Result<void> Pods::remove(const PodRecord& record) const {
  const auto file = file_of(record.container_id);
  // Nobody's end waits for what was to be told: the agent drops it when the pod is gone.
  std::ignore = host::remove_file(fmt::format("{}/{}", news_, file));
  for (const auto* folder : {&left_, &progress_, &records_}) {
    if (auto removed = host::remove_file(fmt::format("{}/{}", *folder, file)); !removed) {
      return removed;
    }
  }
  return host::remove_file(lock_of(record.container_id));
}

std::string Pods::lock_of(std::string_view container_id) const {
  std::ignore = host::make_private_folder(progress_);  // a boot took it; else the lock says so
  return fmt::format("{}/.{}.lock", progress_, file_of(container_id));
}

Result<void> Pods::leave(const PodRecord& record) const {
  if (auto made = host::make_private_folder(left_); !made) return made;
  const auto file = file_of(record.container_id);
  return host::replace_file(fmt::format("{}/{}", left_, file), temporary_of(left_, file), "", 0600);
}

Result<std::vector<std::string>> Pods::left() const {
  const auto folder = host::Directory::open(left_);
  if (is(folder, ErrorCode::not_found)) return std::vector<std::string>();
  auto names = folder ? folder->list(".") : pass(folder);
  if (!names) return pass(names);
  std::erase_if(*names, [](const auto& name) { return name.starts_with('.'); });
  std::ranges::sort(*names);
  return names;
}

Result<std::vector<PodRecord>> Pods::left_too_many() const {
  const auto names = left();
  if (!names) return pass(names);
  struct Left {
    int64_t written = 0;  // ns, as the record is written once
    off_t bytes = 0;
    std::string file;
  };
  std::vector<Left> all;
  off_t bytes = 0;
  for (const auto& name : *names) {
    struct stat status {};
    if (::lstat(fmt::format("{}/{}", records_, name).c_str(), &status) != 0) continue;
    bytes += status.st_size;
    all.push_back(
        {status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec, status.st_size, name});
  }
  if (all.size() <= kMostLeft && bytes <= kMostLeftBytes) return std::vector<PodRecord>{};
  std::sort(all.begin(), all.end(),
            [](const Left& one, const Left& other) { return one.written < other.written; });
  std::map<std::string, std::deque<std::pair<PodRecord, off_t>>> by_namespace;
  for (const auto& one : all) {
    auto record = load_file(one.file);
    if (!record || !*record) continue;
    auto& of_namespace = by_namespace[(*record)->pod_namespace];
    of_namespace.emplace_back(std::move(**record), one.bytes);
  }
  std::vector<PodRecord> too_many;
  for (auto count = all.size(); count > kMostLeft || bytes > kMostLeftBytes; --count) {
    const auto most = std::max_element(
        by_namespace.begin(), by_namespace.end(),
        [](const auto& one, const auto& other) { return one.second.size() < other.second.size(); });
    if (most == by_namespace.end() || most->second.empty()) break;
    bytes -= most->second.front().second;
    too_many.push_back(std::move(most->second.front().first));
    most->second.pop_front();
  }
  return too_many;
}

Result<void> Pods::forget_left(const std::string& file) const {
  return host::remove_file(fmt::format("{}/{}", left_, file));
}

Result<void> Pods::set_aside(std::string_view container_id) const {
  if (auto made = host::make_private_folder(unreadable_); !made) return made;
  const auto file = file_of(container_id);
  const auto path = fmt::format("{}/{}", records_, file);
  const auto aside = fmt::format("{}/{}", unreadable_, file);
  if (std::rename(path.c_str(), aside.c_str()) == 0) return {};
  return fail_errno(errno, "rename {}", path);
}

Result<Pods::Listing> Pods::list() const {
  Listing listing;
  const auto folder = host::Directory::open(records_);
  if (is(folder, ErrorCode::not_found)) return listing;
  auto names = folder ? folder->list(".") : pass(folder);
  if (!names) return pass(names);
  std::ranges::sort(*names);
  for (const auto& name : *names) {
    if (name.starts_with('.') || !name.ends_with(kEnding)) continue;
    auto record = load_file(name);
    if (!record) {
      listing.unreadable.push_back(record.error());
    } else if (*record) {
      listing.records.push_back(std::move(**record));
    }
  }
  return listing;
}

}  // namespace railhead::cni
