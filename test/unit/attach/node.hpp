#pragma once
// A node with one PF, two VFs "p0v0" and "p0v1" with RDMA devices mlx5_1 and mlx5_2, and a pod.
#include <filesystem>
#include <memory>
#include <string>

#include "attach/attachments.hpp"
#include "attach/transaction.hpp"
#include "test/support/fake_host.hpp"
#include "test/support/fake_standing.hpp"
#include "test/support/must.hpp"

namespace railhead::test {

struct Node {
  FakeHost fake;
  std::string pod;
  Logger log{2, LogLevel::error};

  explicit Node(const FakePfRequest& pf = {.vfs = 2}) {
    fake.add_pf(pf);
    pod = fake.add_netns("pod0");
    auto* link = fake.link("host", "p0v0");
    link->flags |= 1;  // IFF_UP
    must(fake.host.links.add_alt_name(link->index, "net1"));
    must(fake.host.links.add_alt_name(link->index, "rail0"));
    fake.operations.clear();
  }

  // As an operator sets it: from then on drivers refuse the VF another address.
  void set_admin_mac(const std::string& text) {
    fake.give_admin_mac(*PciAddress::parse("0000:11:00.0"), text);
    fake.operations.clear();
  }

  [[nodiscard]] attach::AttachRequest request(const std::string& container = "c0") const {
    attach::AttachRequest request;
    request.key = {"rail0", container, "net1"};
    request.netns_path = pod;
    request.device = *PciAddress::parse("0000:11:00.0");
    request.settings.vf.mac = HwAddress::parse("02:00:00:00:00:aa");
    request.settings.vf.vlan = host::VfVlan{100, 3, 0x8100};
    request.settings.vf.trust = true;
    request.settings.mtu = 9000;
    request.pod = "ns/" + container;
    return request;
  }

  [[nodiscard]] Deadline deadline() { return {fake.clock, std::chrono::seconds(90), {}}; }

  // One ADD without its addresses, which activate() brings then.
  Result<attach::Attached> attach(const attach::AttachRequest& request) {
    auto all = attach_all({request});
    if (!all) return pass(all);
    return all->front();
  }
  Result<std::vector<attach::Attached>> attach_all(
      const std::vector<attach::AttachRequest>& requests) {
    open_.reset();
    open_ = std::make_unique<attach::Transaction>(fake.host, deadline(), log);
    auto attached = open_->attach(requests);
    auto committed = attached ? open_->commit() : Result<void>();
    if (!attached || !committed) open_.reset();
    if (!committed) return pass(committed);
    return attached;
  }
  Result<void> activate(const attach::IpConfig& config, size_t number = 0) {
    return open_->activate(number, config);
  }
  attach::Detached detach_all(const attach::AttachmentKey& key, const std::string& path = "",
                              attach::Predecessor predecessor = attach::Predecessor::none) {
    open_.reset();
    return attach::Attachments(fake.host, deadline(), log).detach(key, path, predecessor);
  }
  Result<void> detach(const attach::AttachmentKey& key) {
    const auto detached = detach_all(key);
    if (detached.error) return Failure(*detached.error);
    if (detached.quarantined) return fail(ErrorCode::internal, "{}", *detached.quarantined);
    return {};
  }
  Result<bool> check(const attach::AttachmentKey& key) {
    open_.reset();
    return attach::Attachments(fake.host, deadline(), log).check(key);
  }
  Result<void> collect_garbage(const std::string& network,
                               const std::vector<attach::AttachmentKey>& valid) {
    open_.reset();
    return attach::Attachments(fake.host, deadline(), log).collect_garbage(network, valid);
  }
  [[nodiscard]] attach::Store store() const { return attach::Store(fake.host.roots.run); }

  [[nodiscard]] std::string standing() { return test::standing(fake); }

  // Records and claims.
  [[nodiscard]] size_t records() const {
    size_t count = 0;
    for (const char* folder : {"/attachments", "/devices"}) {
      std::error_code missing;
      for (const auto& file :
           std::filesystem::directory_iterator(fake.host.roots.run + folder, missing)) {
        std::ignore = file;
        ++count;
      }
    }
    return count;
  }

 private:
  std::unique_ptr<attach::Transaction> open_;  // the last ADD, which still holds its locks
};

}  // namespace railhead::test
