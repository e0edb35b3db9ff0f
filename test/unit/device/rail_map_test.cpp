#include "device/rail_map.hpp"

#include <fstream>

#include <catch2/catch_test_macros.hpp>

#include "test/support/must.hpp"
#include "test/support/sysfs_tree.hpp"
#include "test/support/temporary_folder.hpp"

namespace railhead::test {

TEST_CASE("the node's rails are read as they were written, and none are none") {
  const TemporaryFolder folder;
  CHECK(must(device::read_rail_map(folder.path())).empty());
  const device::RailMap rails = {{{0, 0x5e, 0, 1}, {0, 0x5e, 0, 0}}, {{0, 0x3b, 0, 1}}};
  must(device::write_rail_map(folder.path() + "/state", rails));
  const auto read = must(device::read_rail_map(folder.path() + "/state"));
  CHECK(read == rails);
  CHECK(device::place_of(read, {0, 0x5e, 0, 0}) == device::RailPlace{0, 1});
  CHECK(device::place_of(read, {0, 0x3b, 0, 1}) == device::RailPlace{1, 0});
  CHECK_FALSE(device::place_of(read, {0, 0x3b, 0, 0}));
}

TEST_CASE("rails that cannot be understood are an error that names the file") {
  const TemporaryFolder folder;
  for (const auto* text : {"", "[]", "{}", R"({"schema":1})", R"({"schema":3,"rails":[]})",
                           R"({"schema":1,"rails":["x"]})", R"({"schema":1,"rails":[["x"]]})",
                           R"({"schema":1,"rails":[["0000:3b:00.0"],["0000:3b:00.0"]]})",
                           R"({"schema":1,"rails":[["0000:3b:00.0","0000:3b:00.0"]]})",
                           R"({"schema":"1","rails":[]})"}) {
    std::ofstream(folder.path() + "/rail_map.json") << text;
    const auto read = device::read_rail_map(folder.path());
    REQUIRE(is(read, ErrorCode::decode));
    CHECK(read.error().message.find("rail_map.json") != std::string::npos);
  }
}

TEST_CASE("a VF and a sub-function send by their PF's port, a function without PF by its own") {
  const TemporaryFolder folder;
  SysfsTree tree(folder.path());
  tree.add({.address = "0000:3b:00.0", .total_vfs = 1});
  tree.add_vf("0000:3b:00.0", 0, {.address = "0000:3b:00.2"});
  tree.add_sub_function("0000:3b:00.0", {.name = "mlx5_core.sf.4", .number = 4});
  const PciAddress pf{0, 0x3b, 0, 0};
  for (const auto* id : {"0000:3b:00.0", "0000:3b:00.2", "mlx5_core.sf.4"}) {
    CHECK(must(device::port_of_device(folder.path(), *device::DeviceId::parse(id))) == pf);
  }
  CHECK(is(device::port_of_device(folder.path(), PciAddress{0, 0x99, 0, 0}), ErrorCode::not_found));
}

}  // namespace railhead::test
