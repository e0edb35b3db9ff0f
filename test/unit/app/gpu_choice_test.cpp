// Which devices a container gets when kubelet takes its GPUs before or after them: a pool and a
// GPU plugin, each with a session of its own, at a kubelet over real sockets.
#include <filesystem>
#include <thread>

#include <catch2/catch_test_macros.hpp>

#include "plugin/app/holders.hpp"
#include "test/support/node_builder.hpp"
#include "test/support/still_host.hpp"
#include "test/unit/kubelet/node.hpp"

namespace railhead::test {
namespace {

using Ids = std::vector<std::string>;
constexpr const char* kGpu = "nvidia.com/gpu";
constexpr const char* kRdmaVf = "rdma/vf";
constexpr const char* kProbe = "example.com/probe";

// Eight GPUs and PFs in pairs, as eight_gpu_node() says: GPU 0000:X1:00.0 with VFs 0000:X2:00.N.
class GpuChoice {
 public:
  GpuChoice()
      : inventory_(std::make_shared<device::Inventory>(eight_gpu_node(3).inventory())),
        gpu_plugin_(kGpu),
        probe_(kProbe, 100),
        still_(node_.folder.path()),
        loop_(must(Loop::open(still_.host.clock))),
        news_(node_.log.logger()),
        holders_({node_.folder.path(), node_.folder / "state", {}}, *loop_, still_.host, claimed_,
                 news_, node_.log.logger(), [] {}),
        metrics_("test"),
        vfs_({vf_pool(), inventory_, std::make_shared<const ledger::Holdings>(), {}},
             {node_.folder / "sys", node_.folder / "run", node_.folder / "devinfo"}, std::nullopt,
             holders_.answers(), metrics_, node_.log.logger()),
        turning_([this] { loop_->run(); }) {
    std::vector<kubelet::Device> gpus;
    for (const auto& function : inventory_->functions()) {
      if (function.is_gpu) gpus.push_back({function.address.to_string()});
    }
    gpu_plugin_.set_devices(std::move(gpus));
    probe_.set_preference([this](const auto& request) -> Result<Ids> {
      probed_ = {ask(), ask()};
      return Ids{request.available.front()};
    });
    ours_ = node_.serve({&vfs_}, "ours");
    theirs_ = node_.serve({&gpu_plugin_, &probe_}, "theirs");
    REQUIRE(node_.kubelet.wait_for_healthy(kGpu, 8));
    REQUIRE(node_.kubelet.wait_for_healthy(kRdmaVf, 24));
    REQUIRE(node_.kubelet.wait_for_healthy(kProbe, 100));
  }

  ~GpuChoice() {
    ours_.reset();
    theirs_.reset();
    loop_->stop();
    turning_.join();
  }
  GpuChoice(const GpuChoice&) = delete;
  GpuChoice& operator=(const GpuChoice&) = delete;

  // A container with these GPUs and nothing else.
  void take_gpus(const std::string& pod, const std::string& container,
                 const std::vector<unsigned>& gpus) {
    Ids ids;
    for (const unsigned n : gpus) ids.push_back(fmt::format("0000:{}1:00.0", n));
    must(node_.kubelet.allocate(pod, container, kGpu, ids));
  }
  // A container with these resources, taken in this order.
  void take(const std::string& pod, const std::string& container,
            const std::vector<FakeRequest>& requests) {
    must(node_.kubelet.allocate(pod, container, requests));
  }
  void remove_pod(const std::string& pod) { node_.kubelet.remove_pod(pod); }

  // The X of the devices that a pod's container has.
  [[nodiscard]] std::set<char> places(const std::string& pod, const std::string& container,
                                      const std::string& resource) const {
    std::set<char> places;
    for (const auto& one : node_.kubelet.state().allocations) {
      if (one.pod != pod || one.container != container || one.resource != resource) continue;
      for (const auto& device : one.devices) places.insert(device.id.at(5));
    }
    return places;
  }

  // The ground and the pod that the last choice's line names: "order packed … pod=ns/name".
  [[nodiscard]] std::string last_ground() const {
    auto text = node_.log.text();
    std::erase(text, '"');
    const std::string_view key = "ground=";
    const auto line = text.rfind("msg=preferred");
    if (line == std::string::npos) return "";
    const auto ground = text.find(key, line) + key.size();
    return text.substr(ground, text.find('\n', ground) - ground);
  }

