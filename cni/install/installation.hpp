#pragma once
// A node's programs and conflist kept as a command asks for them, one look at a time.
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cni/install/install.hpp"
#include "cni/install/network.hpp"
#include "cni/install/programs.hpp"

namespace railhead::cni {

class Installation {
 public:
  // Both outlive it.
  Installation(const InstallCommand& command, const InstallTools& tools)
      : command_(command), tools_(tools) {}

  // Looks at the node, and puts right what is not as it must be. Returns what it waits for; "": all
  // is done. Errors: at the first turn also a foreign program that may not be taken over; later
  // that is told once.
  [[nodiscard]] Result<std::string> turn();

 private:
  [[nodiscard]] Result<> place_programs();
  [[nodiscard]] Result<> place_program(const ProgramFolder& folder, const std::string& name);
  [[nodiscard]] Result<> refuse(const std::string& name);
  [[nodiscard]] Result<std::string> follow_network();
  // The network to stand behind ours now; what is waited for where `network` is empty.
  struct Choice {
    std::optional<ClusterNetwork> network;
    std::string waits_for;
  };
  [[nodiscard]] Result<Choice> choose();
  [[nodiscard]] Result<> write_conflist(const ClusterNetwork& network);
  // Whether it is told for the first time since it was told otherwise.
  bool is_news(const std::string& subject, const std::string& text);

  const InstallCommand& command_;
  const InstallTools& tools_;
  std::map<std::string, std::string> placed_;  // names, with the files that were left there
  std::map<std::string, std::string> told_;
  Settling settling_;
  bool is_first_ = true;
  bool has_stood_ = false;  // the conflist
};

// What is attached by this program, a line each with the pod: as long as there is something, its
// DEL needs the program and the conflist. Errors: that cannot be known.
[[nodiscard]] Result<std::vector<std::string>> attached(const NodeFolders& folders);

// The whole way back. Where something is attached, nothing is changed, and what is is returned.
[[nodiscard]] Result<std::vector<std::string>> uninstall(const NodeFolders& folders,
                                                         const InstallTools& tools);

}  // namespace railhead::cni
