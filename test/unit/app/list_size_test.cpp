#include "plugin/pool/list_size.hpp"

#include <catch2/catch_test_macros.hpp>

#include "plugin/kubelet/messages.hpp"

namespace railhead::test {

TEST_CASE("a list's size is that of the message that kubelet gets") {
  std::vector<pool::Offer> offers;
  std::vector<kubelet::Device> devices;
  for (const auto* id : {"0", "99999", "0000:3b:00.2", "0000:3b:00.2::999", "mlx5_core.sf.4"}) {
    for (const auto node : {std::optional<int>(), std::optional(0), std::optional(1),
                            std::optional(127), std::optional(200)}) {
      offers.push_back({id, false, node, std::nullopt});
      kubelet::Device device{id, false};
      if (node) device.numa_nodes = {*node};
      devices.push_back(device);
      CHECK(pool::list_bytes(offers) == kubelet::message_of(devices).ByteSizeLong());
    }
  }
  for (auto& device : devices) device.healthy = true;
  CHECK(pool::list_bytes(offers) > kubelet::message_of(devices).ByteSizeLong());
}

}  // namespace railhead::test
