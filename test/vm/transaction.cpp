// vm_transaction: two VFs for a pod by one Transaction of lib/attach, which no CNI verb does: in
// the VM, for what ends a program in the middle of it.
//
//   CNI_COMMAND=ADD|DEL vm_transaction VF VF     PCI addresses; the pod is pod0, container c0
#include "attach/transaction.hpp"

#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "attach/attachments.hpp"
#include "linux/file_locks.hpp"
#include "linux/functions.hpp"
#include "linux/netns.hpp"
#include "linux/processes.hpp"
#include "netlink/linux_devlink.hpp"
#include "netlink/linux_links.hpp"
#include "netlink/linux_rdma.hpp"

using namespace railhead;

namespace {

const attach::AttachmentKey kGroup{"rail", "c0", "eth0"};
constexpr auto kPod = "/run/netns/pod0";

std::vector<attach::AttachRequest> requests_of(const std::vector<std::string>& devices) {
  std::vector<attach::AttachRequest> all;
  for (const auto& device : devices) {
    const auto number = static_cast<uint16_t>(all.size() + 1);
    attach::AttachRequest request;
    request.key = {"rail", "c0", fmt::format("net{}", number)};
    request.netns_path = kPod;
    request.device = device::DeviceId(device::DeviceId::Kind::pci, device);
    request.settings.vf.vlan = host::VfVlan{.id = static_cast<uint16_t>(100 + number)};
    request.settings.vf.mac = HwAddress::parse(fmt::format("52:54:00:aa:bb:1{}", number));
    request.settings.vf.trust = true;
    request.group = kGroup;
    all.push_back(std::move(request));
  }
  return all;
}

Result<void> add(attach::Transaction& transaction, const std::vector<std::string>& devices) {
  const auto attached = transaction.attach(requests_of(devices));
  if (!attached) return pass(attached);
  for (size_t i = 0; i < devices.size(); ++i) {
    const auto address = host::IpPrefix::parse(fmt::format("10.9.{}.2/24", i));
    if (auto done = transaction.activate(i, {{*address}, {}}); !done) return done;
  }
  return transaction.commit();
}

Result<void> run(const std::string& verb, const std::vector<std::string>& devices) {
  SystemClock clock;
  linux::LinuxProcesses processes(clock);
  linux::LinuxFileLocks locks(clock);
  linux::LinuxFunctions functions;
  const auto links = netlink::LinuxLinks::open();
  if (!links) return pass(links);
  const auto rdma = netlink::LinuxRdma::open();
  if (!rdma) return pass(rdma);
  const auto devlink = netlink::LinuxDevlink::open();
  if (!devlink) return pass(devlink);
  const auto netns = linux::LinuxNetns::open({netlink::LinuxLinks::open, netlink::LinuxRdma::open});
  if (!netns) return pass(netns);
  host::Host host{**links, **rdma, **devlink, **netns, functions, processes, locks, clock, {}};
  Logger log(STDERR_FILENO, LogLevel::warning);
  const Deadline deadline(clock, std::chrono::seconds(60), std::chrono::seconds(20));
  if (verb == "DEL") {
    const auto done = attach::Attachments(host, deadline, log).detach(kGroup, kPod);
    return done.error ? Result<void>(Failure(*done.error)) : Result<void>();
  }
  attach::Transaction transaction(host, deadline, log);
  auto done = add(transaction, devices);
  if (!done) std::ignore = transaction.undo();
  return done;
}

}  // namespace

int main(int argc, char** argv) {
  const char* verb = std::getenv("CNI_COMMAND");
  const std::vector<std::string> devices(argv + 1, argv + argc);
  if (!verb || devices.empty()) return 2;
  const auto done = run(verb, devices);
  if (!done) std::cerr << "vm_transaction: " << done.error().message << '\n';
  return done ? 0 : 1;
}
