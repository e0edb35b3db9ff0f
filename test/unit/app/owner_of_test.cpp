// What the CNI program is told of a device's owner.
#include "plugin/app/owner_of.hpp"

#include <catch2/catch_test_macros.hpp>

namespace railhead::test {
namespace {

using app::owner_of;
using ipc::OwnerAnswer;
using ipc::OwnerQuestion;
using ipc::OwnerState;
using ledger::Facts;

const std::string kA = "0000:3b:00.2";
const std::string kSubFunction = "mlx5_core.sf.4";

ledger::Listed listed(const std::string& pod, const std::string& id,
                      const std::string& resource = "rdma/vf") {
  return {"ml/" + pod, "main", resource, {id}};
}
OwnerAnswer held_by(const std::string& pod, const std::string& source = "podresources") {
  return {OwnerState::held, "ml", pod, "", "main", "rdma/vf", source};
}
OwnerAnswer answer(const Facts& facts, const OwnerQuestion& question = {kA, "ml", "asker"}) {
  return owner_of(ledger::merge(facts), question);
}

}  // namespace

TEST_CASE("The pod that kubelet lists with a device is its owner, whoever asks") {
  const Facts facts{.listed = {{listed("a", kA)}}};
  CHECK(answer(facts) == held_by("a"));
  CHECK(answer(facts, {kA, "ml", "a"}) == held_by("a"));
  CHECK(answer(facts, {"0000:3B:00.2"}) == held_by("a"));
}

TEST_CASE("Free is what kubelet has listed no pod with, and nothing before it has") {
  CHECK(answer({.listed = {{listed("a", "0000:3b:00.3")}}}) == OwnerAnswer{OwnerState::free});
  CHECK(answer({}) == OwnerAnswer{});
  CHECK(answer({.listed_early = {listed("a", "0000:3b:00.3")}}) == OwnerAnswer{});
}

TEST_CASE("A device that was just granted is held, by a pod that nobody knows yet") {
  Facts facts{.listed = {{}}, .granted = {{"rdma/vf", {kA}, {kA}, {}}}};
  const OwnerAnswer granted{.state = OwnerState::held, .resource = "rdma/vf", .source = "grant"};
  CHECK(answer(facts) == granted);
  // Also where the pod that had it has ended since kubelet listed it.
  facts.listed = {{listed("a", kA)}};
  facts.granted.front().is_newer = true;
  CHECK(answer(facts) == granted);
}

TEST_CASE("By kubelet's file alone the owner is a UID") {
  CHECK(answer({.saved = {{{"1f3c", "main", "rdma/vf", {kA}, {}, {}}}}}) ==
        OwnerAnswer{OwnerState::held, "", "", "1f3c", "main", "rdma/vf", "checkpoint"});
}

TEST_CASE("An attachment's record names a pod that kubelet does not list with the device") {
  CHECK(answer({.listed = {{}}, .attached = {{kA, "ml/a", ""}}}) ==
        OwnerAnswer{.state = OwnerState::held,
                    .pod_namespace = "ml",
                    .pod_name = "a",
                    .source = "attachment"});
  CHECK(answer({.listed = {{}}, .attached = {{kA, "", ""}}}) ==
        OwnerAnswer{.state = OwnerState::held, .source = "attachment"});
}

TEST_CASE("Of several pods the one that asks is named, then none while one is not known") {
  Facts facts{.listed = {{listed("a", kA + "::0"), listed("b", kA + "::1")}}};
  CHECK(answer(facts, {kA, "ml", "b"}) == held_by("b"));
  CHECK(answer(facts) == held_by("a"));
  facts.attached = {{kA, "ml/c", ""}};
  CHECK(answer(facts) == held_by("a"));
  CHECK(answer(facts, {kA, "ml", "c"}).source == "attachment");
  facts.granted = {{"rdma/vf", {kA + "::2"}, {kA}, {}}};
  CHECK(answer(facts, {kA, "ml", "b"}) == held_by("b"));
  CHECK(answer(facts).source == "grant");
  CHECK(answer(facts).pod_name.empty());
}

TEST_CASE("A sub-function is known by its name; what is neither that nor PCI's is unknown") {
  const Facts facts{.listed = {{listed("a", kSubFunction)}}};
  CHECK(answer(facts, {kSubFunction}) == held_by("a"));
  CHECK(answer(facts, {"mlx5_core.sf.5"}) == OwnerAnswer{OwnerState::free});
  for (const auto* device : {"eth0", "", "3b:00.2", "mlx5_core.rdma.0", "0000:3b:00.2::1"}) {
    CHECK(answer(facts, {device}) == OwnerAnswer{});
  }
}

}  // namespace railhead::test
