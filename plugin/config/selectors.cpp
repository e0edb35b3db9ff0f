// Selectors, of all three grammars.
#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

#include "plugin/config/grammar.hpp"

namespace railhead::config {
namespace {

std::string quote(std::string_view text) { return fmt::format("\"{}\"", text); }

// The value of one key of a selector.
class Value {
 public:
  Value(Object& object, const char* key, Draft& draft)
      : object_(object), key_(key), draft_(draft) {}

  std::vector<std::string> texts() { return object_.strings(key_).value_or(Texts{}); }
  bool flag() { return object_.boolean(key_).value_or(false); }

  // Only those of these, whatever their case when `ignore_case`, which come back in lower case.
  std::vector<std::string> of(std::initializer_list<std::string_view> known, bool ignore_case) {
    std::vector<std::string> words;
    for (auto& [at, text] : items()) {
      auto word = ignore_case ? to_lower(text) : text;
      if (std::find(known.begin(), known.end(), word) == known.end()) {
        std::string expected;
        for (auto one : known) expected += (expected.empty() ? "" : " or ") + quote(one);
        draft_.error(at, quote(text), "expected " + expected);
      }
      words.push_back(std::move(word));
    }
    return words;
  }

  std::vector<std::string> hex_ids() {
    std::vector<std::string> ids;
    for (const auto& [at, text] : items()) {
      if (text.size() != 4 || !parse_int<uint16_t>(text, 16)) {
        draft_.error(at, quote(text), "expected four hex digits such as \"15b3\"");
      }
      ids.push_back(to_lower(text));
    }
    return ids;
  }

  // As the kernel writes them, "0x8001".
  std::vector<std::string> p_keys() {
    std::vector<std::string> keys;
    for (const auto& [at, text] : items()) {
      auto key = to_lower(text);
      if (key.size() != 6 || !key.starts_with("0x") || !parse_int<uint16_t>(key.substr(2), 16)) {
        draft_.error(at, quote(text), "expected 0x and four hex digits such as \"0x8001\"");
      }
      keys.push_back(std::move(key));
    }
    return keys;
  }

  std::vector<PciAddress> addresses() {
    std::vector<PciAddress> addresses;
    for (const auto& [at, text] : items()) {
      const auto address = PciAddress::parse(text);
      if (!address) draft_.error(at, quote(text), "expected a PCI address such as 0000:3b:00.2");
      if (address) addresses.push_back(*address);
    }
    return addresses;
  }

  std::optional<VdpaType> vdpa_type() {
    const auto text = object_.string(key_);
    if (!text || text->empty()) return std::nullopt;
    if (*text == "virtio") return VdpaType::virtio;
    if (*text == "vhost") return VdpaType::vhost;
    object_.error(key_, quote(*text) + ": expected \"virtio\" or \"vhost\"");
    return std::nullopt;
  }

  // "NAME", "NAME#0-3,7". Several items of one PF are united.
  std::vector<VfsOfPf> pfs(bool by_address) {
    std::vector<VfsOfPf> pfs;
    for (const auto& [at, text] : items()) {
      const auto parts = split(text, '#');
      VfsOfPf item{std::string(parts.front()), std::nullopt};
      if (parts.size() > 1) item.vfs = parse_ranges(parts[1]);
      if (parts.size() > 2 || (parts.size() == 2 && !item.vfs) || item.pf.empty() ||
          (by_address && !PciAddress::parse(item.pf))) {
        draft_.error(at, quote(text),
                     by_address
                         ? "expected a PF's PCI address, with or without VFs: 0000:3b:00.0#0-3,7"
                         : "expected a PF's name, with or without VFs: ens1f0#0-3,7");
        continue;
      }
      unite(at, std::move(item), pfs);
    }
    return pfs;
  }

 private:
  using Texts = std::vector<std::string>;

  // The strings of the list, each with its own path.
  std::vector<std::pair<std::string, std::string>> items() {
    std::vector<std::pair<std::string, std::string>> items;
    for (auto& text : texts()) {
      items.emplace_back(fmt::format("{}[{}]", object_.path_of(key_), items.size()),
                         std::move(text));
    }
    return items;
  }

  void unite(const std::string& at, VfsOfPf item, std::vector<VfsOfPf>& pfs) {
    const auto same = std::find_if(pfs.begin(), pfs.end(), [&](const VfsOfPf& other) {
      return equal_ignoring_case(other.pf, item.pf);
    });
    if (same == pfs.end()) return pfs.push_back(std::move(item));
    draft_.warning(
        fmt::format("{}: {} is named more than once; the VFs of all its items are taken together",
                    at, item.pf));
    if (!item.vfs || !same->vfs) {
      same->vfs.reset();
    } else {
      same->vfs->insert(same->vfs->end(), item.vfs->begin(), item.vfs->end());
    }
  }

