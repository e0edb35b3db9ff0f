// What kubelet hears of one pool, without a kubelet.
#include "plugin/app/served_pool.hpp"

#include <filesystem>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <fcntl.h>
#include <nlohmann/json.hpp>

#include "device/allocation.hpp"
#include "device/scan.hpp"
#include "plugin/kubelet/messages.hpp"
#include "test/support/must.hpp"
#include "test/support/still_host.hpp"
#include "test/support/sysfs_tree.hpp"
#include "test/support/temporary_folder.hpp"

namespace railhead::test {
namespace {

using Paths = std::vector<std::string>;

const std::string kVf = mlx5_vf(0, 0).to_string();
constexpr const char* kBothVfs =
    R"({"resourceList":[{"resourceName":"vf","selectors":{"pfNames":["p0"],"isRdma":true}}]})";

// Two VFs with RDMA devices, and the pool rdma/vf that a configuration makes of them.
struct Pool {
  TemporaryFolder folder;
  SysfsTree tree{folder.path() + "/sys"};
  StillHost still{folder.path()};
  ledger::Grants grants;
  ledger::Holdings holdings;               // as the next serve() shows them
  std::vector<pool::Offer> leftovers;      // the same
  std::set<std::string> withheld;          // the same: of devices
  std::optional<grant::Given> remembered;  // of the container that starts
  std::vector<std::string> opened;         // by containers, as they are told of
  metrics::Metrics metrics{"test"};
  UniqueFd log_file{open((folder.path() + "/log").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)};
  Logger log{log_file.get(), LogLevel::info};
  std::unique_ptr<app::ServedPool> served;

  explicit Pool(const std::string& config = kBothVfs, bool cdi = false) {
    add_mlx5_node(tree, 1, 2);
    serve(config, cdi);
  }

  void serve(const std::string& config, bool cdi = false) {
    const auto parsed = config::parse(config, "rdma");
    REQUIRE(parsed.errors.empty());
    auto inventory = std::make_shared<const device::Inventory>(must(device::scan(still.host)));
    auto pool = pool::select(parsed.config, *inventory).pools.at(0);
    pool.leftovers = leftovers;
    for (auto& member : pool.members) {
      if (withheld.contains(member.id)) member.withheld = member.sickness = "it hangs";
    }
    const grant::CdiOptions options{.folder = folder.path() + "/cdi"};
    served = std::make_unique<app::ServedPool>(
        app::PoolView{std::move(pool),
                      std::move(inventory),
                      std::make_shared<const ledger::Holdings>(holdings),
                      {}},
        places(), cdi ? std::optional(options) : std::nullopt, answers(), metrics, log);
    served->write_cdi_spec();
  }
  [[nodiscard]] app::Answers answers() {
    return {grants, [](const auto&) { return ledger::Asking{}; },
            [this](const std::string& resource, const std::vector<std::string>& ids) {
              CHECK(resource == "rdma/vf");
              CHECK(ids.size() == 1);
              return remembered;
            },
            [this](const std::string&, const std::vector<std::string>& ids) {
              opened.insert(opened.end(), ids.begin(), ids.end());
            }};
  }
  [[nodiscard]] grant::Places places() const {
    return {.sysfs = folder.path() + "/sys",
            .run = folder.path() + "/run",
            .devinfo = folder.path() + "/devinfo",
            .dev = folder.path() + "/dev"};
  }
  // The host paths that Allocate names.
  [[nodiscard]] Paths allocate(const std::vector<std::string>& ids) const {
    Paths paths;
    for (auto& node : must(served->allocate(ids)).devices) paths.push_back(node.host_path);
    return paths;
  }
  // As a driver that is bound anew makes them: uverbs, and what belongs to it, of other numbers.
  void renumber(const std::string& vf, unsigned from, unsigned to) const {
    const auto device = tree.folder(vf);
    for (const auto* kind :
         {"infiniband_verbs/uverbs", "infiniband_mad/umad", "infiniband_mad/issm"}) {
      std::filesystem::rename(fmt::format("{}/{}{}", device, kind, from),
                              fmt::format("{}/{}{}", device, kind, to));
    }
  }
  [[nodiscard]] bool counted(const std::string& result) const {
    const auto line =
        fmt::format(R"(railhead_pre_starts_total{{resource="rdma/vf",result="{}"}} 1)", result);
    return metrics.text({}).find(line) != std::string::npos;
  }
  [[nodiscard]] std::string spec() const {
    return must(host::read_file(folder.path() + "/cdi/railhead-rdma_vf.json"));
  }
  [[nodiscard]] std::string logged() const { return must(host::read_file(folder.path() + "/log")); }
};

size_t count(const std::string& text, const std::string& what) {
  size_t found = 0;
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++found;
  return found;
}

// A pod that has these devices by an offer of rdma/vf.
ledger::Holdings held(const Paths& devices, const std::string& id) {
  std::vector<ledger::Holding> holdings;
  for (const auto& device : devices) {
    holdings.push_back({.device = device,
                        .pod = "ns/pod",
                        .container = "main",
                        .resource = "rdma/vf",
                        .id = id,
                        .nodes = {},
                        .owner = "ns/pod/main",
                        .since = {}});
  }
  return {std::move(holdings), true};
}

}  // namespace

TEST_CASE("a variable that no container could have is left out, and told once per Allocate") {
  const Pool pool(fmt::format(R"({{"resourceList":[{{"resourceName":"vf","selectors":{{}},
                                  "additionalInfo":{{"*":{{"k":"{}"}}}}}}]}})",
                              std::string(140'000, 'x')));
  const auto answer = must(pool.served->allocate({kVf}));
  CHECK(answer.envs == std::map<std::string, std::string>{{"PCIDEVICE_RDMA_VF", kVf}});
  const auto log = pool.logged();
  CHECK(count(log, "too large for a container") == 1);
  CHECK(log.find("PCIDEVICE_RDMA_VF_INFO (14") != std::string::npos);
}

