// `reset: true`: the undo makes the function anew, and restores its settings after that.
#include <cerrno>
#include <filesystem>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "attach/reconcile.hpp"
#include "test/unit/attach/node.hpp"

using namespace railhead;
using namespace railhead::attach;
using namespace railhead::test;
using Catch::Matchers::ContainsSubstring;

namespace fs = std::filesystem;

namespace {

struct ResetNode : Node {
  explicit ResetNode(const FakePfRequest& pf = {.vfs = 2}) : Node(pf) {}

  [[nodiscard]] AttachRequest asked(const std::string& container = "c0") const {
    auto wanted = request(container);
    wanted.reset = true;
    return wanted;
  }
  FakeVf& vf() { return fake.kernel.pfs[0]->vfs[0]; }
  // What a pod does to its device that nothing else undoes.
  void use() {
    vf().hardware_state = "flow rules";
    for (auto& link : fake.kernel.links) {
      if (link->link.parent_device == "0000:11:00.0") link->ethtool = "small rings";
    }
  }
  [[nodiscard]] std::string function() const { return fake.kernel.sysfs.folder("0000:11:00.0"); }
  void bind_to_vfio() {
    for (const char* folder : {"net", "infiniband", "infiniband_verbs", "infiniband_mad"}) {
      fs::remove_all(function() + "/" + folder);
    }
    fs::remove(function() + "/driver");
    fs::create_symlink("../../../../bus/pci/drivers/vfio-pci", function() + "/driver");
    std::erase_if(fake.kernel.links, [](const auto& one) { return one->link.name == "p0v0"; });
    std::erase_if(fake.kernel.rdma, [](const auto& one) { return one->device.name == "mlx5_1"; });
  }
  // What was done to the function itself, in order.
  [[nodiscard]] std::vector<std::string> resets() const {
    std::vector<std::string> found;
    for (const auto& line : fake.operations) {
      for (const char* name : {"host: unbind ", "host: reset ", "host: bind "}) {
        if (line.starts_with(name)) found.push_back(line.substr(6));
      }
    }
    return found;
  }
  [[nodiscard]] std::optional<Record> record() { return must(store().load(request().key)); }
  Reconciled reconcile() {
    const auto limit = deadline();
    const auto records = store();
    Pauses none(fake.clock);
    return must(attach::reconcile({fake.host, records, limit, log}, Doing::it, none));
  }
};

const std::vector<std::string> kRebindWithReset = {
    "unbind 0000:11:00.0 mlx5_core", "reset 0000:11:00.0", "bind 0000:11:00.0 mlx5_core"};

}  // namespace

TEST_CASE("A reset makes the VF anew, and all its settings are as before after it") {
  const auto mode = GENERATE(host::RdmaNetnsMode::shared, host::RdmaNetnsMode::exclusive);
  const auto driver = GENERATE(FakeDriver::mlx5(), FakeDriver::igb());
  ResetNode node({.vfs = 2, .driver = driver});
  node.fake.kernel.rdma_mode = mode;
  node.set_admin_mac("02:00:00:00:00:07");
  const auto index = node.fake.link("host", "p0v0")->index;
  const auto before = node.standing();
  must(node.attach(node.asked()));
  CHECK(node.record()->reset == Reset::asked);
  node.use();
  node.fake.operations.clear();
  must(node.detach(node.asked().key));
  CHECK(node.resets() == kRebindWithReset);
  CHECK(node.standing() == before);
  CHECK(node.fake.link("host", "p0v0")->index != index);
}

TEST_CASE("Without `reset` what the pod did to its device stays, and its driver is left alone") {
  ResetNode node;
  must(node.attach(node.request()));
  node.use();
  must(node.detach(node.request().key));
  CHECK(node.resets().empty());
  CHECK(node.vf().hardware_state == "flow rules");
}

TEST_CASE("Without a function level reset the driver's own start is the reset") {
  ResetNode node({.vfs = 2, .flr = false});
  const auto before = node.standing();
  must(node.attach(node.asked()));
  node.use();
  must(node.detach(node.asked().key));
  CHECK(node.resets() == std::vector{kRebindWithReset.front(), kRebindWithReset.back()});
  CHECK(node.standing() == before);
}

TEST_CASE("A kernel that does not tell the methods of a reset has one where it has the file") {
  ResetNode node;
  fs::remove(node.function() + "/reset_method");
  must(node.attach(node.asked()));
  must(node.detach(node.asked().key));
  CHECK(node.resets() == kRebindWithReset);
}

TEST_CASE("A function level reset that is refused leaves the driver's own") {
  ResetNode node;
  const auto before = node.standing();
  must(node.attach(node.asked()));
  node.fake.fail_next("reset", ENOTTY);
  must(node.detach(node.asked().key));
  CHECK(node.standing() == before);
}

TEST_CASE("A failed ADD is undone with the reset, too") {
  ResetNode node;
  const auto before = node.standing();
  node.fake.fail_next("change_vf", EPERM);
  REQUIRE_FALSE(node.attach(node.asked()));
  CHECK(node.resets() == kRebindWithReset);
  CHECK(node.standing() == before);
}

TEST_CASE("A userspace driver's VF is reset by itself, and never taken from its driver") {
  ResetNode node;
  node.bind_to_vfio();
  node.set_admin_mac("02:00:00:00:00:07");
  auto request = node.asked();
  request.settings.mtu.reset();
  const auto before = node.standing();
  must(node.attach(request));
  node.use();
  must(node.detach(request.key));
  CHECK(node.resets() == std::vector<std::string>{"reset 0000:11:00.0"});
  CHECK(node.standing() == before);
}

