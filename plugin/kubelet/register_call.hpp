#pragma once
#include <functional>
#include <memory>
#include <string>

#include "base/error.hpp"
#include "plugin/kubelet/pool_service.hpp"

namespace railhead::kubelet {

// One Register call to kubelet. Its end cancels the call and waits for `done`, which takes no
// longer than `done` itself; not on a thread of gRPC, which would come to wait for itself.
class RegisterCall {
 public:
  virtual ~RegisterCall() = default;

  // `done` is called once, on a thread of gRPC; kubelet dials back before it answers, so the
  // endpoint (a file name beside kubelet's socket) must be served already. A refusal's message is
  // kubelet's own text.
  static std::unique_ptr<RegisterCall> start(const std::string& kubelet_socket,
                                             const PoolService& pool, const std::string& endpoint,
                                             std::function<void(const Result<>&)> done);
};

}  // namespace railhead::kubelet
