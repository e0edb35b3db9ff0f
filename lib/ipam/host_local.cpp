#include "ipam/host_local.hpp"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <set>

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <unistd.h>

#include "base/go_json.hpp"
#include "base/text.hpp"
#include "host/files.hpp"
#include "ipam/paths.hpp"
#include "ipam/refuse.hpp"

namespace railhead::ipam {
namespace {

using go_json::Object;
using Json = nlohmann::ordered_json;

// Modes and names are upstream's.
constexpr mode_t kFolderMode = 0755;
constexpr mode_t kLeaseMode = 0644;
constexpr mode_t kLockMode = 0750;
constexpr const char* kLock = "lock";
constexpr std::string_view kLast = "last_reserved_ip.";
constexpr std::string_view kBetween = "\r\n";

constexpr size_t kMaxLease = 4096;  // bytes; a container's id and an interface's name are shorter

Failure in_the_way(int os_errno, const std::string& path) {
  if (os_errno == ELOOP || os_errno == ENOTDIR) {
    return fail(ErrorCode::permission, "{}: expected a folder, and no symbolic link to one", path);
  }
  return fail_errno(os_errno, "open {}", path);
}

std::string text_of(const Holder& holder) {
  return fmt::format("{}{}{}", trim(holder.container_id), kBetween, holder.ifname);
}

bool is_of(const Lease& lease, const Holder& holder) { return lease.text == text_of(holder); }
bool is_of_container(const Lease& lease, const Holder& holder) {
  return lease.text == trim(holder.container_id);
}

// The text of a regular file in the folder; nothing where there is none, or of another kind.
std::optional<std::string> read_in(int folder, const char* name) {
  const UniqueFd file(::openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  std::string text(kMaxLease, '\0');
  ssize_t got = 0;
  do {
    got = ::read(file.get(), text.data(), text.size());
  } while (got < 0 && errno == EINTR);
  if (got < 0) return std::nullopt;
  text.resize(static_cast<size_t>(got));
  return text;
}

Result<void> write_in(int folder, const std::string& name, std::string_view text, int flags) {
  const UniqueFd file(::openat(folder, name.c_str(),
                               O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC | flags, kLeaseMode));
  if (!file) return fail_errno(errno, "make {}", name);
  return host::write_all(file.get(), text);
}

// All that stand in a folder, by their names. What is no regular file has no text, and is taken.
struct Leases {
  std::vector<Lease> all;
  std::set<Address> taken;
};

Result<Leases> read_leases(int folder) {
  UniqueFd own(::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!own) return fail_errno(errno, "list the leases");
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(::fdopendir(::dup(own.get())), ::closedir);
  if (!listing) return fail_errno(errno, "list the leases");
  Leases leases;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(listing.get());
    if (!entry) break;
    const auto address = parse_go(entry->d_name);
    if (!address) continue;
    const auto text = read_in(folder, entry->d_name);
    // Whoever writes one has the lock, so one without a text is of a writer that was killed.
    const auto holder = text ? std::string(trim(*text)) : "";
    if (!text || !holder.empty()) leases.taken.insert(*address);
    leases.all.push_back({*address, entry->d_name, holder});
  }
  if (errno != 0) return fail_errno(errno, "list the leases");
  return leases;
}

Address next(const RangeSet& set, size_t& at, const Address& address) {
  if (address < set[at].last) return *address.plus(1);
  at = (at + 1) % set.size();
  return set[at].first;
}

// The first that is free after `last`. Each step but two passes one that is taken or a gateway, so
// there are no more of them than leases, however large the range is.
std::optional<Given> find_free(const RangeSet& set, const std::optional<Address>& last,
                               const std::set<Address>& taken) {
  size_t at = 0;
  auto address = set.front().first;
  if (const auto* range = last ? range_of(set, *last) : nullptr) {
    at = static_cast<size_t>(range - set.data());
    address = next(set, at, *last);
  }
  const auto start = address;
  do {
    const auto& range = set[at];
    if (address != range.gateway && !taken.contains(address)) {
      return Given{address.with_length(range.subnet.length), range.gateway};
    }
    address = next(set, at, address);
  } while (address != start);
  return std::nullopt;
}

Result<Given> choose_requested(const RangeSet& set, const Address& wanted,
                               const std::set<Address>& taken) {
  const auto& range = *range_of(set, wanted);
  if (wanted == range.gateway)
    return refuse("requested ip {} is subnet's gateway", go_text(wanted));
  if (taken.contains(wanted)) {
    return fail(ErrorCode::already_exists,
                "requested IP address {} is not available in range set {}", go_text(wanted),
                to_string(set));
  }
  return Given{wanted.with_length(range.subnet.length), range.gateway};
}

// The requested address of each set, where it has one.
Result<std::vector<std::optional<Address>>> requested_of(const HostLocalConf& conf) {
  auto left = conf.requested;
  std::vector<std::optional<Address>> of_sets;
  for (const auto& set : conf.sets) {
    const auto found =
        std::ranges::find_if(left, [&](const Address& one) { return range_of(set, one); });
    of_sets.push_back(found == left.end() ? std::nullopt : std::optional(*found));
    if (found != left.end()) left.erase(found);
  }
  if (left.empty()) return of_sets;
  std::string all;
  for (const auto& one : left) all += " " + go_text(one);
  return refuse("failed to allocate all requested IPs:{}", all);
}

// Upstream counts sets; where rails have ranges of their own each goes round in them.
std::string last_file(const HostLocalConf& conf, size_t set) {
  return conf.rail ? fmt::format("{}{}.{}", kLast, *conf.rail, set)
                   : fmt::format("{}{}", kLast, set);
}

// What set number `index` gives the holder.
Result<Given> choose(int folder, const HostLocalConf& conf, size_t index,
                     const std::optional<Address>& wanted, const Holder& holder,
                     const Leases& leases) {
  const auto& set = conf.sets[index];
  if (wanted) return choose_requested(set, *wanted, leases.taken);
  for (const auto& lease : leases.all) {
    if (!range_of(set, lease.address)) continue;
    if (!is_of(lease, holder) && !is_of_container(lease, holder)) continue;
    return fail(ErrorCode::already_exists,
                "{} has been allocated to {}, duplicate allocation is not allowed",
                go_text(lease.address), holder.container_id);
  }
  const auto last = read_in(folder, last_file(conf, index).c_str());
  const auto free = find_free(set, last ? parse_go(*last) : std::nullopt, leases.taken);
  if (free) return *free;
  return fail(ErrorCode::busy, "no IP addresses available in range set: {}", to_string(set));
}

std::string note_text(const Holder& holder, const Owner& owner) {
  return fmt::format("{}\n{}\n{}\n{}\n", trim(holder.container_id), holder.ifname, owner.boot_id,
                     owner.pod);
}

}  // namespace

struct HostLocal::Open {
  UniqueFd folder;
  std::string path;
  host::FileLock lock;
};

Result<HostLocal> HostLocal::of(const Json& config, Folders folders, host::FileLocks& locks) {
  std::vector<Error> errors;
  Object whole(config, "", errors);
  const auto name = whole.string("name").value_or("");
  auto ipam = whole.object("ipam");
  const auto asked = ipam ? ipam->string("dataDir").value_or("") : "";
  if (!errors.empty()) return refuse("{}", errors.front().message);
  if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos ||
      name.find('\0') != std::string::npos) {
    return refuse("name {}: expected the name of a folder, without / and ..", go_quoted(name));
  }
  const auto data_dir = plain_path(asked.empty() ? folders.usual + "/networks" : asked);
  std::vector<std::string> allowed{folders.usual};
  allowed.insert(allowed.end(), folders.admin.begin(), folders.admin.end());
  for (const auto& one : allowed) {
    auto root = plain_path(one);
    auto rest = root && data_dir ? below(*data_dir, *root) : std::nullopt;
    if (!rest) continue;
    return HostLocal(std::move(*root), std::move(*rest), name, std::move(folders), locks);
  }
  return refuse(
      "ipam.dataDir {}: expected a folder below {}, or below one that the node's ipamDirs names",
      asked, folders.usual);
}

