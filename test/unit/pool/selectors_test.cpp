// Every selector, device type and kind of resource, each with what it takes and what it refuses.
#include <filesystem>

#include "plugin/pool/explain.hpp"
#include "test/unit/pool/node.hpp"

namespace railhead::test {
namespace {

// What a resource with this selector says of a device.
std::string refusal_of(Node& node, const std::string& device, const std::string& selector,
                       const std::string& type = "netDevice",
                       const std::string& list = "resourceList") {
  const auto config = Node::parse(
      fmt::format(R"({{"{}":[{{"resourceName":"x","deviceType":"{}","selectors":{}}}]}})", list,
                  type, selector));
  for (const auto& one : pool::explain(config, node.scan(config))) {
    if (one.device == device) return join(one.verdicts.at(0).reasons, "; ");
  }
  return "no such device";
}

std::string pools(const std::string& items) { return "pools:\n" + items; }

constexpr auto kSpare = "0000:5e:00.0";  // a function that a test adds

}  // namespace

TEST_CASE("each refusal names the selector and the fact that stands against it") {
  Node node;
  node.tree.add({.address = kSpare, .vendor = "8086", .netdevs = {{.name = "p1"}}});
  const auto vf = Node::vf(2);
  CHECK(refusal_of(node, vf, R"({"vendors":["8086"]})") == "vendors: its vendor is 15b3");
  CHECK(refusal_of(node, vf, R"({"devices":["1018"]})") == "devices: its device id is 101e");
  CHECK(refusal_of(node, vf, R"({"drivers":["mlx5_ib"]})") ==
        "drivers: its PCI driver is mlx5_core");
  CHECK(refusal_of(node, vf, R"({"pciAddresses":["0000:3b:01.3"]})") ==
        "pciAddresses: its address is 0000:3b:01.2");
  CHECK(refusal_of(node, vf, R"({"acpiIndexes":["7"]})") == "acpiIndexes: it has no ACPI index");
  CHECK(refusal_of(node, vf, R"({"pfNames":["p7"]})") == "pfNames: its PF is p0");
  CHECK(refusal_of(node, vf, R"({"pfNames":["p0#0-1"]})") == "pfNames: its index on p0 is 2");
  CHECK(refusal_of(node, kSpare, R"({"pfNames":["p1"]})") ==
        "pfNames: it is no VF or SF of a known PF");
  CHECK(refusal_of(node, vf, R"({"rootDevices":["0000:3b:00.0#3"]})") ==
        "rootDevices: its index on 0000:3b:00.0 is 2");
  CHECK(refusal_of(node, vf, R"({"linkTypes":["infiniband"]})") ==
        "linkTypes: its link type is ether");
  CHECK(refusal_of(node, vf, R"({"ddpProfiles":["GTP"]})") == "ddpProfiles: it has no DDP profile");
  CHECK(refusal_of(node, vf, R"({"pKeys":["0x8001"]})") == "pKeys: it is no InfiniBand device");
  CHECK(refusal_of(node, kSpare, R"({"isRdma":true})") == "isRdma: it has no RDMA device");
  CHECK(refusal_of(node, vf, R"({"vdpaType":"vhost"})") == "vdpaType: it has no vDPA device");
  const std::string p7 = R"({"ifNames":["p7"]})";
  CHECK(refusal_of(node, kSpare, p7, "netDevice", "pools") == "ifNames: its netdev is p1");
  node.tree.add({.address = "0000:5e:00.1"});
  CHECK(refusal_of(node, "0000:5e:00.1", p7, "netDevice", "pools") ==
        "ifNames: it has no netdev in the host's namespace");
  CHECK(refusal_of(node, vf, R"([{"vendors":["8086"]},{"devices":["1018"]}])") ==
        "selectors[0].vendors: its vendor is 15b3; selectors[1].devices: its device id is 101e");
  CHECK(refusal_of(node, vf, R"({"auxTypes":["sf"]})", "auxNetDevice") ==
        "deviceType: it is a device for netDevice, not for auxNetDevice");
  CHECK(refusal_of(node, vf, "{}").empty());
}

TEST_CASE("a selector with nothing but values that no device can have takes none") {
  Node node;
  CHECK(node.ids_of(R"({"vendors":["0x15b3"]})").empty());
  CHECK(node.ids_of(R"({"vendors":["0x15b3","15b3"]})").size() == 4);
  CHECK(node.ids_of(R"({"pfNames":["p0#2-1"]})").empty());
  CHECK(refusal_of(node, Node::vf(0), R"({"pfNames":["p0#2-1"],"vendors":["8086"]})") ==
        "pfNames: no device can have what it asks for");
}

TEST_CASE("a PF whose netdev is not in the host's namespace has no name to match") {
  Node node;
  node.tree.add({.address = "0000:60:00.0", .total_vfs = 1});
  node.tree.add_vf("0000:60:00.0", 0, {.address = "0000:60:00.1"});
  CHECK(refusal_of(node, "0000:60:00.1", R"({"pfNames":["p9"]})") ==
        "pfNames: its PF has no netdev in the host's namespace");
}

TEST_CASE("acpiIndexes takes functions by the firmware's number") {
  Node node;
  node.tree.write(node.tree.folder(Node::vf(1)) + "/acpi_index", "101");
  CHECK(node.ids_of(R"({"acpiIndexes":["100","101"]})") == Ids{Node::vf(1)});
  CHECK(refusal_of(node, Node::vf(1), R"({"acpiIndexes":["7"]})") ==
        "acpiIndexes: its ACPI index is 101");
}

TEST_CASE("pKeys takes InfiniBand functions by the partition key of index 0") {
  Node node;
  for (const auto* address : {"0000:5e:00.1", "0000:5e:00.2"}) {
    const std::string name = fmt::format("ib{}", address[11]);
    node.tree.add({.address = address,
                   .pci_class = "020700",
                   .rdma = {{.name = name, .number = 20, .link_layer = "InfiniBand"}}});
    node.tree.write(
        fmt::format("{}/infiniband/{}/ports/1/pkeys/0", node.tree.folder(address), name),
        address[11] == '1' ? "0x8001" : "0xffff");
  }
  CHECK(node.ids_of(R"({"pKeys":["0x8001"]})") == Ids{"0000:5e:00.1"});
  CHECK(refusal_of(node, "0000:5e:00.2", R"({"pKeys":["0x8001"]})") ==
        "pKeys: its visible partition key is 0xffff");
}

TEST_CASE("ddpProfiles takes functions by the profile that is loaded into their PF") {
  Node node;
  node.still.devlink.apps = {{"0000:3b:00.0", "GTPv1-C/U IPv4/IPv6"}};
  CHECK(node.ids_of(R"({"ddpProfiles":["GTPv1-C/U IPv4/IPv6"]})").size() == 4);
  CHECK(refusal_of(node, Node::vf(0), R"({"ddpProfiles":["PPPoE"]})") ==
        "ddpProfiles: its DDP profile is GTPv1-C/U IPv4/IPv6");
}

TEST_CASE("vdpaType takes functions by the driver of their vDPA device") {
  Node node;
  node.tree.add_vdpa(Node::vf(0), "vdpa0", "vhost_vdpa");
  node.tree.add_vdpa(Node::vf(1), "net-b", "virtio_vdpa");
  node.tree.add_vdpa(Node::vf(2), "vdpa2", "");
  CHECK(node.ids_of(R"({"vdpaType":"vhost"})") == Ids{Node::vf(0)});
  CHECK(node.ids_of(R"({"vdpaType":"virtio"})") == Ids{Node::vf(1)});
  CHECK(refusal_of(node, Node::vf(1), R"({"vdpaType":"vhost"})") ==
        "vdpaType: its vDPA device net-b is bound to virtio_vdpa");
  CHECK(refusal_of(node, Node::vf(2), R"({"vdpaType":"vhost"})") ==
        "vdpaType: its vDPA device vdpa2 is bound to no driver");
  const auto selection = node.select({R"({"vdpaType":"vhost","needVhostNet":true})"});
  const auto& member = selection.pools.at(0).members.at(0);
  CHECK(member.vdpa == grant::Vdpa{grant::Vdpa::Type::vhost, "vdpa0"});
  CHECK(member.vhost_net);
}

TEST_CASE("functions of user-space drivers are offered, by their driver") {
  Node node;
  node.tree.add({.address = kSpare, .driver = "vfio-pci", .iommu_group = 42});
  node.tree.add({.address = "0000:5e:00.1", .driver = "igb_uio"});
  CHECK(node.ids_of(R"({"drivers":["vfio-pci"]})") == Ids{kSpare});
  CHECK(node.ids_of(R"({"drivers":["igb_uio","uio_pci_generic"]})") == Ids{"0000:5e:00.1"});
}

TEST_CASE("accelerators are functions of class 12, a PF with VFs too") {
  Node node;
  node.tree.add({.address = kSpare,
                 .pci_class = "120000",
                 .vendor = "8086",
                 .device_id = "0d5c",
                 .driver = "igb_uio",
                 .total_vfs = 2});
  node.tree.add_vf(kSpare, 0,
                   {.address = "0000:5e:00.1",
                    .pci_class = "120000",
                    .vendor = "8086",
                    .device_id = "0d5d",
                    .driver = "vfio-pci"});
  const auto take = [&](const std::string& selector) {
    return ids(node.select_json(fmt::format(R"({{"resourceList":[{{"resourceName":"x",
      "deviceType":"accelerator","selectors":{}}}]}})",
                                            selector))
                   .pools.at(0));
  };
  CHECK(take("{}") == Ids{kSpare, "0000:5e:00.1"});
  CHECK(take(R"({"devices":["0d5d"],"drivers":["vfio-pci"]})") == Ids{"0000:5e:00.1"});
  CHECK(node.ids_of(R"({"vendors":["8086"]})").empty());
  CHECK(refusal_of(node, Node::vf(0), "{}", "accelerator") ==
        "deviceType: it is a device for netDevice, not for accelerator");
}

TEST_CASE("sub-functions are taken by PF, number, driver and RDMA; the PF itself is not") {
  Node node;
  node.tree.add({.address = kSpare,
                 .numa_node = 1,
                 .netdevs = {{.name = "p1"}},
                 .rdma = {{.name = "mlx5_8", .number = 8}}});
  for (unsigned i : {3U, 10U, 2U}) {
    node.tree.add_sub_function(
        kSpare, {.name = fmt::format("mlx5_core.sf.{}", i),
                 .number = 80 + i,
                 .driver = i == 2 ? "" : "mlx5_core.sf",
                 .netdevs = {{.name = fmt::format("p1s{}", i)}},
                 .rdma = {{.name = fmt::format("mlx5_{}", 20 + i), .number = 20 + i}}});
  }
  const auto take = [&](const std::string& selector) {
    return node.select_json(fmt::format(R"({{"resourceList":[{{"resourceName":"x",
      "deviceType":"auxNetDevice","selectors":{{"auxTypes":["sf"]{}}}}}]}})",
                                        selector));
  };
  const auto all = take("");
  CHECK(ids(all.pools.at(0)) == Ids{"mlx5_core.sf.3", "mlx5_core.sf.10"});
  CHECK(reason(all, "mlx5_core.sf.2") == "no driver is bound to it");
  const auto& member = all.pools.at(0).members.at(0);
  CHECK(member.address.to_string() == kSpare);
  CHECK(member.numa_node == 1);
  CHECK(member.pf == member.address);
  for (const auto* filter :
       {R"(,"pfNames":["P1#82-83"])", R"(,"rootDevices":["0000:5e:00.0#83"])"}) {
    CHECK(ids(take(filter).pools.at(0)) == Ids{"mlx5_core.sf.3"});
  }
  for (const auto* filter : {R"(,"drivers":["mlx5_core"],"isRdma":true,"linkTypes":["ether"])",
                             R"(,"drivers":["mlx5_core.sf"],"vendors":["15b3"])"}) {
    CHECK(take(filter).pools.at(0).members.size() == 2);
  }
  CHECK(take(R"(,"pfNames":["p0"])").pools.at(0).members.empty());
  CHECK(refusal_of(node, "mlx5_core.sf.10", R"({"auxTypes":["sf"],"pfNames":["p1#1"]})",
                   "auxNetDevice") == "pfNames: its index on p1 is 90");
}

