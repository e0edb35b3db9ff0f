#include "plugin/topology/file.hpp"

#include <catch2/catch_test_macros.hpp>

#include "device/inventory.hpp"
#include "device/pcie.hpp"
#include "host/files.hpp"
#include "test/support/must.hpp"
#include "test/support/node_builder.hpp"

namespace railhead::test {
namespace {

using device::PcieDistance;

PciAddress at(const std::string& address) { return PciAddress::parse(address).value(); }

// The distance of two functions as the file places them.
PcieDistance distance(const topology::File& file, const std::string& a, const std::string& b) {
  device::PciFunction functions[2];
  for (const auto& [function, address] : {std::pair(&functions[0], a), {&functions[1], b}}) {
    function->address = at(address);
    const auto* place = file.topology.find(*function);
    if (!place) FAIL(address << " has no place");
    function->path = place->path;
    function->numa_node = place->numa_node;
  }
  return device::distance(functions[0], functions[1]);
}

std::string error_of(std::string_view text) {
  const auto file = topology::parse(text);
  return file ? "" : file.error().message;
}

constexpr const char* kXml = R"(<?xml version="1.0"?>
<system version="1">
  <cpu numaid="0" affinity="00ff">
    <pci busid="ffff:ff:01.0" class="0x060400">
      <pci busid="0001:00:00.0" class="0x030200"><gpu dev="0"/></pci>
      <pci busid="0101:00:00.0" class="0x020700"><nic><net name="mlx5_ib0"/></nic></pci>
      <pci busid="ffff:ff:02.0">
        <pci busid="0102:00:00.0" class="0x020700"/>
      </pci>
    </pci>
    <pci busid="0103:00:00.0" class="0x020700"/>
    <pci busid="ffff:ff:03.0" class="0x060400"/>
    <nic><net name="eth0"/></nic>
  </cpu>
  <cpu numaid="1"><pci busid="0104:00:00.0" class="0x020700"/></cpu>
  <cpu numaid="-1"><pci busid="0105:00:00.0" class="0x020700"/></cpu>
</system>)";

}  // namespace

TEST_CASE("an NCCL topology gives the distances that NCCL sees") {
  const auto file = must(topology::parse(kXml));
  CHECK(file.warnings.empty());
  CHECK(file.topology.places.size() == 6);
  CHECK(distance(file, "0001:00:00.0", "0101:00:00.0") == PcieDistance::pix);
  CHECK(distance(file, "0001:00:00.0", "0102:00:00.0") == PcieDistance::pxb);
  CHECK(distance(file, "0001:00:00.0", "0103:00:00.0") == PcieDistance::phb);
  CHECK(distance(file, "0001:00:00.0", "0104:00:00.0") == PcieDistance::sys);
  CHECK(file.topology.places.at(at("0104:00:00.0")).numa_node == 1);
  CHECK_FALSE(file.topology.places.at(at("0105:00:00.0")).numa_node);
}