Result<std::optional<HostLocal::Open>> HostLocal::open(bool makes, const Deadline& deadline) const {
  if (makes) {
    if (auto made = host::make_directories(root_, kFolderMode); !made) return pass(made);
  }
  std::string path = root_;
  // Where the folder itself leads is the admin's affair; below it others may have written.
  UniqueFd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder && errno == ENOENT) return std::nullopt;
  if (!folder) return in_the_way(errno, path);
  auto parts = split(below_, '/');
  parts.emplace_back(network_);
  for (const auto part : parts) {
    if (part.empty()) continue;
    const std::string name(part);
    path += "/" + name;
    if (makes && ::mkdirat(folder.get(), name.c_str(), kFolderMode) != 0 && errno != EEXIST) {
      return fail_errno(errno, "make the folder {}", path);
    }
    UniqueFd sub(
        ::openat(folder.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!sub && errno == ENOENT && !makes) return std::nullopt;
    if (!sub) return in_the_way(errno, path);
    folder = std::move(sub);
  }
  const auto lock_path = fmt::format("{}/{}", path, kLock);
  const UniqueFd lock_file(::openat(
      folder.get(), kLock, O_RDONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, kLockMode));
  if (!lock_file) return in_the_way(errno, lock_path);
  auto lock = locks_->lock(lock_path, deadline.left());
  if (!lock) return pass(lock);
  return Open{std::move(folder), std::move(path), std::move(*lock)};
}