TEST_CASE("a shared pool has all RDMA devices that fit, PFs with VFs and the default route too") {
  Node node;
  host::Link lan;
  lan.index = 3;
  lan.name = "lan";
  lan.parent_device = "0000:3b:00.0";
  node.still.links.all = {lan};
  node.still.links.defaults = {{.out_index = 3}};
  node.tree.add({.address = kSpare, .netdevs = {{.name = "p1"}}});  // no RDMA
  const auto selection = node.select_json(R"({"configList":[
    {"resourceName":"a","rdmaHcaMax":4,"selectors":{"vendors":["15b3"]}},
    {"resourceName":"b","rdmaHcaMax":4,"devices":["lan","p0v1"]}]})");
  CHECK(selection.pools.at(0).members.size() == 5);
  CHECK(ids(selection.pools.at(1)) == Ids{"0000:3b:00.0", Node::vf(1)});
  CHECK(selection.pools.at(1).members.at(0).rdma);
  CHECK_FALSE(selection.pools.at(1).members.at(0).numa_node);
}

TEST_CASE("what is shared takes nothing from resources that have devices to themselves") {
  Node node;
  const auto selection = node.select_json(pools(R"(
  - {resourceName: one, selectors: {pfNames: ["p0#0"]}}
  - {resourceName: hca, kind: shared, perDevice: 2, selectors: {drivers: [mlx5_core]}}
  - {resourceName: rest, selectors: {}}
)"));
  CHECK(selection.pools.at(0).members.size() == 1);
  CHECK(selection.pools.at(1).members.size() == 5);
  CHECK(selection.pools.at(2).members.size() == 3);
}

TEST_CASE("in exclusive RDMA mode a shared pool serves none but pods of the host's network") {
  Node node;
  node.still.rdma.mode = host::RdmaNetnsMode::exclusive;
  const std::string text = R"({"configList":[
    {"resourceName":"a","rdmaHcaMax":2,"selectors":{"vendors":["15b3"]}},
    {"resourceName":"b","rdmaHcaMax":2,"hostNetworkOnly":true,"selectors":{"vendors":["15b3"]}}]})";
  const auto selection = node.select_json(text);
  CHECK(selection.pools.at(0).sickness.find("exclusive mode") != std::string::npos);
  const auto offers = pool::offers(selection.pools.at(0));
  REQUIRE(offers.size() == 2);
  CHECK_FALSE(offers.at(0).healthy);
  CHECK(selection.pools.at(1).sickness.empty());
  CHECK(pool::offers(selection.pools.at(1)).at(0).healthy);
  node.still.rdma.mode = host::RdmaNetnsMode::shared;
  CHECK(node.select_json(text).pools.at(0).sickness.empty());
}

