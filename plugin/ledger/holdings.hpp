#pragma once
// Who holds which device: the one answer, merged from all that tell of it. Pure.
#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "device/allocation.hpp"

namespace railhead::ledger {

// One resource of one container, as kubelet lists it (podresources); of a container that has none,
// itself alone.
struct Listed {
  std::string pod;  // "namespace/name"
  std::string container;
  std::string resource;          // "rdma/vf"
  std::vector<std::string> ids;  // as kubelet was told of them: shares too
  bool is_claimed = false;  // by a claim: no device plugin gave it, and kubelet's file has none
  friend bool operator==(const Listed&, const Listed&) = default;
};

// The same as kubelet keeps it on disk (kubelet_internal_checkpoint), with what it was answered.
// What pods had that are gone stays there until the next allocation.
struct Saved {
  std::string pod_uid;
  std::string container;
  std::string resource;
  std::set<std::string> ids;
  std::vector<std::string> nodes;    // host paths that the container was given
  std::vector<std::string> devices;  // that PCIDEVICE_… named
  bool former = false;               // given before this boot, and maybe not opened since
  friend bool operator==(const Saved&, const Saved&) = default;
};

// What an Allocate of this program gives, from just before kubelet has the answer.
struct Granted {
  std::string resource;
  std::vector<std::string> ids;
  std::vector<std::string> devices;
  std::vector<std::string> nodes;
  bool is_newer = false;  // than kubelet's list
  friend bool operator==(const Granted&, const Granted&) = default;
};

// A device that an attachment has on record.
struct Attached {
  std::string device;
  std::string pod;      // "namespace/name"; "" when the record does not say
  std::string trouble;  // why nobody may be given it now: the attachment's undo is not done, …
  friend bool operator==(const Attached&, const Attached&) = default;
};

struct Facts {
  using Key = std::pair<std::string, std::string>;  // resource and id: unique on a node

  // What kubelet lists. Nothing: it has not answered since the start. An answer that may lack pods
  // stands in `listed_early`.
  std::optional<std::vector<Listed>> listed;
  std::vector<Listed> listed_early;
  std::optional<std::vector<Saved>> saved;  // nothing: there is no such file, or it cannot be read
  std::vector<Granted> granted;             // later than what is listed
  std::vector<Attached> attached;
  std::vector<device::Allocation> allocations;  // what each device was last given with
  // Nodes that were granted, where kubelet's file has none: they came by CDI.
  std::map<Key, std::vector<std::string>> given;
  // What a share of a whole pool stands for, where nothing else tells.
  std::map<std::string, std::vector<std::string>> pools;  // devices by resource
  friend bool operator==(const Facts&, const Facts&) = default;
};

enum class Source { podresources, checkpoint, grant, attachment };
[[nodiscard]] std::string_view to_string(Source source);

struct Holding {
  std::string device;  // PCI address, or a sub-function's name; "": a pool's, of which nobody knows
  std::string pod;     // "namespace/name"; "": not known
  std::string container;  // "": not known
  std::string resource;   // "": not known
  std::string id;  // of the resource: the device, a share of it ("<device>::3"), or of a pool
  std::vector<std::string>
      nodes;            // host paths that the container was given; empty: none, or unknown
  bool former = false;  // these were given before this boot, and maybe not opened since
  Source source = Source::podresources;
  std::string owner;  // the same for all that one pod has, as far as is known, and for nothing else
  std::chrono::system_clock::time_point since;  // it is known

  [[nodiscard]] bool is_share() const { return id != device; }
  // "ns/a", "a pod" when it is not known.
  [[nodiscard]] std::string who() const;
  friend bool operator==(const Holding&, const Holding&) = default;
};

enum class State { free, held, unknown };

class Holdings {
 public:
  Holdings() = default;  // nothing is known
  Holdings(std::vector<Holding> holdings, bool complete);

  [[nodiscard]] const std::vector<Holding>& all() const { return holdings_; }  // by device
  // Known since then, but for those that were known `before`.
  void stamp(const Holdings& before, std::chrono::system_clock::time_point now);
  [[nodiscard]] std::vector<const Holding*> of(std::string_view device) const;
  // unknown never means free: nobody could tell yet.
  [[nodiscard]] State state(std::string_view device) const;
  // Whether kubelet has told all there is, so that a device that nobody holds is free.
  [[nodiscard]] bool complete() const { return complete_; }
  // Who was given this node, "/dev/infiniband/uverbs2", with another device than this one, and does
  // not have this one too. Null: nobody. The node of an IOMMU group is that of all its functions,
  // and a container may be granted some of these as one resource and some as another: a grant, of
  // which the pod is not known, keeps no group from anybody. `certainly`: former nodes do not
  // count.
  [[nodiscard]] const Holding* other_with_node(std::string_view node, std::string_view device,
                                               bool certainly = false) const;

  friend bool operator==(const Holdings& a, const Holdings& b) {
    return a.holdings_ == b.holdings_ && a.complete_ == b.complete_;
  }

 private:
  std::vector<Holding> holdings_;
  std::multimap<std::string, size_t, std::less<>> by_node_;  // places in holdings_, one per owner
  bool complete_ = false;
};

// A device is held when kubelet lists it, or an attachment has it on record, or it was granted
// since; kubelet's file counts only while kubelet has not answered, and for the nodes that were
// given.
[[nodiscard]] Holdings merge(const Facts& facts);

// The device that an id names, "0000:3b:00.2" of "0000:3b:00.2::3"; nothing for a share of a whole
// pool, and for what is no PCI function and no sub-function (a GPU's UUID).
[[nodiscard]] std::optional<std::string> device_of(std::string_view id);

}  // namespace railhead::ledger
