#include "plugin/app/networks.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <sys/stat.h>
#include <unistd.h>

#include "base/text.hpp"
#include "host/files.hpp"
#include "ipc/message.hpp"
#include "ipc/question.hpp"
#include "plugin/kube/access.hpp"

namespace railhead::app {
namespace {

constexpr std::chrono::seconds kFolderRetry{10};
// Of networks' configurations, in a container of 50 Mi.
constexpr size_t kFewBytes = size_t{8} << 20U;
// Kubelet tells the API of its static pods when it can.
constexpr std::chrono::seconds kMirrorRetry{5};

ipc::ClusterState state_of(kube::Known known) {
  switch (known) {
    case kube::Known::yes:
      return ipc::ClusterState::known;
    case kube::Known::missing:
      return ipc::ClusterState::missing;
    case kube::Known::unknown:
      return ipc::ClusterState::unknown;
  }
  return ipc::ClusterState::unknown;
}

Result<kube::Access> access_of(const ClusterOptions& options) {
  if (!options.kubeconfig.empty()) return kube::read_kubeconfig(options.kubeconfig);
  auto access = kube::in_cluster(options.service_host, options.service_port);
  if (access) return std::move(*access);
  return fail(ErrorCode::invalid_argument,
              "--cluster: this is no pod with a service account (KUBERNETES_SERVICE_HOST, "
              "/var/run/secrets/kubernetes.io/serviceaccount/token); --kubeconfig names a file");
}

// A pod in the host's network has the host's name, which is the node's unless somebody chose
// another.
std::string node_name(const ClusterOptions& options, const kube::Access& access) {
  if (!options.node.empty()) return options.node;
  const auto token = access.bearer();
  auto name = token ? kube::node_of(*token) : "";
  if (!name.empty()) return name;
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) return "";
  return to_lower(host.data());
}

std::vector<kube::AttachedDevice> attached_of(const ipc::PodNews& news) {
  std::vector<kube::AttachedDevice> all;
  all.reserve(news.attached.size());
  for (const auto& one : news.attached) all.push_back({one.device, one.ifname, one.mac, one.ips});
  return all;
}

std::string not_followed() {
  return ipc::encode(Error{ErrorCode::unavailable, 0, "it follows no API server (--cluster)", {}});
}

}  // namespace

Networks::Networks(Options options, Loop& loop, const Clock& clock, ClaimedDevices& claimed,
                   metrics::Metrics& metrics, Logger& log)
    : options_(std::move(options)),
      loop_(loop),
      clock_(clock),
      claimed_(claimed),
      metrics_(metrics),
      log_(log),
      folder_(ipc::news_folder_in(options_.run)),
      again_(loop, [this] { folder_watch_ ? read_news() : serve(); }) {}

Result<void> Networks::start() {
  if (!options_.cluster.is_followed) return {};
  auto access = access_of(options_.cluster);
  if (!access) return pass(access);
  kube::Cluster::Options cluster{.node = node_name(options_.cluster, *access)};
  if (options_.cluster.is_alone) {
    cluster.claims = false;
    cluster.nads.all = kFewBytes;
  }
  client_ = std::make_unique<kube::Client>(loop_, clock_, std::move(*access));
  cluster_ = std::make_unique<kube::Cluster>(cluster, loop_, clock_, *client_, log_);
  cluster_->on_claimed([this](const std::vector<kube::ClaimedDevice>& devices) {
    ClaimedDevices::All all;
    for (const auto& one : devices) {
      all[{one.driver, one.pool, one.name}] = {one.resource, one.device};
    }
    claimed_.set(std::move(all));
  });
  log_.info("following the cluster", {{"server", client_->server()}, {"node", cluster.node}});
  cluster_->start();
  return {};
}

void Networks::serve() {
  if (!cluster_) return;
  const auto watched = watch_news();
  trouble_ = watched ? "" : watched.error().message;
  if (!watched) return again_.set(clock_.now() + kFolderRetry);
  read_news();
}

Result<void> Networks::watch_news() {
  if (auto made = host::make_private_folder(folder_); !made) return made;
  auto watch = host::FolderWatch::open();
  if (!watch) return pass(watch);
  if (auto added = watch->add(folder_); !added) return added;
  folder_watch_ = std::move(*watch);
  auto heard = loop_.watch(folder_watch_->fd(), [this] {
    std::ignore = folder_watch_->read_names();
    read_news();
  });
  if (!heard) return pass(heard);
  news_ = std::move(*heard);
  return {};
}

void Networks::stop() {
  again_.cancel();
  news_.drop();
  if (cluster_) cluster_->stop();
}

std::vector<std::string> Networks::troubles() const {
  auto all = cluster_ ? cluster_->troubles() : std::vector<std::string>{};
  if (!trouble_.empty()) all.push_back(trouble_);
  return all;
}

