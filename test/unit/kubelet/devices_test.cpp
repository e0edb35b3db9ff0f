#include <algorithm>
#include <stdexcept>

#include <catch2/catch_test_macros.hpp>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include "plugin/kubelet/pool_server.hpp"
#include "proto/deviceplugin.grpc.pb.h"
#include "proto/podresources.grpc.pb.h"
#include "test/unit/kubelet/node.hpp"

using namespace railhead;
using namespace railhead::test;
using namespace std::chrono_literals;

namespace {

std::vector<kubelet::Device> devices(size_t count) { return TestPool(kVf, count).devices(); }

v1::ListPodResourcesResponse pod_resources(const FakeKubelet& kubelet) {
  auto stub = v1::PodResourcesLister::NewStub(grpc::CreateChannel(
      "unix:" + kubelet.pod_resources_socket(), grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + 5s);
  v1::ListPodResourcesResponse response;
  const auto status = stub->List(&context, {}, &response);
  INFO(status.error_message());
  REQUIRE(status.ok());
  return response;
}

}  // namespace

TEST_CASE("Changed devices reach kubelet, the last state in any case") {
  Node node;
  TestPool pool(kVf, 0);
  auto session = node.serve({&pool});
  REQUIRE(node.wait_for_registrations(kVf, 1));
  pool.set_devices(devices(10));
  session->devices_changed(pool);
  CHECK(node.kubelet.wait_for_healthy(kVf, 10));

  for (size_t count = 1; count <= 200; ++count) {
    pool.set_devices(devices(count));
    session->devices_changed(pool);
  }
  CHECK(node.kubelet.wait_for_healthy(kVf, 200));
  CHECK(node.kubelet.state().resources.at(kVf).lists <= 203);

  auto one_ill = devices(10);
  one_ill[3].healthy = false;
  pool.set_devices(one_ill);
  session->devices_changed(pool);
  CHECK(node.kubelet.wait_for_healthy(kVf, 9));
  CHECK_FALSE(node.kubelet.state().resources.at(kVf).devices.at(one_ill[3].id).healthy);
}

TEST_CASE("A change while a watch opens reaches it") {
  const TestFolder folder;
  TestLog log;
  TestPool pool(kVf, 1);
  auto ignored = [](auto) {};
  const auto server = must(kubelet::PoolServer::serve(pool, folder.path(), "pool.sock",
                                                      {ignored, ignored, ignored}, log.logger()));
  bool first = true;
  pool.set_listed([&] {
    if (!std::exchange(first, false)) return;
    pool.set_devices(devices(2));
    server->send_devices();
  });
  auto stub = v1beta1::DevicePlugin::NewStub(
      grpc::CreateChannel("unix:" + (folder / "pool.sock"), grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + 5s);
  const auto watch = stub->ListAndWatch(&context, {});
  v1beta1::ListAndWatchResponse response;
  REQUIRE(watch->Read(&response));
  CHECK(response.devices_size() == 1);
  REQUIRE(watch->Read(&response));
  CHECK(response.devices_size() == 2);
  context.TryCancel();
}

TEST_CASE("A pool of 5000 devices is listed and allocated from") {
  Node node;
  TestPool pool(kVf, 5000);
  auto session = node.serve({&pool});
  REQUIRE(node.kubelet.wait_for_healthy(kVf, 5000));
  CHECK(must(node.kubelet.allocate("p", "c", kVf, 5000)).devices.size() == 5000);
}

TEST_CASE("A device's NUMA nodes are its topology, and without a node there is none") {
  Node node;
  TestPool pool(kVf);
  pool.set_devices({{"0000:01:00.0", true, {0}}, {"0000:02:00.0", true, {1}}, {"0000:03:00.0"}});
  auto session = node.serve({&pool});
  REQUIRE(node.kubelet.wait_for_healthy(kVf, 3));
  const auto seen = node.kubelet.state().resources.at(kVf).devices;
  CHECK(seen.at("0000:01:00.0") == FakeDevice{"0000:01:00.0", true, true, {0}});
  CHECK(seen.at("0000:02:00.0") == FakeDevice{"0000:02:00.0", true, true, {1}});
  CHECK(seen.at("0000:03:00.0") == FakeDevice{"0000:03:00.0", true, false, {}});
}

TEST_CASE("What a pool allocates reaches kubelet whole") {
  Node node;
  TestPool pool(kVf, 4);
  pool.set_answer([](const auto& ids) -> Result<kubelet::ContainerAllocation> {
    return kubelet::ContainerAllocation{
        .envs = {{"PCIDEVICE_EXAMPLE_COM_VF", fmt::format("{}", fmt::join(ids, ","))}},
        .devices = {{"/dev/infiniband/uverbs3", "/dev/infiniband/uverbs0", "rw"}},
        .annotations = {{"note", "kept"}},
        .cdi_devices = {"example.com/vf=0000:00:00.0"}};
  });
  auto session = node.serve({&pool});
  REQUIRE(node.kubelet.wait_for_healthy(kVf, 4));
  const auto allocation =
      must(node.kubelet.allocate("p", "c", kVf, {"0000:00:00.2", "0000:00:00.0"}));
  const auto& response = allocation.response;
  CHECK(response.envs().at("PCIDEVICE_EXAMPLE_COM_VF") == "0000:00:00.2,0000:00:00.0");
  REQUIRE(response.devices_size() == 1);
  CHECK(response.devices(0).host_path() == "/dev/infiniband/uverbs3");
  CHECK(response.devices(0).container_path() == "/dev/infiniband/uverbs0");
  CHECK(response.devices(0).permissions() == "rw");
  CHECK(response.annotations().at("note") == "kept");
  REQUIRE(response.cdi_devices_size() == 1);
  CHECK(response.cdi_devices(0).name() == "example.com/vf=0000:00:00.0");
}

TEST_CASE("Why a pool cannot allocate is what the user reads on the pod") {
  Node node;
  TestPool pool(kVf);
  pool.set_answer([](const auto&) -> Result<kubelet::ContainerAllocation> {
    return fail(ErrorCode::busy, "VF 0000:3b:00.2 is held by pod ns/a; it is released at its end");
  });
  auto session = node.serve({&pool});
  REQUIRE(node.kubelet.wait_for_healthy(kVf, 2));
  const auto refused = node.kubelet.allocate("p", "c", kVf, 1);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message ==
        "Allocate failed due to rpc error: code = FailedPrecondition desc = VF 0000:3b:00.2 is "
        "held by pod ns/a; it is released at its end, which is unexpected");
}

TEST_CASE("A bug in a pool is an error to kubelet, and the pool is still served") {
  Node node;
  TestPool pool(kVf);
  bool broken = true;
  pool.set_answer([&](const auto&) -> Result<kubelet::ContainerAllocation> {
    if (std::exchange(broken, false)) throw std::logic_error("index out of range");
    return kubelet::ContainerAllocation{};
  });
  auto session = node.serve({&pool});
  REQUIRE(node.kubelet.wait_for_healthy(kVf, 2));
  const auto refused = node.kubelet.allocate("p", "c", kVf, 1);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("index out of range") != std::string::npos);
  CHECK(node.kubelet.allocate("p", "c", kVf, 1));
}

