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
  record.group = AttachmentKey{"rails", "1f3c", "rail"};
  record.boot_id = "1c2d";
  record.phase = Phase::attached;
  record.device = *PciAddress::parse("0000:3b:00.2");
  VfPart vf{*PciAddress::parse("0000:3b:00.0"), 1, {}, {}};
  vf.before.mac = HwAddress::parse("00:00:00:00:00:00");
  vf.before.vlan = host::VfVlan{0, 0, 0x8100};
  vf.before.rate = host::VfRate{0, 0};
  vf.before.spoofchk = true;
  vf.before.trust = false;
  vf.before.link_state = host::VfLinkState::automatic;
  vf.before.node_guid = Guid{0x0011223344556677};
  vf.asked.vlan = host::VfVlan{100, 3, 0x88a8};
  record.vf = vf;
  LinkState link{"ens0v1", {"rail0-1"}, *HwAddress::parse("52:54:00:00:00:01"),
                 1500,     true,        {{"ipv4/conf/*/rp_filter", "2"}}};
  link.alias = "rail 0";
  link.promisc = true;
  link.allmulti = true;
  link.broadcast = HwAddress::parse("ff:ff:ff:ff:ff:ff");
  link.link_mode = 1;
  link.parent = "0000:3b:00.2";
  link.addresses = {*host::IpPrefix::parse("10.0.0.1/24")};
  link.routes = {{*host::IpPrefix::parse("10.1.0.0/16"), host::IpPrefix::parse("10.0.0.254")}};
  link.routes[0].metric = 7;
  record.link = LinkPart{link, HwAddress::parse("02:00:00:00:00:aa"), 9000};
  record.rdma = RdmaPart{{{"mlx5_1",
                           Guid{0x0011223344556688},
                           {{device::CharKind::uverbs, "uverbs1", "231:193"},
                            {device::CharKind::issm, "issm1", "231:65"}}}},
                         true};
  record.driver = {"mlx5_core", 4711};
  record.reset = Reset::begun;
  record.undo = Undo{std::chrono::milliseconds(1234), "the MAC is another", true};
  return record;
}

}  // namespace

TEST_CASE("A record reads back as it was written") {
  CHECK(record_from_json(to_json(full_record())) == full_record());
  Record userspace = full_record();
  userspace.link.reset();
  userspace.kind = KindName::user_vf;
  userspace.undo.reset();
  userspace.group.reset();
  userspace.reset = Reset::none;
  CHECK(record_from_json(to_json(userspace)) == userspace);
}

TEST_CASE("A record of the next schema is read, and its unknown fields are kept") {
  std::string text = to_json(full_record());
  text.replace(text.find("\"schema\": 2"), 11, "\"schema\": 3, \"rails\": [1]");
  auto record = record_from_json(text);
  REQUIRE(record);
  CHECK(to_json(*record).find("\"rails\": [") != std::string::npos);
  record->unknown.clear();
  CHECK(record == full_record());
}