std::string HostLocal::note_of(const Address& address) const {
  return fmt::format("{}/{}/{}", folders_.own, network_, go_text(address));
}

// The note goes first: one without a lease says nothing, and a lease without one is as upstream's.
Result<void> HostLocal::give_back(const Open& open, const Lease& lease) const {
  if (auto removed = host::remove_file(note_of(lease.address)); !removed) return removed;
  if (::unlinkat(open.folder.get(), lease.file.c_str(), 0) != 0 && errno != ENOENT) {
    return fail_errno(errno, "remove {}/{}", open.path, lease.file);
  }
  return {};
}

Result<void> HostLocal::give_back_cut_off(const Open& open, std::span<const Lease> all,
                                          const std::set<Address>& taken) const {
  for (const auto& lease : all) {
    if (taken.contains(lease.address)) continue;
    if (auto freed = give_back(open, lease); !freed) return freed;
  }
  return {};
}

Result<void> HostLocal::write(const Open& open, const Given& given, const std::string& last,
                              const Holder& holder, const Owner& owner) const {
  const auto address = Address::of(given.address);
  const auto name = go_text(address);
  auto made = host::write_file_atomically(note_of(address), note_text(holder, owner), 0600);
  if (made) made = write_in(open.folder.get(), name, text_of(holder), O_EXCL);
  if (made) made = write_in(open.folder.get(), last, name, O_TRUNC);
  if (!made) return pass(made, open.path);
  return {};
}

