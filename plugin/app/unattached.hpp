#pragma once
#include <deque>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "base/loop.hpp"
#include "device/inventory.hpp"
#include "ipc/resolve.hpp"
#include "plugin/app/owners.hpp"
#include "plugin/app/part.hpp"

namespace railhead::app {

// What a pod was given and no network of it took, a line each: a VF of Ethernet whose netdev still
// stands in the host's namespace does nothing for the pod. (InfiniBand works without, a share is no
// netdev of the pod's, and a userspace driver has none.) `attached`: what its networks took. Pure.
[[nodiscard]] std::vector<std::string> unattached_of(const std::vector<ContainerDevices>& given,
                                                     const std::set<std::string>& attached,
                                                     const device::Inventory& inventory);

// Looks, a while after each pod has started, whether it has all that it was given, on the loop.
class Unattached final : public Part {
 public:
  struct Pod {
    ipc::ResolveQuestion question;  // who it is
    std::string uid;                // in the API
    std::set<std::string> attached;
  };
  using Tell = std::function<void(const Pod&, const std::string& text)>;
  using Node = std::function<std::shared_ptr<const device::Inventory>()>;  // as it is now

  // All outlives it.
  Unattached(Loop& loop, const Clock& clock, Owners& owners, Node node, Tell tell);

  [[nodiscard]] std::string_view name() const override { return "unattached"; }
  [[nodiscard]] Result<void> start() override { return {}; }
  void stop() override { timer_.cancel(); }

  void started(Pod pod);

 private:
  struct Due {
    Loop::TimePoint at;
    Pod pod;
  };
  void look();

  const Clock& clock_;
  Owners& owners_;
  const Node node_;
  const Tell tell_;
  std::deque<Due> due_;
  Loop::Timer timer_;
};

}  // namespace railhead::app
