// GIDs of a pod's interfaces on a NIC that is the node's, from a tree as the kernel shows it.
#include "plugin/app/shared_gids.hpp"

#include <catch2/catch_test_macros.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "test/support/sysfs_tree.hpp"
#include "test/support/temporary_folder.hpp"

using namespace railhead;
using namespace railhead::test;
using Json = nlohmann::ordered_json;

namespace {

struct Nic {
  Nic() {
    tree.add(
        {.address = "0000:3b:00.0", .netdevs = {{.name = "ens1"}}, .rdma = {{.name = "mlx5_0"}}});
    tree.add({.address = "0000:5e:00.0", .netdevs = {{.name = "ens2"}}});
    add(0, "fe80:0000:0000:0000:0000:00ff:fe00:0001", "RoCE v2", "ens1");
  }
  void add(int index, const std::string& gid, const std::string& type, const std::string& netdev) {
    const std::string port = "class/net/ens1/device/infiniband/mlx5_0/ports/1/";
    tree.write(fmt::format("{}gids/{}", port, index), gid);
    tree.write(fmt::format("{}gid_attrs/types/{}", port, index), type);
    tree.write(fmt::format("{}gid_attrs/ndevs/{}", port, index), netdev);
  }
  static ipc::PodNews pod(std::vector<ipc::SharedInterface> shared) {
    return {"ml",
            "a",
            "u",
            R"([{"interface":"eth0"},{"interface":"net1"},{"interface":"net2"}])",
            {},
            {},
            std::move(shared)};
  }

  TemporaryFolder folder;
  const std::string sysfs = folder.path() + "/sys";
  SysfsTree tree{sysfs};
};

}  // namespace

TEST_CASE("A macvlan's GID is found by its address and its netdev, RoCE v2 before v1") {
  Nic nic;
  const std::string gid = "0000:0000:0000:0000:0000:ffff:0a09:0805";
  nic.add(3, gid, "RoCE v2", "net2");  // of another pod, with the same address
  nic.add(4, gid, "IB/RoCE v1", "net1");
  const auto pod = nic.pod({{"ens1", "net1", "02:00:00:00:00:01", {"10.9.8.5/24"}}});
  const auto rdma = [&] {
    const auto status = app::with_gids(pod, nic.sysfs);
    CHECK(status.is_whole);
    const auto json = Json::parse(status.text);
    CHECK(json.size() == 3);
    CHECK_FALSE(json[0].contains("rdma"));
    CHECK_FALSE(json[2].contains("rdma"));
    return json[1].at("rdma");
  };
  CHECK(rdma() == Json{{"device", "mlx5_0"}, {"port", 1}, {"gid-index", 4}, {"gid", gid}});
  nic.add(5, gid, "RoCE v2", "net1");
  CHECK(rdma().at("gid-index") == 5);
  nic.add(6, gid, "RoCE v2", "net1");  // another pod's, of the same name
  CHECK_FALSE(app::with_gids(pod, nic.sysfs).is_whole);
}

TEST_CASE("An IPv6 address is its own GID, and IPoIB's stands in its hardware address") {
  Nic nic;
  nic.add(6, "fd00:0000:0000:0000:0000:0000:0000:0007", "RoCE v2", "net1");
  auto status =
      app::with_gids(nic.pod({{"ens1", "net1", "", {"10.9.8.5/24", "fd00::7/64"}}}), nic.sysfs);
  CHECK(Json::parse(status.text)[1].at("rdma").at("gid-index") == 6);
  // An InfiniBand port names no netdev.
  nic.add(7, "fe80:0000:0000:0000:0002:c903:0001:0203", "IB/RoCE v1", "");
  status = app::with_gids(nic.pod({{"ens1",
                                    "net2",
                                    "80:00:00:4a:fe:80:00:00:00:00:00:00:00:02:c9:03:00:01:02:03",
                                    {"10.9.8.6/24"}}}),
                          nic.sysfs);
  CHECK(status.is_whole);
  CHECK(Json::parse(status.text)[2].at("rdma").at("gid-index") == 7);
}

TEST_CASE("What has no GID is left as it is, and waited for only where one may come") {
  Nic nic;
  const auto pod = [&](const std::string& parent) {
    return nic.pod({{parent, "net1", "02:00:00:00:00:01", {"10.9.8.5/24"}}});
  };
  CHECK_FALSE(app::with_gids(pod("ens1"), nic.sysfs).is_whole);
  // No RDMA device; no such netdev; a name that leads elsewhere, from the author of a NAD.
  for (const auto* parent : {"ens2", "ens9", "ens2/../ens1", "..", ""}) {
    const auto status = app::with_gids(pod(parent), nic.sysfs);
    INFO(parent);
    CHECK(status.is_whole);
    CHECK(Json::parse(status.text) == Json::parse(pod(parent).network_status));
  }
  auto broken = pod("ens1");
  broken.network_status = "{";
  CHECK(app::with_gids(broken, nic.sysfs).text == "{");
}