TEST_CASE("explain agrees with select, and says what stands before") {
  Node node;
  const auto config = Node::parse(R"({"resourceList":[
    {"resourceName":"a","selectors":{"pfNames":["p0#1"]}},{"resourceName":"b","selectors":{}}]})");
  const auto explanations = pool::explain(config, node.scan(config));
  const auto text = pool::format_explanations(explanations);
  CHECK(text.find("0000:3b:01.1  VF 1 of p0  15b3:101e  mlx5_core\n"
                  "  example.com/a: taken\n"
                  "  example.com/b: not taken: it would fit, but belongs to example.com/a, which "
                  "stands before\n") != std::string::npos);
  CHECK(
      text.find("0000:3b:00.0  PF p0  15b3:101d  mlx5_core\n"
                "  example.com/a: not taken: pfNames: it is no VF or SF of a known PF\n"
                "  example.com/b: not taken: it is a PF with 4 VFs: these are offered instead\n") !=
      std::string::npos);
  const auto selection = pool::select(config, node.scan(config));
  for (size_t i = 0; i < selection.pools.size(); ++i) {
    Ids taken;
    for (const auto& one : explanations) {
      if (one.verdicts.at(i).takes) taken.push_back(one.device);
    }
    CHECK(taken == ids(selection.pools[i]));
  }
}

