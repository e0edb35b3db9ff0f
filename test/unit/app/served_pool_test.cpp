// What kubelet hears of one pool, without a kubelet.
#include "plugin/app/served_pool.hpp"

#include <catch2/catch_test_macros.hpp>
#include <fcntl.h>

#include "device/scan.hpp"
#include "test/support/must.hpp"
#include "test/support/still_host.hpp"
#include "test/support/sysfs_tree.hpp"
#include "test/support/temporary_folder.hpp"

namespace railhead::test {
namespace {

const std::string kVf = mlx5_vf(0, 0).to_string();

// Two VFs with RDMA devices, as a pool rdma/vf.
struct Pool {
  TemporaryFolder folder;
  SysfsTree tree{folder.path() + "/sys"};
  StillHost still{folder.path()};
  ledger::Grants grants;
  metrics::Metrics metrics{"test"};
  UniqueFd log_file{open((folder.path() + "/log").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)};
  Logger log{log_file.get(), LogLevel::info};
  std::unique_ptr<app::ServedPool> served;

  Pool() { add_mlx5_node(tree, 1, 2); }

  // `more`: keys of the resource, each with a comma in front.
  void serve(const std::string& more = "") {
    const auto parsed =
        config::parse(fmt::format(R"({{"resourceList":[{{"resourceName":"vf","selectors":
                         {{"pfNames":["p0"],"isRdma":true}}{}}}]}})",
                                  more),
                      "rdma");
    REQUIRE(parsed.errors.empty());
    auto inventory = std::make_shared<const device::Inventory>(must(device::scan(still.host)));
    auto pool = pool::select(parsed.config, *inventory).pools.at(0);
    served = std::make_unique<app::ServedPool>(
        app::PoolView{
            std::move(pool), std::move(inventory), std::make_shared<const ledger::Holdings>(), {}},
        places(), std::nullopt, app::Answers{grants, [](const auto&) { return ledger::Asking{}; }},
        metrics, log);
  }
  [[nodiscard]] grant::Places places() const {
    return {.sysfs = folder.path() + "/sys",
            .run = folder.path() + "/run",
            .devinfo = folder.path() + "/devinfo",
            .dev = folder.path() + "/dev"};
  }
  [[nodiscard]] std::string logged() const { return must(host::read_file(folder.path() + "/log")); }
};

size_t count(const std::string& text, const std::string& what) {
  size_t found = 0;
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++found;
  return found;
}

}  // namespace

TEST_CASE("a variable that no container could have is left out, and told once per Allocate") {
  Pool pool;
  pool.serve(fmt::format(R"(,"additionalInfo":{{"*":{{"k":"{}"}}}})", std::string(140'000, 'x')));
  const auto answer = must(pool.served->allocate({kVf}));
  CHECK(answer.envs == std::map<std::string, std::string>{{"PCIDEVICE_RDMA_VF", kVf}});
  const auto log = pool.logged();
  CHECK(count(log, "too large for a container") == 1);
  CHECK(log.find("PCIDEVICE_RDMA_VF_INFO (14") != std::string::npos);
}

}  // namespace railhead::test
