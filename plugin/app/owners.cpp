#include "plugin/app/owners.hpp"

#include "plugin/app/owner_of.hpp"
#include "plugin/app/resolve_of.hpp"

namespace railhead::app {

Owners::Owners(Options options, Loop& loop, const Clock& clock, ledger::Ledger& ledger,
               FarPairs far_pairs, metrics::Metrics& metrics)
    : options_(options),
      loop_(loop),
      clock_(clock),
      ledger_(ledger),
      far_pairs_(std::move(far_pairs)),
      metrics_(metrics) {}

// What kubelet listed a while ago refuses nobody: the pod that had the device may have ended, and
// kubelet tells no one of that. If it does not say, what it said last stands.
void Owners::answer(const ipc::OwnerQuestion& question, const ipc::Server::Reply& reply) {
  ledger_.count_grants();  // a device is granted just before its pod is attached
  const auto tell = [this, question, reply] {
    const auto answer = owner_of(*ledger_.holdings(), question);
    metrics_.owner_asked(std::string(to_string(answer.state)));
    reply(encode(answer));
  };
  const auto known = owner_of(*ledger_.holdings(), question);
  if (!is_of_another(known, question.pod_namespace, question.pod_name)) return tell();
  ask_kubelet(options_.confirm, [tell](const auto&) { tell(); });
}

void Owners::answer(const ipc::ResolveQuestion& question, const ipc::Server::Reply& reply) {
  resolve(question, [this, reply](ipc::ResolveAnswer answer) {
    answer.far = far_pairs_(answer.containers);
    metrics_.resolve_asked(std::string(to_string(answer.state)));
    reply(encode(answer));
  });
}

// Kubelet is asked for each pod: one of this name may have ended since it was asked last, and that
// one's devices are others' now. If it does not say, nobody can tell.
void Owners::resolve(const ipc::ResolveQuestion& question, const WithDevices& then) {
  ask_kubelet(options_.resolve, [question, then](const std::optional<Now>& now) {
    then(now ? resolve_of(*now, question) : ipc::ResolveAnswer{});
  });
}

void Owners::ask_kubelet(std::chrono::milliseconds limit, ledger::Ledger::Then then) {
  waiting_.push_back(std::make_shared<Waiting>(loop_, std::move(then)));
  const auto said = [this, weak = std::weak_ptr(waiting_.back())](const std::optional<Now>& now) {
    const auto one = weak.lock();
    if (!one) return;
    waiting_.remove(one);
    one->then(now);
  };
  waiting_.back()->limit.on_expiry([said] { said(std::nullopt); });
  waiting_.back()->limit.set(clock_.now() + limit);
  ledger_.confirm(said);
}

}  // namespace railhead::app
