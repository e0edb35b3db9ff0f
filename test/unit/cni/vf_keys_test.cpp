#include "cni/types/vf_keys.hpp"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include "cnispec/cni_error.hpp"
#include "cnispec/net_conf.hpp"
#include "test/support/fake_host.hpp"

using namespace railhead;
using namespace railhead::cni;

namespace {

Result<Asked> read_text(const std::string& text, const cnispec::CniArgs& args = {}) {
  static test::FakeHost fake;
  const auto config = *cnispec::parse_config(text);
  const auto type = cnispec::read_net_conf(config)->type;
  return type_of(type).read({config, args, nullptr, fake.host});
}

Result<Asked> read(const std::string& keys, const cnispec::CniArgs& args = {}) {
  return read_text(R"({"name":"n","type":"sriov","deviceID":"0000:3b:00.2")" + keys + "}", args);
}

// A configuration that asks for nothing.
Asked plain() {
  Asked asked;
  asked.device = PciAddress{0, 0x3b, 0, 2};
  asked.rdma = attach::RdmaUse::off;
  return asked;
}

}  // namespace

TEST_CASE("A configuration that asks for nothing leaves the VF's settings as they stand") {
  CHECK(read("") == plain());
  CHECK(read(R"(,"spoofchk":"","trust":"","link_state":"","mac":"","mtu":0,"vlan":null)") ==
        plain());
}

TEST_CASE("Every sriov key is read, in any case of its letters") {
  const auto conf = read(R"(,"Vlan":100,"vlanqos":5,"VLANPROTO":"802.1AD","MAC":"02:00:00:00:00:AB",
      "spoofChk":"off","TRUST":"on","Link_State":"enable","min_tx_rate":100,"max_tx_rate":200,
      "MTU":9000)");
  REQUIRE(conf);
  attach::Settings expected;
  expected.vf.vlan = host::VfVlan{100, 5, 0x88a8};
  expected.vf.mac = HwAddress::parse("02:00:00:00:00:ab");
  expected.vf.spoofchk = false;
  expected.vf.trust = true;
  expected.vf.link_state = host::VfLinkState::enable;
  expected.vf.rate = host::VfRate{100, 200};
  expected.mtu = 9000;
  CHECK(conf->settings == expected);
}

TEST_CASE("VLAN 0 is set, not left alone") {
  CHECK(read(R"(,"vlan":0)")->settings.vf.vlan == host::VfVlan{0, 0, 0x8100});
  CHECK(read(R"(,"vlan":0,"vlanQoS":0,"vlanProto":"802.1q")")->settings.vf.vlan ==
        host::VfVlan{0, 0, 0x8100});
}

TEST_CASE("One rate given sends the other as 0") {
  CHECK(read(R"(,"max_tx_rate":200)")->settings.vf.rate == host::VfRate{0, 200});
  CHECK(read(R"(,"min_tx_rate":0)")->settings.vf.rate == host::VfRate{0, 0});
}

TEST_CASE("spoofchk and trust are on or off in any case of the letters, and nothing else") {
  CHECK(read(R"(,"spoofchk":"on")")->settings.vf.spoofchk == true);
  CHECK(read(R"(,"spoofchk":"ON")")->settings.vf.spoofchk == true);
  CHECK(read(R"(,"trust":"Off")")->settings.vf.trust == false);
  CHECK(read(R"(,"trust":"true")")
            .error()
            .text()
            .ends_with("invalid trust value: true: value must be 'on' or 'off'"));
}

TEST_CASE("sriov leaves the RDMA device alone unless asked, railhead takes it along unless asked") {
  using attach::RdmaUse;
  CHECK(read("")->rdma == RdmaUse::off);
  CHECK(read(R"(,"rdma":"auto")")->rdma == RdmaUse::automatic);
  CHECK(read(R"(,"rdma":"require")")->rdma == RdmaUse::require);
  CHECK(read(R"(,"TYPE":"railhead")")->rdma == RdmaUse::automatic);
  CHECK(read(R"(,"TYPE":"railhead","rdma":"off")")->rdma == RdmaUse::off);
  CHECK(read(R"(,"rdma":"yes")")
            .error()
            .text()
            .ends_with("invalid rdma value: yes: value must be 'auto', 'require' or 'off'"));
}

