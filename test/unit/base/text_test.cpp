#include "base/text.hpp"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include "base/go_json.hpp"
#include "base/guid.hpp"
#include "base/hw_address.hpp"
#include "base/pci_address.hpp"

using namespace railhead;

TEST_CASE("A PCI address is read in its full form only") {
  CHECK(PciAddress::parse("0000:3b:00.2") == PciAddress{0, 0x3b, 0, 2});
  CHECK(PciAddress::parse("10000:E1:1f.7")->to_string() == "10000:e1:1f.7");
  for (auto bad : {"", "3b:00.2", "0000:3b:00", "0000:3b:20.0", "0000:3b:00.8", "0000:3b:00.2 ",
                   "000:3b:00.2", "0000:3b:0.2", "-000:3b:00.2", "0000:3b:00.+", "x000:3b:00.2"}) {
    INFO(bad);
    CHECK_FALSE(PciAddress::parse(bad));
  }
}

TEST_CASE("A hardware address is 6, 8 or 20 hex pairs") {
  CHECK(HwAddress::parse("52:54:00:AB:cd:ef")->to_string() == "52:54:00:ab:cd:ef");
  CHECK(HwAddress::parse("52-54-00-ab-cd-ef")->size() == 6);
  CHECK(HwAddress::parse("5254.00AB.cdef")->to_string() == "52:54:00:ab:cd:ef");
  CHECK(HwAddress::parse("00:00:00:00:00:00")->is_zero());
  for (auto bad :
       {"", "52", "52:54:00:ab:cd", "52:54:00:ab:cd:e", "52:54:00:ab:cd:ef:01", "52:54-00:ab:cd:ef",
        "52:54:00:ab:cd:g0", "5254.00ab", "5254.00ab.cde", "52540.0ab.cdef", "52.54.00.ab.cd.ef"}) {
    INFO(bad);
    CHECK_FALSE(HwAddress::parse(bad));
  }
}

TEST_CASE("A GUID is read in both of its spellings") {
  CHECK(Guid::parse("0011:2233:4455:6677") == Guid::parse("00:11:22:33:44:55:66:77"));
  CHECK(Guid::parse("0011:2233:4455:6677")->to_string() == "00:11:22:33:44:55:66:77");
  CHECK_FALSE(Guid::parse("00:11:22:33:44:55:66"));
  CHECK_FALSE(Guid::parse("0:11:22:33:44:55:66:77"));
}

TEST_CASE("Ranges are inclusive and refuse what does not follow their grammar") {
  CHECK(parse_ranges("0-2,5") == std::vector<IndexRange>{{0, 2}, {5, 5}});
  CHECK(contains(*parse_ranges("0-2,5"), 5));
  CHECK_FALSE(contains(*parse_ranges("0-2,5"), 3));
  for (auto bad : {"", "1-2-3", "a", "3-1", "1,", "-1", "1 "}) {
    INFO(bad);
    CHECK_FALSE(parse_ranges(bad));
  }
}

TEST_CASE("JSON keys match as Go matches them: any case, last duplicate, null is missing") {
  std::vector<Error> errors;
  auto json = *go_json::parse(R"({"DeviceID":"a","deviceid":"b","VLAN":null,"odd":1,"mtu":"x"})");
  go_json::Object object(json, "conf", errors);
  CHECK(object.string("deviceID") == "b");
  CHECK_FALSE(object.integer("vlan"));
  CHECK(errors.empty());
  CHECK_FALSE(object.integer("mtu"));
  REQUIRE(errors.size() == 1);
  CHECK(errors[0].message == "conf.mtu: expected a whole number, got string \"x\"");
  CHECK(object.unknown_keys() == std::vector<go_json::UnknownKey>{{"conf.odd", ""}});
}

TEST_CASE("a number that is no integer is quoted as it is written, where that was asked for") {
  const auto json = go_json::parse_keeping_numbers(
      R"({"a":1e3,"b":[0.10,{"c":12345678901234567890123}],"d":-7,"e":18446744073709551615,"a":2E-1})");
  REQUIRE(json);
  CHECK(go_json::quote((*json)["a"]) == "number 2E-1");  // the last one wins
  CHECK(go_json::quote((*json)["b"][0]) == "number 0.10");
  CHECK(go_json::written((*json)["b"][1]["c"]) == "12345678901234567890123");
  CHECK((*json)["d"] == -7);
  CHECK(go_json::quote((*json)["e"]) == "number 18446744073709551615");
  std::vector<Error> errors;
  CHECK_FALSE(go_json::Object(*json, "x", errors).integer("a"));
  REQUIRE(errors.size() == 1);
  CHECK(errors[0].message == "x.a: expected a whole number, got number 2E-1");
  for (const auto* wrong : {"{\"a\":}", "[1", "3e999", "{} x", ""}) {
    INFO(wrong);
    CHECK(go_json::parse_keeping_numbers(wrong).error() == go_json::parse(wrong).error());
  }
  const std::string deep(go_json::kMaxDepth + 1, '[');
  CHECK(is(go_json::parse_keeping_numbers(deep), ErrorCode::decode));
}

