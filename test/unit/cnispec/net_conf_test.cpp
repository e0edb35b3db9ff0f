#include "cnispec/net_conf.hpp"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include "cnispec/cni_error.hpp"
#include "cnispec/version.hpp"

using namespace railhead;
using namespace railhead::cnispec;

namespace {

Result<NetConf> read(std::string_view text) {
  const auto config = parse_config(text);
  if (!config) return pass(config);
  return read_net_conf(*config);
}

Result<Command> admit_verb(std::string_view verb, std::string_view version) {
  const auto request = read_request({"CNI_COMMAND=" + std::string(verb), "CNI_CONTAINERID=c",
                                     "CNI_NETNS=/n", "CNI_IFNAME=i", "CNI_PATH=/p"});
  NetConf conf;
  conf.cni_version = version;
  return admit(*request, conf);
}

}  // namespace

TEST_CASE("A network configuration is read with Go's JSON rules") {
  const auto conf = read(R"({"CNIVersion":"1.0.0","Name":"rail0","type":"sriov","odd":[1],
                             "ipam":{"TYPE":"host-local"}})");
  REQUIRE(conf);
  CHECK(*conf == NetConf{"1.0.0", "rail0", "sriov", "host-local"});
}

TEST_CASE("dns is read apart: what is wrong with it keeps no verb from work that needs none") {
  const auto bad = parse_config(R"({"name":"n","dns":{"search":"x"}})");
  CHECK(read_net_conf(*bad));
  const auto dns = read_conf_dns(*bad);
  REQUIRE_FALSE(dns);
  CHECK(code_of(dns.error()) == 6);
  CHECK(
      dns.error().message ==
      "error unmarshall network config: dns.search: expected a list of strings, got string \"x\"");
  CHECK(*read_conf_dns(*parse_config(R"({"dns":{"domain":"x"}})")) == Dns{{}, "x", {}, {}});
}

TEST_CASE("No IPAM is written in several ways") {
  for (auto ipam : {"", R"(,"ipam":{})", R"(,"ipam":{"type":""})", R"(,"ipam":null)"}) {
    INFO(ipam);
    CHECK(read(R"({"name":"n")" + std::string(ipam) + "}")->ipam_type.empty());
  }
}

TEST_CASE("A configuration without cniVersion is of version 0.1.0") {
  CHECK(read(R"({"name":"n"})")->cni_version == "0.1.0");
  CHECK(read(R"({"name":"n","cniVersion":""})")->cni_version == "0.1.0");
}

TEST_CASE("A configuration that cannot be read is refused with libcni's codes and texts") {
  struct Row {
    const char* text;
    uint32_t code;
    const char* message;
  };
  for (const auto& [text, code, message] : std::initializer_list<Row>{
           {"", 6, "error unmarshall network config: "},
           {"{", 6, "error unmarshall network config: line 1, column 2: "},
           {"[]", 6, "error unmarshall network config: expected an object, got array"},
           {R"({"name":5})", 6,
            "error unmarshall network config: name: expected a string, got number 5"},
           {R"({"name":"n","ipam":"host-local"})", 6,
            "error unmarshall network config: ipam: expected an object, got string \"host-local\""},
           {"null", 7, "missing network name"},
           {"{}", 7, "missing network name"},
           {R"({"name":"a/b"})", 7, "invalid characters found in network name"}}) {
    INFO(text);
    const auto conf = read(text);
    REQUIRE_FALSE(conf);
    CHECK(code_of(conf.error()) == code);
    CHECK(conf.error().message.starts_with(message));
  }
}

TEST_CASE("A configuration nested too deep is refused, not followed") {
  const std::string deep(100'000, '[');
  const auto conf = parse_config(R"({"name":)" + deep + std::string(deep.size(), ']') + "}");
  REQUIRE_FALSE(conf);
  CHECK(code_of(conf.error()) == 6);
}

TEST_CASE("Each verb is allowed from its version on") {
  struct Row {
    const char* verb;
    const char* version;
    uint32_t code;  // 0: allowed
    const char* message;
  };
  for (const auto& [verb, version, code, message] : std::initializer_list<Row>{
           {"ADD", "0.1.0", 0, ""},
           {"ADD", "1.1.0", 0, ""},
           {"ADD", "1.2.0", 1, "incompatible CNI versions"},
           {"ADD", "1.0", 1, "incompatible CNI versions"},
           {"ADD", "x", 1, "incompatible CNI versions"},
           {"DEL", "0.3.1", 0, ""},
           {"DEL", "9.9.9", 1, "incompatible CNI versions"},
           {"CHECK", "0.3.1", 1, "config version does not allow CHECK"},
           {"CHECK", "0.4.0", 0, ""},
           {"CHECK", "0.5.0", 1, "incompatible CNI versions"},
           {"CHECK", "9.9.9", 1, "plugin version does not allow CHECK"},
           {"CHECK", "x", 6, "cniVersion \"x\" is not of the form major.minor.micro"},
           {"GC", "1.0.0", 1, "config version does not allow GC"},
           {"GC", "1.1.0", 0, ""},
           {"STATUS", "1.0.0", 1, "config version does not allow STATUS"},
           {"STATUS", "1.1.0", 0, ""},
           {"FROB", "1.0.0", 4, "unknown CNI_COMMAND: FROB"}}) {
    INFO(verb << " " << version);
    const auto command = admit_verb(verb, version);
    CHECK(command.has_value() == (code == 0));
    if (command) continue;
    CHECK(code_of(command.error()) == code);
    CHECK(command.error().message == message);
  }
}

TEST_CASE("The details of an unknown version list what is supported") {
  CHECK(admit_verb("ADD", "2.0.0").error().details ==
        R"(config is "2.0.0", plugin supports ["0.1.0" "0.2.0" "0.3.0" "0.3.1" "0.4.0" "1.0.0" )"
        R"("1.1.0"])");
}

TEST_CASE("VERSION tells the versions on one line") {
  CHECK(version_json() ==
        R"({"cniVersion":"1.1.0","supportedVersions":["0.1.0","0.2.0","0.3.0","0.3.1","0.4.0",)"
        R"("1.0.0","1.1.0"]})"
        "\n");
}

TEST_CASE("GC joins both spellings of the valid attachments") {
  const auto config = *parse_config(R"({"cni.dev/valid-attachments":[
      {"containerID":"a","ifname":"net1"},{"containerID":"b","ifname":"net1"}],
      "cni.dev/attachments":[{"containerID":"b","ifname":"net1"},
                             {"containerID":"c","ifname":"net2"}]})");
  CHECK(read_valid_attachments(config) ==
        std::vector<ValidAttachment>{{"a", "net1"}, {"b", "net1"}, {"c", "net2"}});
}

TEST_CASE("GC takes null for an empty list, but does not guess when there is no list") {
  CHECK(read_valid_attachments(*parse_config(R"({"cni.dev/valid-attachments":null})"))->empty());
  CHECK(read_valid_attachments(*parse_config(R"({"cni.dev/attachments":[]})"))->empty());
  for (auto bad : {"{}", R"({"cni.dev/attachments":{}})", R"({"cni.dev/attachments":[{}]})",
                   R"({"cni.dev/attachments":[{"containerID":"a"}]})",
                   R"({"cni.dev/attachments":[{"containerID":1,"ifname":"x"}]})",
                   R"({"cni.dev/attachments":["a"]})"}) {
    INFO(bad);
    const auto list = read_valid_attachments(*parse_config(bad));
    REQUIRE_FALSE(list);
    CHECK(code_of(list.error()) == 7);
  }
}