Result<std::vector<Given>> HostLocal::add(const HostLocalConf& conf, const Holder& holder,
                                          const Owner& owner, const Deadline& deadline) const {
  const auto requested = requested_of(conf);
  if (!requested) return pass(requested);
  const auto opened = open(true, deadline);
  if (!opened) return pass(opened);
  const auto& open = **opened;
  const int folder = open.folder.get();
  auto leases = read_leases(folder);
  if (!leases) return pass(leases, open.path);
  if (auto made = host::make_private_folder(folders_.own); !made) return pass(made);
  if (auto made = host::make_directories(folders_.own + "/" + network_, 0700); !made) {
    return pass(made);
  }

  if (auto freed = give_back_cut_off(open, leases->all, leases->taken); !freed) return pass(freed);

  std::vector<Given> given;
  for (size_t i = 0; i < conf.sets.size(); ++i) {
    auto one = choose(folder, conf, i, (*requested)[i], holder, *leases);
    if (one) {
      given.push_back(*one);
      leases->taken.insert(Address::of(one->address));
    }
    const auto done = one ? write(open, *one, last_file(conf, i), holder, owner) : pass(one);
    if (done) continue;
    // Somebody who has not asked for the lock was faster: the file is his.
    if (is(done, ErrorCode::already_exists) && one) given.pop_back();
    for (const auto& taken : given) {
      const auto address = Address::of(taken.address);
      // What cannot be taken back now, DEL will: the runtime sends one after an ADD that failed.
      (void)give_back(open, {address, go_text(address), ""});
    }
    return pass(done, fmt::format("failed to allocate for range {}", i));
  }
  return given;
}

Result<void> HostLocal::del(const Holder& holder, const Deadline& deadline) const {
  const auto opened = open(false, deadline);
  if (!opened) return pass(opened);
  if (!*opened) return {};
  const auto& open = **opened;
  const auto leases = read_leases(open.folder.get());
  if (!leases) return pass(leases, open.path);
  // One may be of this container's ADD.
  if (auto freed = give_back_cut_off(open, leases->all, leases->taken); !freed) return freed;
  // Files of very old programs name the container alone.
  for (const auto is_meant : {is_of, is_of_container}) {
    bool is_found = false;
    for (const auto& lease : leases->all) {
      if (!is_meant(lease, holder)) continue;
      is_found = true;
      if (auto freed = give_back(open, lease); !freed) return freed;
    }
    if (is_found) return {};
  }
  return {};
}

Result<void> HostLocal::check(const Holder& holder, const Deadline& deadline) const {
  const auto opened = open(false, deadline);
  if (!opened) return pass(opened);
  if (*opened) {
    const auto leases = read_leases((*opened)->folder.get());
    if (!leases) return pass(leases, (*opened)->path);
    for (const auto& lease : leases->all) {
      if (is_of(lease, holder) || is_of_container(lease, holder)) return {};
    }
  }
  return fail(ErrorCode::not_found, "host-local: Failed to find address added by container {}",
              holder.container_id);
}

Result<void> HostLocal::gc(std::span<const Holder> valid, const Deadline& deadline) const {
  const auto opened = open(false, deadline);
  if (!opened) return pass(opened);
  if (!*opened) return {};
  const auto& open = **opened;
  const auto leases = read_leases(open.folder.get());
  if (!leases) return pass(leases, open.path);
  std::set<std::string, std::less<>> texts;
  for (const auto& holder : valid) {
    texts.insert(text_of(holder));
    texts.emplace(trim(holder.container_id));
  }
  for (const auto& lease : leases->all) {
    const bool is_lease = !lease.text.empty() || !leases->taken.contains(lease.address);
    if (!is_lease || texts.contains(lease.text)) continue;
    if (auto freed = give_back(open, lease); !freed) return freed;
  }
  return {};
}

Result<std::optional<Owner>> HostLocal::owner_of(const Address& address,
                                                 const Deadline& deadline) const {
  const auto opened = open(false, deadline);
  if (!opened) return pass(opened);
  if (!*opened) return std::nullopt;
  const auto lease = read_in((*opened)->folder.get(), go_text(address).c_str());
  if (!lease) return std::nullopt;
  const auto note = host::read_private_file(note_of(address));
  if (is(note, ErrorCode::not_found)) return std::nullopt;
  if (!note) return pass(note);
  const auto lines = split(*note, '\n');
  // Upstream's program leaves a note as it is, so that it may be of an earlier holder.
  if (lines.size() < 4 || trim(*lease) != fmt::format("{}{}{}", lines[0], kBetween, lines[1])) {
    return std::nullopt;
  }
  return Owner{std::string(lines[2]), std::string(lines[3])};
}

}  // namespace railhead::ipam