TEST_CASE("a log line has numbers as numbers") {
  Pool pool;
  pool.log = Logger(pool.log_file.get(), LogLevel::info, Logger::Format::json);
  must(pool.served->allocate({kVf}));
  CHECK(nlohmann::json::parse(pool.logged()).at("milliseconds").is_number());
}

TEST_CASE("kubelet is told of no more devices than it takes in one message") {
  const Pool pool(R"({"pools":[{"resourceName":"vf","kind":"shared","perDevice":1000,
                                "selectors":{}}]})");
  auto view = *pool.served->view();
  const auto member = view.pool.members.at(0);
  for (unsigned i = 0; i < 200; ++i) view.pool.members.push_back(member);
  CHECK(pool.served->show(view, std::nullopt));
  const auto devices = pool.served->devices();
  CHECK(devices.size() > 100'000);
  CHECK(kubelet::message_of(devices).ByteSizeLong() <= 4 * 1024 * 1024);
}

TEST_CASE("a container starts with devices that have what it was given, shared nodes aside") {
  Pool pool;
  auto paths = pool.allocate({kVf});
  REQUIRE(paths.size() == 4);
  for (const auto* shared : {"/dev/vfio/vfio", "/dev/vhost-net", "/dev/net/tun", "/dev/null"}) {
    paths.emplace_back(shared);
  }
  pool.remembered = grant::Given{.host_paths = paths};
  must(pool.served->pre_start({kVf}));
  CHECK(pool.counted("ok"));
}

TEST_CASE("a container does not start with a node that is another device's now, and is told why") {
  Pool pool;
  pool.remembered = grant::Given{.host_paths = pool.allocate({kVf})};
  pool.renumber(kVf, 1, 9);
  const auto started = pool.served->pre_start({kVf});
  REQUIRE(is(started, ErrorCode::busy));
  const auto& why = started.error().message;
  CHECK(why.find("was given /dev/infiniband/issm1, /dev/infiniband/umad1, "
                 "/dev/infiniband/uverbs1, which " +
                 kVf + " has no more") != std::string::npos);
  CHECK(why.find("it has /dev/infiniband/uverbs9") != std::string::npos);
  CHECK(why.find("delete the pod") != std::string::npos);
  CHECK(pool.counted("mismatch"));
  pool.renumber(kVf, 9, 1);
  CHECK(pool.opened == Paths{kVf});  // by the Allocate
  must(pool.served->pre_start({kVf}));
  CHECK(pool.opened == Paths{kVf, kVf});
}

