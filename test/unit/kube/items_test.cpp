#include "plugin/kube/items.hpp"

#include <vector>

#include "test/support/must.hpp"

using namespace railhead;
using namespace railhead::kube;
using railhead::test::must;

namespace {

struct Split {
  std::vector<std::string> items;
  std::string rest;
  friend bool operator==(const Split&, const Split&) = default;
};

Split split(std::string_view text, size_t part) {
  Split all;
  ListSplitter splitter([&](std::string_view item) { all.items.emplace_back(item); });
  for (size_t at = 0; at < text.size(); at += part) must(splitter.feed(text.substr(at, part)));
  all.rest = splitter.rest();
  return all;
}

}  // namespace

TEST_CASE("A list's items are told one by one, however its text is cut") {
  const std::string text =
      R"({"kind":"PodList","metadata":{"resourceVersion":"7"}, "items": [ {"a":"}]\"[{"}, {"b":[1,{"items":[2]}]} ,{}],"x":"items"})";
  const Split whole{
      {R"({"a":"}]\"[{"})", R"({"b":[1,{"items":[2]}]})", "{}"},
      R"({"kind":"PodList","metadata":{"resourceVersion":"7"}, "items": [],"x":"items"})"};
  for (size_t part = 1; part <= text.size(); ++part) {
    INFO(part);
    CHECK(split(text, part) == whole);
  }
}

TEST_CASE("Only the list's own items are such") {
  CHECK(split(R"({"metadata":{"items":[{"a":1}]},"other":[{"b":2}]})", 3).items.empty());
  CHECK(split(R"({"items":null})", 3) == Split{{}, R"({"items":null})"});
  CHECK(split(R"({"items":[]})", 3) == Split{{}, R"({"items":[]})"});
  CHECK(split(R"([{"a":1}])", 3).items.empty());
  CHECK(split("", 3) == Split{});
}

TEST_CASE("An item or a list without an end is given up") {
  ListSplitter items([](auto) {});
  must(items.feed(R"({"items":[{"a":")"));
  CHECK(is(items.feed(std::string(ListSplitter::kMaxItem + 1, 'x')), ErrorCode::decode));
  ListSplitter rest([](auto) {});
  CHECK(is(rest.feed(std::string(ListSplitter::kMaxRest + 1, '{')), ErrorCode::decode));
  LineSplitter lines([](auto) {});
  CHECK(is(lines.feed(std::string(ListSplitter::kMaxItem + 1, 'x')), ErrorCode::decode));
}

TEST_CASE("A watch's lines are told as they become whole") {
  std::vector<std::string> lines;
  LineSplitter splitter([&](std::string_view line) { lines.emplace_back(line); });
  must(splitter.feed("{\"a\""));
  CHECK(lines.empty());
  must(splitter.feed(":1}\n\n{}\n{"));
  CHECK(lines == std::vector<std::string>{"{\"a\":1}", "{}"});
}