  Object& object_;
  const char* key_;
  Draft& draft_;
};

// Where a key is a selector.
enum : unsigned {
  kNet = 1,          // deviceType netDevice
  kAccelerator = 2,  // deviceType accelerator
  kAuxiliary = 4,    // deviceType auxNetDevice
  kPools = 8,        // pools, with netDevice
  kConfigList = 16,
};

struct Key {
  const char* name;
  unsigned where;
  void (*read)(Value value, Selector& selector);
};

constexpr std::array kKeys = {
    Key{"vendors", kNet | kAccelerator | kAuxiliary | kConfigList,
        [](Value value, Selector& to) { to.vendors = value.hex_ids(); }},
    Key{"devices", kNet | kAccelerator | kAuxiliary,
        [](Value value, Selector& to) { to.devices = value.hex_ids(); }},
    Key{"deviceIDs", kConfigList, [](Value value, Selector& to) { to.devices = value.hex_ids(); }},
    Key{"drivers", kNet | kAccelerator | kAuxiliary | kConfigList,
        [](Value value, Selector& to) { to.drivers = value.texts(); }},
    Key{"pciAddresses", kNet | kAccelerator,
        [](Value value, Selector& to) { to.pci_addresses = value.addresses(); }},
    Key{"acpiIndexes", kNet, [](Value value, Selector& to) { to.acpi_indexes = value.texts(); }},
    Key{"auxTypes", kAuxiliary,
        [](Value value, Selector& to) { to.aux_types = value.of({"sf"}, false); }},
    Key{"pfNames", kNet | kAuxiliary,
        [](Value value, Selector& to) { to.pf_names = value.pfs(false); }},
    Key{"rootDevices", kNet | kAuxiliary,
        [](Value value, Selector& to) { to.root_devices = value.pfs(true); }},
    Key{"ifNames", kPools | kConfigList,
        [](Value value, Selector& to) { to.if_names = value.texts(); }},
    Key{"linkTypes", kNet | kAuxiliary | kConfigList,
        [](Value value, Selector& to) {
          to.link_types = value.of({"ether", "infiniband"}, true);
        }},
    Key{"ddpProfiles", kNet, [](Value value, Selector& to) { to.ddp_profiles = value.texts(); }},
    Key{"pKeys", kNet, [](Value value, Selector& to) { to.p_keys = value.p_keys(); }},
    Key{"isRdma", kNet | kAuxiliary, [](Value value, Selector& to) { to.is_rdma = value.flag(); }},
    Key{"vdpaType", kNet, [](Value value, Selector& to) { to.vdpa = value.vdpa_type(); }},
    Key{"needVhostNet", kNet | kAuxiliary,
        [](Value value, Selector& to) { to.need_vhost_net = value.flag(); }},
};

unsigned place(Grammar grammar, DeviceType type) {
  if (grammar == Grammar::config_list) return kConfigList;
  if (type == DeviceType::accelerator) return kAccelerator;
  if (type == DeviceType::auxiliary) return kAuxiliary;
  return grammar == Grammar::pools ? kNet | kPools : kNet;
}

// An empty value asks for nothing and is let pass: generated configurations carry them.
bool asks_for_nothing(const Json& value) {
  return value == false || (value.is_string() && value.get<std::string>().empty()) ||
         ((value.is_array() || value.is_object()) && value.empty());
}

}  // namespace

Selector read_selector(const Json& json, const std::string& path, Grammar grammar, DeviceType type,
                       Draft& draft) {
  Selector selector;
  if (!json.is_object()) {
    draft.error(path, json.type_name(), "expected an object");
    return selector;
  }
  Object object(json, path, draft.parsed.errors);
  const unsigned here = place(grammar, type);
  for (const auto& key : kKeys) {
    if (key.where & here) {
      key.read(Value(object, key.name, draft), selector);
      continue;
    }
    // deviceIDs and ifNames are unknown keys outside of their grammars.
    if (!(key.where & (kNet | kAccelerator | kAuxiliary))) continue;
    if (grammar == Grammar::config_list) continue;
    const Json* value = object.value(key.name);
    if (!value || asks_for_nothing(*value)) continue;
    if (grammar == Grammar::pools) {
      object.error(key.name, "is no selector of this deviceType");
    } else {
      draft.warning(object.path_of(key.name) + ": is no selector of this deviceType, ignored");
    }
  }
  if (selector.vdpa && selector.is_rdma) {
    object.error("vdpaType",
                 "and isRdma exclude each other; expected one of them, or two selectors");
  }
  if (type == DeviceType::auxiliary && selector.aux_types.empty()) {
    object.error("auxTypes", "missing; expected [\"sf\"]");
  }
  report_unknown_keys(object, grammar, draft);
  return selector;
}

}  // namespace railhead::config