TEST_CASE("The MAC of runtimeConfig goes before that of CNI_ARGS, and this before the config's") {
  const std::string own = R"(,"mac":"02:00:00:00:00:01")";
  const std::string runtime = R"(,"runtimeConfig":{"mac":"02:00:00:00:00:03"})";
  const cnispec::CniArgs args{"02:00:00:00:00:02", "", ""};
  CHECK(read(own)->settings.vf.mac->to_string() == "02:00:00:00:00:01");
  CHECK(read(own, args)->settings.vf.mac->to_string() == "02:00:00:00:00:02");
  CHECK(read(own + runtime, args)->settings.vf.mac->to_string() == "02:00:00:00:00:03");
}

TEST_CASE("The device is deviceID, else runtimeConfig's, else pciBusID") {
  const auto device = [](const char* text) {
    const auto conf = read_text(R"({"name":"n","type":"sriov",)" + std::string(text).substr(1));
    return conf ? conf->device.to_string() : conf.error().message;
  };
  CHECK(device(R"({"deviceID":"0000:3B:00.2","pciBusID":"0000:01:00.0",
                   "runtimeConfig":{"deviceID":"0000:02:00.0"}})") == "0000:3b:00.2");
  CHECK(device(R"({"pciBusID":"0000:01:00.0","runtimeConfig":{"deviceID":"0000:02:00.0"}})") ==
        "0000:02:00.0");
  CHECK(device(R"({"deviceID":"","pciBusID":"0000:01:00.0"})") == "0000:01:00.0");
  CHECK(
      device(R"({"ipam":{}})")
          .starts_with(
              "SRIOV-CNI failed to load netconf: LoadConf(): VF pci addr is required (deviceID: "));
}

TEST_CASE("A configuration that cannot be met is refused with sriov-cni's words and code 7") {
  struct Row {
    const char* keys;
    const char* message;
  };
  const std::string prefix = "SRIOV-CNI failed to load netconf: LoadConf(): ";
  for (const auto& [keys, message] : std::initializer_list<Row>{
           {R"("vlan":-1)", "vlan id -1 invalid: value must be in the range 0-4094"},
           {R"("vlan":4095)", "vlan id 4095 invalid: value must be in the range 0-4094"},
           {R"("vlanQoS":0)", "vlan id must be configured to set vlan QoS to a non-nil value"},
           {R"("vlan":1,"vlanQoS":8)", "vlan QoS PCP 8 invalid: value must be in the range 0-7"},
           {R"("vlan":1,"vlanQoS":-1)", "vlan QoS PCP -1 invalid: value must be in the range 0-7"},
           {R"("vlan":0,"vlanQoS":1)",
            "non-zero vlan id must be configured to set vlan QoS to a non-zero value"},
           {R"("vlanProto":"802.1q")",
            "vlan id must be configured to set vlan proto to a non-nil value"},
           {R"("vlan":1,"vlanProto":"802.1X")",
            "vlan Proto 802.1x invalid: value must be '802.1Q' or '802.1ad'"},
           {R"("vlan":0,"vlanProto":"802.1ad")",
            "non-zero vlan id must be configured to set vlan proto 802.1ad"},
           {R"("link_state":"up")", "invalid link_state value: up"},
           {R"("link_state":"Auto")", "invalid link_state value: Auto"},
           {R"("max_tx_rate":-5)", "max_tx_rate -5 invalid: value must be a number of Mbit/s"},
           {R"("mtu":67)", "mtu 67 invalid: value must be at least 68"},
           {R"("vlan":"100")",
            "failed to load netconf: vlan: expected a whole number, got string \"100\""},
           {R"("vlan":1.5)",
            "failed to load netconf: vlan: expected a whole number, got number 1.5"},
           {R"("trust":true)", "failed to load netconf: trust: expected a string, got boolean"},
           {R"("deviceID":5)", "failed to load netconf: deviceID: expected a string, got number 5"},
           {R"("runtimeConfig":[])",
            "failed to load netconf: runtimeConfig: expected an object, got array"},
           {R"("deviceID":"mlx5_core.sf.4")",
            "failed to get VF information: \"deviceID mlx5_core.sf.4 is not a PCI address like "
            "0000:3b:00.2\""}}) {
    INFO(keys);
    const auto conf = read("," + std::string(keys));
    REQUIRE_FALSE(conf);
    CHECK(cnispec::to_json(conf.error()) ==
          cnispec::to_json(cnispec::cni_error(7, prefix + message)));
  }
}

