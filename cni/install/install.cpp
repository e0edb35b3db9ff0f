#include "cni/install/install.hpp"

#include "base/loop.hpp"
#include "base/text.hpp"
#include "cni/install/installation.hpp"
#include "host/files.hpp"
#include "host/folder_watch.hpp"

namespace railhead::cni {
namespace {

constexpr std::chrono::milliseconds kWhileWaiting{500};
constexpr std::chrono::seconds kToldAgain{30};

Answer failed(const Error& error) {
  return {1, {}, fmt::format("railhead install: {}\n", error.message)};
}

// What is waited for, told when it is new and every 30 s.
class Waiting {
 public:
  explicit Waiting(const InstallTools& tools) : tools_(tools), start_(tools.clock.now()) {}

  void tell(const std::string& what) {
    const auto now = tools_.clock.now();
    if (what == what_ && now - told_ < kToldAgain) return;
    what_ = what;
    told_ = now;
    tools_.log.info("waiting", {{"for", what}, {"seconds", since_start().count()}});
  }
  [[nodiscard]] std::chrono::seconds since_start() const {
    return std::chrono::duration_cast<std::chrono::seconds>(tools_.clock.now() - start_);
  }

 private:
  const InstallTools& tools_;
  std::chrono::steady_clock::time_point start_;
  std::chrono::steady_clock::time_point told_;
  std::string what_;
};

Answer install(const InstallCommand& command, const InstallTools& tools) {
  Installation installation(command, tools);
  Waiting waiting(tools);
  for (;;) {
    const auto waits_for = installation.turn();
    if (!waits_for) return failed(waits_for.error());
    if (waits_for->empty()) return {};
    if (command.timeout && waiting.since_start() >= *command.timeout) {
      return failed({ErrorCode::timeout, 0,
                     fmt::format("waited {} s for {}: the programs are installed, the conflist is "
                                 "not",
                                 command.timeout->count(), *waits_for)});
    }
    waiting.tell(*waits_for);
    tools.clock.sleep(kWhileWaiting);
  }
}

std::string folder_above(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}

// Looks at each change of the folders, often while something is waited for, and every 30 s.
Answer watch(const InstallCommand& command, const InstallTools& tools) {
  const auto& folders = command.folders;
  Installation installation(command, tools);
  if (auto first = installation.turn(); !first) return failed(first.error());
  auto loop = Loop::open(tools.clock);
  if (!loop) return failed(loop.error());
  auto changes = host::FolderWatch::open();
  if (!changes) return failed(changes.error());
  std::vector<std::string> watched{folders.bin};
  if (!command.programs_only) watched.push_back(folders.conf);
  if (command.cluster_network.starts_with('/')) {
    watched.push_back(folder_above(command.cluster_network));
  }
  Waiting waiting(tools);
  Loop::Timer timer(**loop, {});
  timer.on_expiry([&] {
    for (const auto& folder : watched) {
      (void)changes->add(folders.here(folder), host::FolderWatch::What::names_and_contents);
    }
    const auto waits_for = installation.turn();
    if (!waits_for) tools.log.error("failed, trying again", {{"error", waits_for.error().message}});
    if (waits_for && !waits_for->empty()) waiting.tell(*waits_for);
    const bool waits = waits_for && !waits_for->empty();
    timer.set(tools.clock.now() + (waits ? std::chrono::milliseconds(kWhileWaiting)
                                         : std::chrono::milliseconds(kToldAgain)));
  });
  // More changes come; who writes a program or a configuration may be at work still.
  auto of_folders = (*loop)->watch(changes->fd(), [&] {
    if (!changes->read_names().empty()) timer.set_if_sooner(tools.clock.now() + kWhileWaiting);
  });
  if (!of_folders) return failed(of_folders.error());
  tools.log.info("watching", {{"folders", join(watched, ", ")}});
  timer.set(tools.clock.now());
  (*loop)->run();
  return {};
}

Answer uninstall(const InstallCommand& command, const InstallTools& tools) {
  Waiting waiting(tools);
  for (;;) {
    const auto left = uninstall(command.folders, tools);
    if (!left) return failed(left.error());
    if (left->empty()) return {};
    const bool is_over = command.timeout && waiting.since_start() >= *command.timeout;
    if (!command.drain || is_over) {
      return {3,
              {},
              fmt::format("railhead install: nothing is uninstalled: pods have something of "
                          "this program's, and their end needs it:\n  {}\n"
                          "Delete these pods; --drain waits for that. `railhead reconcile` "
                          "gives back what lost its pod.\n",
                          join(*left, "\n  "))};
    }
    waiting.tell(fmt::format("the end of {} attachments: {}", left->size(), join(*left, "; ")));
    tools.clock.sleep(kWhileWaiting);
  }
}

}  // namespace

Answer run_install(const InstallCommand& command, const InstallTools& tools) {
  const auto& root = command.folders.root;
  if (!root.empty() && !host::Directory::open(root)) {
    return {
        2, {}, fmt::format("railhead install: --host-root {}: there is no such folder\n", root)};
  }
  if (command.uninstall) return uninstall(command, tools);
  return command.watch ? watch(command, tools) : install(command, tools);
}

}  // namespace railhead::cni