  // What the pool answered to two equal questions while kubelet asked the probe.
  [[nodiscard]] const std::vector<std::pair<Ids, std::string>>& probed() const { return probed_; }

 private:
  [[nodiscard]] pool::Pool vf_pool() const {
    pool::Pool pool;
    pool.resource.prefix = "rdma";
    pool.resource.name = "vf";
    for (const auto& function : inventory_->functions()) {
      if (!function.pf) continue;
      auto& member = pool.members.emplace_back();
      member.id = function.address.to_string();
      member.address = function.address;
      std::filesystem::create_directories(node_.folder / "sys/bus/pci/devices/" + member.id);
    }
    return pool;
  }
  [[nodiscard]] std::pair<Ids, std::string> ask() {
    kubelet::PreferenceRequest request{{}, {}, 2};
    for (const auto& device : vfs_.devices()) request.available.push_back(device.id);
    auto ids = must(vfs_.preferred(request));
    return {std::move(ids), last_ground()};
  }

  Node node_;
  std::shared_ptr<const device::Inventory> inventory_;
  TestPool gpu_plugin_;
  TestPool probe_;
  StillHost still_;
  std::unique_ptr<Loop> loop_;
  app::ClaimedDevices claimed_;
  app::News news_;
  app::Holders holders_;
  metrics::Metrics metrics_;
  app::ServedPool vfs_;
  std::vector<std::pair<Ids, std::string>> probed_;
  std::unique_ptr<kubelet::KubeletSession> ours_;
  std::unique_ptr<kubelet::KubeletSession> theirs_;
  std::thread turning_;  // holders_' loop
};

}  // namespace

TEST_CASE("A container whose GPUs are taken first gets the VFs beside them") {
  GpuChoice node;
  node.take_gpus("inference", "main", {1, 2});
  node.take("job", "main", {{kGpu, 2}, {kRdmaVf, 2}});
  CHECK(node.places("job", "main", kRdmaVf) == node.places("job", "main", kGpu));
  CHECK(node.last_ground() == "PCIe distance to the pod's GPUs (2) pod=default/job");
}

TEST_CASE("A container whose GPUs are taken last gets VFs beside free GPUs, not a stranger's") {
  GpuChoice node;
  node.take_gpus("inference", "main", {1, 2, 3, 4});
  node.take("job", "main", {{kRdmaVf, 4}, {kGpu, 4}});
  CHECK(node.places("job", "main", kRdmaVf) == std::set{'5', '6', '7', '8'});
  CHECK(node.last_ground() == "PCIe distance to the free GPUs (4) pod=");
  node.take("next", "main", {{kRdmaVf, 1}});
  CHECK(node.last_ground().ends_with(" pod="));
}

TEST_CASE("In a pod of two containers with GPUs the VFs stand beside those of their container") {
  GpuChoice node;
  node.take_gpus("job", "c1", {1, 2, 3, 4});
  node.take("job", "c2", {{kGpu, 4}, {kRdmaVf, 4}});
  CHECK(node.places("job", "c2", kRdmaVf) == std::set{'5', '6', '7', '8'});
  CHECK(node.last_ground() == "PCIe distance to the pod's GPUs (4) pod=default/job");
}

TEST_CASE("A pod is known when the one before it had the same name and GPUs") {
  GpuChoice node;
  for (int i = 0; i < 2; ++i) {
    node.take("job-0", "main", {{kGpu, 8}, {kRdmaVf, 8}});
    CHECK(node.last_ground() == "PCIe distance to the pod's GPUs (8) pod=default/job-0");
    node.remove_pod("job-0");
  }
}

TEST_CASE("The same question asked twice gets the same answer on the same ground") {
  GpuChoice node;
  node.take("job", "main", {{kGpu, 2}, {kProbe, 1}});
  REQUIRE(node.probed().size() == 2);
  CHECK(node.probed()[0] == node.probed()[1]);
  CHECK(node.probed()[0].second == "PCIe distance to the pod's GPUs (2) pod=default/job");
}

}  // namespace railhead::test
