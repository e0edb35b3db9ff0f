#pragma once
#include <chrono>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "host/host.hpp"
#include "ipc/question.hpp"
#include "plugin/app/part.hpp"
#include "plugin/ipc/server.hpp"
#include "plugin/ledger/ledger.hpp"
#include "plugin/metrics/metrics.hpp"

namespace railhead::app {

// Tells the CNI program who holds a device, and which devices a pod has (lib/ipc), on the loop.
class Owners final : public Part {
 public:
  struct Options {
    std::chrono::milliseconds confirm{500};    // kubelet has to say once more what refuses a pod
    std::chrono::milliseconds resolve{2'000};  // and what a pod has, without which it cannot start
    std::chrono::milliseconds listen{10'000};  // between attempts
  };

  // All outlives it.
  Owners(Options options, Loop& loop, const host::Host& host, ledger::Ledger& ledger,
         metrics::Metrics& metrics, Logger& log);

  [[nodiscard]] std::string_view name() const override { return "owners"; }
  [[nodiscard]] Result<void> start() override { return {}; }
  // This agent serves the node from now on: it alone listens.
  void serve();
  void stop() override;
  [[nodiscard]] std::vector<std::string> troubles() const override;

 private:
  using Now = ledger::Ledger::Now;
  // One that waits for kubelet's word.
  struct Waiting {
    Waiting(Loop& loop, ledger::Ledger::Then answer)
        : then(std::move(answer)), limit(loop, [] {}) {}
    ledger::Ledger::Then then;
    Loop::Timer limit;
  };

  void listen();
  void answer(std::string_view text, const ipc::Server::Reply& reply);
  void answer(const ipc::OwnerQuestion& question, const ipc::Server::Reply& reply);
  void answer(const ipc::ResolveQuestion& question, const ipc::Server::Reply& reply);
  // `then` is called with nothing once that has taken too long.
  void ask_kubelet(std::chrono::milliseconds limit, ledger::Ledger::Then then);

  const Options options_;
  Loop& loop_;
  const Clock& clock_;
  ledger::Ledger& ledger_;
  metrics::Metrics& metrics_;
  Logger& log_;
  const std::string socket_;
  std::string not_listening_;  // why
  std::list<std::shared_ptr<Waiting>> waiting_;
  ipc::Server server_;
  Loop::Timer listen_;
};

}  // namespace railhead::app
