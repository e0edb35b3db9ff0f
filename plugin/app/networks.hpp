#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "base/loop.hpp"
#include "ipc/cluster.hpp"
#include "plugin/app/claimed_devices.hpp"
#include "plugin/app/cluster_options.hpp"
#include "plugin/app/delivery.hpp"
#include "plugin/app/part.hpp"
#include "plugin/ipc/server.hpp"
#include "plugin/kube/cluster.hpp"
#include "plugin/metrics/metrics.hpp"

namespace railhead::app {

// This machine's, in lower case as nodes are named; "": it has none.
[[nodiscard]] std::string host_name();

// Networks as the cluster has them: tells the CNI program of NetworkAttachmentDefinitions and pods,
// the ledger what the devices of claims are for, and the cluster what the CNI program has to tell
// of pods (delivery.hpp). On the loop.
class Networks final : public Part {
 public:
  struct Options {
    ClusterOptions cluster;
    std::string run;      // of this boot's records
    std::string sysfs;    // where it is mounted
    std::string devinfo;  // folder of device-info files
  };
  // All outlives it.
  Networks(Options options, Loop& loop, const Clock& clock, ClaimedDevices& claimed,
           metrics::Metrics& metrics, Logger& log);

  [[nodiscard]] std::string_view name() const override { return "networks"; }
  // Errors: invalid_argument (no access to an API server that is to be followed).
  [[nodiscard]] Result<void> start() override;
  // This agent serves the node from now on: it alone writes.
  void serve();
  void stop() override;
  [[nodiscard]] std::vector<std::string> troubles() const override;

  void on_started(Delivery::Started started) { started_ = std::move(started); }
  // An Event of the pod that something is wrong with its networks.
  void warn(const kube::Name& pod, const std::string& uid, const std::string& text);
  // A condition of this node, until it is written.
  void write(const kube::Condition& condition);

  void answer(const ipc::NadQuestion& question, const ipc::Server::Reply& reply);
  void answer(const ipc::PodQuestion& question, const ipc::Server::Reply& reply);

 private:
  const Options options_;
  Loop& loop_;
  const Clock& clock_;
  ClaimedDevices& claimed_;
  metrics::Metrics& metrics_;
  Logger& log_;
  Delivery::Started started_ = [](const auto&, const auto&) {};
  std::unique_ptr<kube::Client> client_;  // null: no API server is followed
  std::unique_ptr<kube::Cluster> cluster_;
  std::optional<Delivery> delivery_;  // and then there is one
};

}  // namespace railhead::app
