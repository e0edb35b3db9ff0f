#include "cni/install/installation.hpp"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attach/store.hpp"
#include "base/text.hpp"
#include "cni/meta/meta_conf.hpp"
#include "cnispec/net_conf.hpp"
#include "host/files.hpp"

namespace railhead::cni {
namespace {

constexpr size_t kMostOfAFile = 1 << 20;

const std::string& temporary_conflist() {
  static const auto name = fmt::format(".{}.new", kConflistName);
  return name;
}

// The names of the records in a folder. (Hidden ones are in the making.)
Result<std::vector<std::string>> records_in(const std::string& path) {
  const auto folder = host::Directory::open(path);
  if (is(folder, ErrorCode::not_found)) return std::vector<std::string>{};
  if (!folder) return pass(folder);
  auto names = folder->list(".");
  if (!names) return pass(names);
  std::erase_if(*names, [](const auto& name) { return name.starts_with('.'); });
  std::sort(names->begin(), names->end());
  return names;
}

std::string pods_folder(const NodeFolders& folders) {
  return folders.here(folders.state + "/pods");
}

// The names to install under.
std::vector<std::string> names_of(const InstallCommand& command) {
  std::vector<std::string> names{"railhead", "railhead-meta"};
  if (command.take_over) names.insert(names.end(), {"multus", "sriov", "ib-sriov", "rdma"});
  for (const auto& name : command.names) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  return names;
}

bool may_take_over(const InstallCommand& command, const std::string& name) {
  const auto& asked = command.names;
  return command.take_over || std::find(asked.begin(), asked.end(), name) != asked.end();
}

std::string_view told_as(Placed placed) {
  switch (placed) {
    case Placed::installed:
      return "installed";
    case Placed::renewed:
      return "renewed";
    case Placed::taken_over:
      return "taken over; the foreign program is kept beside it";
    default:
      return "";
  }
}

std::string who_installs(const std::string& name) {
  const auto installer = installer_of(name);
  return installer.empty() ? "" : fmt::format(". Its image is named by: {}", installer);
}

}  // namespace

bool Installation::is_news(const std::string& subject, const std::string& text) {
  return std::exchange(told_[subject], text) != text;
}

Result<> Installation::refuse(const std::string& name) {
  const auto path = command_.folders.bin + "/" + name;
  if (is_first_) {
    return fail(ErrorCode::already_exists,
                "{} is a program of somebody else: --take-over replaces it and keeps it as "
                ".{}.railhead-original; or move it away",
                path, name);
  }
  tools_.log.warning(
      fmt::format("{} is a program of somebody else now: it is left, as nothing "
                  "said --take-over{}",
                  path, who_installs(name)));
  return {};
}

Result<> Installation::place_programs() {
  const auto& folders = command_.folders;
  const auto names = names_of(command_);
  const auto here = [&](const std::string& name) { return folders.here(folders.bin) + "/" + name; };
  const bool all_stand = std::all_of(names.begin(), names.end(), [&](const auto& name) {
    const auto known = placed_.find(name);
    return known != placed_.end() && known->second == file_identity(here(name));
  });
  if (all_stand) return {};
  const auto folder = ProgramFolder::open(folders.here(folders.bin), tools_.program, tools_.clock);
  if (!folder) return pass(folder);
  for (const auto& name : names) {
    if (auto placed = place_program(*folder, name); !placed) return placed;
    placed_[name] = file_identity(here(name));
  }
  return {};
}

Result<> Installation::place_program(const ProgramFolder& folder, const std::string& name) {
  using Foreign = ProgramFolder::Foreign;
  using OtherVersion = ProgramFolder::OtherVersion;
  // Who installed another version later than this one knows better; two would else fight.
  const auto placed =
      folder.place(name, may_take_over(command_, name) ? Foreign::take_over : Foreign::refuse,
                   is_first_ ? OtherVersion::renew : OtherVersion::leave);
  if (!placed) return pass(placed);
  const auto path = command_.folders.bin + "/" + name;
  const bool stood_here = placed_.contains(name);
  if (*placed == Placed::refused) return refuse(name);
  if (*placed == Placed::came_back || (*placed == Placed::taken_over && stood_here)) {
    tools_.log.warning(
        fmt::format("{} came back at {}; it is taken over again, the newer one is "
                    "kept beside it{}",
                    name, path, who_installs(name)));
  } else if (*placed == Placed::other_version_left) {
    tools_.log.warning("another version of this program was installed later: it is left",
                       {{"program", path}});
  } else if (*placed != Placed::unchanged) {
    tools_.log.info(told_as(*placed), {{"program", path}});
  }
  return {};
}

Result<Installation::Choice> Installation::choose() {
  const auto& folders = command_.folders;
  const auto& readiness = command_.readiness_file;
  const auto offer = look_for_network(folders, command_.cluster_network);
  if (!offer) return pass(offer);
  const auto& best = offer->best;
  for (const auto& before : offer->before_ours) {
    if (!is_news("before " + before.file, before.file)) continue;
    const bool is_asked = before.calls_multus && placed_.contains(std::string(kMultusType));
    tools_.log.warning(fmt::format(
        "the runtime reads {}/{} before {}: {}", folders.conf, before.file, kConflistName,
        !is_asked ? "remove it, or this program is not asked"
        : before.has_annotations
            ? "it is asked as multus, as that file says; remove it for the conflist"
            : "it is asked as multus, without pods' annotations: no pod starts unless the agent "
              "follows the API server (--cluster). Remove that file, and keep a copy"));
  }

  const auto installed = installed_network(folders);
  const bool is_named = !command_.cluster_network.empty();
  const bool stands = installed && best && best->path == installed->path;
  // The same network in another file. (Only where the conflist's name tells the network's.)
  const bool is_renamed =
      installed && best && command_.network_name.empty() && best->name == installed->name;
  if (installed && !is_named && !stands && !is_renamed) {
    const auto pods = records_in(pods_folder(folders));
    if (!pods) return pass(pods);
    const bool is_seen = folders.root.empty() || host::Directory::open(folders.here(folders.state));
    if (!pods->empty() || !is_seen) {
      auto current = read_network(folders.root, installed->path);
      const auto until = is_seen ? fmt::format("the last of {} pods is gone", pods->size())
                                 : fmt::format(
                                       "another is named: whether pods are attached is not "
                                       "seen here ({})",
                                       folders.here(folders.state));
      const auto text = fmt::format("the cluster network is {} until {}{}", installed->path, until,
                                    best ? fmt::format("; then {}", best->path) : "");
      if (current) {
        if (is_news("better", text)) tools_.log.info(text);
        return Choice{std::move(*current), {}};
      }
      return Choice{
          {},
          fmt::format("{} ({}); --cluster-network names another", text, current.error().message)};
    }
  }
  if (!readiness.empty() && ::access(folders.here(readiness).c_str(), F_OK) != 0) {
    return Choice{{}, fmt::format("the readiness file {}", readiness)};
  }
  if (!best) {
    settling_.reset();
    return Choice{{},
                  fmt::format("{}{}{}",
                              is_named ? "the cluster network " + command_.cluster_network
                                       : "a cluster network in " + folders.conf,
                              offer->passed_over.empty() ? "" : "; not taken: ",
                              join(offer->passed_over, ", "))};
  }
  const bool may_change = !is_named && readiness.empty() && !stands;
  if (may_change && settling_.age(*best, tools_.clock.now()) < command_.settle) {
    return Choice{{},
                  fmt::format("{} to be the same for {} s", best->path, command_.settle.count())};
  }
  return Choice{best, {}};
}

Result<> Installation::write_conflist(const ClusterNetwork& network) {
  const auto& folders = command_.folders;
  std::vector<std::string> settings;
  std::string from;
  if (!command_.settings_file.empty()) {
    from = "--settings " + command_.settings_file;
    auto read = host::read_own_file(command_.settings_file);
    if (!read) return pass(read, from);
    settings.push_back(std::move(*read));
  }
  if (!command_.settings.empty()) {
    from += from.empty() ? "--setting" : ", --setting";
    settings.push_back(command_.settings);
  }
  const auto text = conflist(network, folders, command_.network_name, settings);
  if (!text) return pass(text, from);
  if (const auto keys = join(text->unknown_keys, ", ");
      is_news("settings", keys) && !keys.empty()) {
    tools_.log.warning("settings that are not known are ignored", {{"from", from}, {"keys", keys}});
  }
  const auto path = fmt::format("{}/{}", folders.conf, kConflistName);
  const auto before = host::read_regular_file(folders.here(path), kMostOfAFile);
  const bool has_stood = std::exchange(has_stood_, true);
  settling_.reset();  // whoever takes the file away again and again is not answered at once
  if (before && *before == text->text) return {};
  if (has_stood && is(before, ErrorCode::not_found)) {
    tools_.log.warning(
        "somebody removed the conflist, it is written again; with Cilium set "
        "cni.exclusive: false",
        {{"conflist", path}});
  }
  const auto folder = LockedFolder::open(folders.here(folders.conf), tools_.clock);
  if (!folder) return pass(folder);
  auto put = put_durably(folder->get(), std::string(kConflistName), temporary_conflist(),
                         text->text, 0600);
  if (!put) return pass(put, folders.conf);
  tools_.log.info("written",
                  {{"conflist", path}, {"clusterNetwork", network.path}, {"name", network.name}});
  return {};
}

Result<std::string> Installation::follow_network() {
  const auto& folders = command_.folders;
  if (auto made = host::make_directories(folders.here(folders.conf), 0755); !made) {
    return pass(made);
  }
  const auto choice = choose();
  if (!choice) return pass(choice);
  if (!choice->network) return choice->waits_for;
  if (auto written = write_conflist(*choice->network); !written) return pass(written);
  return "";
}

Result<std::string> Installation::turn() {
  if (auto placed = place_programs(); !placed) return pass(placed);
  is_first_ = false;
  if (command_.programs_only) return "";
  return follow_network();
}

Result<std::vector<std::string>> attached(const NodeFolders& folders) {
  std::vector<std::string> lines;
  const auto listing = attach::Store(folders.here(folders.run)).list();
  if (!listing) return pass(listing);
  for (const auto& record : listing->records) {
    lines.push_back(fmt::format("{}: {}", record.device.name, attach::describe(record)));
  }
  for (const auto& error : listing->unreadable) lines.push_back(error.message);
  const auto pods = records_in(pods_folder(folders));
  if (!pods) return pass(pods);
  for (const auto& name : *pods) {
    lines.push_back(fmt::format("a pod's networks: {}/pods/{}", folders.state, name));
  }
  return lines;
}

namespace {

// Removes our conflist; returns its text, "" where there is none of ours.
Result<std::string> remove_conflist(const NodeFolders& folders, const LockedFolder& folder) {
  // What a killed installation may have left.
  auto cleaned = host::remove_file(folders.here(folders.conf) + "/" + temporary_conflist());
  if (!cleaned) return pass(cleaned);
  if (!installed_network(folders)) return "";
  const auto path = fmt::format("{}/{}", folders.here(folders.conf), kConflistName);
  auto text = host::read_regular_file(path, kMostOfAFile);
  if (!text) return pass(text);
  if (auto removed = host::remove_file(path); !removed) return pass(removed);
  if (::fsync(folder.get()) != 0) return fail_errno(errno, "fsync of {}", folders.conf);
  return text;
}

}  // namespace

Result<std::vector<std::string>> uninstall(const NodeFolders& folders, const InstallTools& tools) {
  auto left = attached(folders);
  if (!left || !left->empty()) return left;
  const auto confs = LockedFolder::open(folders.here(folders.conf), tools.clock);
  if (!confs && !is(confs, ErrorCode::not_found)) return pass(confs);
  if (confs) {
    const auto text = remove_conflist(folders, *confs);
    if (!text) return pass(text);
    // From here on the runtime calls the cluster network itself. What was attached up to here is
    // detached by this program only.
    left = attached(folders);
    if (!text->empty() && (!left || !left->empty())) {
      auto put =
          put_durably(confs->get(), std::string(kConflistName), temporary_conflist(), *text, 0600);
      if (!put) return pass(put, folders.conf);
    }
    if (!left || !left->empty()) return left;
    if (auto removed = confs->remove_lock(); !removed) return pass(removed, folders.conf);
    if (!text->empty()) {
      tools.log.info("removed", {{"conflist", fmt::format("{}/{}", folders.conf, kConflistName)}});
    }
  }
  const auto programs = ProgramFolder::open(folders.here(folders.bin), tools.program, tools.clock);
  if (!programs) return pass(programs);
  for (const auto& name : program_names()) {
    const auto restored = programs->restore(name);
    if (!restored) return pass(restored);
    const auto path = folders.bin + "/" + name;
    if (*restored == Restored::removed) tools.log.info("removed", {{"program", path}});
    if (*restored == Restored::put_back) {
      tools.log.info("the foreign program is put back", {{"program", path}});
    }
    if (*restored == Restored::foreign_left) {
      tools.log.info(
          "a foreign program has come back by itself and stays; the one that was kept is "
          "removed",
          {{"program", path}});
    }
  }
  if (auto removed = programs->remove_lock(); !removed) return pass(removed, folders.bin);
  return left;
}

}  // namespace railhead::cni