TEST_CASE("Kubelet gives no device twice, keeps what it gave over a restart, and says who has it") {
  Node node;
  TestPool pool(kVf, 4);
  auto session = node.serve({&pool});
  REQUIRE(node.kubelet.wait_for_healthy(kVf, 4));
  const auto first = must(node.kubelet.allocate("ns/p", "c", kVf, 3));
  node.kubelet.restart();
  REQUIRE(node.kubelet.wait_for_healthy(kVf, 4));
  CHECK(is(node.kubelet.allocate("other", "c", kVf, 2), ErrorCode::busy));
  CHECK(must(node.kubelet.allocate("ns/p", "c", kVf, 3)).devices == first.devices);

  const auto list = pod_resources(node.kubelet);
  REQUIRE(list.pod_resources_size() == 1);
  CHECK(list.pod_resources(0).namespace_() == "ns");
  const auto& entries = list.pod_resources(0).containers(0).devices();
  REQUIRE(entries.size() == 1);  // one NUMA node
  CHECK(entries[0].device_ids_size() == 3);
  CHECK(std::is_sorted(entries[0].device_ids().begin(), entries[0].device_ids().end()));

  node.kubelet.remove_pod("ns/p");
  CHECK(pod_resources(node.kubelet).pod_resources_size() == 0);
  CHECK(node.kubelet.allocate("other", "c", kVf, 4));
}

TEST_CASE("Kubelet lists devices of different NUMA nodes apart") {
  Node node;
  TestPool pool(kVf);
  pool.set_devices({{"0000:01:00.0", true, {0}},
                    {"0000:01:00.1", true, {0}},
                    {"0000:02:00.0", true, {1}},
                    {"0000:03:00.0"},
                    {"0000:03:00.1"}});
  auto session = node.serve({&pool});
  REQUIRE(node.kubelet.wait_for_healthy(kVf, 5));
  must(node.kubelet.allocate("p", "c", kVf, 5));
  const auto list = pod_resources(node.kubelet);
  CHECK(list.pod_resources(0).containers(0).devices_size() == 4);
}
