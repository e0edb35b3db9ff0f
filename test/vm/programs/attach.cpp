// lib/attach over the real adapters and the VM's kernel: what the suites cannot reach through the
// CNI binary. Expects pf0 (igb) with the VF netdev pf0v0, and nsim7 (netdevsim) with 4 VFs.
#include <cstdlib>
#include <filesystem>

#include <catch2/catch_test_macros.hpp>

#include "attach/transaction.hpp"
#include "attach/vf_settings.hpp"
#include "test/support/linux_host.hpp"
#include "test/support/temporary_folder.hpp"

using namespace railhead;
using namespace railhead::test;
using host::VfAttributes;

namespace {

void sh(const std::string& command) {
  INFO(command);
  REQUIRE(std::system(command.c_str()) == 0);
}

// A pod's namespace, by name, for one test.
struct Pod {
  Pod() { sh("ip netns add pod0"); }
  Pod(const Pod&) = delete;
  Pod& operator=(const Pod&) = delete;
  ~Pod() { std::ignore = std::system("ip netns delete pod0"); }
  std::string path = "/run/netns/pod0";
};

// Links on which a name that is taken is not seen, as when it is taken between look and move.
class BlindLinks final : public host::Links {
 public:
  BlindLinks(std::unique_ptr<host::Links> real, std::string hidden)
      : real_(std::move(real)), hidden_(std::move(hidden)) {}
  Result<host::Link> by_name(std::string_view name) override {
    if (name == hidden_) return fail_errno(ENODEV, "link {}", name);
    return real_->by_name(name);
  }
  Result<std::vector<host::Link>> list() override {
    auto links = real_->list();
    if (links) std::erase_if(*links, [&](const auto& link) { return link.name == hidden_; });
    return links;
  }
  Result<host::Link> by_index(uint32_t index) override { return real_->by_index(index); }
  Result<host::Link> by_parent(std::string_view pci, host::LinkLayer layer) override {
    return real_->by_parent(pci, layer);
  }
  Result<void> change(uint32_t index, const host::LinkChange& change) override {
    return real_->change(index, change);
  }
  Result<void> remove(uint32_t index) override { return real_->remove(index); }
  Result<unsigned> detach_programs(uint32_t index) override {
    return real_->detach_programs(index);
  }
  Result<void> add_alt_name(uint32_t index, std::string_view name) override {
    return real_->add_alt_name(index, name);
  }
  Result<void> remove_alt_name(uint32_t index, std::string_view name) override {
    return real_->remove_alt_name(index, name);
  }
  Result<VfAttributes> vf(uint32_t pf, uint32_t vf) override { return real_->vf(pf, vf); }
  Result<std::map<uint32_t, VfAttributes>> vfs(uint32_t pf) override { return real_->vfs(pf); }
  Result<void> change_vf(uint32_t pf, uint32_t vf, const VfAttributes& change) override {
    return real_->change_vf(pf, vf, change);
  }
  Result<std::vector<host::IpPrefix>> addresses(uint32_t index) override {
    return real_->addresses(index);
  }
  Result<void> add_address(uint32_t index, const host::IpPrefix& address) override {
    return real_->add_address(index, address);
  }
  Result<void> add_route(const host::Route& route) override { return real_->add_route(route); }
  Result<void> remove_route(const host::Route& route) override {
    return real_->remove_route(route);
  }
  Result<std::vector<host::Route>> routes(uint32_t index) override { return real_->routes(index); }
  Result<std::vector<host::LinkAddress>> all_addresses() override { return real_->all_addresses(); }
  Result<std::vector<host::Route>> table_routes(uint32_t table) override {
    return real_->table_routes(table);
  }
  Result<std::vector<host::Rule>> rules(bool v6) override { return real_->rules(v6); }
  Result<void> add_rule(const host::Rule& rule) override { return real_->add_rule(rule); }
  Result<void> remove_rule(const host::Rule& rule) override { return real_->remove_rule(rule); }
  Result<void> set_neighbour(uint32_t index, const host::IpPrefix& address,
                             const HwAddress& mac) override {
    return real_->set_neighbour(index, address, mac);
  }
  Result<std::vector<host::Route>> default_routes() override { return real_->default_routes(); }

