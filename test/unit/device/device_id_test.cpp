#include "device/device_id.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace railhead;
using device::DeviceId;

TEST_CASE("A device is read from what configurations call it") {
  CHECK(DeviceId::parse("0000:3B:00.2") == DeviceId(PciAddress{0, 0x3b, 0, 2}));
  CHECK(DeviceId::parse("mlx5_core.sf.4") == DeviceId(DeviceId::Kind::auxiliary, "mlx5_core.sf.4"));
  for (const auto* text : {"", "eth0", "mlx5_core.sf", "mlx5_core.sf.x", "a/b.sf.4", "..sf.4",
                           "mlx5_core.sf.4.5", "mlx5 core.sf.4", "3b:00.2"}) {
    INFO(text);
    CHECK_FALSE(DeviceId::parse(text));
  }
}

TEST_CASE("Two devices never share a file, and its name reads back") {
  const DeviceId pci(PciAddress{0, 0x3b, 0, 2});
  const DeviceId auxiliary(DeviceId::Kind::auxiliary, "mlx5_core.sf.4");
  const DeviceId net(DeviceId::Kind::net, "eth1");
  const DeviceId odd(DeviceId::Kind::net, "auxiliary.mlx5_core.sf.4");
  CHECK(pci.file_name() == "0000:3b:00.2");
  CHECK(auxiliary.file_name() == "auxiliary.mlx5_core.sf.4");
  CHECK(net.file_name() == "net.eth1");
  for (const auto& device : {pci, auxiliary, net, odd}) {
    CHECK(DeviceId::from_file_name(device.file_name()) == device);
  }
  CHECK_FALSE(DeviceId::from_file_name("eth1"));
  CHECK_FALSE(DeviceId::from_file_name("net./etc"));
}

TEST_CASE("A netdev's name that no file can have is none") {
  for (const auto* name : {"", ".", "..", "a/b", "a b"}) {
    CHECK_FALSE(DeviceId::from_parts("net", name));
  }
  CHECK_FALSE(DeviceId::from_parts("pci", "eth0"));
  CHECK_FALSE(DeviceId::from_parts("usb", "1-1"));
}
