#include "base/container_devices.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace railhead;

namespace {

using Ids = std::vector<std::string>;

Ids sorted(Ids ids) {
  sort_device_ids(ids);
  return ids;
}

}  // namespace

TEST_CASE("Devices stand in the order of their PCI addresses, as numbers") {
  CHECK(sorted({"10000:01:00.0", "2000:01:00.0", "0000:AF:00.1", "0000:3b:00.2", "0000:3b:00.1"}) ==
        Ids{"0000:3b:00.1", "0000:3b:00.2", "0000:AF:00.1", "2000:01:00.0", "10000:01:00.0"});
}

TEST_CASE("A share stands where its device does, and what has no address last, as text") {
  CHECK(sorted({"mlx5_core.sf.4", "GPU-1", "7", "12", "10000:01:00.0::0", "2000:01:00.0::1",
                "2000:01:00.0", "2000:01:00.0::0", ""}) ==
        Ids{"2000:01:00.0", "2000:01:00.0::0", "2000:01:00.0::1", "10000:01:00.0::0", "", "12", "7",
            "GPU-1", "mlx5_core.sf.4"});
}
