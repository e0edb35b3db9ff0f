#pragma once
#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "host/host.hpp"
#include "ipc/owner.hpp"
#include "ipc/resolve.hpp"
#include "plugin/ipc/server.hpp"
#include "plugin/ledger/ledger.hpp"
#include "plugin/metrics/metrics.hpp"

namespace railhead::app {

// Tells the CNI program who holds a device, and which devices a pod has, on the loop.
class Owners {
 public:
  struct Options {
    std::chrono::milliseconds confirm{500};    // kubelet has to say once more what refuses a pod
    std::chrono::milliseconds resolve{2'000};  // and what a pod has, without which it cannot start
  };

  // Which of a pod's devices are far from its GPUs.
  using FarPairs =
      std::function<std::vector<ipc::FarPair>(const std::vector<ContainerDevices>& containers)>;

  // All outlives it.
  Owners(Options options, Loop& loop, const Clock& clock, ledger::Ledger& ledger,
         FarPairs far_pairs, metrics::Metrics& metrics);
  void stop() { waiting_.clear(); }

  void answer(const ipc::OwnerQuestion& question, const ipc::Server::Reply& reply);
  void answer(const ipc::ResolveQuestion& question, const ipc::Server::Reply& reply);
  // The same for this program; `then` is called once, on the loop.
  using WithDevices = std::function<void(const ipc::ResolveAnswer&)>;
  void resolve(const ipc::ResolveQuestion& question, const WithDevices& then);

 private:
  using Now = ledger::Ledger::Now;
  // One that waits for kubelet's word.
  struct Waiting {
    Waiting(Loop& loop, ledger::Ledger::Then answer)
        : then(std::move(answer)), limit(loop, [] {}) {}
    ledger::Ledger::Then then;
    Loop::Timer limit;
  };

  // `then` is called with nothing once that has taken too long.
  void ask_kubelet(std::chrono::milliseconds limit, ledger::Ledger::Then then);

  const Options options_;
  Loop& loop_;
  const Clock& clock_;
  ledger::Ledger& ledger_;
  const FarPairs far_pairs_;
  metrics::Metrics& metrics_;
  std::list<std::shared_ptr<Waiting>> waiting_;
};

}  // namespace railhead::app