TEST_CASE("A VF that could not be reset is refused before any change") {
  ResetNode node({.vfs = 2, .flr = false});
  std::string expected = "is bound to vfio-pci and has no function level reset";
  if (GENERATE(true, false)) {
    node.bind_to_vfio();
  } else {
    node.fake.kernel.sysfs.write(node.function() + "/physfn/sriov_drivers_autoprobe", "0");
    node.fake.kernel.sysfs.write(node.function() + "/driver_override", "(null)");
    expected = "could not be bound to mlx5_core again: sriov_drivers_autoprobe of its PF is 0";
  }
  const auto before = node.standing();
  const auto refused = node.attach(node.asked());
  REQUIRE(is(refused, ErrorCode::unsupported));
  CHECK_THAT(refused.error().message,
             ContainsSubstring("reset: true: VF 0000:11:00.0 " + expected));
  CHECK(node.fake.operations.empty());
  CHECK(node.standing() == before);
}

TEST_CASE("A VF that its driver_override names can be bound again whatever its PF says") {
  ResetNode node;
  node.fake.kernel.sysfs.write(node.function() + "/physfn/sriov_drivers_autoprobe", "0");
  node.fake.kernel.sysfs.write(node.function() + "/driver_override", "mlx5_core");
  must(node.attach(node.asked()));
  must(node.detach(node.asked().key));
  CHECK(node.resets() == kRebindWithReset);
}

TEST_CASE(
    "A reset that hangs: DEL fails for a minute, then the device is in quarantine until it is "
    "over") {
  const std::string where = GENERATE("unbind", "reset", "bind");
  INFO(where);
  ResetNode node;
  const auto before = node.standing();
  must(node.attach(node.asked()));
  node.use();
  node.fake.hanging = where;
  const auto began = node.fake.clock.now();
  const auto first = node.detach_all(node.asked().key);
  CHECK(node.fake.clock.now() - began == std::chrono::seconds(15));
  REQUIRE(first.error);
  CHECK(first.error->code == ErrorCode::timeout);
  CHECK_THAT(first.error->message,
             ContainsSubstring("resetting VF 0000:11:00.0") && ContainsSubstring("hangs"));
  CHECK(first.is_silent);  // it is in the host
  CHECK(node.record()->reset == Reset::begun);

  // Its lock is free, and who comes next is not held up by what hangs.
  const auto again = node.fake.clock.now();
  const auto second = node.detach_all(node.asked().key);
  REQUIRE(second.error);
  CHECK_THAT(second.error->message, ContainsSubstring("an earlier one still hangs"));
  CHECK(node.fake.clock.now() == again);

  node.fake.clock.advance(std::chrono::seconds(61));
  const auto last = node.detach_all(node.asked().key);
  CHECK_FALSE(last.error);
  REQUIRE(last.quarantined);
  CHECK_THAT(*last.quarantined, ContainsSubstring("still hangs"));
  node.fake.delete_netns("pod0");
  node.pod = node.fake.add_netns("pod1");
  REQUIRE(is(node.attach(node.asked("c1")), ErrorCode::busy));

  node.fake.hanging.clear();
  CHECK(node.reconcile().left.empty());
  CHECK(node.standing() == before);
}

TEST_CASE("A driver that cannot be bound again is a quarantine, which is mended once it can") {
  ResetNode node;
  const auto before = node.standing();
  must(node.attach(node.asked()));
  node.use();
  node.fake.fail_next("bind", EIO);
  const auto detached = node.detach_all(node.asked().key);
  REQUIRE(detached.quarantined);
  CHECK_THAT(*detached.quarantined, ContainsSubstring("resetting VF 0000:11:00.0"));
  CHECK(node.record()->reset == Reset::begun);
  // It has no driver, so that no pod can have it: by that evidence it is taken up.
  CHECK(node.reconcile().left.empty());
  CHECK(node.standing() == before);
}

TEST_CASE("A netdev that its driver makes later is waited for") {
  ResetNode node;
  const auto before = node.standing();
  must(node.attach(node.asked()));
  std::function<void()> make;
  node.fake.kernel.later = [&](std::function<void()> made) {
    make = std::move(made);
    const auto due = node.fake.clock.now() + std::chrono::seconds(3);
    node.fake.clock.on_advance = [&, due] {
      if (make && node.fake.clock.now() >= due) std::exchange(make, nullptr)();
    };
  };
  must(node.detach(node.asked().key));
  CHECK(node.standing() == before);
}

TEST_CASE("A netdev that does not come is a failed DEL, and the device nobody's") {
  ResetNode node;
  const auto before = node.standing();
  must(node.attach(node.asked()));
  node.fake.kernel.later = [](const auto&) {};
  const auto detached = node.detach_all(node.asked().key);
  REQUIRE(detached.error);
  CHECK_THAT(detached.error->message,
             ContainsSubstring("its driver mlx5_core has made no netdev for it within 10 s"));
  node.fake.kernel.later = nullptr;
  must(node.detach(node.asked().key));
  CHECK(node.standing() == before);
}

TEST_CASE("What a quarantine waits for after its reset does not reset it again and again") {
  ResetNode node({.vfs = 2, .driver = FakeDriver::igb()});
  auto request = node.asked();
  request.settings = {};
  request.settings.vf.rate = host::VfRate{0, 100};
  must(node.attach(request));
  node.fake.link("host", "p0")->carrier = false;  // igb refuses rates then
  REQUIRE(node.detach_all(request.key).quarantined);
  CHECK(node.record()->reset == Reset::done);
  CHECK(node.reconcile().left.size() == 1);
  CHECK(node.resets() == kRebindWithReset);
}
