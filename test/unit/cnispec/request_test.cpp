#include "cnispec/request.hpp"

#include <catch2/catch_test_macros.hpp>

#include "cnispec/cni_error.hpp"
#include "cnispec/names.hpp"

using namespace railhead;
using namespace railhead::cnispec;

namespace {

// A complete environment for `verb`, with changes: an empty value takes the variable away.
Environment environment(std::string_view verb,
                        std::initializer_list<std::pair<const char*, const char*>> changes = {}) {
  Environment env = {"PATH=/bin", "CNI_CONTAINERID=c1", "CNI_NETNS=/run/netns/a", "CNI_IFNAME=net1",
                     "CNI_PATH=/opt/cni/bin"};
  env = with(std::move(env), "CNI_COMMAND", verb);
  for (const auto& [key, value] : changes) env = with(std::move(env), key, value);
  return env;
}

}  // namespace

TEST_CASE("Each verb names all variables it misses") {
  struct Row {
    const char* verb;
    const char* missing;
  };
  for (const auto& [verb, missing] :
       std::initializer_list<Row>{{"ADD", "CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME,CNI_PATH"},
                                  {"CHECK", "CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME,CNI_PATH"},
                                  {"DEL", "CNI_CONTAINERID,CNI_IFNAME,CNI_PATH"},
                                  {"GC", "CNI_PATH"},
                                  {"STATUS", "CNI_PATH"},
                                  {"", "CNI_COMMAND"}}) {
    INFO(verb);
    const auto request = read_request({"CNI_COMMAND=" + std::string(verb)});
    REQUIRE_FALSE(request);
    CHECK(request.error() ==
          cni_error(4, "required env variables [" + std::string(missing) + "] missing"));
  }
}

TEST_CASE("A complete request is read as it stands") {
  const auto request = read_request(
      environment("ADD", {{"CNI_ARGS", "IgnoreUnknown=1"}, {"CNI_NETNS_OVERRIDE", "TRUE"}}));
  REQUIRE(request);
  CHECK(*request == Request{"ADD", Command::add, "c1", "/run/netns/a", "net1", "IgnoreUnknown=1",
                            "/opt/cni/bin", true});
}

TEST_CASE(
    "DEL needs no namespace, and a verb nobody knows is not refused before the rest is read") {
  CHECK(read_request(environment("DEL", {{"CNI_NETNS", ""}})));
  const auto unknown = read_request(environment("FROB"));
  REQUIRE(unknown);
  CHECK_FALSE(unknown->command);
  CHECK(unknown->verb == "FROB");
}

TEST_CASE("Container ids and interface names are checked as libcni does") {
  struct Row {
    const char* key;
    const char* value;
    const char* message;
  };
  for (const auto& [key, value, message] : std::initializer_list<Row>{
           {"CNI_CONTAINERID", "a/b", "invalid characters in containerID"},
           {"CNI_CONTAINERID", "-a", "invalid characters in containerID"},
           {"CNI_CONTAINERID", "a\n", "invalid characters in containerID"},
           {"CNI_IFNAME", "sixteen-letters-", "interface name is too long"},
           {"CNI_IFNAME", ".", "interface name is . or .."},
           {"CNI_IFNAME", "..", "interface name is . or .."},
           {"CNI_IFNAME", "a/b", "interface name contains / or : or whitespace characters"},
           {"CNI_IFNAME", "a:b", "interface name contains / or : or whitespace characters"},
           {"CNI_IFNAME", "a b", "interface name contains / or : or whitespace characters"}}) {
    INFO(key << "=" << value);
    const auto request = read_request(environment("ADD", {{key, value}}));
    REQUIRE_FALSE(request);
    CHECK(code_of(request.error()) == 4);
    CHECK(request.error().message == message);
  }
  CHECK(read_request(environment("ADD", {{"CNI_IFNAME", "fifteen-letters"}})));
  CHECK(read_request(environment("ADD", {{"CNI_CONTAINERID", "A0_.-z"}})));
}

TEST_CASE("CNI_ARGS gives the keys known here and lets IgnoreUnknown decide about others") {
  const auto args = read_args(
      "IgnoreUnknown=true;K8S_POD_NAMESPACE=ns;K8S_POD_NAME=p;K8S_POD_UID=u;MAC=02:00:00:00:00:01");
  REQUIRE(args);
  CHECK(*args == CniArgs{"02:00:00:00:00:01", "p", "ns", "u"});
  CHECK(read_args("") == CniArgs{});
  CHECK(read_args("MAC=02:00:00:00:00:01")->mac == "02:00:00:00:00:01");
}

TEST_CASE("CNI_ARGS that break the grammar are refused with libcni's texts") {
  struct Row {
    const char* args;
    const char* message;
  };
  for (const auto& [args, message] : std::initializer_list<Row>{
           {"MAC", "ARGS: invalid pair \"MAC\""},
           {"MAC=a=b", "ARGS: invalid pair \"MAC=a=b\""},
           {"MAC=a;", "ARGS: invalid pair \"\""},
           {"A=1;MAC=m;B=2", "ARGS: unknown args [\"A=1\" \"B=2\"]"},
           {"mac=m", "ARGS: unknown args [\"mac=m\"]"},  // keys are matched exactly
           {"IgnoreUnknown=0;A=1", "ARGS: unknown args [\"A=1\"]"},
           {"IgnoreUnknown=yes",
            "ARGS: error parsing value of pair \"IgnoreUnknown=yes\": boolean unmarshal error: "
            "invalid input yes"}}) {
    INFO(args);
    const auto read = read_args(args);
    REQUIRE_FALSE(read);
    CHECK(read.error() == cni_error(4, message));
  }
}

TEST_CASE("Setting a variable replaces it and leaves those that only begin alike") {
  const auto env = with({"A=1", "AB=2"}, "A", "3");
  CHECK(value_of(env, "A") == "3");
  CHECK(value_of(env, "AB") == "2");
  CHECK(env.size() == 2);
}