TEST_CASE("what is wanted of a device by now does not matter to who was given more") {
  Pool pool;
  pool.remembered = grant::Given{.host_paths = pool.allocate({kVf})};
  pool.serve(R"({"resourceList":[{"resourceName":"vf","selectors":{"pfNames":["p0#1"]}}]})");
  must(pool.served->pre_start({kVf}));
}

TEST_CASE("a container of which nobody knows what it was given starts, and that is said") {
  const Pool pool;
  must(pool.served->pre_start({kVf}));
  CHECK(pool.counted("unknown"));
  CHECK(count(pool.logged(), "is not known") == 1);
  CHECK(pool.logged().find(kVf) != std::string::npos);
}

TEST_CASE("a container does not start with a device that is on the node no more") {
  Pool pool;
  pool.remembered = grant::Given{.host_paths = pool.allocate({kVf})};
  std::filesystem::remove(pool.folder.path() + "/sys/bus/pci/devices/" + kVf);
  const auto started = pool.served->pre_start({kVf});
  REQUIRE(is(started, ErrorCode::not_found));
  CHECK(started.error().message.find("device " + kVf + " does not exist on this node any more") ==
        0);
  CHECK(pool.counted("error"));
}

TEST_CASE("with CDI a device's spec and record have its nodes of now when a container starts") {
  Pool pool(kBothVfs, true);
  must(pool.served->allocate({kVf}));
  pool.remembered = grant::Given{.host_paths = {"/dev/infiniband/uverbs1"}, .by_cdi = true};
  pool.renumber(kVf, 1, 9);
  must(pool.served->pre_start({kVf}));
  CHECK(pool.counted("ok"));
  CHECK(pool.spec().find("/dev/infiniband/uverbs9\"") != std::string::npos);
  CHECK(pool.spec().find("/dev/infiniband/uverbs1\"") == std::string::npos);
  const auto record = must(device::read_allocation(pool.places().run, mlx5_vf(0, 0)));
  REQUIRE(record);
  CHECK(record->char_devices.front().name == "uverbs9");
}

TEST_CASE("with CDI, nodes that a container was given before it are compared as without") {
  Pool pool(kBothVfs, true);
  pool.remembered = grant::Given{.host_paths = {"/dev/infiniband/uverbs77"}};
  CHECK(is(pool.served->pre_start({kVf}), ErrorCode::busy));
  CHECK(pool.counted("mismatch"));
}

TEST_CASE("without CDI, what a container was given by it before is compared by its records") {
  Pool pool;
  pool.remembered = grant::Given{.host_paths = {"/dev/infiniband/uverbs77"}, .by_cdi = true};
  CHECK(is(pool.served->pre_start({kVf}), ErrorCode::busy));
  CHECK(pool.counted("mismatch"));
}

TEST_CASE(
    "with CDI a container of which nobody knows starts with the nodes of now, and is counted") {
  const Pool pool(kBothVfs, true);
  pool.renumber(kVf, 1, 9);
  must(pool.served->pre_start({kVf}));
  CHECK(pool.counted("unknown"));
  CHECK(pool.spec().find("/dev/infiniband/uverbs9\"") != std::string::npos);
}

TEST_CASE("with CDI a container starts too with a device that its resource offers no more") {
  Pool pool;
  pool.holdings = held({kVf}, kVf);
  pool.serve(R"({"resourceList":[{"resourceName":"vf","selectors":{"pfNames":["p0#1"]}}]})", true);
  CHECK(pool.spec().find(fmt::format(R"("name":"{}")", kVf)) != std::string::npos);
  pool.remembered = grant::Given{.by_cdi = true};
  pool.renumber(kVf, 1, 9);
  must(pool.served->pre_start({kVf}));
  CHECK(pool.spec().find("/dev/infiniband/uverbs9\"") != std::string::npos);
  CHECK(is(pool.served->allocate({kVf}), ErrorCode::not_found));
}

TEST_CASE("with CDI a container starts with a share, whatever its resource has become") {
  const auto vf1 = mlx5_vf(0, 1).to_string();
  const std::string exclusive = R"({"resourceList":[{"resourceName":"vf","selectors":{}}]})";
  const auto shares = [](const char* names) {
    return fmt::format(R"({{"pools":[{{"resourceName":"vf","resourcePrefix":"rdma","kind":"shared",
                            "perDevice":2,"selectors":{{"pfNames":["{}"]}}}}]}})",
                       names);
  };
  const auto whole = [](const char* names) {
    return fmt::format(R"({{"configList":[{{"resourceName":"vf","rdmaHcaMax":2,
                            "selectors":{{"ifNames":[{}]}}}}]}})",
                       names);
  };
  struct Case {
    std::string id;
    Paths devices;
    std::string config;
  };
  const auto [id, devices, config] = GENERATE_COPY(
      Case{kVf + "::7", {kVf}, shares("p0")}, Case{kVf + "::1", {kVf}, shares("p9")},
      Case{kVf + "::1", {kVf}, exclusive}, Case{"7", {kVf, vf1}, whole(R"("p0v0","p0v1")")},
      Case{"1", {kVf, vf1}, whole(R"("p0v1")")}, Case{"1", {kVf, vf1}, exclusive});
  CAPTURE(id, config);
  Pool pool;
  pool.holdings = held(devices, id);
  pool.remembered = grant::Given{.by_cdi = true};
  pool.renumber(kVf, 1, 9);
  pool.serve(config, true);
  for (const auto& device : devices) {
    CHECK(pool.spec().find(fmt::format(R"("name":"{}")", device)) != std::string::npos);
  }
  pool.renumber(kVf, 9, 1);
  must(pool.served->pre_start({id}));
  CHECK(pool.spec().find("/dev/infiniband/uverbs1\"") != std::string::npos);
  CHECK(must(device::list_allocations(pool.places().run)).empty());  // no share leaves a record
}

