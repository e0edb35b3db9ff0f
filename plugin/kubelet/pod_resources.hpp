#pragma once
// Which container has which devices, as kubelet tells (podresources v1).
#include <chrono>
#include <condition_variable>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/error.hpp"

namespace railhead::kubelet {

// A device that a driver of dynamic resource allocation gave by a claim.
struct ClaimedDevice {
  std::string driver;  // "sriovnetwork.k8snetworkplumbingwg.io"
  std::string pool;    // mostly the node's name
  std::string device;  // the driver's name of it
  friend bool operator==(const ClaimedDevice&, const ClaimedDevice&) = default;
};

// One resource of one container, or what it has by claims; a container without any has one entry,
// of no resource.
struct PodDevices {
  std::string pod_namespace;
  std::string pod;
  std::string container;
  std::string resource;                     // "nvidia.com/gpu"
  std::vector<std::string> ids;             // sorted
  std::vector<ClaimedDevice> claimed = {};  // then there is no resource
  friend bool operator==(const PodDevices&, const PodDevices&) = default;
};

// Asks kubelet's socket ("/var/lib/kubelet/pod-resources/kubelet.sock"). From one thread.
class PodResources {
 public:
  explicit PodResources(std::string socket);
  ~PodResources();  // cancels what was asked; all answers have been given when it returns
  PodResources(const PodResources&) = delete;
  PodResources& operator=(const PodResources&) = delete;

  // Returns at once; `answer` is called once, on a thread of gRPC. May be asked while kubelet waits
  // for GetPreferredAllocation (it holds no lock then), not within Allocate. Errors: unavailable,
  // timeout, or what kubelet says.
  using Answer = std::function<void(Result<std::vector<PodDevices>>)>;
  void list(std::chrono::milliseconds limit, Answer answer);

 private:
  struct Call;
  const std::string socket_;
  std::mutex mutex_;
  std::condition_variable done_;
  std::list<std::unique_ptr<Call>> calls_;  // those that are done go with the next one
};

}  // namespace railhead::kubelet