TEST_CASE("a YAML topology tells host bridges, switches and what hangs off them") {
  const auto file = must(topology::parse(R"(# two host bridges of one NUMA node
hostBridges:
  - numaNode: 0
    devices: [0000:10:00.0]
    switches:
      - devices: [0000:11:00.0, 0000:12:00.0]
        switches: [{devices: [0000:13:00.0]}]
  - numaNode: 0
    devices: [0000:14:00.0]
  - {numaNode: 1, devices: [0000:15:00.0]}
)"));
  CHECK(file.warnings.empty());
  CHECK(distance(file, "0000:11:00.0", "0000:12:00.0") == PcieDistance::pix);
  CHECK(distance(file, "0000:11:00.0", "0000:13:00.0") == PcieDistance::pxb);
  CHECK(distance(file, "0000:11:00.0", "0000:10:00.0") == PcieDistance::phb);
  CHECK(distance(file, "0000:11:00.0", "0000:14:00.0") == PcieDistance::node);
  CHECK(distance(file, "0000:11:00.0", "0000:15:00.0") == PcieDistance::sys);
}

TEST_CASE("the fuzz targets' seeds are files that are read") {
  for (const auto* name : {"nccl.xml", "bridges.yaml"}) {
    const auto text = must(host::read_file(std::string("test/fuzz/corpus/topology/") + name));
    const auto file = must(topology::parse(text));
    CHECK(file.topology.places.size() >= 3);
    CHECK(file.warnings.empty());
  }
}

TEST_CASE("bus ids may lack domain and function, and be upper case") {
  CHECK(topology::parse_bus_id("0000:3B:00.1") == at("0000:3b:00.1"));
  CHECK(topology::parse_bus_id("00000000:3B:00.0") == at("0000:3b:00.0"));
  CHECK(topology::parse_bus_id("3b:00.1") == at("0000:3b:00.1"));
  CHECK(topology::parse_bus_id("0001:3b:00") == at("0001:3b:00.0"));
  CHECK(topology::parse_bus_id("3b:1f") == at("0000:3b:1f.0"));
  for (const auto* wrong : {"", "3b", "0000:3b", "0000:3b:00.8", "0000:3b:20.0", "mlx5_0"}) {
    CHECK_FALSE(topology::parse_bus_id(wrong));
  }
}

TEST_CASE("a function that the file does not name stands with its PF, or with its slot's first") {
  device::Topology topology;
  topology.places[at("0000:3b:00.0")] = {{"cpu0", "x"}, 0};
  device::PciFunction function;
  function.address = at("0000:3b:00.1");
  CHECK(topology.find(function)->numa_node == 0);
  function.address = at("0000:3b:02.1");
  CHECK(topology.find(function) == nullptr);
  function.pf = at("0000:3b:00.0");
  CHECK(topology.find(function)->numa_node == 0);
}

TEST_CASE("a file's places replace those of sysfs, and what it names for nothing is told") {
  NodeBuilder node;
  node.gpu("0000:11:00.0", NodeBuilder::bridge("pci0000:10", 0));
  node.pf("0000:12:00.0", NodeBuilder::bridge("pci0000:20", 1), 1);
  const auto before = node.inventory();
  auto functions = before.functions();
  const auto file = must(topology::parse(
      "hostBridges: [{numaNode: 3, switches: [{devices: [12:00.0, 0000:99:00.0]}]}]"));
  CHECK(file.topology.apply(functions) == std::vector<PciAddress>{at("0000:99:00.0")});
  CHECK(functions[0] == before.functions()[0]);
  for (size_t i : {1U, 2U}) {  // the PF and its VF
    CHECK(functions[i].numa_node == 3);
    CHECK(functions[i].path.front() == "bridge0");
  }
}

TEST_CASE("what is wrong with a file is told with its place") {
  CHECK(error_of("<system><cpu>\n<pci busid=\"x\"/></cpu></system>") ==
        "line 2: expected a PCI address such as 0000:3b:00.0, got \"x\"");
  CHECK(error_of("<system><cpu><pci/></cpu></system>") == "line 1: a pci without a busid");
  CHECK(error_of("<system>\n<cpu>").starts_with("line 2: "));
  CHECK(error_of("<topology/>") == "the outermost element is not <system>");
  CHECK(error_of("").starts_with("the file: expected keys and values"));
  CHECK(error_of("hostBridges: 3") == "the file.hostBridges: expected a list");
  CHECK(error_of("hostBridges: [{numaNode: -1}]") ==
        "hostBridges[0].numaNode: expected a number from 0");
  CHECK(error_of("hostBridges: [{switches: [{devices: [[]]}]}]") ==
        "hostBridges[0].switches[0].devices[0]: expected a PCI address");
  CHECK(error_of("hostBridges: [{devices: [nic0]}]").starts_with("hostBridges[0].devices[0]: "));
  CHECK(error_of(std::string(topology::kMaxSize + 1, ' ')).find("more than") != std::string::npos);
}

TEST_CASE("doubles and unknown keys are warnings") {
  const auto file = must(topology::parse("hostBridges: [{devices: [3b:00.0, 3b:00.0], numa: 1}]"));
  CHECK(file.warnings ==
        std::vector<std::string>{"hostBridges[0]: the key \"numa\" is not known",
                                 "0000:3b:00.0 is named twice; its first place stands"});
}

TEST_CASE("trees without end are refused") {
  std::string xml = "<system><cpu>";
  for (int i = 0; i < 10000; ++i) xml += "<pci busid=\"0000:00:00.0\">";
  for (int i = 0; i < 10000; ++i) xml += "</pci>";
  CHECK(error_of(xml + "</cpu></system>").find("more than 16 switches") != std::string::npos);
  std::string yaml = "hostBridges: [";
  for (int i = 0; i < 40; ++i) yaml += "{switches: [";
  for (int i = 0; i < 40; ++i) yaml += "]}";
  yaml += ']';
  CHECK(error_of(yaml).find("more than 32 levels") != std::string::npos);
}

TEST_CASE("nothing outside the file is read, and entities do not grow") {
  const auto file = must(topology::parse(R"(<!DOCTYPE system [
    <!ENTITY a "aaaaaaaaaa"> <!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
    <!ENTITY file SYSTEM "file:///etc/passwd">]>
    <system><cpu numaid="&b;"><pci busid="3b:00.0">&file;</pci></cpu></system>)"));
  CHECK(file.topology.places.size() == 1);
  CHECK_FALSE(file.topology.places.begin()->second.numa_node);
}

}  // namespace railhead::test