TEST_CASE("explain keeps a device that its resource knows although its netdev is in a pod") {
  Node node;
  const auto config = Node::parse(pools("  - {resourceName: a, selectors: {ifNames: [p0v1]}}\n"));
  std::filesystem::remove_all(node.tree.folder(Node::vf(1)) + "/net");
  const auto text = [&](const pool::Knowledge& knowledge) {
    return pool::format_explanations(pool::explain(config, node.scan(config), knowledge));
  };
  CHECK(text({}).find("example.com/a: taken") == std::string::npos);
  pool::Knowledge knowledge;
  knowledge.members = {{"example.com/a", Node::vf(1)}};
  CHECK(text(knowledge).find("example.com/a: taken\n") != std::string::npos);
  knowledge.sick[Node::vf(1)] = {pool::Cause::undo, "pod ns/a is gone"};
  CHECK(text(knowledge).find("example.com/a: taken; unhealthy: pod ns/a is gone\n") !=
        std::string::npos);
}

TEST_CASE("explain names the rail that has a device, and all rails where none has it") {
  Node node;
  const auto config =
      Node::parse(pools("  - {resourceName: a, rails: auto, selectors: {pfNames: ['p0#1']}}\n"
                        "  - {resourceName: b, selectors: {}}\n"));
  pool::Knowledge knowledge;
  knowledge.rails = {{"example.com/a", {{0, 0x10, 0, 0}, {0, 0x3b, 0, 0}}}};
  const auto text = pool::format_explanations(pool::explain(config, node.scan(config), knowledge));
  CHECK(text.find("  example.com/a1: taken\n"
                  "  example.com/b: not taken: it would fit, but belongs to example.com/a1, which "
                  "stands before\n") != std::string::npos);
  CHECK(text.find("  example.com/a*: not taken: pfNames: ") != std::string::npos);
  CHECK(text.find("  example.com/b: taken\n") != std::string::npos);
}

