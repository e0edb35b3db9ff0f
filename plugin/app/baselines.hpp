#pragma once
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <set>

#include "base/log.hpp"
#include "base/loop.hpp"
#include "host/host.hpp"
#include "plugin/app/part.hpp"
#include "plugin/ledger/holdings.hpp"
#include "plugin/node/worker.hpp"

namespace railhead::app {

// Keeps what a VF was like before a pod was given it, for the CNI program, which restores what that
// pod leaves (attach/baseline.hpp). A pod that is attached has a record of its own.
class Baselines final : public Part {
 public:
  using OpenLinks = std::function<Result<std::unique_ptr<host::Links>>()>;

  // All outlives it.
  Baselines(Loop& loop, const host::Host& host, OpenLinks open_links, Logger& log);
  ~Baselines() override;

  [[nodiscard]] std::string_view name() const override { return "baselines"; }
  [[nodiscard]] Result<void> start() override { return {}; }
  // This agent serves the node from now on: it alone writes.
  void serve() { serving_ = true; }
  void stop() override;

  // Who holds what has changed.
  void look(const ledger::Holdings& now);

 private:
  enum class Sign { held, free };
  using Signs = std::map<PciAddress, Sign>;

  void note_what_ended_unseen(const std::set<PciAddress>& held);
  void proceed();

  const host::Host& host_;
  const OpenLinks open_links_;
  Logger& log_;
  bool serving_ = false;
  bool all_known_ = false;  // of held_
  std::set<PciAddress> held_;
  Signs signs_;                // not noted yet
  std::future<void> at_work_;  // of the worker: ready when it touches nothing any more
  node::Worker worker_;        // a PF that does not answer keeps it
};

}  // namespace railhead::app
