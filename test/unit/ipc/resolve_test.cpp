#include "ipc/resolve.hpp"

#include <catch2/catch_test_macros.hpp>

#include "ipc/message.hpp"
#include "ipc/question.hpp"
#include "test/support/must.hpp"

using namespace railhead;
using namespace railhead::ipc;
using railhead::test::must;

namespace {

const ResolveQuestion kQuestion{"ml", "trainer-0", "1f3c"};
const ResolveAnswer kKnown{ResolveState::known,
                           {{"init", "rdma/vf", {"0000:3b:00.2"}},
                            {"main", "nvidia.com/gpu", {"GPU-1"}},
                            {"main", "rdma/vf", {"0000:3b:00.2", "0000:3b:00.3"}}},
                           "podresources"};

template <class Value>
std::string error_of(const Result<Value>& result) {
  REQUIRE(is(result, ErrorCode::decode));
  return result.error().message;
}

}  // namespace

TEST_CASE("A question for a pod's devices and its answer are read as they were written") {
  CHECK(
      encode(kQuestion) ==
      R"({"schema":1,"verb":"resolve","podNamespace":"ml","podName":"trainer-0","podUid":"1f3c"})");
  CHECK(encode(kKnown) ==
        R"({"schema":1,"state":"known","containers":[)"
        R"({"container":"init","resource":"rdma/vf","devices":["0000:3b:00.2"]},)"
        R"({"container":"main","resource":"nvidia.com/gpu","devices":["GPU-1"]},)"
        R"({"container":"main","resource":"rdma/vf","devices":["0000:3b:00.2","0000:3b:00.3"]}],)"
        R"("source":"podresources"})");
  for (const auto& question : {kQuestion, ResolveQuestion{.pod_uid = "1f3c"},
                               ResolveQuestion{.pod_namespace = "ml", .pod_name = "trainer-0"}}) {
    CHECK(must(decode_question(encode(question))) == Question(question));
  }
  auto far = kKnown;
  far.far = {{"main", "0000:3b:00.2", "GPU \"a\" is far"}};
  CHECK(encode(far).ends_with(
      R"("source":"podresources","far":[{"container":"main","device":"0000:3b:00.2",)"
      R"("text":"GPU \"a\" is far"}]})"));
  for (const auto& answer :
       {kKnown, far, ResolveAnswer{ResolveState::known, {}, "podresources"}, ResolveAnswer{}}) {
    CHECK(must(decode_resolve_answer(encode(answer))) == answer);
  }
}

TEST_CASE(
    "That a pod has nothing is said, and never what is unknown, or an answer that is not whole") {
  CHECK(encode(ResolveAnswer{ResolveState::known, {}, "podresources"}) ==
        R"({"schema":1,"state":"known","containers":[],"source":"podresources"})");
  CHECK(encode(ResolveAnswer{}) == R"({"schema":1,"state":"unknown"})");
  CHECK(error_of(decode_resolve_answer(R"({"schema":1,"state":"known"})")) ==
        "containers: missing");
  CHECK(error_of(decode_resolve_answer(R"({"schema":1,"state":"known","containers":null})")) ==
        "containers: missing");
  const auto unknown =
      must(decode_resolve_answer(R"({"schema":1,"state":"unknown","containers":[7]})"));
  CHECK(unknown == ResolveAnswer{});
}

TEST_CASE("A pod's devices are asked for by its whole name or its UID") {
  const auto question = [](const char* text) { return error_of(decode_question(text)); };
  const auto* missing = "podUid: missing, and podNamespace with podName is not there either";
  CHECK(question(R"({"schema":1,"verb":"resolve"})") == missing);
  CHECK(question(R"({"schema":1,"verb":"resolve","podName":"a"})") == missing);
  CHECK(question(R"({"schema":1,"verb":"resolve","podNamespace":"ml","podName":""})") == missing);
  CHECK(question(R"({"schema":1,"verb":"resolve","podUid":7})") ==
        "podUid: expected a string, got number 7");
  CHECK(must(decode_question(R"({"schema":2,"verb":"resolve","podUid":"a","new":[{}]})")) ==
        Question(ResolveQuestion{.pod_uid = "a"}));
}

TEST_CASE("What is wrong in an answer of devices is named by its key") {
  const auto answer = [](std::string_view containers) {
    return error_of(decode_resolve_answer(
        fmt::format(R"({{"schema":1,"state":"known","containers":{}}})", containers)));
  };
  CHECK(answer("{}") == "containers: expected a list of objects, got object");
  CHECK(answer("\"main\"") == "containers: expected a list of objects, got string \"main\"");
  CHECK(answer("[[]]") == "containers[0]: expected an object, got array");
  CHECK(answer(R"([{"container":"a","resource":"b","devices":[]},null])") ==
        "containers[1]: expected an object, got null");
  CHECK(answer(R"([{"resource":"b","devices":[]}])") == "containers[0].container: missing");
  CHECK(answer(R"([{"container":"a","resource":"","devices":[]}])") ==
        "containers[0].resource: missing");
  CHECK(answer(R"([{"container":"a","resource":"b"}])") == "containers[0].devices: missing");
  CHECK(answer(R"([{"container":"a","resource":"b","devices":"0000:3b:00.2"}])") ==
        "containers[0].devices: expected a list of strings, got string \"0000:3b:00.2\"");
  CHECK(answer(R"([{"container":"a","resource":"b","devices":["x",["y"]]}])") ==
        "containers[0].devices[1]: expected a string, got array");
  CHECK(error_of(decode_resolve_answer(R"({"schema":1,"state":"held"})")) ==
        "state: expected known or unknown, got string \"held\"");
  CHECK(error_of(decode_resolve_answer(R"({"schema":1})")) == "state: missing");
  CHECK(error_of(decode_resolve_answer(R"({"schema":3,"state":"known","containers":[]})")) ==
        "schema: expected 1 to 2, got 3");
  CHECK(is(decode_resolve_answer(R"({"schema":1,"error":"why"})"), ErrorCode::unavailable));
}

TEST_CASE("An answer of devices that is large or nested deeply is taken or refused, and no more") {
  ResolveAnswer large = kKnown;
  for (int i = 0; i < 4'000; ++i) large.containers.back().devices.push_back(fmt::format("{}", i));
  REQUIRE(encode(large).size() < kMaxTextBytes);
  CHECK(must(decode_resolve_answer(encode(large))) == large);
  const std::string deep(kMaxTextBytes / 2, '[');
  CHECK(is(decode_resolve_answer(R"({"schema":1,"state":"known","containers":)" + deep),
           ErrorCode::decode));
}

TEST_CASE("A question or answer of devices that ends too early is an error wherever it ends") {
  const auto question = encode(kQuestion);
  for (size_t size = 0; size < question.size(); ++size) {
    CHECK(is(decode_question(question.substr(0, size)), ErrorCode::decode));
  }
  const auto answer = encode(kKnown);
  for (size_t size = 0; size < answer.size(); ++size) {
    CHECK(is(decode_resolve_answer(answer.substr(0, size)), ErrorCode::decode));
  }
}
