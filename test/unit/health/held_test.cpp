// Records in files and real locks; the inventory is the test's.
#include "plugin/health/held.hpp"

#include <catch2/catch_test_macros.hpp>

#include "linux/file_locks.hpp"
#include "test/support/fake_clock.hpp"
#include "test/support/must.hpp"
#include "test/support/temporary_folder.hpp"

namespace railhead::test {
namespace {

const PciAddress kVf = *PciAddress::parse("0000:11:00.0");

struct HeldNode {
  explicit HeldNode(bool has_netdev = true) {
    must(store.prepare());
    record.key = {"rail", "c0", "net1"};
    record.pod = "ns/a";
    record.device = kVf;
    record.pf = *PciAddress::parse("0000:10:00.0");
    record.netns_path = "/run/netns/pod";
    if (has_netdev) {
      record.link = attach::LinkState{
          .name = "p0v0", .address = *HwAddress::parse("02:00:00:00:00:01"), .mtu = 1500};
    }
    must(store.save(record));
    must(store.claim(record));
  }
  health::Held look(bool netdev_in_host) {
    device::PciFunction function;
    function.address = kVf;
    function.pci_class = 0x020000;
    if (netdev_in_host) function.netdevs.push_back({.name = "p0v0"});
    return health::look_at_records(store, locks, device::Inventory({function}, std::nullopt, {}));
  }
  TemporaryFolder folder;
  attach::Store store{folder.path() + "/run"};
  FakeClock clock;
  linux::LinuxFileLocks locks{clock};
  attach::Record record;
};

}  // namespace

TEST_CASE("A device inside its pod is well") {
  HeldNode node;
  const auto held = node.look(false);
  CHECK(held.sick.empty());
  CHECK_FALSE(held.is_moving);
}

TEST_CASE(
    "A device that is back in the host while its record stands is sick, and says whose it was") {
  HeldNode node;
  const auto held = node.look(true);
  REQUIRE(held.sick.contains(kVf));
  CHECK(held.sick.at(kVf).find("ns/a") != std::string::npos);
}

TEST_CASE("A device that somebody is at work on is not judged") {
  HeldNode node;
  const auto lock = must(node.locks.lock(node.store.device_lock(kVf), std::chrono::seconds(1)));
  const auto held = node.look(true);
  CHECK(held.sick.empty());
  CHECK(held.is_moving);
}

TEST_CASE("A device whose record is removed is well") {
  HeldNode node;
  must(node.store.remove(node.record));
  CHECK(node.look(true).sick.empty());
}

TEST_CASE("A device of a userspace driver, which never leaves the host, is not judged") {
  HeldNode node(false);
  CHECK(node.look(false).sick.empty());
}

TEST_CASE("A record that cannot be read is reported") {
  HeldNode node;
  must(host::write_file_atomically(node.store.folder() + "/broken.json", "{", 0600));
  const auto held = node.look(false);
  CHECK(held.unreadable.size() == 1);
  CHECK(held.sick.empty());  // whose device it was is not known
}

TEST_CASE("A device that is claimed by a record that cannot be read is sick") {
  HeldNode node;
  const auto name = attach::record_name(node.record.key);
  must(host::write_file_atomically(node.store.folder() + '/' + name, "{", 0600));
  const auto held = node.look(false);
  REQUIRE(held.sick.contains(kVf));
  CHECK(held.sick.at(kVf).find("devices/" + kVf.to_string()) != std::string::npos);
}

}  // namespace railhead::test
