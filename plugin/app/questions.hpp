#pragma once
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "host/host.hpp"
#include "ipc/question.hpp"
#include "plugin/app/networks.hpp"
#include "plugin/app/owners.hpp"
#include "plugin/app/part.hpp"
#include "plugin/ipc/server.hpp"

namespace railhead::app {

// The socket at which the CNI program asks (lib/ipc), on the loop: who answers which question.
class Questions final : public Part {
 public:
  // All outlives it. `listen`: between attempts.
  Questions(std::chrono::milliseconds listen, Loop& loop, const host::Host& host, Owners& owners,
            Networks& networks, metrics::Metrics& metrics, Logger& log);

  [[nodiscard]] std::string_view name() const override { return "questions"; }
  [[nodiscard]] Result<void> start() override { return {}; }
  // This agent serves the node from now on: it alone listens.
  void serve() { listen(); }
  void stop() override;
  [[nodiscard]] std::vector<std::string> troubles() const override;

 private:
  void listen();
  void answer(std::string_view text, const ipc::Server::Reply& reply);

  const std::chrono::milliseconds pause_;
  const Clock& clock_;
  Owners& owners_;
  Networks& networks_;
  metrics::Metrics& metrics_;
  Logger& log_;
  const std::string socket_;
  std::string not_listening_;  // why
  ipc::Server server_;
  Loop::Timer listen_;
};

}  // namespace railhead::app
