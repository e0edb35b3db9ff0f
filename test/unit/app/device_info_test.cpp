// The device-info of a pod's network-status, from files as Allocate leaves them.
#include "plugin/app/device_info.hpp"

#include <fstream>

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include "test/support/temporary_folder.hpp"

using namespace railhead;
using namespace railhead::test;
using DeviceInfoJson = nlohmann::ordered_json;

namespace {

void write_info(const std::string& path, std::string_view text) { std::ofstream(path) << text; }

ipc::AttachedDevice attached_device(const std::string& id, const std::string& ifname) {
  return {id, ifname, "", {}, "rdma/vf"};
}

}  // namespace

TEST_CASE("A network-status tells the representor and the PF that a device-info file names") {
  const TemporaryFolder folder;
  write_info(
      folder.path() + "/rdma-vf-0000:3b:00.2-device.json",
      R"({"type":"pci","version":"1.1.0","pci":{"pci-address":"0000:3b:00.2","rdma-device":"mlx5_2",)"
      R"("pf-pci-address":"0000:3b:00.0","representor-device":"eth4"}})");
  write_info(folder.path() + "/rdma-vf-0000:3b:00.3-device.json", "{");
  // What another plugin left of a resource of its own.
  write_info(folder.path() + "/old-0000:5e:00.2-device.json", R"({"type":"pci","pci":{}})");
  const std::string own = R"({"type":"pci","version":"1.1.0","pci":{"pci-address":"?"}})";
  ipc::PodNews pod{
      "ml",
      "a",
      "u",
      R"([{"interface":"eth0"},{"interface":"net1","device-info":)" + own +
          R"(},{"interface":"net2","device-info":)" + own +
          R"(},{"interface":"net3","device-info":)" + own + "}]",
      {},
      {attached_device("0000:3b:00.2", "net1"), attached_device("0000:3b:00.3", "net2"),
       attached_device("0000:5e:00.2", "net3")},
      {}};
  const auto json = DeviceInfoJson::parse(app::with_device_info(pod, folder.path()));
  REQUIRE(json.size() == 4);
  CHECK_FALSE(json[0].contains("device-info"));
  CHECK(json[1]["device-info"]["pci"]["representor-device"] == "eth4");
  CHECK(json[1]["device-info"]["pci"]["pf-pci-address"] == "0000:3b:00.0");
  CHECK(json[2]["device-info"] == DeviceInfoJson::parse(own));  // it cannot be read
  CHECK(json[3]["device-info"] == DeviceInfoJson::parse(own));  // it has none
  CHECK(app::with_device_info(pod, folder.path() + "/missing") == pod.network_status);
}
