#pragma once
#include <functional>
#include <memory>

#include "host/netns.hpp"

namespace railhead::linux {

// How to open ports in the namespace of the calling thread; main() names the netlink adapters.
struct PortFactories {
  std::function<Result<std::unique_ptr<host::Links>>()> links;
  std::function<Result<std::unique_ptr<host::RdmaDevices>>()> rdma;
};

// host::NetNamespaces by nsfs files and setns(2).
class LinuxNetns final : public host::NetNamespaces {
 public:
  // `path`: the host's namespace; by default the one this thread is in. `proc`: whose processes
  // find() looks at.
  static Result<std::unique_ptr<host::NetNamespaces>> open(
      PortFactories factories, const std::string& path = "/proc/thread-self/ns/net",
      std::string proc = "/proc");

  Result<host::Netns> open(const std::string& path) override;
  Result<host::Netns> find(host::NetnsId id) override;
  Result<host::Netns> current() override;
  Result<std::unique_ptr<host::Links>> links(const host::Netns& netns) override;
  Result<std::unique_ptr<host::RdmaDevices>> rdma(const host::Netns& netns) override;
  Result<void> run(const host::Netns& netns, const std::function<Result<void>()>& work) override;

 private:
  LinuxNetns(PortFactories factories, host::Netns current, std::string proc)
      : factories_(std::move(factories)), current_(std::move(current)), proc_(std::move(proc)) {}

  PortFactories factories_;
  host::Netns current_;
  std::string proc_;
};

}  // namespace railhead::linux
