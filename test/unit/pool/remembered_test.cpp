// What an agent finds of the one before it.
#include "plugin/pool/remembered.hpp"

#include "device/allocation.hpp"
#include "host/files.hpp"
#include "test/unit/pool/node.hpp"

namespace railhead::test {
namespace {

const pool::Rails kRails = {{"rdma/a", {{0, 0x50, 0, 0}, {1, 0x40, 0, 0}}}, {"rdma/b", {}}};

std::string text_of(const std::string& schema, const std::string& rails) {
  return fmt::format(R"({{"schema":{},"rails":{},"later":1}})", schema, rails);
}

}  // namespace

TEST_CASE("the order of rails is read as it was written, and is empty before") {
  const TemporaryFolder folder;
  CHECK(must(pool::read_rails(folder.path())).empty());
  must(pool::write_rails(folder.path(), kRails));
  CHECK(must(pool::read_rails(folder.path())) == kRails);
  must(pool::write_rails(folder.path(), {}));
  CHECK(must(pool::read_rails(folder.path())).empty());
}

TEST_CASE("an order of rails that cannot be read is an error that names its file") {
  const TemporaryFolder folder;
  const auto read = [&](const std::string& text) {
    must(host::write_file_atomically(folder.path() + "/rails.json", text, 0600));
    return pool::read_rails(folder.path());
  };
  const auto good = R"({"rdma/a":["0000:50:00.0","0001:40:00.0"],"rdma/b":[]})";
  CHECK(must(read(text_of("1", good))) == kRails);
  CHECK(must(read(text_of("2", good))) == kRails);
  for (const auto& text :
       {std::string(), std::string("{\"schema\":1,\"rails\""), text_of("3", good),
        text_of("\"1\"", good), text_of("1", "7"), text_of("1", R"({"a":"0000:50:00.0"})"),
        text_of("1", R"({"a":[1]})"), text_of("1", R"({"a":["p0"]})"),
        text_of("1", R"({"a":["0000:50:00.0","0000:50:00.0"]})"), std::string("[]")}) {
    INFO(text);
    const auto rails = read(text);
    REQUIRE(is(rails, ErrorCode::decode));
    CHECK(rails.error().message.find("rails.json") != std::string::npos);
  }
}

TEST_CASE("what Allocate recorded of a rail is the configured resource's") {
  const TemporaryFolder folder;
  const auto config = Node::parse(
      "pools:\n"
      "  - {resourceName: rail, resourcePrefix: rdma, rails: auto, selectors: {}}\n"
      "  - {resourceName: railway, resourcePrefix: rdma, selectors: {}}\n");
  CHECK(pool::read_allocated(config, folder.path()).empty());
  must(device::write_allocation(folder.path(), {"rdma/rail12", {0, 0x50, 0, 1}, {}}));
  must(device::write_allocation(folder.path(), {"rdma/railway", {0, 0x50, 0, 2}, {}}));
  must(device::write_allocation(folder.path(), {"rdma/rail", {0, 0x50, 0, 3}, {}}));
  must(device::write_allocation(folder.path(), {"other/rail1", {0, 0x50, 0, 4}, {}}));
  must(host::write_file_atomically(folder.path() + "/allocations/0000:60:00.1.json", "{", 0600));
  CHECK(pool::read_allocated(config, folder.path()) ==
        std::set<pool::Membership>{{"rdma/rail", "0000:50:00.1"},
                                   {"rdma/railway", "0000:50:00.2"},
                                   {"rdma/rail", "0000:50:00.3"},
                                   {"other/rail1", "0000:50:00.4"}});
}

}  // namespace railhead::test
