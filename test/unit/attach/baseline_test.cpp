// What a holder without an attachment leaves: it is undone before the next pod gets the device, and
// what an operator sets on a free device stays.
#include "attach/baseline.hpp"

#include <filesystem>
#include <fstream>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "test/unit/attach/node.hpp"

using namespace railhead;
using namespace railhead::attach;
using namespace railhead::test;
using Catch::Matchers::ContainsSubstring;

namespace {

const device::DeviceId kDevice = *PciAddress::parse("0000:11:00.0");

struct Held : Node {
  explicit Held(const FakePfRequest& pf = {.vfs = 2}) : Node(pf) {}

  // As the agent sees it.
  void got_a_holder() {
    with_work([](const Work& work) { must(note_held(work, kDevice)); });
  }
  void lost_its_holder() {
    with_work([](const Work& work) { must(note_free(work, kDevice)); });
  }

  template <class Use>
  void with_work(const Use& use) {
    const auto until = deadline();
    const auto records = store();
    use(Work{fake.host, records, until, log});
  }

  void set_vf(const host::VfAttributes& change) {
    must(fake.host.links.change_vf(must(fake.host.links.by_name("p0")).index, 0, change));
  }
  void set_link(const host::LinkChange& change) {
    must(fake.host.links.change(fake.link("host", "p0v0")->index, change));
  }
  // All that a privileged pod in the host's namespace, or another CNI plugin, can leave.
  void spoil() {
    set_vf({.mac = HwAddress::parse("02:00:00:00:00:66")});
    set_vf({.vlan = host::VfVlan{66, 1, 0x8100}});
    set_vf({.trust = true});
    set_vf({.spoofchk = false});
    set_link({.mtu = 2000, .promisc = true, .allmulti = true, .alias = "mine"});
    must(fake.host.links.add_alt_name(fake.link("host", "p0v0")->index, "spoilt"));
    set_link({.name = "other0"});
  }

  [[nodiscard]] bool has_baseline() const {
    return std::filesystem::exists(store().baseline(kDevice));
  }
  void check_next_pod(const std::string& before) {
    must(attach(request()));
    must(detach(request().key));
    CHECK(standing() == before);
    CHECK_FALSE(has_baseline());
  }
};

}  // namespace

TEST_CASE("What a holder without an attachment changed is undone for the next pod") {
  Held node;
  const auto before = node.standing();
  node.got_a_holder();
  node.spoil();
  SECTION("it was seen to end") { node.lost_its_holder(); }
  SECTION("it was not") {}
  node.got_a_holder();
  node.check_next_pod(before);
}

TEST_CASE("A pod that wants no VLAN is in none that a former holder left") {
  Held node;
  node.got_a_holder();
  node.spoil();
  node.lost_its_holder();
  auto request = node.request();
  request.settings = {};
  must(node.attach(request));
  const auto vf = must(node.fake.host.links.vf(must(node.fake.host.links.by_name("p0")).index, 0));
  CHECK(vf.vlan == host::VfVlan{});
  CHECK(vf.trust == false);
  CHECK(must(node.store().load(request.key))->link->before.mtu == 1500);
}

TEST_CASE("What an operator sets a moment before ADD, the pod gets, and it stays") {
  Held node;
  node.got_a_holder();  // Allocate
  node.set_link({.mtu = 4000});
  node.set_vf({.vlan = host::VfVlan{7, 0, 0x8100}});
  const auto before = node.standing();
  auto request = node.request();
  request.settings = {};
  CHECK(must(node.attach(request)).mtu == 4000);
  must(node.detach(request.key));
  node.lost_its_holder();
  CHECK(node.standing() == before);
  CHECK_FALSE(node.has_baseline());
}

TEST_CASE("What an operator sets on a free device counts as before") {
  Held node;
  node.got_a_holder();
  node.lost_its_holder();  // as it was
  CHECK_FALSE(node.has_baseline());
  node.set_link({.mtu = 4000});
  const auto before = node.standing();
  node.got_a_holder();
  node.spoil();
  node.lost_its_holder();
  node.check_next_pod(before);
}

TEST_CASE("A baseline of VFs that were made anew is none") {
  Held node;
  node.got_a_holder();
  const auto file = node.store().baseline(kDevice);
  auto text = must(host::read_file(file));
  const auto at = text.rfind("\"inode\":");  // the first is the namespace's
  REQUIRE(at != std::string::npos);
  text.insert(text.find_first_of("0123456789", at), "9");
  std::ofstream(file) << text;
  node.set_link({.mtu = 4000});
  const auto before = node.standing();
  node.got_a_holder();  // its own
  node.lost_its_holder();
  node.check_next_pod(before);
}

TEST_CASE("A device is not given on while what it is owed cannot be given back") {
  Held node({.vfs = 2, .driver = FakeDriver::igb()});
  const auto before = node.standing();
  node.got_a_holder();
  node.set_vf({.rate = host::VfRate{0, 100}});
  node.lost_its_holder();
  node.fake.link("host", "p0")->carrier = false;  // igb takes no rate of 0 then
  const auto refused = node.attach(node.request());
  REQUIRE(is(refused, ErrorCode::busy));
  CHECK_THAT(refused.error().message, ContainsSubstring("before its last holder"));
  CHECK(node.records() == 0);
  node.fake.link("host", "p0")->carrier = true;
  node.check_next_pod(before);
}

TEST_CASE("An attachment keeps its own record of what stood before") {
  Held node;
  const auto before = node.standing();
  must(node.attach(node.request()));
  node.got_a_holder();
  must(node.detach(node.request().key));
  CHECK(node.standing() == before);
  CHECK_FALSE(node.has_baseline());
}

TEST_CASE("A device that is away with its holder is not judged") {
  Held node;
  node.got_a_holder();
  node.set_link({.netns_fd = must(node.fake.host.netns.open(node.pod)).fd()});
  node.lost_its_holder();
  CHECK(node.has_baseline());
  CHECK_FALSE(node.attach(node.request()));
}

TEST_CASE("A baseline that cannot be read, or that somebody else may have written, is none") {
  Held node;
  node.got_a_holder();
  const auto file = node.store().baseline(kDevice);
  SECTION("no JSON") { std::ofstream(file) << "{"; }
  SECTION("another device's") {
    auto text = must(host::read_file(file));
    text.replace(text.find("0000:11:00.0"), 12, "0000:11:00.1");
    std::ofstream(file) << text;
  }
  SECTION("writable for others") {
    std::filesystem::permissions(file, std::filesystem::perms{0666});
  }
  node.set_link({.mtu = 4000});
  CHECK(must(node.attach(node.request())).mtu == 9000);
  must(node.detach(node.request().key));
  CHECK(node.fake.link("host", "p0v0")->mtu == 4000);
}

TEST_CASE("An ADD that was killed while it repaired leaves the rest to the next") {
  unsigned point = 1;
  for (bool reached = true; reached; ++point) {
    INFO("killed before change " << point);
    Held node;
    const auto before = node.standing();
    node.got_a_holder();
    node.spoil();
    node.lost_its_holder();
    node.fake.kill_before(point);
    reached = false;
    try {
      must(node.attach(node.request()));
    } catch (const FakeHost::Killed&) {
      reached = true;
    }
    node.fake.kill_before(0);
    must(node.detach(node.request().key));
    node.check_next_pod(before);
  }
  CHECK(point > 15);
}
