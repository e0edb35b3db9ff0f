#include <algorithm>

#include <pugixml.hpp>

#include "base/text.hpp"
#include "plugin/topology/tree.hpp"

// <system><cpu numaid="0"><pci busid="0000:18:00.0" class="0x060400"><pci busid="0000:1a:00.0"
// class="0x030200"><gpu …/></pci>…: a cpu is a NUMA node with its host bridges, a pci with pci
// elements in it is a switch, any other a function.
namespace railhead::topology {
namespace {

// PCI-to-PCI bridges, by base class and sub class.
constexpr std::string_view kBridgeClass = "0x0604";

size_t line_of(std::string_view text, ptrdiff_t offset) {
  const auto end = text.begin() + std::clamp<ptrdiff_t>(offset, 0, std::ssize(text));
  return static_cast<size_t>(std::count(text.begin(), end, '\n')) + 1;
}

class XmlReader {
 public:
  explicit XmlReader(std::string_view text) : text_(text) {}

  Result<File> read(const pugi::xml_node& system) {
    size_t number = 0;
    for (const auto& cpu : system.children("cpu")) {
      const auto numa = parse_int<int>(cpu.attribute("numaid").value());
      tree_.enter_bridge(fmt::format("cpu{}", number++), numa && *numa >= 0 ? numa : std::nullopt);
      if (auto read = read_pcis(cpu); !read) return pass(read);
    }
    return tree_.take();
  }

 private:
  Result<void> read_pcis(const pugi::xml_node& parent) {
    for (const auto& pci : parent.children("pci")) {
      if (auto read = read_pci(pci); !read) return read;
    }
    return {};
  }

  Result<void> read_pci(const pugi::xml_node& pci) {
    const std::string bus_id = pci.attribute("busid").value();
    const auto where = [&] { return fmt::format("line {}", line_of(text_, pci.offset_debug())); };
    if (bus_id.empty()) return fail(ErrorCode::decode, "{}: a pci without a busid", where());
    if (pci.child("pci")) {
      if (auto entered = tree_.enter_switch(bus_id); !entered) return pass(entered, where());
      if (auto read = read_pcis(pci); !read) return read;
      tree_.leave_switch();
      return {};
    }
    if (std::string_view(pci.attribute("class").value()).starts_with(kBridgeClass)) return {};
    if (auto added = tree_.add(bus_id); !added) return pass(added, where());
    return {};
  }

  std::string_view text_;
  Tree tree_;
};

}  // namespace

Result<File> parse_xml(std::string_view text) {
  pugi::xml_document document;
  // Neither DTDs nor entities of its own are read, so that nothing can be included or blow up.
  const auto parsed = document.load_buffer(text.data(), text.size());
  if (!parsed) {
    return fail(ErrorCode::decode, "line {}: {}", line_of(text, parsed.offset),
                parsed.description());
  }
  const auto system = document.child("system");
  if (!system) return fail(ErrorCode::decode, "the outermost element is not <system>");
  return XmlReader(text).read(system);
}

}  // namespace railhead::topology
