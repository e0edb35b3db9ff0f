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
  record.attached = true;
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

TEST_CASE("A record with a field of a wrong type or a missing one is an error") {
  for (auto [from, to] :
       {std::pair{"\"vf\": 1", "\"vf\": \"1\""}, std::pair{"\"0000:3b:00.2\"", "\"3b:00.2\""},
        std::pair{"\"uverbs\"", "\"unknown\""}, std::pair{"\"ifname\"", "\"iface\""}}) {
    std::string text = to_json(full_record());
    text.replace(text.find(from), std::string_view(from).size(), to);
    INFO(to);
    CHECK_FALSE(record_from_json(text));
  }
}
