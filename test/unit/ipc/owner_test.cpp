#include "ipc/owner.hpp"

#include <catch2/catch_test_macros.hpp>

#include "ipc/question.hpp"
#include "test/support/must.hpp"

using namespace railhead;
using namespace railhead::ipc;
using railhead::test::must;

namespace {

const OwnerQuestion kQuestion{"0000:3b:00.2", "ml", "trainer-0"};
const OwnerAnswer kHeld{OwnerState::held, "ml", "trainer-0", "", "main", "rdma/vf", "podresources"};

template <class Value>
std::string error_of(const Result<Value>& result) {
  REQUIRE(is(result, ErrorCode::decode));
  return result.error().message;
}

}  // namespace

TEST_CASE("A question and an answer are read as they were written") {
  CHECK(
      encode(kQuestion) ==
      R"({"schema":1,"verb":"owner","device":"0000:3b:00.2","podNamespace":"ml","podName":"trainer-0"})");
  CHECK(
      encode(kHeld) ==
      R"({"schema":1,"state":"held","podNamespace":"ml","podName":"trainer-0","container":"main","resource":"rdma/vf","source":"podresources"})");
  for (const auto& question : {kQuestion, OwnerQuestion{.device = "mlx5_core.sf.4"}}) {
    CHECK(must(decode_question(encode(question))) == Question(question));
  }
  const OwnerAnswer saved{OwnerState::held, "", "", "1f3c", "main", "rdma/vf", "checkpoint"};
  const OwnerAnswer free{.state = OwnerState::free};
  for (const auto& answer : {kHeld, saved, free, OwnerAnswer{}}) {
    CHECK(must(decode_owner_answer(encode(answer))) == answer);
  }
}

TEST_CASE("An error is an answer, and comes out as one that may be over later") {
  const auto answer = decode_owner_answer(encode(Error{ErrorCode::decode, 0, "device: missing"}));
  REQUIRE(is(answer, ErrorCode::unavailable));
  CHECK(answer.error().message == "device: missing");
}

TEST_CASE("The next schema is read, unknown keys are ignored, others are refused") {
  CHECK(must(decode_question(
            R"({"schema":2,"verb":"owner","device":"d","new":{"a":[1]},"podName":null})")) ==
        Question(OwnerQuestion{.device = "d"}));
  CHECK(must(decode_owner_answer(R"({"schema":2,"state":"free","since":1.5})")).state ==
        OwnerState::free);
  for (const auto* schema : {"0", "3", "-1"}) {
    const auto text = fmt::format(R"({{"schema":{},"state":"free"}})", schema);
    CHECK(error_of(decode_owner_answer(text)) ==
          fmt::format("schema: expected 1 to 2, got {}", schema));
  }
  CHECK(error_of(decode_owner_answer(R"({"state":"free"})")) == "schema: missing");
}

TEST_CASE("What is wrong is named by its key") {
  const auto question = [](const char* text) { return error_of(decode_question(text)); };
  const auto answer = [](const char* text) { return error_of(decode_owner_answer(text)); };
  CHECK(question(R"({"schema":1,"verb":"owner"})") == "device: missing");
  CHECK(question(R"({"schema":1,"verb":"owner","device":""})") == "device: missing");
  CHECK(question(R"({"schema":1,"verb":"owner","device":7})") ==
        "device: expected a string, got number 7");
  CHECK(question(R"({"schema":1,"device":"d"})") == "verb: missing");
  CHECK(question(R"({"schema":1,"verb":"free","device":"d"})") ==
        "verb: expected owner, resolve, nad or pod, got string \"free\"");
  CHECK(question(R"({"schema":1,"verb":"owner","device":"d","podName":["a"]})") ==
        "podName: expected a string, got array");
  CHECK(question(R"({"schema":"1","verb":"owner","device":"d"})") ==
        "schema: expected a whole number, got string \"1\"");
  CHECK(answer(R"({"schema":1})") == "state: missing");
  CHECK(answer(R"({"schema":1,"state":true})") == "state: expected a string, got boolean");
  CHECK(answer(R"({"schema":1,"state":"lent"})") ==
        "state: expected held, free or unknown, got string \"lent\"");
  CHECK(answer(R"({"schema":1,"state":"held","podUid":{}})") ==
        "podUid: expected a string, got object");
  CHECK(answer(R"({"schema":1,"error":1})") == "error: expected a string, got number 1");
  for (const auto* text : {"", "[]", "1", "{", "{}x", "\xff", "{\"schema\":1e999}"}) {
    CHECK(is(decode_question(text), ErrorCode::decode));
    CHECK(is(decode_owner_answer(text), ErrorCode::decode));
  }
}

TEST_CASE("A text that ends too early is an error wherever it ends") {
  const auto question = encode(kQuestion);
  for (size_t size = 0; size < question.size(); ++size) {
    CHECK(is(decode_question(question.substr(0, size)), ErrorCode::decode));
  }
  const auto answer = encode(kHeld);
  for (size_t size = 0; size < answer.size(); ++size) {
    CHECK(is(decode_owner_answer(answer.substr(0, size)), ErrorCode::decode));
  }
}

TEST_CASE("A name that is no UTF-8 is sent as another name") {
  CHECK(must(decode_question(encode(OwnerQuestion{.device = "a\xff"}))) ==
        Question(OwnerQuestion{.device = "a\uFFFD"}));
}

TEST_CASE("A device is another's only where another pod is named by other than a record") {
  CHECK_FALSE(is_of_another(kHeld, "ml", "trainer-0"));
  CHECK(is_of_another(kHeld, "ml", "trainer-1"));
  CHECK(is_of_another(kHeld, "default", "trainer-0"));
  CHECK(is_of_another(kHeld, "", ""));
  const OwnerAnswer granted{.state = OwnerState::held, .resource = "rdma/vf", .source = "grant"};
  CHECK_FALSE(is_of_another(granted, "ml", "trainer-1"));
  auto attached = kHeld;
  attached.source = "attachment";
  CHECK_FALSE(is_of_another(attached, "ml", "trainer-1"));
  CHECK_FALSE(is_of_another({.state = OwnerState::free}, "ml", "trainer-1"));
  CHECK_FALSE(is_of_another({}, "ml", "trainer-1"));
}

TEST_CASE("A holder is told by what is known of it") {
  CHECK(kHeld.who() == "ml/trainer-0");
  CHECK(OwnerAnswer{.state = OwnerState::held, .pod_uid = "1f3c"}.who() == "pod 1f3c");
  CHECK(OwnerAnswer{.state = OwnerState::held}.who() == "a pod");
}
