#include "base/raw_json.hpp"

#include <catch2/catch_test_macros.hpp>

#include "test/support/must.hpp"

using namespace railhead;
using namespace railhead::test;

TEST_CASE("Members keep their values' texts byte for byte") {
  const auto object = must(RawObject::parse(
      R"( { "rate" : 1.50e3, "big":123456789012345678901, "text":"a\u00e9, \"}]:{" ,"list":[1 , {"x":2}], "no":null } )"));
  CHECK(object.get("rate") == "1.50e3");
  CHECK(object.get("big") == "123456789012345678901");
  CHECK(object.get("text") == R"("a\u00e9, \"}]:{")");
  CHECK(object.get("list") == R"([1 , {"x":2}])");
  CHECK(object.get("no") == "null");
  CHECK_FALSE(object.get("missing"));
  CHECK(
      object.text() ==
      R"({"rate":1.50e3,"big":123456789012345678901,"text":"a\u00e9, \"}]:{","list":[1 , {"x":2}],"no":null})");
}

TEST_CASE("A key matches without regard to case, exactly before that, and the last of several") {
  const auto object = must(RawObject::parse(R"({"Name":1,"name":2,"name":3,"NAME":4})"));
  CHECK(object.get("name") == "3");
  CHECK(object.get("nAme") == "4");
}

TEST_CASE("A set member takes the place of all that Go would take for it") {
  auto object = must(RawObject::parse(R"({"Name":"a","x":{},"name":"b"})"));
  object.set("name", json_string("new\n"));
  CHECK(object.text() == R"({"x":{},"name":"new\n"})");
  object.erase("X");
  CHECK(object.text() == R"({"name":"new\n"})");
}

TEST_CASE("Empty objects and lists, and what is neither") {
  CHECK(must(RawObject::parse("{}")).text() == "{}");
  CHECK(must(RawObject::parse("null")).text() == "{}");
  CHECK(is(RawObject::parse("[]"), ErrorCode::decode));
  CHECK(is(RawObject::parse("{\"a\":}"), ErrorCode::decode));
  CHECK(is(RawObject::parse(std::string_view("{}\0{", 4)), ErrorCode::decode));
  CHECK(is(raw_elements(std::string_view("[]\0,1", 5)), ErrorCode::decode));
  CHECK(must(raw_elements("[ ]")).empty());
  CHECK(must(raw_elements(R"([{"a":[1,2]}, "x,y" ,3])")) ==
        std::vector<std::string>{R"({"a":[1,2]})", R"("x,y")", "3"});
  CHECK(is(raw_elements("{}"), ErrorCode::decode));
}

TEST_CASE("A text that is no UTF-8 is written all the same") {
  CHECK(json_string("a\xff\"") == "\"a\xef\xbf\xbd\\\"\"");
}
