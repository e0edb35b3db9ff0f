#pragma once
// Which of a node's network configurations is the cluster network's, and the conflist that puts the
// meta plugin in front of it.
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "cni/install/install.hpp"

namespace railhead::cni {

inline constexpr std::string_view kConflistName = "00-railhead.conflist";

struct ClusterNetwork {
  std::string path;                       // of the host
  std::string name;                       // the network's
  std::vector<std::string> capabilities;  // what one of its plugins declares; sorted
  std::string text;                       // of the file
  friend bool operator==(const ClusterNetwork&, const ClusterNetwork&) = default;
};

// What the configuration folder has to offer.
struct Offer {
  std::optional<ClusterNetwork> best;
  std::vector<std::string> passed_over;  // "87-podman-bridge.conflist: it is Podman's bridge; …"
  // Files that the runtime reads before kConflistName.
  struct Before {
    std::string file;
    bool calls_multus = false;
    bool has_annotations = false;  // and gives it pods' annotations
    friend bool operator==(const Before&, const Before&) = default;
  };
  std::vector<Before> before_ours;
};
// `named`: a path of the host, a file's name or a network's name; the best is that one then. "":
// the first by file name of *.conf, *.conflist and *.json that a runtime would take, and that is
// neither ours, nor Multus', nor Podman's, nor of loopbacks only. Errors: the folder cannot be
// read.
[[nodiscard]] Result<Offer> look_for_network(const NodeFolders& folders, const std::string& named);

// Reads one file as that; the error says why it cannot be the cluster network. Symbolic links lead
// as they do on the host, and not out of its root.
[[nodiscard]] Result<ClusterNetwork> read_network(const std::string& root, const std::string& path);

// The path and name of the cluster network that our conflist in the folder has; nothing where it is
// not there or not ours.
struct Installed {
  std::string path;
  std::string name;
};
[[nodiscard]] std::optional<Installed> installed_network(const NodeFolders& folders);

// The text of our conflist. `name`: its own; "": the cluster network's. `settings`: JSON objects
// of keys for the meta plugin, which Multus' node configuration has ("namespaceIsolation"); of a
// key that several have, the last one's counts. Errors: one is no object, has a key that is this
// program's to write, or a value that the meta plugin does not take.
struct Conflist {
  std::string text;
  std::vector<std::string> unknown_keys;  // of the settings
};
[[nodiscard]] Result<Conflist> conflist(const ClusterNetwork& network, const NodeFolders& folders,
                                        const std::string& name,
                                        const std::vector<std::string>& settings);

// Since when something has been the same.
class Settling {
 public:
  // How long `network` has been what it is now.
  [[nodiscard]] std::chrono::nanoseconds age(const ClusterNetwork& network,
                                             std::chrono::steady_clock::time_point now) {
    if (!last_ || !(*last_ == network)) {
      last_ = network;
      since_ = now;
    }
    return now - since_;
  }
  void reset() { last_.reset(); }

 private:
  std::optional<ClusterNetwork> last_;
  std::chrono::steady_clock::time_point since_;
};

}  // namespace railhead::cni
