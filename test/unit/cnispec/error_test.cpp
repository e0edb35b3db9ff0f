#include <catch2/catch_test_macros.hpp>
#include <sys/stat.h>

#include "cnispec/cni_error.hpp"
#include "cnispec/delegate.hpp"

using namespace railhead;
using namespace railhead::cnispec;

TEST_CASE("An error is printed with four spaces, and details only where there are some") {
  CHECK(to_json(cni_error(7, "bad \"vlan\"")) ==
        "{\n    \"code\": 7,\n    \"msg\": \"bad \\\"vlan\\\"\"\n}\n");
  CHECK(to_json(cni_error(1, "a", "b")) ==
        "{\n    \"code\": 1,\n    \"msg\": \"a\",\n    \"details\": \"b\"\n}\n");
}

TEST_CASE("An error whose text is no UTF-8 is printed all the same") {
  CHECK(to_json(cni_error(999,
                          "a\xff"
                          "b")) ==
        "{\n    \"code\": 999,\n    \"msg\": \"a\xef\xbf\xbd"
        "b\"\n}\n");
}

TEST_CASE("What may help when tried again has code 11") {
  for (auto code : {ErrorCode::busy, ErrorCode::unavailable, ErrorCode::timeout}) {
    CHECK(to_json(Error{code, 0, "m"}) == to_json(cni_error(11, "m")));
  }
  CHECK(code_of(Error{ErrorCode::invalid_argument, 0, "m"}) == 7);
  CHECK(code_of(Error{ErrorCode::decode, 0, "m"}) == 6);
  CHECK(code_of(Error{ErrorCode::io, 0, "m"}) == 5);
  for (auto code : {ErrorCode::not_found, ErrorCode::already_exists, ErrorCode::unsupported,
                    ErrorCode::permission, ErrorCode::internal}) {
    CHECK(code_of(Error{code, 0, "m"}) == 999);
  }
}

TEST_CASE("An error with a code of the protocol keeps it, and is of the kind that fits") {
  const std::pair<uint32_t, ErrorCode> rows[] = {
      {1, ErrorCode::unsupported},      {3, ErrorCode::not_found},
      {4, ErrorCode::invalid_argument}, {5, ErrorCode::io},
      {6, ErrorCode::decode},           {7, ErrorCode::invalid_argument},
      {8, ErrorCode::invalid_argument}, {11, ErrorCode::unavailable},
      {50, ErrorCode::unavailable},     {999, ErrorCode::internal},
      {123, ErrorCode::internal}};
  for (const auto& [code, kind] : rows) {
    INFO(code);
    const auto error = cni_error(code, "m", "d").in("who");
    CHECK(code_of(error) == code);
    CHECK(error.code == kind);
    CHECK(error.text() == "who: m; d");
  }
}

TEST_CASE("A delegate's own error is kept, code and details") {
  CHECK(delegate_error(1, R"({"code":11,"msg":"later","details":"d"})", "noise") ==
        cni_error(11, "later", "d"));
  CHECK(delegate_error(1, R"({"msg":"m"})", "") == cni_error(999, "m"));
  CHECK(delegate_error(3, "{}", "") == cni_error(999, "exit status 3"));
}

TEST_CASE("A delegate that prints no error has one made of what it left") {
  CHECK(delegate_error(2, "", "").message ==
        "netplugin failed with no error message: exit status 2");
  CHECK(delegate_error(2, " \n", "panic: x\n").message ==
        "netplugin failed: \"panic: x\": exit status 2");
  CHECK(delegate_error(137, "half an ans", "").message ==
        "netplugin failed but its diagnostic message is no JSON object: \"half an ans\": exit "
        "status 137");
}

TEST_CASE("A plugin is found in the folders of CNI_PATH in their order, and nowhere else") {
  CHECK(find_plugin("sh", "/does/not/exist:/bin:/usr/bin") == "/bin/sh");
  CHECK(find_plugin("sh", "::/usr/bin:/bin") == "/usr/bin/sh");
  const auto missing = find_plugin("no-such-plugin", "/bin:/usr/bin");
  REQUIRE_FALSE(missing);
  CHECK(missing.error().message ==
        "failed to find plugin \"no-such-plugin\" in path [/bin /usr/bin]");
  for (auto bad : {"", "../bin/sh", "/bin/sh"}) {
    INFO(bad);
    const auto refused = find_plugin(bad, "/bin");
    REQUIRE_FALSE(refused);
    CHECK(refused.error().message == "invalid plugin name: " + std::string(bad));
  }
  CHECK_FALSE(find_plugin("bin", "/usr"));  // a folder is no plugin
}
