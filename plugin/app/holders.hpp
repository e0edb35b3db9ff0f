#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "attach/store.hpp"
#include "host/folder_watch.hpp"
#include "host/host.hpp"
#include "plugin/app/claimed_devices.hpp"
#include "plugin/app/former_boot.hpp"
#include "plugin/app/news.hpp"
#include "plugin/app/part.hpp"
#include "plugin/app/saved_nodes.hpp"
#include "plugin/app/served_pool.hpp"
#include "plugin/kubelet/pod_resources.hpp"
#include "plugin/ledger/ledger.hpp"

namespace railhead::app {

// The ledger with its sources: kubelet's list (with what claims are for) and file, Allocate's
// records, attachments' records.
class Holders final : public Part {
 public:
  struct Options {
    std::string kubelet_dir;  // of device-plugins/ and pod-resources/
    std::string state_dir;
    ledger::Ledger::Options ledger;
  };

  // `changed` is called when what the ledger says differs from before. All outlives it.
  Holders(Options options, Loop& loop, const host::Host& host, const ClaimedDevices& claimed,
          News& news, Logger& log, std::function<void()> changed);

  [[nodiscard]] std::string_view name() const override { return "holders"; }
  [[nodiscard]] Result<void> start() override;

  [[nodiscard]] ledger::Ledger& ledger() { return ledger_; }
  [[nodiscard]] const ledger::Ledger& ledger() const { return ledger_; }
  // All are asked on threads of gRPC.
  [[nodiscard]] Answers answers();
  // This agent serves the node from now on.
  void keep() { former_boot_.keep(); }
  // Looks at the attachments' records again, with the node as it is now.
  void set_inventory(std::shared_ptr<const device::Inventory> inventory);

 private:
  [[nodiscard]] ledger::Sources sources();
  void kubelet_changed();
  void look_at_attachments();

  const Options options_;
  Loop& loop_;
  const host::Host& host_;
  const ClaimedDevices& claimed_;
  News& news_;
  const std::function<void()> changed_;
  const attach::Store store_;
  const SavedNodes saved_nodes_;
  FormerBoot former_boot_;
  ledger::Ledger ledger_;
  kubelet::PodResources pod_resources_;  // its answers come to ledger_
  std::shared_ptr<const device::Inventory> inventory_;
  std::optional<host::FolderWatch> records_;
  std::optional<host::FolderWatch> kubelet_;
  Loop::Watch records_watch_;
  Loop::Watch kubelet_watch_;
  Loop::Timer attachments_;  // are looked at then
  Loop::Timer files_;        // kubelet's are read then
  // Tells what was posted that this has gone; looked at on the loop's thread only.
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace railhead::app
