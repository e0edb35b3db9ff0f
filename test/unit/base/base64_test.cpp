#include "base/base64.hpp"

#include <catch2/catch_test_macros.hpp>

namespace railhead::test {

TEST_CASE("base64 of RFC 4648 is decoded, bytes of every value too") {
  CHECK(decode_base64("") == "");
  CHECK(decode_base64("Zg==") == "f");
  CHECK(decode_base64("Zm8=") == "fo");
  CHECK(decode_base64("Zm9v") == "foo");
  CHECK(decode_base64("Zm9vYmFy") == "foobar");
  CHECK(decode_base64("AP/+fn8=") == std::string("\0\xff\xfe\x7e\x7f", 5));
}

TEST_CASE("what is no base64 is not decoded") {
  for (const auto* text :
       {"Z", "Zm9", "Zm9v\n", "Zm9-", "Z===", "====", "=m9v", "Zm=v", "Zg==Zg==", " Zm9"}) {
    CHECK_FALSE(decode_base64(text));
  }
}

}  // namespace railhead::test
