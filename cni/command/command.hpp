#pragma once
// One function per CNI verb. Each gives what goes to standard output.
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "attach/attachments.hpp"
#include "base/deadline.hpp"
#include "base/log.hpp"
#include "cni/ipam.hpp"
#include "cni/types/type.hpp"
#include "cnispec/net_conf.hpp"
#include "cnispec/request.hpp"
#include "host/host.hpp"

namespace railhead::cni {

struct Call {
  const cnispec::Request& request;
  const cnispec::NetConf& conf;
  const nlohmann::ordered_json& config;  // the whole of it
  const Type& type;
  const Deadline& deadline;
  Ipam& ipam;
  host::Host& host;
  Logger& log;
  // A plugin behind this one in the chain, known to whoever runs that, would move the RDMA devices.
  bool with_rdma = false;
  // Where the pod's devices are known: whether it may have this one. null: the agent is asked whose
  // it is.
  const std::function<Result<void>(const device::DeviceId&)>* may_have = nullptr;
  // A default route beside the pod's own is welcome: whoever calls puts them right afterwards.
  bool takes_default_route = false;

  [[nodiscard]] attach::AttachmentKey key() const {
    return {conf.name, request.container_id, request.ifname};
  }
};

// Attaches the VF, asks IPAM, sets the addresses. After an error nothing of it is left.
Result<std::string> add(const Call& call);
// What an ADD asks for. Nothing is changed to read it; what cannot be is refused.
struct Wanted {
  attach::AttachRequest request;
  std::optional<cnispec::PluginResult> previous;
  cnispec::Dns dns;
  std::optional<attach::OwnTable> own_table;
  bool announces = true;
};
Result<Wanted> read_wanted(const Call& call);
// ADD for several interfaces of one pod in one transaction: all of them, or none. At least one;
// they share a deadline. The results, in their order.
Result<std::vector<cnispec::PluginResult>> attach_all(std::span<const Call> calls,
                                                      std::span<const Wanted> wanted);
// Gives the VF and the addresses back; both are tried whatever the other says.
Result<std::string> del(const Call& call);
// Compares what stands in the pod with the record and with prevResult's addresses and routes.
Result<std::string> check(const Call& call);
// Gives back what the runtime does not list as valid.
Result<std::string> gc(const Call& call);
// Whether an ADD could succeed; code 50 when not.
Result<std::string> status(const Call& call);
// The one of these that is asked for.
Result<std::string> run_verb(cnispec::Command command, const Call& call);

// Has IPAM free the addresses of this network's attachments that were undone without their DEL, but
// for those of `living` and as far as `deadline` permits; the first error.
Result<> free_owed_addresses(const Call& call, const std::vector<attach::AttachmentKey>& living,
                             const Deadline& deadline);

// Both errors as one; nothing when there is none. The code is the first one's.
Result<> both(const Result<>& first, const Result<>& second);

// Measures the steps of one operation for its log line.
class Stopwatch {
 public:
  explicit Stopwatch(Clock& clock) : clock_(clock), start_(clock.now()), last_(start_) {}
  double step_ms() {  // since the last call
    const auto now = clock_.now();
    return milliseconds(now - std::exchange(last_, now));
  }
  [[nodiscard]] double total_ms() const { return milliseconds(clock_.now() - start_); }

 private:
  static double milliseconds(std::chrono::nanoseconds duration) {
    // Whole microseconds are as much as a log line needs.
    const auto microseconds = std::chrono::duration_cast<std::chrono::microseconds>(duration);
    return static_cast<double>(microseconds.count()) / 1000;
  }

  Clock& clock_;
  std::chrono::steady_clock::time_point start_;
  std::chrono::steady_clock::time_point last_;
};

}  // namespace railhead::cni