TEST_CASE("explain says why a device that is taken is not given out") {
  Node node;
  node.still.rdma.mode = host::RdmaNetnsMode::exclusive;
  const auto config = Node::parse(
      pools("  - {resourceName: a, kind: shared, perDevice: 2, selectors: {pfNames: ['p0#1']}}\n"
            "  - {resourceName: b, selectors: {pfNames: ['p0#1']}, health: {link: require}}\n"));
  const auto verdict = [&](size_t resource) {
    for (auto& one : pool::explain(config, node.scan(config))) {
      if (one.device == Node::vf(1)) return one.verdicts.at(resource);
    }
    return pool::Verdict{};
  };
  host::Link link;
  link.index = 5;
  link.name = "p0";
  link.type = 1;
  link.parent_device = "0000:3b:00.0";
  link.flags = 1;  // IFF_UP
  link.carrier = true;
  node.still.links.all = {link};
  CHECK(verdict(0).takes);
  CHECK(verdict(0).sickness.find("exclusive mode") != std::string::npos);
  CHECK(verdict(1).takes);
  CHECK(verdict(1).sickness.empty());

  node.still.links.all.at(0).carrier = false;
  CHECK(verdict(1).sickness == "its PF p0 has no carrier");
  CHECK(pool::format_explanations(pool::explain(config, node.scan(config)))
            .find("example.com/b: taken; unhealthy: its PF p0 has no carrier\n") !=
        std::string::npos);
}