TEST_CASE("an error quotes the beginning of a long text") {
  const auto json = go_json::parse(fmt::format("[\"{}\",null,{{}}]", std::string(100, 'x')));
  REQUIRE(json);
  CHECK(go_json::quote((*json)[0]) == "string \"" + std::string(60, 'x') + "…\"");
  const auto umlauts = go_json::parse("[\"" + std::string(59, 'x') + "öö\"]");
  CHECK(go_json::quote((*umlauts)[0]) == "string \"" + std::string(59, 'x') + "…\"");
  CHECK(go_json::quote((*json)[1]) == "null");
  CHECK(go_json::quote((*json)[2]) == "object");
}

TEST_CASE("an unknown key that looks like a typing error comes with the key that was meant") {
  std::vector<Error> errors;
  auto json = *go_json::parse(R"({"pfName":1,"ROOTDevice":1,"mac":1})");
  go_json::Object object(json, "", errors);
  for (auto key : {"pfNames", "rootDevices", "mtu"}) object.value(key);
  CHECK(object.unknown_keys() == std::vector<go_json::UnknownKey>{{"pfName", "pfNames"},
                                                                  {"ROOTDevice", "rootDevices"},
                                                                  {"mac", ""}});
}

TEST_CASE("the word that was meant differs by few letters, in any case") {
  const std::vector<std::string> words = {"vlan", "vlanQoS", "linkTypes", "drivers"};
  CHECK(nearest("vlann", words) == "vlan");
  CHECK(nearest("VLAN_QOS", words) == "vlanQoS");
  CHECK(nearest("linktype", words) == "linkTypes");
  CHECK(nearest("dirvers", words) == "drivers");
  CHECK(nearest("driver_name", words).empty());
  CHECK(nearest("", words).empty());
  CHECK(nearest(std::string(1 << 20, 'x'), words).empty());
}

TEST_CASE("A JSON error names line and column") {
  auto bad = go_json::parse("{\n  \"a\": 1,,\n}");
  REQUIRE_FALSE(bad);
  CHECK(bad.error().message.starts_with("line 2, column 10"));
  CHECK_FALSE(go_json::parse("{} x"));
}

TEST_CASE("What is no UTF-8 is replaced, character by character") {
  const std::string bad = "\xef\xbf\xbd";
  CHECK(valid_utf8("rail \xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80") ==
        "rail \xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
  CHECK(valid_utf8("").empty());
  CHECK(valid_utf8("a\xff"
                   "b") == "a" + bad + "b");
  CHECK(valid_utf8("\x80\x80") == bad + bad);  // no beginning
  CHECK(valid_utf8("\xc0\xaf") == bad + bad);  // a longer form of '/'
  CHECK(valid_utf8("\xe0\x80\xaf") == bad + bad + bad);
  CHECK(valid_utf8("\xed\xa0\x80") == bad + bad + bad);            // a surrogate
  CHECK(valid_utf8("\xf4\x90\x80\x80") == bad + bad + bad + bad);  // beyond U+10FFFF
  CHECK(valid_utf8("\xf5\x80") == bad + bad);
  CHECK(valid_utf8("\xe2\x82") == bad);  // cut
  CHECK(valid_utf8("\xe2\x82x") == bad + "x");
  CHECK(valid_utf8("\xf0\x9f\x98\xc3\xa9") == bad + "\xc3\xa9");
}

TEST_CASE(
    "An object of very many keys is read in order, and of a key that is there twice the last") {
  constexpr int kKeys = 90'000;
  std::string text = "{";
  for (int i = 0; i < kKeys; ++i) text += fmt::format("\"k{}\":{},", i, i);
  text += R"("k7":"again"})";
  const auto json = *go_json::parse(text);
  REQUIRE(json.size() == kKeys);
  CHECK(std::next(json.begin(), 7).key() == "k7");
  CHECK(std::next(json.begin(), 7).value() == "again");
  CHECK(std::prev(json.end()).key() == "k89999");
  std::vector<Error> errors;
  go_json::Object object(json, "", errors);
  CHECK(object.integer("k1") == 1);
  const auto unknown = object.unknown_keys();
  REQUIRE(unknown.size() == kKeys - 1);
  CHECK(unknown.front().path == "k0");
  CHECK(unknown.back() == go_json::UnknownKey{"k89999", ""});  // nobody reads so many
}

TEST_CASE("Objects of a list are read one by one, and what is none is an error") {
  const auto json = *go_json::parse(R"({"list":[{"a":1},7,{"a":"x"},null],"one":{}})");
  std::vector<Error> errors;
  go_json::Object object(json, "conf", errors);
  auto all = object.objects("list");
  REQUIRE(all);
  REQUIRE(all->size() == 2);
  CHECK(all->front().integer("a") == 1);
  CHECK_FALSE(all->back().integer("a"));
  CHECK_FALSE(object.objects("one"));
  CHECK_FALSE(object.objects("none"));
  REQUIRE(errors.size() == 4);
  CHECK(errors[0].message == "conf.list[1]: expected an object, got number 7");
  CHECK(errors[1].message == "conf.list[3]: expected an object, got null");
  CHECK(errors[2].message == "conf.list[2].a: expected a whole number, got string \"x\"");
  CHECK(errors[3].message == "conf.one: expected a list of objects, got object");
}