 private:
  std::unique_ptr<host::Links> real_;
  std::string hidden_;
};

class BlindNamespaces final : public host::NetNamespaces {
 public:
  BlindNamespaces(host::NetNamespaces& real, std::string hidden)
      : real_(real), hidden_(std::move(hidden)) {}
  Result<host::Netns> open(const std::string& path) override { return real_.open(path); }
  Result<host::Netns> find(host::NetnsId id) override { return real_.find(id); }
  Result<host::Netns> current() override { return real_.current(); }
  Result<std::unique_ptr<host::Links>> links(const host::Netns& netns) override {
    auto links = real_.links(netns);
    if (!links) return links;
    return std::make_unique<BlindLinks>(std::move(*links), hidden_);
  }
  Result<std::unique_ptr<host::RdmaDevices>> rdma(const host::Netns& netns) override {
    return real_.rdma(netns);
  }
  Result<void> run(const host::Netns& netns, const std::function<Result<void>()>& work) override {
    return real_.run(netns, work);
  }

 private:
  host::NetNamespaces& real_;
  std::string hidden_;
};

attach::AttachRequest request_for(const LinuxHost& node, const Pod& pod) {
  auto link = must(node.links->by_name("pf0v0"));
  attach::AttachRequest request;
  request.key = {"rail0", "c0", "net1"};
  request.netns_path = pod.path;
  request.device = *PciAddress::parse(*link.parent_device);
  request.settings.vf.vlan = host::VfVlan{100, 0, 0x8100};
  return request;
}

// The VF and what its PF says of it, as they must be again after a failed ADD.
auto state_of_vf(const LinuxHost& node) {
  auto link = must(node.links->by_name("pf0v0"));
  link.index = 0;  // a move gives another
  const auto pf = must(node.links->by_name("pf0"));
  return std::pair(link, must(node.links->vf(pf.index, 0)));
}

void fail_on_taken_name(const std::string& make_conflict) {
  LinuxHost node;
  Pod pod;
  TemporaryFolder folder;
  sh(make_conflict);
  const auto before = state_of_vf(node);
  BlindNamespaces blind(*node.netns, "net1");
  auto host = node.host_with(blind, folder.path());
  Logger log(2, LogLevel::warning);
  const std::vector requests{request_for(node, pod)};
  const Deadline deadline(host.clock, std::chrono::seconds(90), std::chrono::seconds(20));
  auto attached = attach::Transaction(host, deadline, log).attach(requests);
  REQUIRE_FALSE(attached);
  CHECK(attached.error().message.find("as net1") != std::string::npos);
  CHECK(attached.error().message.find("EEXIST") != std::string::npos);
  CHECK(state_of_vf(node) == before);
  CHECK(std::filesystem::is_empty(folder.path() + "/attachments"));
  CHECK(std::filesystem::is_empty(folder.path() + "/devices"));
}

}  // namespace

TEST_CASE("netdevsim: link state, minimum rate and 802.1ad are set and restored") {
  LinuxHost node;
  const auto pf = must(node.links->by_name("nsim7"));
  const auto before = must(node.links->vf(pf.index, 1));
  VfAttributes wanted;
  wanted.link_state = host::VfLinkState::disable;
  wanted.rate = host::VfRate{100, 200};
  wanted.vlan = host::VfVlan{100, 3, 0x88a8};
  wanted.trust = true;
  wanted.spoofchk = !before.spoofchk.value_or(false);
  wanted.mac = HwAddress::parse("52:54:00:aa:bb:01");
  must(attach::apply(*node.links, pf.index, 1, attach::difference(before, wanted)));
  auto now = must(node.links->vf(pf.index, 1));
  CHECK(attach::describe_difference(now, wanted).empty());
  must(attach::apply(*node.links, pf.index, 1, attach::difference(now, before)));
  CHECK(must(node.links->vf(pf.index, 1)) == before);
}

TEST_CASE("netdevsim: a VF that does not exist is an error that names attribute and value") {
  LinuxHost node;
  const auto pf = must(node.links->by_name("nsim7"));
  VfAttributes wanted;
  wanted.trust = true;
  auto done = attach::apply(*node.links, pf.index, 99, wanted);
  REQUIRE_FALSE(done);
  CHECK(done.error().message.find("failed to set trust on") != std::string::npos);
}

TEST_CASE("A name taken between look and move, the VF's own name free in the pod: all undone") {
  fail_on_taken_name("ip -n pod0 link add net1 type dummy");
}

TEST_CASE("A name taken between look and move, the VF's own name taken too: all undone") {
  fail_on_taken_name("ip -n pod0 link add net1 type dummy && ip -n pod0 link add pf0v0 type dummy");
}
