#pragma once
// A host for tests that only look: its kernel tells what the test puts in, and refuses changes.
#include <cerrno>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "host/host.hpp"

namespace railhead::test {

class StillLinks final : public host::Links {
 public:
  std::vector<host::Link> all;
  std::vector<host::LinkAddress> of_all;  // all_addresses()
  std::vector<host::Route> defaults;      // default_routes()

  Result<std::vector<host::Link>> list() override { return all; }
  Result<host::Link> by_index(uint32_t) override { return refused(); }
  Result<host::Link> by_name(std::string_view) override { return refused(); }
  Result<host::Link> by_parent(std::string_view, host::LinkLayer) override { return refused(); }
  Result<void> change(uint32_t, const host::LinkChange&) override { return refused(); }
  Result<void> remove(uint32_t) override { return refused(); }
  Result<unsigned> detach_programs(uint32_t) override { return refused(); }
  Result<void> add_alt_name(uint32_t, std::string_view) override { return refused(); }
  Result<void> remove_alt_name(uint32_t, std::string_view) override { return refused(); }
  Result<host::VfAttributes> vf(uint32_t, uint32_t) override { return refused(); }
  Result<std::map<uint32_t, host::VfAttributes>> vfs(uint32_t) override { return refused(); }
  Result<void> change_vf(uint32_t, uint32_t, const host::VfAttributes&) override {
    return refused();
  }
  Result<std::vector<host::IpPrefix>> addresses(uint32_t) override { return refused(); }
  Result<std::vector<host::LinkAddress>> all_addresses() override { return of_all; }
  Result<void> add_address(uint32_t, const host::IpPrefix&) override { return refused(); }
  Result<void> add_route(const host::Route&) override { return refused(); }
  Result<void> remove_route(const host::Route&) override { return refused(); }
  Result<std::vector<host::Route>> routes(uint32_t) override { return refused(); }
  Result<std::vector<host::Route>> table_routes(uint32_t) override { return refused(); }
  Result<std::vector<host::Rule>> rules(bool) override { return refused(); }
  Result<void> add_rule(const host::Rule&) override { return refused(); }
  Result<void> remove_rule(const host::Rule&) override { return refused(); }
  Result<void> set_neighbour(uint32_t, const host::IpPrefix&, const HwAddress&) override {
    return refused();
  }
  Result<std::vector<host::Route>> default_routes() override { return defaults; }

 private:
  static Failure refused() { return fail(ErrorCode::unsupported, "this host only looks"); }
};

class StillRdma final : public host::RdmaDevices {
 public:
  std::vector<host::RdmaLink> all;                           // port_count is that of `ports`
  std::map<std::string, std::vector<host::RdmaPort>> ports;  // by name
  std::string silent_port;  // the device whose ports EIO is said of
  std::optional<host::RdmaNetnsMode> mode;
  bool sick = false;  // EIO is the answer to every question

  Result<std::vector<host::RdmaLink>> list() override {
    if (sick) return fail_errno(EIO, "list RDMA devices");
    auto listed = all;
    for (auto& device : listed) {
      device.port_count =
          device.name == silent_port ? 1 : static_cast<uint32_t>(ports[device.name].size());
    }
    return listed;
  }
  Result<host::RdmaPort> port(uint32_t device_index, uint32_t number) override {
    if (sick) return fail_errno(EIO, "RDMA device {}, port {}", device_index, number);
    for (const auto& device : all) {
      if (device.index != device_index) continue;
      if (device.name == silent_port) return fail_errno(EIO, "port {}", number);
      for (const auto& port : ports[device.name]) {
        if (port.number == number) return port;
      }
    }
    return fail_errno(ENODEV, "RDMA device {}, port {}", device_index, number);
  }
  Result<std::optional<host::RdmaNetnsMode>> netns_mode() override {
    if (sick) return fail_errno(EIO, "RDMA namespace mode");
    return mode;
  }
  Result<void> move(std::string_view, int) override { return refused(); }
  Result<void> rename(std::string_view, std::string_view) override { return refused(); }

 private:
  static Failure refused() { return fail(ErrorCode::unsupported, "this host only looks"); }
};

class StillDevlink final : public host::Devlink {
 public:
  std::map<std::string, std::string, std::less<>> apps;  // firmware_app, by PCI address
  std::string sick;                                      // the PCI address that EIO is said of

  Result<std::optional<std::string>> firmware_app(std::string_view pci) override {
    if (pci == sick) return fail_errno(EIO, "devlink info of {}", pci);
    const auto found = apps.find(pci);
    return found == apps.end() ? std::nullopt : std::optional(found->second);
  }
};

class StillNetns final : public host::NetNamespaces {
 public:
  Result<host::Netns> open(const std::string&) override { return refused(); }
  Result<host::Netns> find(host::NetnsId) override { return refused(); }
  Result<host::Netns> current() override { return refused(); }
  Result<std::unique_ptr<host::Links>> links(const host::Netns&) override { return refused(); }
  Result<std::unique_ptr<host::RdmaDevices>> rdma(const host::Netns&) override { return refused(); }
  Result<void> run(const host::Netns&, const std::function<Result<void>()>&) override {
    return refused();
  }

 private:
  static Failure refused() { return fail(ErrorCode::unsupported, "this host only looks"); }
};

class StillFunctions final : public host::Functions {
 public:
  Result<void> unbind(const PciAddress&, std::string_view, std::chrono::milliseconds) override {
    return refused();
  }
  Result<void> bind(const PciAddress&, std::string_view, std::chrono::milliseconds) override {
    return refused();
  }
  Result<void> reset(const PciAddress&, std::chrono::milliseconds) override { return refused(); }

 private:
  static Failure refused() { return fail(ErrorCode::unsupported, "this host only looks"); }
};

class StillProcesses final : public host::Processes {
 public:
  Result<host::ProcessResult> run(const host::ProcessRequest&) override {
    return fail(ErrorCode::unsupported, "this host only looks");
  }
};

class StillLocks final : public host::FileLocks {
 public:
  Result<host::FileLock> lock(const std::string&, std::chrono::milliseconds) override {
    return fail(ErrorCode::unsupported, "this host only looks");
  }
};

// sysfs, proc and run are folders below `root`.
struct StillHost {
  explicit StillHost(const std::string& root)
      : host{links, rdma,      devlink,
             netns, functions, processes,
             locks, clock,     {root + "/sys", root + "/proc", root + "/run"}} {}

  StillLinks links;
  StillRdma rdma;
  StillDevlink devlink;
  StillNetns netns;
  StillFunctions functions;
  StillProcesses processes;
  StillLocks locks;
  SystemClock clock;
  host::Host host;
};

}  // namespace railhead::test
