#include "attach/record.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace railhead;
using namespace railhead::attach;

namespace {

Record full_record() {
  Record record;
  record.key = {"rail0", "1f3c", "net1"};
  record.pod = "ns/a";
  record.netns_path = "/run/netns/pod0";
  record.netns = {4, 4026532000};
  record.device = *PciAddress::parse("0000:3b:00.2");
  record.pf = *PciAddress::parse("0000:3b:00.0");
  record.vf_index = 1;
  record.link = LinkState{"ens0v1", {"rail0-1"}, *HwAddress::parse("52:54:00:00:00:01"),
                          1500,     true,        {{"ipv4/conf/*/rp_filter", "2"}}};
  record.vf.mac = HwAddress::parse("00:00:00:00:00:00");
  record.vf.vlan = host::VfVlan{0, 0, 0x8100};
  record.vf.rate = host::VfRate{0, 0};
  record.vf.spoofchk = true;
  record.vf.trust = false;
  record.vf.link_state = host::VfLinkState::automatic;
  record.vf.node_guid = Guid{0x0011223344556677};
  record.rdma = {{"mlx5_1",
                  {{device::CharKind::uverbs, "uverbs1", "231:193"},
                   {device::CharKind::issm, "issm1", "231:65"}}}};
  record.settings.vf.vlan = host::VfVlan{100, 3, 0x88a8};
  record.settings.mtu = 9000;
  record.moves_rdma = true;
  return record;
}

}  // namespace

TEST_CASE("A record reads back as it was written") {
  CHECK(record_from_json(to_json(full_record())) == full_record());
  Record userspace = full_record();
  userspace.link.reset();
  userspace.settings.mtu.reset();
  CHECK(record_from_json(to_json(userspace)) == userspace);
}

TEST_CASE("A record of the next schema is read, its unknown fields are ignored") {
  std::string text = to_json(full_record());
  text.replace(text.find("\"schema\": 1"), 11, "\"schema\": 2, \"rails\": [1]");
  CHECK(record_from_json(text) == full_record());
}

TEST_CASE("A record of a later schema is refused") {
  std::string text = to_json(full_record());
  text.replace(text.find("\"schema\": 1"), 11, "\"schema\": 3");
  auto record = record_from_json(text);
  REQUIRE_FALSE(record);
  CHECK(record.error().code == ErrorCode::decode);
  CHECK(record.error().message == "schema 3, expected 1 to 2");
}

TEST_CASE("A record cut at any byte is an error, never a part of a record") {
  const std::string text = to_json(full_record());
  for (size_t size = 0; size + 2 < text.size(); ++size) {  // the last two are "}\n"
    INFO(size);
    CHECK_FALSE(record_from_json(text.substr(0, size)));
  }
}

TEST_CASE("A field that is missing, of a wrong type or out of range is named with what was due") {
  struct Row {
    const char* from;
    const char* to;
    const char* error;
  };
  for (const auto& [from, to, error] : std::initializer_list<Row>{
           {"\"vf\": 1", "\"vf\": \"1\"",
            "device.vf is \"1\": expected a whole number from 0 to 4294967295"},
           {"\"0000:3b:00.2\"", "\"3b:00.2\"", "device.pci is \"3b:00.2\": expected a PCI address"},
           {"\"uverbs\"", "\"unknown\"",
            "before.rdma.mlx5_1[0].kind is \"unknown\": expected uverbs, umad or issm"},
           {"\"ifname\"", "\"iface\"", "ifname is missing"},
           {"\"id\": 100", "\"id\": 4096",
            "asked.vf.vlan.id is 4096: expected a whole number from 0 to 4095"},
           {"\"qos\": 3", "\"qos\": 8",
            "asked.vf.vlan.qos is 8: expected a whole number from 0 to 7"},
           {"\"protocol\": 34984", "\"protocol\": 65536",
            "asked.vf.vlan.protocol is 65536: expected a whole number from 0 to 65535"},
           {"\"minTxMbps\": 0", "\"minTxMbps\": -1",
            "before.vf.rate.minTxMbps is -1: expected a whole number from 0 to 4294967295"},
           {"\"linkState\": 0", "\"linkState\": 3",
            "before.vf.linkState is 3: expected a whole number from 0 to 2"},
           {"\"mtu\": 9000", "\"mtu\": 4294967296",
            "asked.mtu is 4294967296: expected a whole number from 0 to 4294967295"},
           {"\"mtu\": 9000", "\"mtu\": 9000.5",
            "asked.mtu is 9000.5: expected a whole number from 0 to 4294967295"},
           {"\"trust\": false", "\"trust\": 0", "before.vf.trust is 0: expected true or false"},
           {"\"altNames\": [", "\"altNames\": 7, \"x\": [",
            "before.link.altNames is 7: expected a list"}}) {
    std::string text = to_json(full_record());
    REQUIRE(text.find(from) != std::string::npos);
    text.replace(text.find(from), std::string_view(from).size(), to);
    INFO(to);
    const auto record = record_from_json(text);
    REQUIRE(is(record, ErrorCode::decode));
    CHECK(record.error().message == error);
  }
}
