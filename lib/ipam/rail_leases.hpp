#pragma once
// Who has which address of this node's blocks: one file for each pod's container and network, below
// <state_root>/ipam. They are removed by the DEL of an interface, by a GC that lists those that
// live, and where another boot gave them, which ended every container.
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/deadline.hpp"
#include "host/host.hpp"
#include "ipam/address.hpp"

namespace railhead::ipam {

struct RailLease {
  std::string ifname;
  uint32_t rail = 0;
  uint32_t further = 0;  // how many of the pod's devices of that rail are before it
  std::vector<Address> addresses;
  friend bool operator==(const RailLease&, const RailLease&) = default;
};

struct PodLeases {
  std::string network;
  std::string container_id;
  std::string pod;      // "namespace/name", or empty
  std::string boot_id;  // of the boot in which they were given; "": put() says which one this is
  std::optional<uint32_t> node;  // the node's index that they were given by
  std::vector<RailLease> leases;
  friend bool operator==(const PodLeases&, const PodLeases&) = default;
};

// The store while its lock is held: nobody else reads or writes it meanwhile.
class RailLeases {
 public:
  // timeout: somebody else had the lock for all that is left of the deadline. A network's or a
  // container's name that is no file name is refused (invalid_argument) where it is used.
  [[nodiscard]] static Result<RailLeases> open(const host::Host& host, const Deadline& deadline);

  // Every pod's; those of another boot are removed. A file that cannot be read may hold any
  // address: decode, and the message names it.
  [[nodiscard]] Result<std::vector<PodLeases>> all() const;
  // One pod's; without any of them an empty one.
  [[nodiscard]] Result<PodLeases> of(const std::string& network,
                                     const std::string& container_id) const;
  // Writes a pod's leases in place of those it had, and they outlive a power cut.
  [[nodiscard]] Result<void> put(const PodLeases& pod) const;
  // The same of fewer than it had; without any left removes its file, which alone outlives a power
  // cut: a lease too many is freed by the next DEL or GC.
  [[nodiscard]] Result<void> put_fewer(const PodLeases& pod) const;
  // Removes a pod's file, whatever it holds.
  [[nodiscard]] Result<void> drop(const std::string& network,
                                  const std::string& container_id) const;

 private:
  RailLeases(std::string folder, std::string boot_id, host::FileLock lock)
      : folder_(std::move(folder)), boot_id_(std::move(boot_id)), lock_(std::move(lock)) {}
  [[nodiscard]] bool is_of_another_boot(const PodLeases& pod) const;
  [[nodiscard]] Result<std::string> path_of(const std::string& network,
                                            const std::string& container_id) const;

  std::string folder_;
  std::string boot_id_;  // "": not known
  host::FileLock lock_;
};

// For the fuzzer: what a file of the store says. decode: it was cut or changed, or is of a later
// schema.
[[nodiscard]] Result<PodLeases> decode_leases(std::string_view text);
[[nodiscard]] std::string encode_leases(const PodLeases& pod);

}  // namespace railhead::ipam