// The files' times tell which of a pod's sandboxes is the last.
void Networks::read_news() {
  const auto folder = host::Directory::open(folder_);
  const auto names = folder ? folder->list(".") : pass(folder);
  if (!names) return;  // a boot's records go as a whole, and come anew
  std::erase_if(taken_, [&](const auto& one) {
    return std::ranges::find(*names, one.first) == names->end();
  });
  std::vector<std::pair<Stamp, std::string>> files;
  for (const auto& name : *names) {
    struct stat status {};
    const auto path = folder_ + "/" + name;
    if (name.starts_with('.') || ::lstat(path.c_str(), &status) != 0) continue;
    const Stamp stamp{status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec,
                      status.st_ino};
    const auto taken = taken_.find(name);
    if (taken == taken_.end() || taken->second.stamp != stamp) files.emplace_back(stamp, name);
  }
  std::ranges::sort(files);
  for (const auto& [stamp, name] : files) pass_on(name, stamp);
}

// A file that is replaced meanwhile is passed on again.
void Networks::pass_on(const std::string& file, Stamp stamp) {
  const auto path = folder_ + "/" + file;
  const auto text = host::read_private_file(path);
  if (!text) return;
  const auto news = ipc::decode_pod_news(*text);
  if (!news) {
    taken_[file] = {*text, "", stamp};
    log_.error("what is to be told of a pod cannot be read",
               {{"file", path}, {"error", news.error().message}});
    return;
  }
  const kube::Name pod{news->pod_namespace, news->pod_name};
  const auto uid = cluster_->uid_of(pod, news->pod_uid);
  if (!uid) return again_.set_if_sooner(clock_.now() + kMirrorRetry);
  taken_[file] = {*text, pod.text() + "/" + *uid, stamp};
  const auto written = [this, file, pod, uid = *uid, text = *text,
                        news = *news](const Result<void>& result) {
    if (!result) {
      log_.warning("a pod's network-status is not written",
                   {{"pod", pod.text()}, {"error", result.error().message}});
    } else {
      for (const auto& event : news.events) {
        cluster_->tell(pod, uid, {event.is_warning, event.reason, event.message});
      }
      if (options_.cluster.tells_claims) cluster_->write_claims(pod, uid, attached_of(news));
      started_(news, uid);
    }
    metrics_.status_written(result ? "written" : "refused");
    told(file, text);
  };
  cluster_->write_status(pod, *uid, news->network_status, written);
}

void Networks::warn(const kube::Name& pod, const std::string& uid, const std::string& text) {
  if (cluster_) cluster_->tell(pod, uid, {true, "NetworkWarning", text});
}

void Networks::write(const kube::Condition& condition) {
  if (cluster_) cluster_->write_condition(condition);
}

// Removes the file, unless it was replaced, and earlier ones of the same pod: nobody waits for what
// was written in their place.
void Networks::told(const std::string& file, const std::string& text) {
  const auto now = taken_.find(file);
  if (now == taken_.end() || now->second.text != text) return;
  const auto [kept, pod, stamp] = now->second;
  for (const auto& [other, taken] : taken_) {
    if (taken.pod != pod || taken.stamp > stamp) continue;
    const auto path = folder_ + "/" + other;
    const auto stands = host::read_private_file(path);
    if (stands && *stands == taken.text) std::ignore = host::remove_file(path);
  }
}

void Networks::answer(const ipc::NadQuestion& question, const ipc::Server::Reply& reply) {
  if (!cluster_) return reply(not_followed());
  cluster_->nad({question.namespace_, question.name}, [this, question,
                                                       reply](const kube::Found<kube::Nad>& found) {
    metrics_.cluster_asked("nad", std::string(to_string(state_of(found.known))));
    if (found.known == kube::Known::missing && !question.pod.pod_name.empty()) {
      cluster_->tell({question.pod.pod_namespace, question.pod.pod_name}, question.pod.pod_uid,
                     {true, "NoNetworkFound",
                      fmt::format("cannot find a network-attachment-definition ({}) in namespace "
                                  "({})",
                                  question.name, question.namespace_)});
    }
    auto text = encode(ipc::NadAnswer{state_of(found.known), found.object.resource,
                                      found.object.config, found.reason});
    if (text.size() > ipc::kMaxTextBytes) {
      text = ipc::encode(
          Error{ErrorCode::unavailable,
                0,
                fmt::format("network-attachment-definition {}/{} has {} bytes: "
                            "expected at most {}",
                            question.namespace_, question.name, text.size(), ipc::kMaxTextBytes),
                {}});
    }
    reply(text);
  });
}

void Networks::answer(const ipc::PodQuestion& question, const ipc::Server::Reply& reply) {
  if (!cluster_) return reply(not_followed());
  cluster_->pod({question.pod_namespace, question.pod_name}, question.pod_uid,
                [this, reply](const kube::Found<kube::Pod>& found) {
                  metrics_.cluster_asked("pod", std::string(to_string(state_of(found.known))));
                  reply(encode(ipc::PodAnswer{state_of(found.known), found.object.annotations,
                                              found.reason}));
                });
}

}  // namespace railhead::app
