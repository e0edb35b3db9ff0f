#pragma once
// `railhead install`: this program under its names in the CNI folder of a node, and the node's
// conflist that has the container runtime call it. docs/install.md has the words.
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "cni/answer.hpp"

namespace railhead::cni {

// Folders are paths of the host; all that is read or written is below `root`.
struct NodeFolders {
  std::string root;  // where the host's root is mounted; "": it is ours
  std::string bin = "/opt/cni/bin";
  std::string conf = "/etc/cni/net.d";
  std::string nads;       // "": none
  std::string nad_confs;  // "": the meta plugin's own default
  std::string state = "/var/lib/railhead";
  std::string run = "/run/railhead";
  std::string agent;  // where the agent that follows the cluster is; "": in `run`

  [[nodiscard]] std::string here(const std::string& path) const { return root + path; }
  friend bool operator==(const NodeFolders&, const NodeFolders&) = default;
};

// How the arguments are read; --help has the words.
struct InstallCommand {
  bool uninstall = false;
  bool drain = false;
  bool watch = false;
  bool programs_only = false;
  bool take_over = false;
  std::vector<std::string> names;  // asked for by --name
  std::string cluster_network;     // a path, a file's name or a network's; "": chosen
  std::string network_name;        // of the conflist; "": the cluster network's
  std::string readiness_file;      // path of the host; "": none
  std::string settings_file;       // of this container; "": none
  std::string settings;            // those given one by one, a JSON object; "": none
  std::chrono::seconds settle{5};
  std::optional<std::chrono::seconds> timeout;  // absent: waits as long as it takes
  NodeFolders folders;
  friend bool operator==(const InstallCommand&, const InstallCommand&) = default;
};

// Nothing where the first argument is not "install"; the answer where the arguments are wrong (exit
// code 2) or ask for help.
struct ReadInstall {
  std::optional<InstallCommand> command;
  std::optional<Answer> answer;
};
[[nodiscard]] ReadInstall read_install(const std::vector<std::string>& arguments);

// What an installation is made with.
struct InstallTools {
  std::string program;  // the file whose content is installed: /proc/self/exe
  Clock& clock;
  Logger& log;  // says what is done as it is done, and what is waited for
};

// Exit codes: 0 done, 1 failed, 3 something is left. With `watch` it ends with the process only.
[[nodiscard]] Answer run_install(const InstallCommand& command, const InstallTools& tools);

}  // namespace railhead::cni
