#pragma once
// What lib/attach relies on of the kernel, as tests that run on the fakes and on a real kernel:
// include this once in a program and define make_contract_fixture() there.
#include <algorithm>
#include <cerrno>
#include <memory>

#include <catch2/catch_test_macros.hpp>

#include "device/char_devices.hpp"
#include "host/host.hpp"
#include "test/support/must.hpp"

namespace railhead::test {

// A host with a PF and two of its VFs, whose driver takes what igb takes, in exclusive RDMA mode.
// Each test gets it as it was; what a test changed is undone when the fixture goes.
class ContractFixture {
 public:
  virtual ~ContractFixture() noexcept(false) = default;  // may fail the test
  [[nodiscard]] virtual host::Host& host() = 0;
  [[nodiscard]] virtual PciAddress pf() const = 0;
  [[nodiscard]] virtual PciAddress vf(unsigned index) const = 0;  // 0 or 1
  // A new namespace's path. delete_netns() returns when its devices are back.
  virtual std::string add_netns(const std::string& name) = 0;
  virtual void delete_netns(const std::string& name) = 0;
  // Before the first namespace is made: the kernel refuses it later.
  virtual void set_rdma_mode(host::RdmaNetnsMode mode) = 0;
};
std::unique_ptr<ContractFixture> make_contract_fixture();

// The fixture with what most tests need of it.
struct Contract {
  std::unique_ptr<ContractFixture> fixture = make_contract_fixture();
  host::Host& host = fixture->host();
  uint32_t pf = must(host.links.by_parent(fixture->pf().to_string())).index;

