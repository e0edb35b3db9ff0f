#include "plugin/app/networks.hpp"

#include <array>
#include <utility>

#include <unistd.h>

#include "base/text.hpp"
#include "ipc/message.hpp"
#include "ipc/question.hpp"
#include "plugin/kube/access.hpp"

namespace railhead::app {
namespace {

// Of networks' configurations, in a container of 50 Mi.
constexpr size_t kFewBytes = size_t{8} << 20U;

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
  return host_name();
}

std::string not_followed() {
  return ipc::encode(Error{ErrorCode::unavailable, 0, "it follows no API server (--cluster)", {}});
}

}  // namespace

std::string host_name() {
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) return "";
  return to_lower(host.data());
}

Networks::Networks(Options options, Loop& loop, const Clock& clock, ClaimedDevices& claimed,
                   metrics::Metrics& metrics, Logger& log)
    : options_(std::move(options)),
      loop_(loop),
      clock_(clock),
      claimed_(claimed),
      metrics_(metrics),
      log_(log) {}

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
  delivery_.emplace(
      Delivery::Options{ipc::news_folder_in(options_.run), options_.sysfs, options_.devinfo,
                        options_.cluster.tells_claims},
      loop_, clock_, *cluster_, metrics_, log_,
      [this](const ipc::PodNews& pod, const std::string& uid) { started_(pod, uid); });
  cluster_->start();
  return {};
}

void Networks::serve() {
  if (delivery_) delivery_->start();
}

void Networks::stop() {
  if (delivery_) delivery_->stop();
  if (cluster_) cluster_->stop();
}

std::vector<std::string> Networks::troubles() const {
  auto all = cluster_ ? cluster_->troubles() : std::vector<std::string>{};
  if (delivery_ && !delivery_->trouble().empty()) all.push_back(delivery_->trouble());
  return all;
}

void Networks::warn(const kube::Name& pod, const std::string& uid, const std::string& text) {
  if (cluster_) cluster_->tell(pod, uid, {true, "NetworkWarning", text});
}

void Networks::write(const kube::Condition& condition) {
  if (cluster_) cluster_->write_condition(condition);
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
