// Which functions a resource may have to itself, and what the node itself uses.
#include <fstream>
#include <sstream>

#include "plugin/pool/explain.hpp"
#include "test/unit/pool/node.hpp"

namespace railhead::test {
namespace {

constexpr auto kPf = "0000:5e:00.0";   // may have VFs, has none
constexpr auto kNic = "0000:5f:00.0";  // cannot have any

// Beside p0 and its VFs a PF without VFs and a NIC, all with RDMA devices.
struct MixedNode : Node {
  MixedNode() {
    tree.add({.address = kPf,
              .total_vfs = 16,
              .netdevs = {{.name = "p1"}},
              .rdma = {{.name = "mlx5_8", .number = 8}}});
    tree.add(
        {.address = kNic, .netdevs = {{.name = "nic"}}, .rdma = {{.name = "mlx5_9", .number = 9}}});
  }
  // The devices of one resource of pools.
  Ids pool(const std::string& keys) { return ids(select_json(resource(keys)).pools.at(0)); }
  static std::string resource(const std::string& keys) {
    return "pools: [{resourceName: x, resourcePrefix: rdma, selectors: {}, " + keys + "}]";
  }
  // The node has an address on this function's netdev.
  void add_address(const std::string& function, const std::string& name) {
    host::Link link;
    link.index = 20 + static_cast<uint32_t>(still.links.all.size());
    link.name = name;
    link.type = 1;
    link.parent_device = function;
    still.links.all.push_back(link);
    still.links.of_all.push_back({link.index, *host::IpPrefix::parse("192.0.2.1/24")});
  }
};

const Ids kVfs = {Node::vf(0), Node::vf(1), Node::vf(2), Node::vf(3)};

Ids with(Ids ids, const Ids& more) {
  ids.insert(ids.end(), more.begin(), more.end());
  return ids;
}

}  // namespace

TEST_CASE("an exclusive pool has VFs, and functions that can have none") {
  MixedNode node;
  CHECK(node.pool("kind: exclusive") == with(kVfs, {kNic}));
  CHECK(node.pool("functions: [vf]") == kVfs);
  CHECK(node.pool("functions: [nic]") == Ids{kNic});
  CHECK(node.pool("functions: [vf, nic, pf]") == with(kVfs, {kPf, kNic}));
}

TEST_CASE("a pool of PFs has those without VFs, made or not yet") {
  MixedNode node;
  CHECK(node.pool("functions: [pf]") == Ids{kPf});
  node.tree.add_vf(kPf, 0, {.address = "0000:5e:01.0"});
  CHECK(node.pool("functions: [pf]").empty());
}

TEST_CASE("a shared pool has all functions, or those that it names") {
  MixedNode node;
  CHECK(node.pool("kind: shared, perDevice: 2") ==
        with(Ids{"0000:3b:00.0"}, with(kVfs, {kPf, kNic})));
  CHECK(node.pool("kind: shared, perDevice: 2, functions: [pf]") == Ids{"0000:3b:00.0", kPf});
}

TEST_CASE("resourceList has PFs without VFs too, as its program does") {
  MixedNode node;
  CHECK(node.ids_of("{}") == with(kVfs, {kPf, kNic}));
}

TEST_CASE("a VF whose PF the node does not show is a NIC") {
  MixedNode node;
  node.tree.add({.address = "0000:60:00.0", .device_id = "101e", .netdevs = {{.name = "alone"}}});
  CHECK(node.pool("functions: [nic]") == Ids{kNic, "0000:60:00.0"});
}

TEST_CASE("a function that a pool may not have is told, with the key that would offer it") {
  MixedNode node;
  const std::string why =
      "functions: it is a PF that can have 16 VFs; functions: [pf] would offer it whole";
  const auto text = MixedNode::resource("kind: exclusive");
  CHECK(reason(node.select_json(text), kPf) == "rdma/x: " + why);
  const auto config = Node::parse(text);
  for (const auto& one : pool::explain(config, node.scan(config))) {
    if (one.device == kPf) CHECK(one.verdicts.at(0).reasons == Ids{why});
  }
}

TEST_CASE("the shipped example offers no PF before its VFs are made, and its VFs afterwards") {
  std::ostringstream example;
  example << std::ifstream("manifests/base/config.yaml").rdbuf();
  REQUIRE(!example.str().empty());
  Node node;
  for (const auto* pf : {"0000:70:00.0", "0000:71:00.0"}) {
    node.tree.add({.address = pf,
                   .total_vfs = 16,
                   .rdma = {{.name = std::string("mlx5_") + pf[6],
                             .number = 30U + static_cast<unsigned>(pf[6] - '0')}}});
  }
  const auto offered = [&] {
    Ids all;
    for (const auto& pool : node.select_json(example.str()).pools) {
      for (auto& id : ids(pool)) all.push_back(id);
    }
    return all;
  };
  CHECK(offered() == kVfs);
  node.tree.add_vf("0000:70:00.0", 0,
                   {.address = "0000:70:01.0", .rdma = {{.name = "mlx5_40", .number = 40}}});
  CHECK(offered() == with(kVfs, {"0000:70:01.0"}));
}

TEST_CASE(
    "in pools a device that has an address of the node is offered only when that is asked for") {
  MixedNode node;
  node.add_address(kNic, "nic");
  node.add_address(Node::vf(1), "p0v1");
  CHECK(node.pool("kind: exclusive") == Ids{Node::vf(0), Node::vf(2), Node::vf(3)});
  CHECK(reason(node.select_json(MixedNode::resource("kind: exclusive")), kNic) ==
        "rdma/x: the node has an address on its netdev nic, which it would lose; allowAddressed: "
        "true offers it all the same");
  const auto allowed = node.select_json(MixedNode::resource("allowAddressed: true")).pools.at(0);
  CHECK(ids(allowed) == with(kVfs, {kNic}));
  CHECK(allowed.members.back().concerns == Ids{"its netdev nic is down"});
  CHECK(node.pool("kind: shared, perDevice: 2").size() == 7);
}

TEST_CASE("in the other grammars it is offered with a warning, and shared without") {
  MixedNode node;
  node.add_address(kNic, "nic");
  const auto pool = node.select({"{}"}).pools.at(0);
  REQUIRE(ids(pool) == with(kVfs, {kPf, kNic}));
  CHECK(pool.members.back().sickness.empty());
  CHECK(pool.members.back().concerns ==
        Ids{"its netdev nic is down",
            "the node has an address on its netdev nic, which it loses to the pod"});
  CHECK(join(pool.members.at(1).concerns, "; ").find("address") == std::string::npos);
  const auto shared =
      node.select_json(R"({"configList":[{"resourceName":"x","rdmaHcaMax":1,"devices":["nic"]}]})");
  CHECK(shared.pools.at(0).members.at(0).concerns == Ids{"its netdev nic is down"});
}

TEST_CASE(
    "a NIC with the default route is offered to no container alone, addresses allowed or not") {
  MixedNode node;
  node.add_address(kNic, "nic");
  node.still.links.defaults = {{.out_index = node.still.links.all.back().index}};
  CHECK(node.pool("allowAddressed: true") == kVfs);
  CHECK(node.ids_of("{}") == with(kVfs, {kPf}));
}

}  // namespace railhead::test
