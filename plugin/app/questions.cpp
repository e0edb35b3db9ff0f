#include "plugin/app/questions.hpp"

#include <variant>

#include "ipc/socket.hpp"

namespace railhead::app {
namespace {

template <class... Each>
struct Overloaded : Each... {
  using Each::operator()...;
};
template <class... Each>
Overloaded(Each...) -> Overloaded<Each...>;

}  // namespace

Questions::Questions(std::chrono::milliseconds listen, Loop& loop, const host::Host& host,
                     Owners& owners, Networks& networks, metrics::Metrics& metrics, Logger& log)
    : pause_(listen),
      clock_(host.clock),
      owners_(owners),
      networks_(networks),
      metrics_(metrics),
      log_(log),
      socket_(ipc::socket_in(host.roots.run)),
      server_(
          loop, host.clock, socket_,
          [this](std::string_view text, const ipc::Server::Reply& reply) { answer(text, reply); },
          log),
      listen_(loop, [this] { this->listen(); }) {}

void Questions::stop() {
  listen_.cancel();
  server_.stop();
}

std::vector<std::string> Questions::troubles() const {
  if (not_listening_.empty()) return {};
  return {not_listening_};
}

// Kubelet is served without it too.
void Questions::listen() {
  const auto listening = server_.listen();
  if (listening) {
    not_listening_.clear();
    log_.info("listening", {{"address", "unix:" + socket_}});
    return;
  }
  log_.error("the CNI program cannot ask anything", {{"error", listening.error().message}});
  not_listening_ = listening.error().message;
  listen_.set(clock_.now() + pause_);
}

void Questions::answer(std::string_view text, const ipc::Server::Reply& reply) {
  const auto question = ipc::decode_question(text);
  if (!question) {
    metrics_.owner_asked("error");
    return reply(ipc::encode(question.error()));
  }
  std::visit(Overloaded{
                 [&](const ipc::OwnerQuestion& asked) { owners_.answer(asked, reply); },
                 [&](const ipc::ResolveQuestion& asked) { owners_.answer(asked, reply); },
                 [&](const ipc::NadQuestion& asked) { networks_.answer(asked, reply); },
                 [&](const ipc::PodQuestion& asked) { networks_.answer(asked, reply); },
             },
             *question);
}

}  // namespace railhead::app
