// Records in files and real locks; the inventory is the test's.
#include "plugin/ledger/attachments.hpp"

#include <cerrno>
#include <filesystem>

#include <catch2/catch_test_macros.hpp>
#include <sys/resource.h>

#include "linux/file_locks.hpp"
#include "test/support/fake_clock.hpp"
#include "test/support/must.hpp"
#include "test/support/temporary_folder.hpp"

namespace railhead::test {
namespace {

const PciAddress kVf = *PciAddress::parse("0000:11:00.0");

struct RecordedNode {
  explicit RecordedNode(bool has_netdev = true) {
    must(store.prepare());
    record.key = {"rail", "c0", "net1"};
    record.pod = "ns/a";
    record.device = kVf;
    record.vf = attach::VfPart{*PciAddress::parse("0000:10:00.0"), 0, {}, {}};
    record.netns_path = "/run/netns/pod";
    if (!has_netdev) record.kind = attach::KindName::user_vf;
    if (has_netdev) {
      record.link = attach::LinkPart{
          {.name = "p0v0", .address = *HwAddress::parse("02:00:00:00:00:01"), .mtu = 1500}, {}, {}};
    }
    must(store.save(record));
    must(store.claim(record));
  }
  Result<ledger::Attachments> try_to_look(bool netdev_in_host) {
    device::PciFunction function;
    function.address = kVf;
    function.pci_class = 0x020000;
    if (netdev_in_host) function.netdevs.push_back({.name = "p0v0"});
    return ledger::read_attachments(store, locks, device::Inventory({function}, std::nullopt, {}));
  }
  ledger::Attachments look(bool netdev_in_host) { return must(try_to_look(netdev_in_host)); }
  // What keeps the device from being given to anybody; "": nothing.
  [[nodiscard]] static std::string trouble(const ledger::Attachments& all) {
    for (const auto& attached : all.attached) {
      if (attached.device == kVf.to_string()) return attached.trouble;
    }
    return "";
  }
  TemporaryFolder folder;
  attach::Store store{folder.path() + "/run"};
  FakeClock clock;
  linux::LinuxFileLocks locks{clock};
  attach::Record record;
};

}  // namespace

TEST_CASE("A device inside its pod is well") {
  RecordedNode node;
  const auto held = node.look(false);
  CHECK(held.attached == std::vector<ledger::Attached>{{kVf.to_string(), "ns/a", ""}});
  CHECK_FALSE(held.is_moving);
}

TEST_CASE(
    "A device that is back in the host while its record stands is sick, and says whose it was") {
  RecordedNode node;
  const auto held = node.look(true);
  CHECK(node.trouble(held).find("ns/a") != std::string::npos);
}

TEST_CASE("A device that somebody is at work on is not judged") {
  RecordedNode node;
  const auto lock = must(node.locks.lock(node.store.device_lock(kVf), std::chrono::seconds(1)));
  const auto held = node.look(true);
  CHECK(node.trouble(held).empty());
  CHECK(held.is_moving);
}

TEST_CASE("A device whose record is removed is well") {
  RecordedNode node;
  must(node.store.remove(node.record));
  CHECK(node.look(true).attached.empty());
}

TEST_CASE("A device of a userspace driver, which never leaves the host, is not judged") {
  RecordedNode node(false);
  CHECK(node.trouble(node.look(false)).empty());
}

TEST_CASE("A record that cannot be read is reported") {
  RecordedNode node;
  must(host::write_file_atomically(node.store.folder() + "/broken.json", "{", 0600));
  const auto held = node.look(false);
  CHECK(held.unreadable.size() == 1);
  CHECK(node.trouble(held).empty());  // whose device it was is not known
}

TEST_CASE("Records that could not be read are not taken for none") {
  RecordedNode node;
  const auto record = node.store.folder() + '/' + attach::record_name(node.record.key);
  SECTION("for want of descriptors") {
    rlimit before{};
    REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
    const rlimit none{0, before.rlim_max};
    REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
    const auto held = node.try_to_look(false);
    REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
    REQUIRE_FALSE(held);
    CHECK(held.error().os_errno == EMFILE);
  }
  SECTION("the folder") {
    std::filesystem::remove_all(node.store.folder());
    must(host::write_file_atomically(node.store.folder(), "", 0600));
    CHECK_FALSE(node.try_to_look(false));
  }
  SECTION("one of them") {
    std::filesystem::remove(record);
    std::filesystem::create_directory(record);
    const auto held = node.look(false);
    CHECK(held.unreadable.size() == 1);
    CHECK_FALSE(node.trouble(held).empty());
  }
}

TEST_CASE("Where no folder of records is there is no attachment") {
  RecordedNode node;
  std::filesystem::remove_all(node.folder.path() + "/run");
  CHECK(node.look(false).attached.empty());
}

TEST_CASE("A device that is claimed by a record that cannot be read is sick") {
  RecordedNode node;
  const auto name = attach::record_name(node.record.key);
  must(host::write_file_atomically(node.store.folder() + '/' + name, "{", 0600));
  const auto held = node.look(false);
  CHECK(node.trouble(held).find("devices/" + kVf.to_string()) != std::string::npos);
}

}  // namespace railhead::test
