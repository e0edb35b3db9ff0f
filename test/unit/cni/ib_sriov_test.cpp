// The keys of InfiniBand VFs: ib-sriov's with its texts, and railhead's.
#include "cni/types/ib_sriov.hpp"

#include <filesystem>
#include <map>

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include "cnispec/cni_error.hpp"
#include "cnispec/net_conf.hpp"
#include "test/support/fake_host.hpp"

using namespace railhead;
using namespace railhead::cni;

namespace {

constexpr Guid kGuid{0x0200000000000011};

struct Ib {
  Ib() { fake.add_pf({.vfs = 2, .infiniband = true}); }
  Result<Asked> read(const std::string& keys, const std::string& type = "ib-sriov") {
    const auto config = *cnispec::parse_config(
        fmt::format(R"({{"name":"n","type":"{}","deviceID":"0000:11:00.0"{}}})", type, keys));
    return type_of(type).read({config, {}, nullptr, fake.host});
  }
  std::string refused(const std::string& keys, const std::string& type = "ib-sriov") {
    const auto asked = read(keys, type);
    REQUIRE_FALSE(asked);
    CHECK(cnispec::code_of(asked.error()) == 7);
    return asked.error().message;
  }
  test::FakeHost fake;
};

}  // namespace

TEST_CASE("What ib-sriov is asked for nothing of is left as it stands") {
  Ib ib;
  const auto asked = ib.read(R"(,"pkey":"0x7fff","link_state":"","args":{"cni":{"other":"x"}})");
  REQUIRE(asked);
  CHECK(asked->device == PciAddress{0, 0x11, 0, 0});
  CHECK(asked->kind == attach::KindName::ib_vf);
  CHECK(asked->rdma == attach::RdmaUse::off);
  CHECK(asked->settings == attach::Settings{});
  CHECK(asked->unknown_keys.empty());
  CHECK(ib.read(R"(,"vlan":5)")->unknown_keys == std::vector<std::string>{"vlan"});
}

TEST_CASE("A GUID is the node's and the port's, runtimeConfig's before that of args") {
  Ib ib;
  const std::string args = R"(,"args":{"cni":{"guid":"02:00:00:00:00:00:00:11"}})";
  CHECK(ib.read(args)->settings.vf.node_guid == kGuid);
  CHECK(ib.read(args)->settings.vf.port_guid == kGuid);
  CHECK(ib.read(args + R"(,"runtimeConfig":{"infinibandGUID":"02:00:00:00:00:00:00:12"})")
            ->settings.vf.port_guid == Guid{0x0200000000000012});
  CHECK(ib.read(args, "railhead")->settings.vf.port_guid == kGuid);
  for (const auto* bad : {"00:00:00:00:00:00:00:00", "0200:0000:0000:0011", "02:00", "g"}) {
    CHECK(ib.refused(fmt::format(R"(,"runtimeConfig":{{"infinibandGUID":"{}"}})", bad)) ==
          fmt::format("invalid guid {}", bad));
  }
}

TEST_CASE("ib-sriov's keys are refused in its own words") {
  Ib ib;
  CHECK(ib.read(R"(,"link_state":"disable")")->settings.vf.link_state ==
        host::VfLinkState::disable);
  CHECK(ib.refused(R"(,"link_state":"up")") == "invalid link_state value: up");
  CHECK(ib.refused(R"(,"deviceID":"")").starts_with("deviceID is required"));
  CHECK(ib.read(R"(,"rdmaIsolation":true)")->rdma == attach::RdmaUse::automatic);
  ib.fake.kernel.rdma_mode = host::RdmaNetnsMode::shared;
  CHECK(ib.refused(R"(,"rdmaIsolation":true)") ==
        "RDMA subsystem namespace awareness mode is set to shared, expecting it to be set to "
        "exclusive, invalid system configurations");
  CHECK(ib.refused(R"(,"vfioPciMode":true)") ==
        "vfioPciMode is enabled but device 0000:11:00.0 is not bound to vfio-pci driver");
  CHECK(ib.refused(R"(,"rdmaIsolation":"yes")").starts_with("failed to load netconf: "));
}

TEST_CASE("A pool of GUIDs is a range") {
  Ib ib;
  const auto pool = [](const char* text) { return fmt::format(R"(,"guidPool":"{}")", text); };
  const auto* good = "02:00:00:00:00:00:01:00-02:00:00:00:00:00:01:ff";
  for (const auto* type : {"ib-sriov", "railhead"}) {
    const auto asked = ib.read(pool(good), type);
    REQUIRE(asked);
    CHECK(asked->settings.guid_pool->count() == 256);
    CHECK(asked->settings.guid_pool->to_string() == good);
    CHECK(asked->unknown_keys.empty());
    for (const auto* bad :
         {"02:00:00:00:00:00:01:00", "02:00:00:00:00:00:01:00-02:00:00:00:00:00:00:ff",
          "00:00:00:00:00:00:00:00-02:00:00:00:00:00:00:ff", "-", "a-b",
          "02:00:00:00:00:00:01:00-ff:ff:ff:ff:ff:ff:ff:ff"}) {
      CHECK(ib.refused(pool(bad), type).find(fmt::format("invalid guidPool {}: expected", bad)) !=
            std::string::npos);
    }
  }
}

