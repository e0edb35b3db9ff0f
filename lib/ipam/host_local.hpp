#pragma once
// The addresses of a node as upstream's host-local plugin keeps them: a file for each in
// <dataDir>/<network>, under upstream's lock, so that its program and this one can be called for
// one network at once.
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/deadline.hpp"
#include "base/error.hpp"
#include "base/unique_fd.hpp"
#include "host/processes.hpp"
#include "ipam/ranges.hpp"

namespace railhead::ipam {

// Who has an address.
struct Holder {
  std::string container_id;
  std::string ifname;
  friend auto operator<=>(const Holder&, const Holder&) = default;
};

// What upstream's files have no place for.
struct Owner {
  std::string boot_id;  // "": not known
  std::string pod;      // "namespace/name"; "": not known
  friend bool operator==(const Owner&, const Owner&) = default;
};

// Absolute paths.
struct Folders {
  std::string usual = "/var/lib/cni";                     // dataDir is this or below it,
  std::vector<std::string> admin;                         // or one of these or below one
  std::string own = "/var/lib/railhead/ipam/host-local";  // a file for each address, of its owner
};

struct Lease {
  Address address;
  std::string file;  // its name; of another IPv6 spelling than ours it may be
  std::string text;  // "container\r\nifname"; of very old ones the container alone
};

class HostLocal {
 public:
  // `dataDir` of a whole configuration's ipam, and its name; nothing is made or read yet. Errors
  // (invalid_argument): the name is no folder's, or dataDir is in none of the folders.
  static Result<HostLocal> of(const nlohmann::ordered_json& config, Folders folders,
                              host::FileLocks& locks);

  // One address of each set: the requested ones, else the one after the last that was given. Makes
  // the folder. Nothing is left of an ADD that failed. Errors: already_exists (the interface has
  // one, or a requested one is another's), busy (all are given), invalid_argument (a requested one
  // is in no set), timeout (the lock), permission (a symbolic link in the way), io.
  [[nodiscard]] Result<std::vector<Given>> add(const HostLocalConf& conf, const Holder& holder,
                                               const Owner& owner, const Deadline& deadline) const;
  // Gives back all that the interface has; to have none is no error.
  [[nodiscard]] Result<void> del(const Holder& holder, const Deadline& deadline) const;
  // Errors: not_found (it has none), timeout, permission, io.
  [[nodiscard]] Result<void> check(const Holder& holder, const Deadline& deadline) const;
  // Gives back what none of these has.
  [[nodiscard]] Result<void> gc(std::span<const Holder> valid, const Deadline& deadline) const;
  // Whose the address is, by our own store; nothing where upstream's program gave it.
  [[nodiscard]] Result<std::optional<Owner>> owner_of(const Address& address,
                                                      const Deadline& deadline) const;

 private:
  struct Open;

  HostLocal(std::string root, std::string below, std::string network, Folders folders,
            host::FileLocks& locks)
      : root_(std::move(root)),
        below_(std::move(below)),
        network_(std::move(network)),
        folders_(std::move(folders)),
        locks_(&locks) {}

  // Nothing where the folder is missing and shall not be made.
  [[nodiscard]] Result<std::optional<Open>> open(bool makes, const Deadline& deadline) const;
  [[nodiscard]] std::string note_of(const Address& address) const;
  // already_exists: its file is there; nothing of it was changed.
  [[nodiscard]] Result<void> write(const Open& open, const Given& given, const std::string& last,
                                   const Holder& holder, const Owner& owner) const;
  [[nodiscard]] Result<void> give_back(const Open& open, const Lease& lease) const;
  // Those of writers that were killed before they had written whose they are.
  [[nodiscard]] Result<void> give_back_cut_off(const Open& open, std::span<const Lease> all,
                                               const std::set<Address>& taken) const;

  std::string root_;   // the allowed folder
  std::string below_;  // what of dataDir is below it, "networks/x"
  std::string network_;
  Folders folders_;
  host::FileLocks* locks_;
};

}  // namespace railhead::ipam
