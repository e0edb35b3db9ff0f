// The ports' contract on this kernel: real VFs of an igb PF, RDMA devices of tbrdma. The suite
// ports.sh sets the node up and names the PF.
#include <cstdlib>
#include <string>
#include <vector>

#include "base/text.hpp"
#include "test/support/links_contract.hpp"
#include "test/support/linux_host.hpp"
#include "test/support/private_netns.hpp"

namespace railhead::test {
namespace {

constexpr std::chrono::seconds kReturnLimit{60};

PciAddress pf_address() {
  const char* text = std::getenv("RAILHEAD_PF");
  REQUIRE(text);
  return PciAddress::parse(text).value();
}

class KernelContract final : public ContractFixture {
 public:
  KernelContract() {
    auto folder = must(host::Directory::open(function(pf_)));
    for (uint32_t n = 0; n < 2; ++n) {
      vfs_.push_back(*PciAddress::parse(must(folder.link_name(fmt::format("virtfn{}", n)))));
      links_.push_back(must(host().links.by_parent(vfs_.back().to_string())));
      auto vf = must(host::Directory::open(function(vfs_.back())));
      rdma_.push_back(must(vf.list("infiniband")).at(0));
      attributes_.push_back(must(host().links.vf(pf_index(), n)));
    }
  }

  ~KernelContract() noexcept(false) override {
    while (!netns_.empty()) delete_netns(netns_.back());
    set_rdma_mode(host::RdmaNetnsMode::exclusive);
    for (unsigned i = 0; i < vfs_.size(); ++i) drop_alt_names(i);
    for (unsigned i = 0; i < vfs_.size(); ++i) restore(i);
  }

  host::Host& host() override { return linux_.host; }
  PciAddress pf() const override { return pf_; }
  PciAddress vf(unsigned index) const override { return vfs_.at(index); }

  std::string add_netns(const std::string& name) override {
    must_run("ip netns add " + name);
    netns_.push_back(name);
    return "/run/netns/" + name;
  }

  void delete_netns(const std::string& name) override {
    must_run("ip netns del " + name);
    std::erase(netns_, name);
    REQUIRE(wait([&] {
      for (unsigned i = 0; i < vfs_.size(); ++i) {
        if (!host().links.by_parent(vfs_[i].to_string())) return false;
        auto vf = must(host::Directory::open(function(vfs_[i])));
        if (auto names = vf.list("infiniband"); !names || names->empty()) return false;
      }
      return true;
    }));
  }

  // The kernel takes namespaces down in the background, and refuses while there are any.
  void set_rdma_mode(host::RdmaNetnsMode mode) override {
    if (must(host().rdma.netns_mode()) == mode) return;
    const auto command = fmt::format("rdma system set netns {} 2>/dev/null", to_string(mode));
    REQUIRE(wait([&] { return std::system(command.c_str()) == 0; }));
  }

 private:
  std::string function(const PciAddress& address) {
    return host().roots.sysfs + "/bus/pci/devices/" + address.to_string();
  }
  uint32_t pf_index() { return must(host().links.by_parent(pf_.to_string())).index; }
  bool wait(const std::function<bool()>& done) {
    return wait_until(linux_.clock, kReturnLimit, std::chrono::milliseconds{50}, done);
  }

  // Before any link gets its name back: a test may have given it to another as alternative name.
  void drop_alt_names(unsigned i) {
    auto link = must(host().links.by_parent(vfs_[i].to_string()));
    for (const auto& name : link.alt_names) must(host().links.remove_alt_name(link.index, name));
  }

  void restore(unsigned i) {
    auto& links = host().links;
    const auto& before = links_[i];
    auto now = must(links.by_parent(vfs_[i].to_string()));
    // The admin MAC goes first, or the VF may not have its own address back.
    must(links.change_vf(pf_index(), i,
                         {.mac = HwAddress::parse("00:00:00:00:00:00"), .trust = false}));
    host::LinkChange change{.mtu = before.mtu, .up = false};
    if (now.name != before.name) change.name = before.name;
    must(links.change(now.index, change));
    must(links.change(now.index, {.address = before.address}));
    must(links.change_vf(pf_index(), i,
                         {.vlan = attributes_[i].vlan,
                          .rate = attributes_[i].rate,
                          .spoofchk = attributes_[i].spoofchk}));
    auto rdma = must(host::Directory::open(function(vfs_[i])));
    const auto name = must(rdma.list("infiniband")).at(0);
    must(host().rdma.rename(name, rdma_[i]));
  }

  LinuxHost linux_;
  PciAddress pf_ = pf_address();
  std::vector<PciAddress> vfs_;
  std::vector<host::Link> links_;
  std::vector<host::VfAttributes> attributes_;
  std::vector<std::string> rdma_;
  std::vector<std::string> netns_;
};

}  // namespace

std::unique_ptr<ContractFixture> make_contract_fixture() {
  return std::make_unique<KernelContract>();
}

TEST_CASE("An RDMA device tells its ports, protocol, GUID and its port's netdev") {
  Contract c;
  for (const auto& device : must(c.host.rdma.list())) {
    if (device.name != c.rdma_name()) continue;
    CHECK(device.protocol == "roce");
    CHECK(device.node_guid.value != 0);
    CHECK(device.port_count == 1);
    const auto port = must(c.host.rdma.port(device.index, 1));
    CHECK(port.number == 1);
    CHECK(port.netdev == c.vf_link().name);
    CHECK(c.host.rdma.port(device.index, 2).error().os_errno == ENODEV);
    return;
  }
  FAIL("the device is not listed");
}

TEST_CASE("A PF without devlink tells no firmware, and that is no error") {
  Contract c;
  CHECK(must(c.host.devlink.firmware_app(c.fixture->pf().to_string())) == std::nullopt);
}

}  // namespace railhead::test