  host::Netns add_netns(const std::string& name) {
    return must(host.netns.open(fixture->add_netns(name)));
  }
  std::unique_ptr<host::Links> links(const host::Netns& netns) {
    return must(host.netns.links(netns));
  }
  // The VF's link in the host's namespace.
  host::Link vf_link(unsigned index = 0) {
    return must(host.links.by_parent(fixture->vf(index).to_string()));
  }
  host::VfAttributes vf(unsigned index = 0) { return must(host.links.vf(pf, index)); }
  Result<void> change_vf(const host::VfAttributes& change) {
    return host.links.change_vf(pf, 0, change);
  }
  std::vector<device::CharDevice> char_devices(const std::string& rdma, unsigned index = 0) {
    auto function = must(host::Directory::open(host.roots.sysfs + "/bus/pci/devices/" +
                                               fixture->vf(index).to_string()));
    return must(device::read_char_devices(function))[rdma];
  }
  // The name of the VF's only RDMA device.
  std::string rdma_name(unsigned index = 0) {
    auto function = must(host::Directory::open(host.roots.sysfs + "/bus/pci/devices/" +
                                               fixture->vf(index).to_string()));
    auto names = function.list("infiniband");
    if (!names || names->empty()) SKIP("the VF has no RDMA device");
    return names->front();
  }
};

inline bool has(const std::vector<host::RdmaLink>& devices, const std::string& name) {
  return std::ranges::any_of(devices, [&](const auto& d) { return d.name == name; });
}

TEST_CASE("A VF moves to a namespace and is renamed in one message, down, with MTU and altname") {
  Contract c;
  auto pod = c.add_netns("pod0");
  auto before = c.vf_link();
  must(c.host.links.add_alt_name(before.index, "rail-0-of-the-node"));
  must(c.host.links.change(before.index, {.mtu = 1400, .up = true}));
  must(c.host.links.change(before.index, {.netns_fd = pod.fd(), .name = "net1"}));

  CHECK(c.host.links.by_parent(c.fixture->vf(0).to_string()).error().os_errno == ENODEV);
  CHECK(c.host.links.by_name(before.name).error().os_errno == ENODEV);
  auto after = must(c.links(pod)->by_parent(c.fixture->vf(0).to_string()));
  CHECK(after.name == "net1");
  CHECK(after.mtu == 1400);
  CHECK(after.address == before.address);
  CHECK(after.alt_names == std::vector<std::string>{"rail-0-of-the-node"});
  CHECK_FALSE(after.is_up());
}

TEST_CASE("A move whose new name is taken there fails, but the link is there under its old name") {
  Contract c;
  auto pod = c.add_netns("pod0");
  auto first = c.vf_link(0);
  auto second = c.vf_link(1);
  must(c.host.links.change(second.index, {.netns_fd = pod.fd(), .name = "net1"}));
  auto moved = c.host.links.change(first.index, {.netns_fd = pod.fd(), .name = "net1"});
  CHECK(moved.error().os_errno == EEXIST);
  CHECK(must(c.links(pod)->by_parent(c.fixture->vf(0).to_string())).name == first.name);
}

TEST_CASE("A move where old and new name are taken there fails and nothing has moved") {
  Contract c;
  auto pod = c.add_netns("pod0");
  auto first = c.vf_link(0);
  auto second = c.vf_link(1);
  must(c.host.links.change(second.index, {.netns_fd = pod.fd(), .name = "net1"}));
  auto there = must(c.links(pod)->by_name("net1"));
  must(c.links(pod)->add_alt_name(there.index, first.name));
  auto moved = c.host.links.change(first.index, {.netns_fd = pod.fd(), .name = "net1"});
  CHECK(moved.error().os_errno == EEXIST);
  CHECK(c.vf_link(0).name == first.name);
}

TEST_CASE("A link whose old name alone is taken there arrives under its new name") {
  Contract c;
  auto pod = c.add_netns("pod0");
  auto first = c.vf_link(0);
  auto second = c.vf_link(1);
  must(c.host.links.change(second.index, {.netns_fd = pod.fd(), .name = "net2"}));
  auto there = must(c.links(pod)->by_name("net2"));
  must(c.links(pod)->add_alt_name(there.index, first.name));
  must(c.host.links.change(first.index, {.netns_fd = pod.fd(), .name = "net1"}));
  CHECK(must(c.links(pod)->by_parent(c.fixture->vf(0).to_string())).name == "net1");
}

TEST_CASE("A link cannot take its own alternative name as its name") {
  Contract c;
  auto link = c.vf_link();
  must(c.host.links.add_alt_name(link.index, "net1"));
  CHECK(c.host.links.change(link.index, {.name = "net1"}).error().os_errno == EEXIST);
  must(c.host.links.remove_alt_name(link.index, "net1"));
  must(c.host.links.change(link.index, {.name = "net1"}));
  CHECK(c.vf_link().name == "net1");
}

TEST_CASE("A namespace that ends gives its VF back under the pod's name, down") {
  Contract c;
  {
    auto pod = c.add_netns("pod0");
    must(c.host.links.change(c.vf_link().index,
                             {.netns_fd = pod.fd(), .name = "net1", .mtu = 1400, .up = true}));
  }
  c.fixture->delete_netns("pod0");
  auto back = c.vf_link();
  CHECK(back.name == "net1");
  CHECK(back.mtu == 1400);
  CHECK_FALSE(back.is_up());
}

TEST_CASE("A VF that comes back to a name that is taken is called dev and its index") {
  Contract c;
  uint32_t index = 0;
  {
    auto pod = c.add_netns("pod0");
    must(c.host.links.change(c.vf_link().index, {.netns_fd = pod.fd(), .name = "net1"}));
    index = must(c.links(pod)->by_name("net1")).index;
    must(c.host.links.add_alt_name(c.vf_link(1).index, "net1"));
  }
  c.fixture->delete_netns("pod0");
  CHECK(c.vf_link().name == fmt::format("dev{}", index));
}

TEST_CASE("A path that is missing or an ordinary file is no namespace") {
  Contract c;
  CHECK(is(c.host.netns.open("/absent/netns"), ErrorCode::not_found));
  CHECK(is(c.host.netns.open("/etc/passwd"), ErrorCode::not_found));
}

TEST_CASE("A namespace keeps its identity, and another has another one") {
  Contract c;
  auto pod = c.add_netns("pod0");
  auto other = c.add_netns("pod1");
  CHECK(must(c.host.netns.open(pod.path())).id() == pod.id());
  CHECK(other.id() != pod.id());
  CHECK(must(c.host.netns.current()).id() != pod.id());
}

TEST_CASE("VF attributes are set and read back, one or many in a message") {
  Contract c;
  auto before = c.vf();
  must(c.change_vf({.vlan = host::VfVlan{100, 3, 0x8100}, .spoofchk = false}));
  must(c.change_vf({.rate = host::VfRate{0, 200}}));
  must(c.change_vf({.trust = true}));
  auto after = c.vf();
  CHECK(after.vlan == host::VfVlan{100, 3, 0x8100});
  CHECK(after.rate == host::VfRate{0, 200});
  CHECK(after.spoofchk == false);
  CHECK(after.trust == true);
  must(c.change_vf({.vlan = before.vlan,
                    .rate = before.rate,
                    .spoofchk = before.spoofchk,
                    .trust = before.trust}));
  CHECK(c.vf() == before);
}

TEST_CASE("A message stops at the attribute that is refused; what came before it stays") {
  Contract c;
  auto refused =
      c.change_vf({.vlan = host::VfVlan{100, 0, 0x8100}, .link_state = host::VfLinkState::enable});
  CHECK(refused.error().os_errno == EOPNOTSUPP);
  CHECK(c.vf().vlan == host::VfVlan{100, 0, 0x8100});
  CHECK(c.change_vf({.rate = host::VfRate{10, 100}}).error().os_errno == EINVAL);
  CHECK(c.change_vf({.vlan = host::VfVlan{5, 0, 0x88a8}}).error().os_errno == EPROTONOSUPPORT);
}

TEST_CASE("All VFs of a PF in one message are what each is by itself") {
  Contract c;
  must(c.change_vf({.vlan = host::VfVlan{100, 3, 0x8100}}));
  const auto all = must(c.host.links.vfs(c.pf));
  REQUIRE(all.size() >= 2);
  CHECK(all.at(0) == c.vf(0));
  CHECK(all.at(1) == c.vf(1));
  CHECK(all.at(0).vlan == host::VfVlan{100, 3, 0x8100});
  CHECK(c.host.links.vfs(4711).error().os_errno == ENODEV);
}

TEST_CASE("A VF that the PF does not have is told from one it has") {
  Contract c;
  CHECK(c.host.links.vf(c.pf, 99).error().os_errno == ENODEV);
  CHECK(c.host.links.change_vf(c.pf, 99, {.trust = true}).error().os_errno == EINVAL);
  CHECK(c.host.links.change_vf(4711, 0, {.trust = true}).error().os_errno == ENODEV);
}

TEST_CASE("An admin MAC takes from the VF the choice of its address until it is taken off") {
  Contract c;
  auto mac = *HwAddress::parse("02:00:00:00:aa:01");
  must(c.change_vf({.mac = mac}));
  CHECK(c.vf().mac == mac);
  auto own = *HwAddress::parse("02:00:00:00:aa:02");
  auto index = c.vf_link().index;
  CHECK(c.host.links.change(index, {.address = own}).error().os_errno == EADDRNOTAVAIL);
  must(c.change_vf({.mac = HwAddress::parse("00:00:00:00:00:00")}));
  must(c.host.links.change(index, {.address = own}));
  CHECK(c.vf_link().address == own);
}

// igbvf resets the VF when it goes down, and not when it comes up. igbvf does not always reach its
// PF at the first attempt.
inline void up_and_down_until(Contract& c, const std::function<bool()>& done) {
  for (int attempt = 0; attempt < 5 && !done(); ++attempt) {
    must(c.host.links.change(c.vf_link().index, {.up = true}));
    must(c.host.links.change(c.vf_link().index, {.up = false}));
  }
}

TEST_CASE("A trusted VF that goes down writes its own MAC over the admin MAC") {
  Contract c;
  const auto own = c.vf_link().address;
  const auto mac = *HwAddress::parse("02:00:00:00:aa:01");
  must(c.change_vf({.mac = mac}));
  must(c.change_vf({.trust = true}));
  must(c.host.links.change(c.vf_link().index, {.up = true}));
  CHECK(c.vf().mac == mac);
  up_and_down_until(c, [&] { return c.vf().mac == own; });
  CHECK(c.vf().mac->to_string() == own.to_string());
  CHECK(c.vf_link().address == own);
}

TEST_CASE("A VF that is not trusted takes its admin MAC when it goes down") {
  Contract c;
  const auto own = c.vf_link().address;
  const auto mac = *HwAddress::parse("02:00:00:00:aa:01");
  must(c.change_vf({.mac = mac}));
  must(c.host.links.change(c.vf_link().index, {.up = true}));
  CHECK(c.vf_link().address == own);
  up_and_down_until(c, [&] { return c.vf_link().address == mac; });
  CHECK(c.vf_link().address.to_string() == mac.to_string());
  CHECK(c.vf().mac == mac);
}

TEST_CASE("Hardware cannot be removed") {
  Contract c;
  CHECK(c.host.links.remove(c.vf_link().index).error().os_errno == EOPNOTSUPP);
  CHECK(c.host.links.remove(c.pf).error().os_errno == EOPNOTSUPP);
}

TEST_CASE("All addresses of a namespace are listed, global ones told from others") {
  Contract c;
  auto pod = c.add_netns("pod0");
  must(c.host.links.change(c.vf_link().index, {.netns_fd = pod.fd(), .name = "net1"}));
  auto links = c.links(pod);
  const auto index = must(links->by_name("net1")).index;
  const auto global = *host::IpPrefix::parse("10.1.2.3/24");
  const auto local = *host::IpPrefix::parse("fe80::99/64");
  must(links->add_address(index, global));
  must(links->add_address(index, local));
  std::vector<host::LinkAddress> of_vf;
  for (const auto& one : must(links->all_addresses())) {
    if (one.index == index) of_vf.push_back(one);
  }
  REQUIRE(of_vf.size() == 2);
  for (const auto& one : of_vf) CHECK(one.is_global() == (one.address == global));
  for (const auto& one : must(c.host.links.all_addresses())) CHECK(one.address != global);
}

TEST_CASE(
    "A route that is there is refused, its defaults written out or not; another way to its "
    "place is welcome") {
  Contract c;
  auto pod = c.add_netns("pod0");
  must(c.host.links.change(c.vf_link().index, {.netns_fd = pod.fd(), .name = "net1", .up = true}));
  auto links = c.links(pod);
  for (const auto* destination : {"10.9.0.0/16", "fd09::/64"}) {
    INFO(destination);
    host::Route route{.destination = *host::IpPrefix::parse(destination),
                      .out_index = must(links->by_name("net1")).index};
    must(links->add_route(route));
    CHECK(links->add_route(route).error().os_errno == EEXIST);
    const auto present = must(links->routes(route.out_index));
    CHECK(std::ranges::count_if(present, [&](const auto& one) { return one.is_same_way(route); }) ==
          1);
    route.metric = route.destination.v6 ? 1024 : 0;
    route.table = 254;
    CHECK(links->add_route(route).error().os_errno == EEXIST);
    route.metric = 77;
    CHECK(links->add_route(route));
    CHECK(links->remove_route(route));
    CHECK(links->remove_route(route).error().os_errno == ESRCH);
    route.metric = std::nullopt;
    CHECK(links->remove_route(route));
    CHECK(std::ranges::none_of(must(links->routes(route.out_index)),
                               [&](const auto& one) { return one.is_same_way(route); }));
  }
}

TEST_CASE("Rules are made once, told as they were made, and removed by all that they have") {
  Contract c;
  auto pod = c.add_netns("pod0");
  must(c.host.links.change(c.vf_link().index, {.netns_fd = pod.fd(), .name = "net1", .up = true}));
  auto links = c.links(pod);
  for (const bool v6 : {false, true}) {
    const host::Rule from{.v6 = v6,
                          .priority = 1001,
                          .table = 1016,
                          .from = host::IpPrefix::parse(v6 ? "fd09::5" : "10.9.0.5"),
                          .out_link = "",
                          .protocol = 99};
    const host::Rule out{
        .v6 = v6, .priority = 1000, .table = 1016, .from = {}, .out_link = "net1", .protocol = 99};
    for (const auto& rule : {from, out}) {
      must(links->add_rule(rule));
      CHECK(links->add_rule(rule).error().os_errno == EEXIST);
      const auto present = must(links->rules(v6));
      CHECK(std::ranges::count(present, rule) == 1);
      CHECK(std::ranges::none_of(must(links->rules(!v6)),
                                 [](const auto& other) { return other.table == 1016; }));
    }
    auto other = from;
    other.from = host::IpPrefix::parse(v6 ? "fd09::6" : "10.9.0.6");
    CHECK(links->remove_rule(other).error().os_errno == ENOENT);
    must(links->remove_rule(from));
    CHECK(std::ranges::count(must(links->rules(v6)), out) == 1);
    must(links->remove_rule(out));
    CHECK(links->remove_rule(out).error().os_errno == ENOENT);
  }
}

TEST_CASE("A table's routes are told, of one that nobody made none") {
  Contract c;
  auto pod = c.add_netns("pod0");
  must(c.host.links.change(c.vf_link().index, {.netns_fd = pod.fd(), .name = "net1", .up = true}));
  auto links = c.links(pod);
  CHECK(must(links->table_routes(1016)).empty());
  for (const auto* destination : {"10.9.0.0/16", "0.0.0.0/0", "fd09::/64"}) {
    must(links->add_route({.destination = *host::IpPrefix::parse(destination),
                           .out_index = must(links->by_name("net1")).index,
                           .table = 1016}));
  }
  CHECK(must(links->table_routes(1016)).size() == 3);
  CHECK(must(links->table_routes(1017)).empty());
  CHECK(must(links->default_routes()).empty());
}

TEST_CASE("A neighbour is set on a link that is up, and set anew") {
  Contract c;
  auto pod = c.add_netns("pod0");
  must(c.host.links.change(c.vf_link().index, {.netns_fd = pod.fd(), .name = "net1", .up = true}));
  auto links = c.links(pod);
  const auto index = must(links->by_name("net1")).index;
  for (const auto* address : {"10.9.0.1", "fd09::1"}) {
    for (const auto* mac : {"02:00:00:00:00:01", "02:00:00:00:00:02"}) {
      must(links->set_neighbour(index, *host::IpPrefix::parse(address), *HwAddress::parse(mac)));
    }
  }
  CHECK(
      links->set_neighbour(index + 100, *host::IpPrefix::parse("10.9.0.1"), {}).error().os_errno ==
      ENODEV);
}

TEST_CASE("Default routes are told of the main table, with the link they leave by") {
  Contract c;
  auto pod = c.add_netns("pod0");
  must(c.host.links.change(c.vf_link().index, {.netns_fd = pod.fd(), .name = "net1", .up = true}));
  auto links = c.links(pod);
  const auto index = must(links->by_name("net1")).index;
  const auto add = [&](const char* destination, std::optional<uint32_t> table) {
    must(links->add_route(
        {.destination = *host::IpPrefix::parse(destination), .out_index = index, .table = table}));
  };
  add("10.9.0.0/16", std::nullopt);
  add("0.0.0.0/0", 100);
  CHECK(must(links->default_routes()).empty());
  add("0.0.0.0/0", std::nullopt);
  add("::/0", std::nullopt);
  const auto found = must(links->default_routes());
  REQUIRE(found.size() == 2);
  for (const auto& route : found) CHECK(route.out_index == index);
  CHECK(found[0].destination.v6 != found[1].destination.v6);
}

TEST_CASE("In exclusive mode an RDMA device is seen in the namespace it was moved to, only") {
  Contract c;
  auto name = c.rdma_name();
  auto pod = c.add_netns("pod0");
  must(c.host.rdma.move(name, pod.fd()));
  CHECK_FALSE(has(must(c.host.rdma.list()), name));
  CHECK(c.host.rdma.move(name, pod.fd()).error().os_errno == ENODEV);
  CHECK_FALSE(c.char_devices(name).empty());  // shown in the host all the same
  CHECK(c.host.rdma.port(1000, 1).error().os_errno == ENODEV);

  auto inside = must(c.host.netns.rdma(pod));
  CHECK(has(must(inside->list()), name));
  must(inside->move(name, must(c.host.netns.current()).fd()));
  CHECK(has(must(c.host.rdma.list()), name));
}

TEST_CASE("A namespace that ends gives its RDMA device back under the name it had there") {
  Contract c;
  auto name = c.rdma_name();
  {
    auto pod = c.add_netns("pod0");
    must(c.host.rdma.move(name, pod.fd()));
    must(must(c.host.netns.rdma(pod))->rename(name, "rail0"));
  }
  c.fixture->delete_netns("pod0");
  CHECK(has(must(c.host.rdma.list()), "rail0"));
  must(c.host.rdma.rename("rail0", name));
}

TEST_CASE("RDMA device names are one set over all namespaces") {
  Contract c;
  auto first = c.rdma_name(0);
  auto second = c.rdma_name(1);
  CHECK(c.host.rdma.rename(first, second).error().os_errno == EEXIST);
  must(c.host.rdma.rename(first, first));
  CHECK(c.host.rdma.rename("absent", "rail0").error().os_errno == ENODEV);
}

TEST_CASE("Moved one after the other, RDMA devices keep their character device numbers") {
  Contract c;
  auto first = c.rdma_name(0);
  auto second = c.rdma_name(1);
  auto pod = c.add_netns("pod0");
  auto before = c.char_devices(first);
  must(c.host.rdma.move(first, pod.fd()));
  CHECK(c.char_devices(first) == before);
  must(c.host.rdma.move(second, pod.fd()));
  CHECK(c.char_devices(first) == before);
}

TEST_CASE("In shared mode every namespace sees an RDMA device and none can have it") {
  Contract c;
  auto name = c.rdma_name();
  c.fixture->set_rdma_mode(host::RdmaNetnsMode::shared);
  CHECK(must(c.host.rdma.netns_mode()) == host::RdmaNetnsMode::shared);
  auto pod = c.add_netns("pod0");
  CHECK(has(must(must(c.host.netns.rdma(pod))->list()), name));
  CHECK(c.host.rdma.move(name, pod.fd()).error().os_errno == EOPNOTSUPP);
}

}  // namespace railhead::test
