#include "ipc/message.hpp"

#include <catch2/catch_test_macros.hpp>

#include "test/support/must.hpp"

using namespace railhead;
using namespace railhead::ipc;
using railhead::test::must;

TEST_CASE("A text goes after its length, four bytes, the high one first") {
  CHECK(must(to_message("{}")) == std::string("\0\0\0\2{}", 6));
  const std::string long_text(0x1234, 'x');
  CHECK(must(to_message(long_text)).starts_with(std::string("\0\0\x12\x34x", 5)));
}

TEST_CASE("A message is not whole while a byte is missing, and its text then") {
  const auto message = must(to_message("{\"a\":1}"));
  for (size_t size = 0; size < message.size(); ++size) {
    CHECK_FALSE(must(text_of(std::string_view(message).substr(0, size))));
  }
  CHECK(must(text_of(message)) == "{\"a\":1}");
}

TEST_CASE("A text of 64 KiB is taken; a longer one, and none, is refused by its length alone") {
  CHECK(must(text_of(must(to_message(std::string(kMaxTextBytes, 'x')))))->size() == kMaxTextBytes);
  CHECK(is(to_message(std::string(kMaxTextBytes + 1, 'x')), ErrorCode::invalid_argument));
  CHECK(is(to_message(""), ErrorCode::invalid_argument));
  for (const auto& length : {std::string("\0\0\0\0", 4), std::string("\0\1\0\1", 4),
                             std::string("\xff\xff\xff\xff", 4)}) {
    CHECK(is(text_of(length), ErrorCode::decode));
  }
}

TEST_CASE("What comes after a message is an error") {
  const auto text = text_of(must(to_message("{}")) + "{");
  REQUIRE(is(text, ErrorCode::decode));
  CHECK(text.error().message == "1 bytes after a message of 2: expected none");
}
