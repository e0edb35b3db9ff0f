#include "plugin/kube/objects.hpp"

#include <nlohmann/json.hpp>

#include "test/support/must.hpp"

using namespace railhead;
using namespace railhead::kube;
using railhead::test::must;
using Json = nlohmann::ordered_json;

TEST_CASE("Of a pod its name, its UID and the annotations of its networks are kept") {
  const auto pod = must(read_pod(Json::parse(
      R"({"metadata":{"namespace":"ml","name":"a","uid":"u","annotations":{"x":"y",)"
      R"("k8s.v1.cni.cncf.io/networks":"rail0","v1.multus-cni.io/default-network":"d"}}})")));
  CHECK(pod ==
        Pod{{"ml", "a"},
            "u",
            "",
            {{"k8s.v1.cni.cncf.io/networks", "rail0"}, {"v1.multus-cni.io/default-network", "d"}}});
  for (const auto* text :
       {"{}", "7", "null", "[]", R"({"metadata":{"name":"a","uid":"u"}})",
        R"({"metadata":{"namespace":"ml","name":"a"}})",
        R"({"metadata":{"namespace":"ml","name":"a","uid":7}})",
        R"({"metadata":{"namespace":"ml","name":"a","uid":"u","annotations":{"x":1}}})"}) {
    INFO(text);
    CHECK(is(read_pod(Json::parse(text)), ErrorCode::decode));
  }
}

TEST_CASE("Of a NetworkAttachmentDefinition its configuration is kept as it is written") {
  const std::string config = "{ \"type\":\"x\",\n\"n\": 1e3 }";
  Json json{{"metadata",
             {{"namespace", "ml"},
              {"name", "a"},
              {"annotations", {{"k8s.v1.cni.cncf.io/resourceName", "rdma/vf"}}}}},
            {"spec", {{"config", config}}}};
  CHECK(must(read_nad(json)) == Nad{{"ml", "a"}, "rdma/vf", config});
  json.erase("spec");
  CHECK(must(read_nad(json)).config.empty());
  json["spec"] = 7;
  CHECK(is(read_nad(json), ErrorCode::decode));
}

TEST_CASE("Of a ResourceSlice the devices that are for networks are kept") {
  const auto slice =
      must(read_slice(Json::parse(R"({"metadata":{"name":"s"},"spec":{"driver":"sriov",
    "pool":{"name":"n1"},"nodeName":"n1","devices":[
      {"name":"vf-1","attributes":{"k8s.cni.cncf.io/resourceName":{"string":"dra/vf"},
                                   "k8s.cni.cncf.io/deviceID":{"string":"0000:3b:00.2"},"x":{"int":7}}},
      {"name":"vf-2","attributes":{"k8s.cni.cncf.io/resourceName":{"string":"dra/vf"}}},
      {"name":"vf-3","attributes":{"k8s.cni.cncf.io/resourceName":{"version":"1.0"},
                                   "k8s.cni.cncf.io/deviceID":7}},
      {"name":"gpu"}]}})")));
  CHECK(slice == Slice{{"", "s"}, {{"sriov", "n1", "vf-1", "dra/vf", "0000:3b:00.2"}}});
  CHECK(must(read_slice(Json::parse(R"({"metadata":{"name":"s"}})"))).devices.empty());
  CHECK(is(read_slice(Json::parse(R"({"metadata":{},"spec":{}})")), ErrorCode::decode));
  CHECK(is(read_slice(Json::parse(R"({"metadata":{"name":"s"},"spec":{"devices":7}})")),
           ErrorCode::decode));
}

TEST_CASE("A name does not lead out of its place in a path") {
  CHECK(path_of_pod({"ml", "a-0.b"}) == "/api/v1/namespaces/ml/pods/a-0.b");
  CHECK(path_of_pod({"..", "a/../b?c#d"}) == "/api/v1/namespaces/%2E%2E/pods/a%2F..%2Fb%3Fc%23d");
  CHECK(path_of_nad({"ml", "\xff "}) ==
        "/apis/k8s.cni.cncf.io/v1/namespaces/ml/network-attachment-definitions/%FF%20");
  CHECK(path_of_events("a b") == "/api/v1/namespaces/a%20b/events");
}

TEST_CASE("A refusal is told in the server's words") {
  CHECK(refusal_of(403, R"({"kind":"Status","message":"pods is forbidden"})") ==
        "403: pods is forbidden");
  CHECK(refusal_of(502, "<html>") == "HTTP status 502");
  CHECK(refusal_of(500, R"({"message":7})") == "HTTP status 500");
}
