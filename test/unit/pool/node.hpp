#pragma once
// A node as sysfs shows it, and what is selected from it.
#include <algorithm>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include "device/scan.hpp"
#include "plugin/pool/select.hpp"
#include "test/support/must.hpp"
#include "test/support/still_host.hpp"
#include "test/support/sysfs_tree.hpp"
#include "test/support/temporary_folder.hpp"

namespace railhead::test {

// A PF "p0" with four VFs, 15b3, on NUMA node 1, and a tree to add to.
struct Node {
  TemporaryFolder folder;
  SysfsTree tree{folder.path() + "/sys"};
  StillHost still{folder.path()};
  pool::Knowledge knowledge;

  Node() {
    tree.add({.address = "0000:3b:00.0",
              .numa_node = 1,
              .total_vfs = 8,
              .netdevs = {{.name = "p0"}},
              .rdma = {{.name = "mlx5_0", .number = 0}}});
    for (unsigned i = 0; i < 4; ++i) {
      tree.add_vf("0000:3b:00.0", i,
                  {.address = vf(i),
                   .device_id = "101e",
                   .numa_node = 1,
                   .netdevs = {{.name = fmt::format("p0v{}", i)}},
                   .rdma = {{.name = fmt::format("mlx5_{}", i + 1), .number = i + 1}}});
    }
  }
  static std::string vf(unsigned index) { return fmt::format("0000:3b:01.{}", index); }

  // Of one resource per argument, each the text of its selectors.
  pool::Selection select(const std::vector<std::string>& selectors) {
    std::string text;
    for (const auto& one : selectors) {
      text += fmt::format(R"({}{{"resourceName":"r{}","selectors":{}}})", text.empty() ? "" : ",",
                          &one - selectors.data(), one);
    }
    return select_json(fmt::format(R"({{"resourceList":[{}]}})", text));
  }
  pool::Selection select_json(const std::string& text) {
    const auto config = parse(text);
    return pool::select(config, scan(config), knowledge);
  }
  static config::Config parse(const std::string& text) {
    auto parsed = config::parse(text, "example.com");
    for (const auto& error : parsed.errors) FAIL(error.message);
    return parsed.config;
  }
  [[nodiscard]] device::Inventory scan(const config::Config& config) const {
    return must(device::scan(still.host, pool::scan_options(config, {.all_ports = true})));
  }
  // The first pool's devices, of one resource with this selector.
  std::vector<std::string> ids_of(const std::string& selector);
};

inline std::vector<std::string> ids(const pool::Pool& pool) {
  std::vector<std::string> ids;
  for (const auto& member : pool.members) ids.push_back(member.id);
  return ids;
}
using Ids = std::vector<std::string>;

inline std::string reason(const pool::Selection& selection, const std::string& address) {
  for (const auto& one : selection.left_out) {
    if (one.device == address) return one.reason;
  }
  return "";
}

inline std::vector<std::string> Node::ids_of(const std::string& selector) {
  return ids(select({selector}).pools.at(0));
}

}  // namespace railhead::test
