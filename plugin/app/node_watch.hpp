#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "host/events.hpp"
#include "plugin/app/debounce.hpp"
#include "plugin/app/part.hpp"
#include "plugin/metrics/metrics.hpp"
#include "plugin/node/scanner.hpp"

namespace railhead::app {

// The node as the kernel shows it: its events say what is read anew, and when.
class NodeWatch final : public Part {
 public:
  using TimePoint = Loop::TimePoint;

  // `changed` is called when latest() or pci_errors() differs from before; with the first of the
  // events that led to it, if such did. All outlives it.
  NodeWatch(Loop& loop, const Clock& clock, host::Events& events, node::Adapters adapters,
            host::Roots roots, metrics::Metrics& metrics, Logger& log,
            std::function<void(std::optional<TimePoint>)> changed);

  [[nodiscard]] std::string_view name() const override { return "node"; }
  [[nodiscard]] Result<void> start() override;
  [[nodiscard]] std::vector<std::string> troubles() const override;

  [[nodiscard]] std::shared_ptr<const node::Snapshot> latest() const { return scanner_.latest(); }
  // Functions with a PCI error that is not recovered from, and the step of the recovery.
  [[nodiscard]] const std::map<PciAddress, std::string>& pci_errors() const { return errors_; }

  // What is read. `ports`: the PFs' RDMA devices whose ports are followed; `untold`: of these, and
  // of VFs that ScanOptions names, those that no link event tells of: what cannot be heard is
  // polled.
  struct Interest {
    device::ScanOptions scan;
    std::set<std::string> ports;
    std::set<std::string> untold;
    bool polls_vfs = false;  // scan.ports_of are such
    bool rdma_mode = false;  // a change of it matters, of which the kernel tells nobody
    std::optional<std::chrono::seconds> rescan;
    friend bool operator==(const Interest&, const Interest&) = default;
  };
  void set_interest(const Interest& interest);

  // Reads everything anew, at once. `reason`: as Metrics::rescanned().
  void look(const std::string& reason);

 private:
  void heard();
  void note(const host::PciRecovery& recovery);
  void look_at_events();
  void poll_ports();
  [[nodiscard]] bool has_to_poll() const;

  const Clock& clock_;
  Loop& loop_;
  host::Events& events_;
  metrics::Metrics& metrics_;
  Logger& log_;
  const std::function<void(std::optional<TimePoint>)> changed_;
  node::Scanner scanner_;
  Loop::Watch heard_;
  Debounce gathering_;
  node::Wanted wanted_;                   // by the events that are gathered
  bool lost_ = false;                     // some of these
  std::optional<TimePoint> first_event_;  // of those that the readings on their way are of
  std::map<PciAddress, std::string> errors_;
  Interest interest_;
  Loop::Timer look_;
  Loop::Timer rescan_;
  Loop::Timer port_poll_;
  Loop::Timer mode_poll_;
};

}  // namespace railhead::app