TEST_CASE("A PF is given to a userspace driver alone, and takes no settings then") {
  Ib ib;
  const std::string pf = R"(,"DeviceID":"0000:10:00.0")";
  CHECK(ib.refused(pf) == "PF device 0000:10:00.0 requires vfioPciMode to be enabled");
  const auto driver = ib.fake.host.roots.sysfs + "/bus/pci/devices/0000:10:00.0/driver";
  std::filesystem::remove(driver);
  std::filesystem::create_symlink("../../../../bus/pci/drivers/vfio-pci", driver);
  const auto asked = ib.read(pf + R"(,"vfioPciMode":true,"link_state":"enable")");
  REQUIRE(asked);
  CHECK(asked->kind == attach::KindName::whole_nic);
  CHECK(asked->settings == attach::Settings{});
}

TEST_CASE("railhead takes a sub-function as a whole NIC, with a MAC and an MTU") {
  Ib node;
  auto& pf = node.fake.add_pf({.address = "0000:20:00.0", .netdev = "p1"});
  node.fake.add_sub_function(pf, 4, "p1s4");
  const std::string sf = R"(,"DeviceID":"mlx5_core.sf.4")";
  const auto asked = node.read(sf + R"(,"mtu":9000,"mac":"02:00:00:00:00:01")", "railhead");
  REQUIRE(asked);
  CHECK(asked->device == device::DeviceId{device::DeviceId::Kind::auxiliary, "mlx5_core.sf.4"});
  CHECK(asked->kind == attach::KindName::whole_nic);
  CHECK(asked->settings.mtu == 9000);
  CHECK(asked->settings.vf.mac == HwAddress::parse("02:00:00:00:00:01"));
  for (const auto& [key, value] : std::map<std::string, std::string>{{"vlan", "5"},
                                                                     {"max_tx_rate", "5"},
                                                                     {"trust", R"("on")"},
                                                                     {"spoofchk", R"("off")"},
                                                                     {"link_state", R"("auto")"},
                                                                     {"reset", "true"}}) {
    const auto text = node.refused(fmt::format(R"({},"{}":{})", sf, key, value), "railhead");
    CHECK(text.starts_with(key + ": mlx5_core.sf.4 is a sub-function, which has no such setting"));
  }
  CHECK(node.refused(R"(,"DeviceID":"sf4")", "railhead").find("or a sub-function like") !=
        std::string::npos);
}

TEST_CASE("With ibKubernetesEnabled its word and its GUID must be there") {
  Ib ib;
  const std::string enabled = R"(,"ibKubernetesEnabled":true)";
  CHECK(ib.refused(enabled).starts_with(
      R"(infiniBand SRIOV-CNI failed, InfiniBand status "mellanox.infiniband.app" is not)"));
  const std::string configured = R"(,"args":{"cni":{"mellanox.infiniband.app":"configured"}})";
  CHECK(ib.refused(enabled + configured) ==
        "infiniband SRIOV-CNI failed, Unexpected error. GUID must be provided by ib-kubernetes");
  CHECK(ib.read(enabled + configured +
                R"(,"runtimeConfig":{"infinibandGUID":"02:00:00:00:00:00:00:11"})")
            ->settings.vf.port_guid == kGuid);
}

TEST_CASE("railhead takes a VF for what its netdev is, and refuses the other link layer's keys") {
  Ib ib;
  const auto asked = ib.read(R"(,"mtu":2044,"link_state":"enable")", "railhead");
  REQUIRE(asked);
  CHECK(asked->kind == attach::KindName::ib_vf);
  CHECK(asked->rdma == attach::RdmaUse::automatic);
  CHECK(ib.refused(R"(,"vlan":100)", "railhead") ==
        "vlan: 0000:11:00.0 is an InfiniBand VF, which has no such setting");
  CHECK(ib.refused(R"(,"mac":"02:00:00:00:00:01")", "railhead").starts_with("mac: "));
  CHECK(ib.refused(R"(,"max_tx_rate":5)", "railhead").starts_with("max_tx_rate: "));
  CHECK(ib.refused(R"(,"trust":"on")", "railhead").starts_with("trust: "));
  Ib ethernet;
  ethernet.fake.add_pf({.address = "0000:20:00.0", .netdev = "p1"});
  CHECK(ethernet.read(R"(,"DeviceID":"0000:21:00.0")", "railhead")->kind ==
        attach::KindName::eth_vf);
  CHECK(ethernet
            .refused(
                R"(,"DeviceID":"0000:21:00.0","args":{"cni":{"guid":"02:00:00:00:00:00:00:11"}})",
                "railhead")
            .starts_with("guid: 0000:21:00.0 is an Ethernet VF"));
}
