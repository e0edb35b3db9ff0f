#include "attach/foreign_files.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include <sys/stat.h>

#include "attach/function.hpp"
#include "base/text.hpp"

namespace railhead::attach::foreign {
namespace {

constexpr std::string_view kTaken = ".taken";
constexpr size_t kMostOfCache = 1 << 20;  // a configuration, maybe with a prevResult
constexpr size_t kMostOfPath = 4096;      // PATH_MAX

std::string sriov_folder(const host::Host& host) { return host.roots.cni_cache + "/sriov"; }
std::string sriov_path(const host::Host& host, const AttachmentKey& key) {
  return fmt::format("{}/{}-{}", sriov_folder(host), key.container_id, key.ifname);
}
std::string ib_sriov_folder(const host::Host& host) { return host.roots.cni_cache + "/ib-sriov"; }
std::string ib_sriov_path(const host::Host& host, const AttachmentKey& key) {
  return fmt::format("{}/{}-{}", ib_sriov_folder(host), key.container_id, key.ifname);
}
std::string rdma_path(const host::Host& host, const AttachmentKey& key) {
  return fmt::format("{}/rdma/{}-{}-{}", host.roots.cni_cache, key.network, key.container_id,
                     key.ifname);
}

void rename_taken(const Work& work, const std::string& path) {
  const auto to = path + std::string(kTaken);
  if (std::rename(path.c_str(), to.c_str()) == 0 || errno == ENOENT || errno == ENOTDIR) return;
  work.log.warning("what another program kept of an attachment that is given back stays",
                   {{"file", path}, {"errno", errno}});
}

// Nothing: it is not there, or cannot be read, which the log tells.
template <class Cache>
std::optional<Cache> read_cache(const Work& work, const std::string& path,
                                Result<Cache> (*read)(std::string_view)) {
  const auto text = host::read_regular_file(path, kMostOfCache);
  if (is(text, ErrorCode::not_found)) return std::nullopt;
  auto cache = text ? read(*text) : pass(text);
  if (cache) return std::move(*cache);
  work.log.warning(
      "what another program kept of an attachment cannot be read: nothing is given "
      "back by it",
      {{"file", path}, {"error", cache.error().message}});
  return std::nullopt;
}

// Seconds since 1970; nothing where it is not there.
std::optional<timespec> modified(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return std::nullopt;
  return status.st_mtim;
}

bool is_newer(const timespec& a, const timespec& b) {
  return a.tv_sec != b.tv_sec ? a.tv_sec > b.tv_sec : a.tv_nsec > b.tv_nsec;
}

// What it tells of went with the kernel that it ran on.
bool is_of_former_boot(const host::Host& host, const std::string& path) {
  const auto stat = host::read_file(host.roots.proc + "/stat");
  const auto written = modified(path);
  if (!stat || !written) return false;
  constexpr std::string_view kKey = "\nbtime ";
  const auto at = stat->find(kKey);
  if (at == std::string::npos) return false;
  const auto rest = std::string_view(*stat).substr(at + kKey.size());
  const auto booted = parse_int<int64_t>(rest.substr(0, rest.find('\n')));
  return booted && written->tv_sec < *booted;
}

// Container ids of container runtimes are 64 hexadecimal digits; others may have a '-', as
// interfaces may.
AttachmentKey key_of(const std::string& file, const SriovCache& cache) {
  constexpr size_t kIdSize = 64;
  const auto at = file.find('-') == kIdSize ? kIdSize : file.rfind('-');
  return {cache.network, file.substr(0, at), file.substr(at + 1)};
}

// The file of the program that attached the VF; else rdma-cni's.
std::string path_of(const host::Host& host, const Found& found) {
  if (!found.sriov) return rdma_path(host, found.key);
  return found.sriov->layer == host::LinkLayer::infiniband ? ib_sriov_path(host, found.key)
                                                           : sriov_path(host, found.key);
}

bool is_rdma_back(const host::Host& host, const device::DeviceId& device) {
  const auto names = rdma_in_host(host, device);
  return names ? !names->empty() : is(names, ErrorCode::not_found);
}

}  // namespace

std::string allocation_path(const host::Host& host, const device::DeviceId& device) {
  return fmt::format("{}/pci/{}", sriov_folder(host), device.name);
}

std::string allocated_to(const host::Host& host, const device::DeviceId& device) {
  const auto text = host::read_regular_file(allocation_path(host, device), kMostOfPath);
  return text ? std::string(trim(*text)) : "";
}

Found look(const Work& work, const AttachmentKey& key, Predecessor predecessor) {
  Found found{key, {}, {}};
  if (predecessor == Predecessor::sriov_cni) {
    found.sriov = read_cache(work, sriov_path(work.host, key), read_sriov_cache);
  }
  if (predecessor == Predecessor::ib_sriov_cni) {
    found.sriov = read_cache(work, ib_sriov_path(work.host, key), read_ib_sriov_cache);
    if (found.sriov && found.sriov->rdma) {
      found.rdma = found.sriov->rdma;
      return found;
    }
  }
  found.rdma = read_cache(work, rdma_path(work.host, key), read_rdma_cache);
  if (found.sriov && found.rdma && found.sriov->device != found.rdma->device) found.rdma.reset();
  return found;
}

namespace {

using Dated = std::vector<std::pair<timespec, Found>>;

void add_caches(const Work& work, const device::DeviceId& device, Predecessor predecessor,
                Dated& all) {
  const bool is_ib = predecessor == Predecessor::ib_sriov_cni;
  const auto folder_path = is_ib ? ib_sriov_folder(work.host) : sriov_folder(work.host);
  const auto folder = host::Directory::open(folder_path);
  const auto names = folder ? folder->list(".") : pass(folder);
  if (!names) return;
  for (const auto& name : *names) {
    const auto path = fmt::format("{}/{}", folder_path, name);
    const auto written = modified(path);
    if (name == "pci" || name.ends_with(kTaken) || name.find('-') == std::string::npos) continue;
    auto cache = read_cache(work, path, is_ib ? read_ib_sriov_cache : read_sriov_cache);
    if (!cache || cache->device != device || !written) continue;
    const auto key = key_of(name, *cache);
    if (!is_netdev_name(key.ifname) || key.container_id.find('@') != std::string::npos) continue;
    auto found = look(work, key, predecessor);
    if (found.sriov) all.emplace_back(*written, std::move(found));
  }
}

}  // namespace

std::vector<Found> caches_of(const Work& work, const device::DeviceId& device) {
  Dated all;
  add_caches(work, device, Predecessor::sriov_cni, all);
  add_caches(work, device, Predecessor::ib_sriov_cni, all);
  std::stable_sort(all.begin(), all.end(),
                   [](const auto& a, const auto& b) { return is_newer(a.first, b.first); });
  std::vector<Found> found;
  found.reserve(all.size());
  for (auto& [written, one] : all) found.push_back(std::move(one));
  return found;
}

void set_aside(const Work& work, const Found& found, std::string_view why) {
  work.log.warning("another program's attachment is not given back",
                   {{"holder", describe(found.key, "")},
                    {"device", found.device().name},
                    {"why", std::string(why)}});
  if (found.sriov) rename_taken(work, path_of(work.host, found));
  if (found.rdma) rename_taken(work, rdma_path(work.host, found.key));
}

std::string why_stale(const Work& work, const Found& found) {
  const auto path = path_of(work.host, found);
  if (is_of_former_boot(work.host, path)) return "it is of a former boot";
  const auto written = modified(path);
  for (const auto& other : caches_of(work, found.device())) {
    const auto later = modified(path_of(work.host, other));
    const bool is_own = other.key.container_id == found.key.container_id;
    if (is_own || !written || !later || !is_newer(*later, *written)) continue;
    return fmt::format("the device is {}'s by now", describe(other.key, ""));
  }
  return "";
}

void set_aside(const Work& work, const Found& found) {
  if (found.sriov) {
    rename_taken(work, allocation_path(work.host, found.sriov->device));
    rename_taken(work, path_of(work.host, found));
  }
  // While it is away rdma-cni, behind us in the chain, may still have to bring it back.
  if (found.rdma && is_rdma_back(work.host, found.rdma->device)) {
    rename_taken(work, rdma_path(work.host, found.key));
  }
}

}  // namespace railhead::attach::foreign
