#pragma once
#include <functional>
#include <future>
#include <memory>
#include <string>

#include "base/log.hpp"
#include "base/loop.hpp"
#include "host/host.hpp"
#include "ipam/node_index.hpp"
#include "plugin/app/configuration.hpp"
#include "plugin/app/part.hpp"
#include "plugin/node/worker.hpp"

namespace railhead::app {

// This node's index for IPAM: works it out by ipamNode of the configuration and writes it down for
// the CNI program (ipam/node_index.hpp). While pods have addresses by another one it stays.
class IpamNode final : public Part {
 public:
  using OpenLinks = std::function<Result<std::unique_ptr<host::Links>>()>;

  struct Options {
    std::string node;       // its name
    std::string state_dir;  // where the index and the leases are
  };

  // All outlives it.
  IpamNode(Options options, Loop& loop, const host::Host& host, OpenLinks open_links,
           const Configuration& configuration, Logger& log);
  ~IpamNode() override;

  [[nodiscard]] std::string_view name() const override { return "ipam"; }
  [[nodiscard]] Result<void> start() override { return {}; }
  // This agent serves the node from now on: it alone writes.
  void serve();
  void stop() override;
  [[nodiscard]] std::vector<std::string> troubles() const override;

  // The configuration may be another one.
  void look();

 private:
  void settle(const ipam::NodeRule& rule, const Result<ipam::NodeIndex>& settled);

  const Options options_;
  const host::Host& host_;
  const OpenLinks open_links_;
  const Configuration& configuration_;
  Logger& log_;
  bool serving_ = false;
  std::optional<ipam::NodeRule> settled_;  // the rule that was worked out last
  std::string trouble_;
  Loop::Timer retry_;
  std::future<void> at_work_;  // of the worker: ready when it touches nothing any more
  node::Worker worker_;        // the kernel's answer may be long in coming
};

}  // namespace railhead::app
