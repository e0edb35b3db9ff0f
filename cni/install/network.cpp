#include "cni/install/network.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <set>

#include <fcntl.h>
#include <linux/openat2.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/go_json.hpp"
#include "base/text.hpp"
#include "base/unique_fd.hpp"
#include "cni/meta/meta_conf.hpp"
#include "cnispec/names.hpp"
#include "cnispec/net_conf.hpp"
#include "host/files.hpp"

namespace railhead::cni {

using Json = nlohmann::ordered_json;

namespace {

constexpr size_t kMostOfAConfiguration = 1 << 20;
constexpr std::string_view kMeta = "railhead-meta";

// A configuration as a runtime reads it: one plugin, or a list of them.
struct Conf {
  std::string name;
  std::vector<std::string> types;
  std::set<std::string> capabilities;
  const Json* meta = nullptr;  // the entry of our meta plugin
};

// The file as it stands on the host: a link's absolute target is below `root` too.
Result<std::string> read_below(const std::string& root, const std::string& path) {
  const UniqueFd folder(
      ::open(root.empty() ? "/" : root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return fail_errno(errno, "open {}", root);
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
  how.resolve = RESOLVE_IN_ROOT;
  const UniqueFd file(
      static_cast<int>(::syscall(SYS_openat2, folder.get(), path.c_str(), &how, sizeof(how))));
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0) return fail_errno(errno, "open {}", path);
  if (!S_ISREG(status.st_mode)) {
    return fail(ErrorCode::invalid_argument, "{} is no regular file", path);
  }
  std::string text(kMostOfAConfiguration + 1, '\0');
  size_t size = 0;
  ssize_t got = 1;
  while (got > 0 && size < text.size()) {
    got = ::read(file.get(), text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR)
      got = 1;
    else if (got < 0)
      return fail_errno(errno, "read {}", path);
    else
      size += static_cast<size_t>(got);
  }
  if (size > kMostOfAConfiguration) {
    return fail(ErrorCode::invalid_argument, "{} has more than {} bytes", path,
                kMostOfAConfiguration);
  }
  text.resize(size);
  return text;
}

Result<> add_plugin(const Json& plugin, Conf& conf) {
  if (!plugin.is_object()) return fail(ErrorCode::decode, "an entry of plugins is no object");
  std::vector<Error> errors;
  go_json::Object object(plugin, "", errors);
  const auto type = object.string("type").value_or("");
  if (type.empty()) return fail(ErrorCode::decode, "a plugin has no type");
  conf.types.push_back(type);
  if (type == kMeta) conf.meta = &plugin;
  const auto* capabilities = object.value("capabilities");
  if (!capabilities || !capabilities->is_object()) return {};
  for (const auto& [name, is_asked] : capabilities->items()) {
    if (is_asked.is_boolean() && is_asked.get<bool>()) conf.capabilities.insert(name);
  }
  return {};
}

// As containerd and CRI-O do, a .conflist has a list and the others have one plugin.
Result<Conf> read_conf(const Json& json, std::string_view path) {
  Conf conf;
  auto name = cnispec::read_network_name(json);
  if (!name) return pass(name);
  conf.name = std::move(*name);
  if (!path.ends_with(".conflist")) {
    if (auto added = add_plugin(json, conf); !added) return pass(added);
    return conf;
  }
  std::vector<Error> errors;
  const auto* plugins = go_json::Object(json, "", errors).value("plugins");
  if (!plugins || !plugins->is_array() || plugins->empty()) {
    return fail(ErrorCode::decode, "it has no plugins");
  }
  for (const auto& plugin : *plugins) {
    if (auto added = add_plugin(plugin, conf); !added) return pass(added);
  }
  return conf;
}

bool is_configuration(std::string_view name) {
  return !name.starts_with('.') &&
         (name.ends_with(".conf") || name.ends_with(".conflist") || name.ends_with(".json"));
}

std::string_view file_name_of(std::string_view path) {
  return path.substr(path.rfind('/') + 1);  // npos + 1 is 0
}

Result<ClusterNetwork> read_network(const std::string& root, const std::string& path,
                                    bool is_named) {
  auto text = read_below(root, path);
  if (!text) return pass(text);
  const auto json = cnispec::parse_config(*text);
  if (!json) return pass(json);
  const auto conf = read_conf(*json, path);
  if (!conf) return pass(conf);
  for (const auto* meta : {"railhead-meta", "multus", "multus-shim"}) {
    if (std::find(conf->types.begin(), conf->types.end(), meta) == conf->types.end()) continue;
    return fail(ErrorCode::invalid_argument, "it calls {}, which stands before a cluster network",
                meta);
  }
  const bool only_loopbacks = std::all_of(conf->types.begin(), conf->types.end(),
                                          [](const auto& type) { return type == "loopback"; });
  if (only_loopbacks && !is_named) {
    return fail(ErrorCode::invalid_argument, "it is of loopbacks; it is taken where named only");
  }
  // Podman puts it there, and it has no other node in it.
  const bool is_podmans =
      conf->name == "podman" || file_name_of(path).starts_with("87-podman-bridge.");
  if (is_podmans && !is_named) {
    return fail(ErrorCode::invalid_argument, "it is Podman's bridge; it is taken where named only");
  }
  return ClusterNetwork{
      path, conf->name, {conf->capabilities.begin(), conf->capabilities.end()}, std::move(*text)};
}

Offer::Before read_before(const NodeFolders& folders, const std::string& name) {
  Offer::Before before{name};
  const auto path = folders.conf + "/" + name;
  const auto text = read_below(folders.root, path);
  const auto json = text ? cnispec::parse_config(*text) : pass(text);
  const auto conf = json ? read_conf(*json, path) : pass(json);
  if (!conf) return before;
  before.calls_multus =
      std::find(conf->types.begin(), conf->types.end(), kMultusType) != conf->types.end();
  before.has_annotations = conf->capabilities.contains(std::string(kPodAnnotations));
  return before;
}

}  // namespace

Result<ClusterNetwork> read_network(const std::string& root, const std::string& path) {
  return read_network(root, path, true);
}

Result<Offer> look_for_network(const NodeFolders& folders, const std::string& named) {
  const auto folder = host::Directory::open(folders.here(folders.conf));
  if (!folder) return pass(folder);
  auto names = folder->list(".");
  if (!names) return pass(names);
  std::erase_if(*names, [](const auto& name) { return !is_configuration(name); });
  std::sort(names->begin(), names->end());
  Offer offer;
  for (const auto& name : *names) {
    if (name < kConflistName) offer.before_ours.push_back(read_before(folders, name));
  }
  const auto consider = [&](const std::string& path, bool is_named) {
    auto network = read_network(folders.root, path, is_named);
    if (network) return network;
    offer.passed_over.push_back(fmt::format("{}: {}", file_name_of(path), network.error().message));
    return network;
  };
  if (named.starts_with('/')) {
    if (auto network = consider(named, true)) offer.best = std::move(*network);
    return offer;
  }
  for (const auto& name : *names) {
    if (name == kConflistName) continue;
    auto network = consider(folders.conf + "/" + name, !named.empty());
    if (!network || (!named.empty() && named != name && named != network->name)) continue;
    offer.best = std::move(*network);
    break;
  }
  return offer;
}

std::optional<Installed> installed_network(const NodeFolders& folders) {
  const auto path = fmt::format("{}/{}", folders.conf, kConflistName);
  const auto text = host::read_regular_file(folders.here(path), kMostOfAConfiguration);
  if (!text) return std::nullopt;
  const auto json = cnispec::parse_config(*text);
  if (!json) return std::nullopt;
  const auto conf = read_conf(*json, path);
  if (!conf || !conf->meta) return std::nullopt;
  std::vector<Error> errors;
  return Installed{go_json::Object(*conf->meta, "", errors).string("clusterNetwork").value_or(""),
                   conf->name};
}

Result<Conflist> conflist(const ClusterNetwork& network, const NodeFolders& folders,
                          const std::string& name, const std::vector<std::string>& settings) {
  Json plugin{{"type", kMeta}};
  for (const auto& text : settings) {
    const auto json = cnispec::parse_config(text);
    if (!json) return pass(json);
    for (const auto& [key, value] : json->items()) {
      for (const auto* ours : {"type", "name", "cniVersion", "cniVersions", "plugins",
                               "capabilities", "clusterNetwork", "delegates", "binDir", "nadDir",
                               "confDir", "stateDir", "runDir", "agentDir"}) {
        if (!equal_ignoring_case(key, ours)) continue;
        return fail(ErrorCode::invalid_argument,
                    "{}: railhead install writes it itself, folders by its options: leave it out",
                    key);
      }
      plugin[key] = value;
    }
  }
  // What the runtime hands over that the network's plugins would have had from it; the annotations
  // spare the meta plugin to ask for the pod.
  plugin["capabilities"] = {{"io.kubernetes.cri.pod-annotations", true}};
  for (const auto& capability : network.capabilities) plugin["capabilities"][capability] = true;
  plugin["clusterNetwork"] = network.path;
  plugin["binDir"] = folders.bin;
  const NodeFolders usual;
  if (!folders.nads.empty()) plugin["nadDir"] = folders.nads;
  if (!folders.nad_confs.empty()) plugin["confDir"] = folders.nad_confs;
  if (folders.state != usual.state) plugin["stateDir"] = folders.state;
  if (folders.run != usual.run) plugin["runDir"] = folders.run;
  if (!folders.agent.empty()) plugin["agentDir"] = folders.agent;
  const auto read = read_meta_conf(plugin, plugin.dump());
  if (!read.good) return pass(read.good);
  // A runtime that knows cniVersions (libcni 1.2) takes the last that it speaks, with STATUS and GC
  // from 1.1.0 on; an older one reads cniVersion.
  const Json list{{"cniVersion", "1.0.0"},
                  {"cniVersions", {"0.3.1", "0.4.0", "1.0.0", "1.1.0"}},
                  {"name", name.empty() ? network.name : name},
                  {"plugins", Json::array({plugin})}};
  return Conflist{list.dump(2, ' ', false, Json::error_handler_t::replace) + "\n",
                  read.conf.unknown_keys};
}

}  // namespace railhead::cni
