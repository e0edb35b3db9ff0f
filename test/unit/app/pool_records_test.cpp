#include "plugin/app/pool_records.hpp"

#include <catch2/catch_test_macros.hpp>

#include "plugin/pool/remembered.hpp"
#include "test/support/fake_clock.hpp"
#include "test/support/must.hpp"
#include "test/support/temporary_folder.hpp"

namespace railhead::test {
namespace {

using namespace std::chrono_literals;
using Names = std::set<std::string>;

struct Records {
  TemporaryFolder folder;
  FakeClock clock;
  Logger log{-1, LogLevel::error};
  app::PoolRecords records{folder.path() + "/state", clock, log};

  auto keep(const Names& served, bool complete = true) {
    return records.keep_resources(served, complete);
  }
  [[nodiscard]] Names kept() const {
    return must(pool::read_own_resources(folder.path() + "/state"));
  }
};

}  // namespace

TEST_CASE("a resource that nobody has any more is forgotten after a minute") {
  Records node;
  CHECK_FALSE(node.keep({"rdma/a", "rdma/b"}));
  CHECK(node.kept() == Names{"rdma/a", "rdma/b"});
  CHECK(node.keep({"rdma/a"}) == node.clock.now() + 60s);
  CHECK(node.kept() == Names{"rdma/a", "rdma/b"});
  node.clock.advance(30s);
  CHECK(node.keep({"rdma/a"}) == node.clock.now() + 30s);
  CHECK_FALSE(node.keep({"rdma/a", "rdma/b"}));  // somebody has some again
  CHECK(node.keep({"rdma/a"}) == node.clock.now() + 60s);
  node.clock.advance(60s);
  CHECK_FALSE(node.keep({"rdma/a"}));
  CHECK(node.kept() == Names{"rdma/a"});
}

TEST_CASE("no resource is forgotten while it is not known who has what") {
  Records node;
  CHECK_FALSE(node.keep({"rdma/a"}, false));
  CHECK_FALSE(node.keep({}, false));
  node.clock.advance(1h);
  CHECK_FALSE(node.keep({}, false));
  CHECK(node.kept() == Names{"rdma/a"});
  CHECK(node.keep({}) == node.clock.now() + 60s);
  node.clock.advance(59s);
  CHECK_FALSE(node.keep({}, false));  // kubelet is silent again
  node.clock.advance(2s);
  CHECK(node.keep({}) == node.clock.now() + 60s);
  CHECK(node.kept() == Names{"rdma/a"});
}

TEST_CASE("names that could not be written are written at the next look") {
  Records node;
  const auto state = node.folder.path() + "/state";
  must(host::write_file_atomically(state, "", 0600));  // where the folder should be
  CHECK_FALSE(node.keep({"rdma/a"}));
  must(host::remove_file(state));
  CHECK_FALSE(node.keep({"rdma/a"}));
  CHECK(node.kept() == Names{"rdma/a"});
}

TEST_CASE("what is loaded is what was kept last, by whomever") {
  Records node;
  node.records.load();
  CHECK(node.records.rails().empty());
  CHECK(node.records.resources().empty());
  const pool::Rails rails{{"rdma/rail", {{0, 0x10, 0, 0}, {0, 0x20, 0, 0}}}};
  app::PoolRecords other(node.folder.path() + "/state", node.clock, node.log);
  other.keep_rails(rails);
  CHECK_FALSE(other.keep_resources({"rdma/mid"}, true));
  node.records.load();
  CHECK(node.records.rails() == rails);
  CHECK(node.records.resources() == Names{"rdma/mid"});
}

}  // namespace railhead::test
