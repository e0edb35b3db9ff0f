#pragma once
#include <functional>
#include <memory>
#include <string>

#include "base/error.hpp"

namespace railhead::kubelet {

// One Register call to kubelet.
class RegisterCall {
 public:
  virtual ~RegisterCall() = default;
  virtual void cancel() = 0;  // `done` comes soon
};

// `done` is called once, on a thread of gRPC; kubelet dials back before it answers, so the endpoint
// (a file name beside kubelet's socket) must be served already. A refusal's message is kubelet's
// own text.
std::shared_ptr<RegisterCall> register_pool(const std::string& kubelet_socket,
                                            const std::string& resource_name,
                                            const std::string& endpoint,
                                            std::function<void(Result<>)> done);

}  // namespace railhead::kubelet