TEST_CASE("a share of a whole pool starts while each node is of a device that it was given") {
  const auto config = [](const char* names) {
    return fmt::format(R"({{"configList":[{{"resourceName":"vf","rdmaHcaMax":4,
                            "selectors":{{"ifNames":{}}}}}]}})",
                       names);
  };
  Pool pool(config(R"(["p0v0","p0v1"])"));
  const auto paths = pool.allocate({"2"});
  REQUIRE(paths.size() == 7);
  pool.remembered = grant::Given{.host_paths = paths};
  must(pool.served->pre_start({"2"}));
  // The pool loses one by its configuration; the device is where it was.
  pool.serve(config(R"(["p0v0"])"));
  pool.remembered->devices = {kVf, mlx5_vf(0, 1).to_string()};
  must(pool.served->pre_start({"2"}));
  pool.renumber(kVf, 1, 9);
  CHECK(is(pool.served->pre_start({"2"}), ErrorCode::busy));
}

TEST_CASE("a share of which nobody knows the devices any more starts, and is counted as unknown") {
  Pool pool(R"({"resourceList":[{"resourceName":"vf","selectors":{"pfNames":["p9"]}}]})");
  pool.remembered = grant::Given{.host_paths = {"/dev/infiniband/uverbs1"}};
  must(pool.served->pre_start({"2"}));
  CHECK(pool.counted("unknown"));
}

TEST_CASE("no device that is withheld is given, whole or a share; a whole pool's does without it") {
  const auto other = mlx5_vf(0, 1).to_string();
  Pool pool;
  pool.withheld = {kVf};
  SECTION("whole") {
    pool.serve(kBothVfs);
    const auto refused = pool.served->allocate({kVf});
    REQUIRE(is(refused, ErrorCode::unavailable));
    CHECK(refused.error().message == "device " + kVf + " is not given: it hangs");
    CHECK(pool.served->allocate({other}));
  }
  SECTION("a share") {
    pool.serve(R"({"pools":[{"resourceName":"vf","kind":"shared","perDevice":4,
                            "selectors":{"pfNames":["p0#0-1"],"isRdma":true}}]})");
    CHECK(is(pool.served->allocate({kVf + "::1"}), ErrorCode::unavailable));
    CHECK(pool.served->allocate({other + "::1"}));
  }
  SECTION("a share of the whole pool") {
    pool.serve(R"({"configList":[{"resourceName":"vf","rdmaHcaMax":4,
                                  "selectors":{"ifNames":["p0v0","p0v1"]}}]})");
    CHECK(must(pool.served->allocate({"1"})).envs.at("PCIDEVICE_RDMA_VF") == other);
    // Which is of the other device then, and of no use to who wants that.
    CHECK(pool.grants.grant([] {
      return Result<ledger::Granted>({"rdma/new", {kVf}, {kVf}, {}});
    }));
    CHECK_FALSE(pool.grants.grant([&] {
      return Result<ledger::Granted>({"rdma/new", {other}, {other}, {}});
    }));
  }
}

TEST_CASE("a pool that has ended gives nothing") {
  const Pool pool;
  pool.served->end();
  CHECK(is(pool.served->allocate({kVf}), ErrorCode::not_found));
}

TEST_CASE("a device whose node is open to another pod is not given, and by CDI not started with") {
  const bool cdi = GENERATE(false, true);
  Pool pool;
  pool.holdings = ledger::Holdings({{.device = "0000:00:00.0",
                                     .pod = "ns/other",
                                     .resource = "rdma/vf",
                                     .id = "0000:00:00.0",
                                     .nodes = {"/dev/infiniband/uverbs1"},
                                     .owner = "ns/other/main"}},
                                   true);
  pool.serve(kBothVfs, cdi);
  const auto refused = pool.served->allocate({kVf});
  REQUIRE(is(refused, ErrorCode::busy));
  CHECK(refused.error().message.find(kVf + ": /dev/infiniband/uverbs1 is still open to ns/other") !=
        std::string::npos);
  CHECK(pool.served->allocate({mlx5_vf(0, 1).to_string()}));
  pool.remembered = grant::Given{.by_cdi = true};
  CHECK(is(pool.served->pre_start({kVf}), ErrorCode::busy) == cdi);
}

}  // namespace railhead::test