TEST_CASE("the representor of a switchdev VF is known by its port's name") {
  Node node;
  const auto link = [&](uint32_t index, const char* name, const char* port) {
    host::Link one;
    one.index = index;
    one.name = name;
    one.parent_device = "0000:3b:00.0";
    one.phys_port_name = port;
    one.phys_switch_id = "36ac9a0003a1420c";
    node.still.links.all.push_back(one);
  };
  link(4, "host_2", "c1pf0vf2");  // a DPU's host's, not its own
  link(5, "p0_12", "pf0vf12");
  link(6, "p0_2", "pf0vf2");
  link(7, "p0", "p0");
  const auto selection = node.select({R"({"pfNames":["p0"]})"});
  const auto& members = selection.pools.at(0).members;
  REQUIRE(members.size() == 4);
  CHECK_FALSE(members[1].representor);
  CHECK(members[2].representor == "p0_2");
}

TEST_CASE("a device taken by ifNames stays its resource's while its netdev is in a pod") {
  Node node;
  const std::string text =
      "pools: [{resourceName: vf, resourcePrefix: rdma, selectors: {ifNames: [p0v1]}}]";
  auto before = node.select_json(text);
  REQUIRE(ids(before.pools.at(0)) == Ids{Node::vf(1)});
  for (unsigned i : {1U, 2U}) {
    std::filesystem::remove_all(node.tree.folder(Node::vf(i)) + "/net");
  }
  CHECK(ids(node.select_json(text).pools.at(0)).empty());  // nobody knows whose they were
  node.knowledge.members = before.members;
  CHECK(ids(node.select_json(text).pools.at(0)) == Ids{Node::vf(1)});
}

TEST_CASE("of such a device every other selector still counts") {
  Node node;
  node.tree.add_vdpa(Node::vf(1), "vdpa0", "vhost_vdpa");
  const auto config = Node::parse(
      "pools: [{resourceName: vf, resourcePrefix: rdma, "
      "selectors: {ifNames: [p0v1], vdpaType: vhost, vendors: [15b3]}}]");
  const auto before = pool::select(config, node.scan(config));
  REQUIRE(ids(before.pools.at(0)) == Ids{Node::vf(1)});
  pool::Knowledge knowledge;
  knowledge.members = before.members;
  std::filesystem::remove_all(node.tree.folder(Node::vf(1)) + "/net");
  auto functions = node.scan(config).functions();
  CHECK(pool::select(config, {functions, std::nullopt, {}}, knowledge).pools.at(0) ==
        before.pools.at(0));
  for (auto& function : functions) function.vdpa.reset();
  const device::Inventory without_vdpa(functions, std::nullopt, {});
  CHECK(pool::select(config, without_vdpa, knowledge).pools.at(0).members.empty());
  for (const auto& one : pool::explain(config, without_vdpa, knowledge)) {
    if (one.device != Node::vf(1)) continue;
    CHECK(one.verdicts.at(0).reasons == Ids{"vdpaType: it has no vDPA device"});
  }
}

TEST_CASE("a device taken by pKeys stays its resource's while its RDMA device is in a pod") {
  Node node;
  constexpr auto kIb = "0000:5e:00.1";
  node.tree.add({.address = kIb, .pci_class = "020700", .rdma = {{.name = "ib1", .number = 20}}});
  const auto port = node.tree.folder(kIb) + "/infiniband/ib1/ports/1";
  node.tree.write(port + "/pkeys/0", "0x8001");
  const auto text = [](const char* devices) {
    return fmt::format(R"({{"resourceList":[{{"resourceName":"x","selectors":
      {{"pKeys":["0x8001"],"devices":["{}"]}}}}]}})",
                       devices);
  };
  node.knowledge.members = {{"example.com/x", kIb}};
  const auto config = Node::parse(text("101d"));
  auto functions = node.scan(config).functions();
  for (auto& function : functions) {
    function.p_key.reset();
    for (auto& rdma : function.rdma) rdma.in_host_namespace = false;
  }
  const device::Inventory inventory(functions, std::nullopt, {});
  CHECK(ids(pool::select(config, inventory, node.knowledge).pools.at(0)) == Ids{kIb});
  CHECK(pool::select(config, inventory).pools.at(0).members.empty());
  CHECK(pool::select(Node::parse(text("ffff")), inventory, node.knowledge)
            .pools.at(0)
            .members.empty());
}

}  // namespace railhead::test