TEST_CASE("A MAC that no single interface can have is refused") {
  for (auto bad : {"x", "02:00:00:00:00", "02:00:00:00:00:00:00:01", "00:00:00:00:00:00",
                   "01:00:5e:00:00:01"}) {
    INFO(bad);
    const auto conf = read(R"(,"mac":")" + std::string(bad) + R"(")");
    REQUIRE_FALSE(conf);
    CHECK(cnispec::code_of(conf.error()) == 7);
    CHECK(conf.error().message.starts_with(
        "SRIOV-CNI failed to load netconf: LoadConf(): failed to parse MAC address " +
        std::string(bad)));
  }
}

TEST_CASE("Keys that nobody knows are told, those of runtimes and other programs are not") {
  const auto conf = read(R"(,"vlann":5,"cniVersion":"1.0.0","ipam":{},"capabilities":{"mac":true},
      "Master":"pf0","VFID":3,"OrigVfState":{},"pciBusID":"","logLevel":"debug","logFile":"/x",
      "prevResult":{},"args":{},"dns":{})");
  CHECK(conf->unknown_keys == std::vector<std::string>{"vlann (vlan?)"});
  const std::string long_key(100, 'k');
  CHECK(read(fmt::format(R"(,"{}":1)", long_key))->unknown_keys ==
        std::vector<std::string>{long_key.substr(0, 64) + "…"});
}

TEST_CASE("Type railhead has sriov's keys and its own words") {
  const auto text = [](const std::string& keys) {
    const auto asked = read(R"(,"TYPE":"railhead",)" + keys);
    return asked ? "" : asked.error().message;
  };
  CHECK(text(R"("vlan":4095)") == "vlan id 4095 invalid: value must be in the range 0-4094");
  CHECK(text(R"("vlan":4094)").empty());
}

TEST_CASE("reset is true or false, of type railhead; sriov-cni has no such key") {
  const auto railhead = [](const std::string& keys) {
    return read_text(R"({"name":"n","type":"railhead","deviceID":"0000:3b:00.2")" + keys + "}");
  };
  CHECK_FALSE(railhead("")->reset);
  CHECK_FALSE(railhead(R"(,"reset":false)")->reset);
  CHECK_FALSE(railhead(R"(,"reset":null)")->reset);
  CHECK(railhead(R"(,"Reset":true)")->reset);
  CHECK(railhead(R"(,"reset":true)")->unknown_keys.empty());
  for (const auto& [value, got] : {std::pair{R"("flr")", R"(string "flr")"}, {"1", "number 1"}}) {
    const auto refused = railhead(fmt::format(R"(,"reset":{})", value));
    REQUIRE_FALSE(refused);
    CHECK(cnispec::code_of(refused.error()) == cnispec::code::kInvalidConfig);
    CHECK(refused.error().message ==
          fmt::format("failed to load netconf: reset: expected true or false, got {}", got));
  }
  const auto sriov = read(R"(,"reset":true)");
  REQUIRE(sriov);
  CHECK_FALSE(sriov->reset);
  CHECK(sriov->unknown_keys == std::vector<std::string>{"reset"});
}
