#include "cni/install/programs.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/files.hpp"

namespace railhead::cni {
namespace {

// Is in every version of the program: in older ones as part of what they say of themselves, in this
// and newer ones because it stands here. Never to be changed.
constexpr std::string_view kMark = ": gives SR-IOV VFs with their RDMA devices to pods";
constexpr std::string_view kElf =
    "\x7f"
    "ELF";

constexpr unsigned kMode = 0755;
constexpr std::string_view kTemporary = ".railhead-install.new";
constexpr std::string_view kTemporaryOriginal = ".railhead-install.original";

std::string kept_name(const std::string& name) {
  return fmt::format(".{}.railhead-original", name);
}

// Reads a file piece by piece, as it may be large (Multus has 50 MB) and memory is limited.
// `piece` says whether to go on.
template <class Piece>
Result<> read_pieces(int fd, Piece piece) {
  std::array<char, 1 << 16> buffer;
  for (;;) {
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, "read");
    if (got == 0 || !piece(std::string_view(buffer.data(), static_cast<size_t>(got)))) return {};
  }
}

Result<bool> has_content(int fd, std::string_view content) {
  bool is_equal = true;
  auto read = read_pieces(fd, [&](std::string_view piece) {
    is_equal = content.starts_with(piece);
    if (is_equal) content.remove_prefix(piece.size());
    return is_equal;
  });
  if (!read) return pass(read);
  return is_equal && content.empty();
}

// An executable with the mark. (A script or a text that only mentions it is none.)
Result<bool> has_mark(int fd) {
  std::string window;  // the end of what was read before, and what was read now
  bool found = false;
  bool is_first = true;
  auto read = read_pieces(fd, [&](std::string_view piece) {
    if (std::exchange(is_first, false) && !piece.starts_with(kElf)) return false;
    if (window.size() > kMark.size()) window.erase(0, window.size() - kMark.size());
    window += piece;
    found = window.find(kMark) != std::string::npos;
    return !found;
  });
  if (!read) return pass(read);
  return found;
}

std::optional<struct stat> stat_of(int folder, const std::string& name) {
  struct stat status {};
  if (::fstatat(folder, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return std::nullopt;
  return status;
}

}  // namespace

const std::vector<std::string>& program_names() {
  static const std::vector<std::string> names{"railhead",    "railhead-meta",  "multus",
                                              "sriov",       "ib-sriov",       "rdma",
                                              "host-device", "amd-host-device"};
  return names;
}

std::string_view installer_of(std::string_view name) {
  if (name == "multus") {
    return "NicClusterPolicy spec.secondaryNetwork.multus (network-operator), the DaemonSet "
           "kube-multus-ds (Multus' own manifests), Network spec.disableMultiNetwork (OpenShift)";
  }
  if (name == "sriov") return "SRIOV_CNI_IMAGE of sriov-network-operator (images.sriovCni)";
  if (name == "ib-sriov") {
    return "SRIOV_INFINIBAND_CNI_IMAGE of sriov-network-operator (images.ibSriovCni)";
  }
  if (name == "rdma") return "RDMA_CNI_IMAGE of sriov-network-operator (images.rdmaCni)";
  if (name == "host-device") {
    return "NicClusterPolicy spec.secondaryNetwork.cniPlugins (network-operator), or the package "
           "of the CNI plugins";
  }
  if (name == "amd-host-device") {
    return "NetworkConfig spec.secondaryNetwork.cniPlugins (AMD's network-operator)";
  }
  return "";
}

Result<> put_durably(int folder, const std::string& name, const std::string& temporary,
                     std::string_view content, unsigned mode) {
  // Anew, never into what stands there: a killed process may have left a link to something else.
  ::unlinkat(folder, temporary.c_str(), 0);
  constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  const UniqueFd file(::openat(folder, temporary.c_str(), kFlags, mode));
  if (!file) return fail_errno(errno, "make {}", temporary);
  auto written = host::write_all(file.get(), content);
  if (written && (::fchmod(file.get(), mode) != 0 || ::fsync(file.get()) != 0)) {
    written = fail_errno(errno, "write {}", temporary);
  }
  if (written && ::renameat(folder, temporary.c_str(), folder, name.c_str()) != 0) {
    written = fail_errno(errno, "rename {} to {}", temporary, name);
  }
  if (!written) {
    ::unlinkat(folder, temporary.c_str(), 0);
    return written;
  }
  if (::fsync(folder) != 0) return fail_errno(errno, "fsync of the folder");
  return {};
}

Result<ProgramFolder> ProgramFolder::open(const std::string& path, const std::string& program,
                                          Clock& clock) {
  auto content = host::read_file(program);
  if (!content) return pass(content, "this program");
  if (auto made = host::make_directories(path, 0755); !made) return pass(made);
  auto folder = LockedFolder::open(path, clock);
  if (!folder) return pass(folder);
  return ProgramFolder(path, std::move(*folder), std::move(*content));
}

Result<ProgramFolder::Whose> ProgramFolder::whose(const std::string& name) const {
  const auto status = stat_of(folder_.get(), name);
  if (!status && errno != ENOENT) return fail_errno(errno, "stat {}/{}", path_, name);
  if (!status) return Whose::nobodys;
  if (S_ISLNK(status->st_mode)) return Whose::foreign;
  if (!S_ISREG(status->st_mode)) return Whose::no_programs;
  const UniqueFd file(
      ::openat(folder_.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file) return fail_errno(errno, "open {}/{}", path_, name);
  if (static_cast<size_t>(status->st_size) == content_.size()) {
    const auto equal = has_content(file.get(), content_);
    if (!equal) return pass(equal, path_ + "/" + name);
    // A second name for the same file would be written over with it, by who copies onto one.
    const bool is_as_it_must_be = (status->st_mode & 07777) == kMode && status->st_nlink == 1;
    if (*equal && is_as_it_must_be) return Whose::ours_as_is;
    if (*equal) return Whose::ours;
    if (::lseek(file.get(), 0, SEEK_SET) != 0) return fail_errno(errno, "read {}/{}", path_, name);
  }
  const auto marked = has_mark(file.get());
  if (!marked) return pass(marked, path_ + "/" + name);
  return *marked ? Whose::ours : Whose::foreign;
}

Result<> ProgramFolder::rename(const std::string& from, const std::string& to) const {
  if (::renameat(folder_.get(), from.c_str(), folder_.get(), to.c_str()) == 0) return {};
  return fail_errno(errno, "rename {0}/{1} to {0}/{2}", path_, from, to);
}

Result<> ProgramFolder::remove(const std::string& name) const {
  if (::unlinkat(folder_.get(), name.c_str(), 0) == 0 || errno == ENOENT) return {};
  return fail_errno(errno, "remove {}/{}", path_, name);
}

// By a second name for the same file: its name is never without a program, and its owner, mode and
// attributes stay. What writes over `name` later writes another file.
Result<> ProgramFolder::keep(const std::string& name) const {
  const auto kept = kept_name(name);
  const auto now = stat_of(folder_.get(), name);
  const auto before = stat_of(folder_.get(), kept);
  const bool is_kept = now && before && now->st_ino == before->st_ino;
  if (is_kept)
    return {};  // by one that was killed: rename(2) of two names of one file does nothing
  const std::string temporary(kTemporaryOriginal);
  if (auto removed = remove(temporary); !removed) return removed;
  if (::linkat(folder_.get(), name.c_str(), folder_.get(), temporary.c_str(), 0) != 0) {
    return fail_errno(errno, "keep {0}/{1} as {0}/{2}", path_, name, kept);
  }
  return rename(temporary, kept);
}

Result<Placed> ProgramFolder::place(const std::string& name, Foreign foreign,
                                    OtherVersion other) const {
  const auto owner = whose(name);
  if (!owner) return pass(owner);
  auto placed = Placed::unchanged;
  if (*owner == Whose::ours_as_is) return placed;
  if (*owner == Whose::no_programs) {
    return fail(ErrorCode::invalid_argument,
                "{}/{} is neither a program nor a link to one: move it away", path_, name);
  }
  if (*owner == Whose::nobodys) placed = Placed::installed;
  if (*owner == Whose::ours) {
    if (other == OtherVersion::leave) return Placed::other_version_left;
    placed = Placed::renewed;
  }
  if (*owner == Whose::foreign) {
    if (foreign == Foreign::refuse) return Placed::refused;
    const auto now = stat_of(folder_.get(), name);
    const auto kept_before = stat_of(folder_.get(), kept_name(name));
    const bool is_another = kept_before && now && kept_before->st_ino != now->st_ino;
    placed = is_another ? Placed::came_back : Placed::taken_over;
    if (auto kept = keep(name); !kept) return pass(kept);
  }
  auto put = put_durably(folder_.get(), name, std::string(kTemporary), content_, kMode);
  if (!put) return pass(put, path_);
  return placed;
}

Result<Restored> ProgramFolder::restore(const std::string& name) const {
  const auto owner = whose(name);
  if (!owner) return pass(owner);
  const auto kept = kept_name(name);
  const bool is_kept = stat_of(folder_.get(), kept).has_value();
  if (*owner == Whose::no_programs) return Restored::nothing;
  const bool is_foreign = *owner == Whose::foreign;
  auto restored = Restored::nothing;
  Result<> done;
  if (is_kept && is_foreign) {
    restored = Restored::foreign_left;
    done = remove(kept);
  } else if (is_kept) {
    restored = Restored::put_back;
    done = rename(kept, name);
  } else if (!is_foreign && *owner != Whose::nobodys) {
    restored = Restored::removed;
    done = remove(name);
  }
  // What a killed installation may have left.
  for (const auto temporary : {kTemporary, kTemporaryOriginal}) {
    if (done) done = remove(std::string(temporary));
  }
  if (done && ::fsync(folder_.get()) != 0) done = fail_errno(errno, "fsync of {}", path_);
  if (!done) return pass(done);
  return restored;
}

std::string file_identity(const std::string& path) {
  const auto status = stat_of(AT_FDCWD, path);
  if (!status) return "";
  return fmt::format("{}:{}:{}.{}", status->st_ino, status->st_size, status->st_ctim.tv_sec,
                     status->st_ctim.tv_nsec);
}

}  // namespace railhead::cni