TEST_CASE("A record of the schema before is read: a VF with its netdev, or of a userspace driver") {
  const std::string text = R"({"schema": 1, "network": "rail0", "containerId": "1f3c",
      "ifname": "net1", "pod": "ns/a",
      "netns": {"path": "/run/netns/pod0", "device": 4, "inode": 4026532000},
      "device": {"pci": "0000:3b:00.2", "pf": "0000:3b:00.0", "vf": 1},
      "before": {"vf": {"trust": false}, "rdma": {"mlx5_1": [
          {"kind": "uverbs", "name": "uverbs1", "dev": "231:193"}]}, "link": {"name": "ens0v1",
          "altNames": ["rail0-1"], "address": "52:54:00:00:00:01", "mtu": 1500, "up": true,
          "sysctls": {"ipv4/conf/*/rp_filter": "2"}}},
      "asked": {"vf": {"mac": "02:00:00:00:00:aa"}, "mtu": 9000, "rdma": true}})";
  const auto record = record_from_json(text);
  REQUIRE(record);
  CHECK(record->kind == KindName::eth_vf);
  CHECK(record->phase == Phase::attached);
  CHECK(record->vf->pf == *PciAddress::parse("0000:3b:00.0"));
  CHECK(record->vf->index == 1);
  CHECK(record->vf->before.trust == false);
  CHECK(record->link->before.parent == "0000:3b:00.2");
  CHECK(record->link->before.alt_names == std::vector<std::string>{"rail0-1"});
  CHECK(record->link->asked_mtu == 9000);
  CHECK(record->link->asked_address == HwAddress::parse("02:00:00:00:00:aa"));
  CHECK(record->moves_rdma());
  CHECK(record->rdma->before[0].nodes[0].name == "uverbs1");
  std::string userspace = text;
  userspace.replace(userspace.find("\"link\""), 6, "\"none\"");
  CHECK(record_from_json(userspace)->kind == KindName::user_vf);
}

TEST_CASE("A record of a later schema is refused") {
  std::string text = to_json(full_record());
  text.replace(text.find("\"schema\": 2"), 11, "\"schema\": 4");
  auto record = record_from_json(text);
  REQUIRE_FALSE(record);
  CHECK(record.error().code == ErrorCode::decode);
  CHECK(record.error().message == "schema 4, expected 1 to 3");
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
           {"\"index\": 1", "\"index\": \"1\"",
            "vf.index is \"1\": expected a whole number from 0 to 4294967295"},
           {"\"kind\": \"pci\"", "\"kind\": \"isa\"",
            R"(device is {"kind":"isa","name":"0000:3b:00.2"}: expected a device of kind pci, )"
            "auxiliary or net"},
           {"\"eth_vf\"", "\"ib\"",
            "kind is \"ib\": expected eth_vf, user_vf, whole_nic or rdma_only"},
           {"\"uverbs\"", "\"unknown\"",
            "rdma.before[0].nodes[0].kind is \"unknown\": expected uverbs, umad or issm"},
           {"\"ifname\"", "\"iface\"", "ifname is missing"},
           {"\"id\": 100", "\"id\": 4096",
            "vf.asked.vlan.id is 4096: expected a whole number from 0 to 4095"},
           {"\"qos\": 3", "\"qos\": 8",
            "vf.asked.vlan.qos is 8: expected a whole number from 0 to 7"},
           {"\"protocol\": 34984", "\"protocol\": 65536",
            "vf.asked.vlan.protocol is 65536: expected a whole number from 0 to 65535"},
           {"\"minTxMbps\": 0", "\"minTxMbps\": -1",
            "vf.before.rate.minTxMbps is -1: expected a whole number from 0 to 4294967295"},
           {"\"linkState\": 0", "\"linkState\": 3",
            "vf.before.linkState is 3: expected a whole number from 0 to 2"},
           {"\"mtu\": 9000", "\"mtu\": 4294967296",
            "link.asked.mtu is 4294967296: expected a whole number from 0 to 4294967295"},
           {"\"mtu\": 9000", "\"mtu\": 9000.5",
            "link.asked.mtu is 9000.5: expected a whole number from 0 to 4294967295"},
           {"\"begun\"", "\"half\"", "reset is \"half\": expected asked, begun or done"},
           {"\"trust\": false", "\"trust\": 0", "vf.before.trust is 0: expected true or false"},
           {"\"altNames\": [", "\"altNames\": 7, \"x\": [",
            "link.before.altNames is 7: expected a list"}}) {
    std::string text = to_json(full_record());
    REQUIRE(text.find(from) != std::string::npos);
    text.replace(text.find(from), std::string_view(from).size(), to);
    INFO(to);
    const auto record = record_from_json(text);
    REQUIRE(is(record, ErrorCode::decode));
    CHECK(record.error().message == error);
  }
}
