// Selectors, of all three grammars.
#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

#include "plugin/config/grammar.hpp"
#include "plugin/config/names.hpp"

namespace railhead::config {
namespace {

std::string quote(std::string_view text) { return fmt::format("\"{}\"", text); }

// The value of one key of a selector.
class Value {
 public:
  struct Context {
    bool is_strict;      // what no device can have is an error
    uint32_t max_index;  // of a VF or SF
  };
  Value(Object& object, const char* key, Context context, Selector& selector, Draft& draft)
      : object_(object), key_(key), context_(context), selector_(selector), draft_(draft) {}

  bool flag() { return object_.boolean(key_).value_or(false); }

  // Of a list of texts those that a device can have. Those that none can have are told; where the
  // list has no others, nothing fits the selector.
  template <class Read>
  auto each(Read read, std::string_view expected) {
    std::vector<std::decay_t<decltype(*read(std::string()))>> values;
    const auto texts = object_.strings(key_).value_or(std::vector<std::string>{});
    for (size_t i = 0; i < texts.size(); ++i) {
      if (auto value = read(texts[i])) {
        values.push_back(std::move(*value));
      } else {
        refuse(fmt::format("{}[{}]", object_.path_of(key_), i), texts[i], expected);
      }
    }
    if (values.empty() && !texts.empty()) selector_.impossible = key_;
    return values;
  }
  std::vector<std::string> each_that(bool (*is_right)(std::string_view),
                                     std::string_view expected) {
    return each(
        [&](const std::string& text) {
          return is_right(text) ? std::optional(text) : std::nullopt;
        },
        expected);
  }

  // Whatever their case; they come back in lower case.
  std::vector<std::string> each_in_lower_case(bool (*is_right)(std::string_view),
                                              std::string_view expected) {
    return each(
        [&](const std::string& text) {
          auto lower = to_lower(text);
          return is_right(lower) ? std::optional(std::move(lower)) : std::nullopt;
        },
        expected);
  }

  std::vector<PciAddress> addresses() {
    return each([](const std::string& text) { return PciAddress::parse(text); },
                "a PCI address such as 0000:3b:00.2");
  }

  std::optional<VdpaType> vdpa_type() {
    const auto text = object_.string(key_);
    if (!text || text->empty()) return std::nullopt;
    if (*text == "virtio") return VdpaType::virtio;
    if (*text == "vhost") return VdpaType::vhost;
    refuse(object_.path_of(key_), *text, "\"virtio\" or \"vhost\"");
    selector_.impossible = key_;
    return std::nullopt;
  }

  // "NAME", "NAME#0-3,7". Several items of one PF are united.
  std::vector<VfsOfPf> pfs(bool (*is_pf)(std::string_view), std::string_view expected) {
    std::vector<VfsOfPf> pfs;
    for (auto& item :
         each([&](const std::string& text) { return parse_pf(text, is_pf); }, expected)) {
      unite(std::move(item), pfs);
    }
    return pfs;
  }

 private:
  void refuse(const std::string& at, std::string_view text, std::string_view expected) {
    if (context_.is_strict)
      return draft_.error(at, quote(text), fmt::format("expected {}", expected));
    draft_.warning(fmt::format("{}: {}: no device has it; expected {}", at, quote(text), expected));
  }

  [[nodiscard]] std::optional<VfsOfPf> parse_pf(const std::string& text,
                                                bool (*is_pf)(std::string_view)) const {
    const auto parts = split(text, '#');
    if (parts.size() > 2 || !is_pf(parts.front())) return std::nullopt;
    VfsOfPf item{std::string(parts.front()), std::nullopt};
    if (parts.size() == 1) return item;
    item.vfs = parse_ranges(parts[1]);
    const bool may_be = item.vfs && std::ranges::any_of(*item.vfs, [&](const IndexRange& range) {
                          return range.first <= context_.max_index;
                        });
    return may_be ? std::optional(std::move(item)) : std::nullopt;
  }

  void unite(VfsOfPf item, std::vector<VfsOfPf>& pfs) {
    const auto same = std::find_if(pfs.begin(), pfs.end(), [&](const VfsOfPf& other) {
      return equal_ignoring_case(other.pf, item.pf);
    });
    if (same == pfs.end()) return pfs.push_back(std::move(item));
    draft_.warning(
        fmt::format("{}: {} is named more than once; the VFs of all its items are taken together",
                    object_.path_of(key_), item.pf));
    if (!item.vfs || !same->vfs) {
      same->vfs.reset();
    } else {
      same->vfs->insert(same->vfs->end(), item.vfs->begin(), item.vfs->end());
    }
  }

  Object& object_;
  const char* key_;
  Context context_;
  Selector& selector_;
  Draft& draft_;
};

std::vector<std::string> read_hex_ids(Value& value) {
  return value.each_in_lower_case(is_hex_id, "four hex digits such as \"15b3\"");
}

std::vector<std::string> read_if_names(Value& value) {
  return value.each_that(is_interface_name, kInterfaceNameRule);
}

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
  void (*read)(Value& value, Selector& selector);
};

constexpr std::array kKeys = {
    Key{"vendors", kNet | kAccelerator | kAuxiliary | kConfigList,
        [](Value& value, Selector& to) { to.vendors = read_hex_ids(value); }},
    Key{"devices", kNet | kAccelerator | kAuxiliary,
        [](Value& value, Selector& to) { to.devices = read_hex_ids(value); }},
    Key{"deviceIDs", kConfigList,
        [](Value& value, Selector& to) { to.devices = read_hex_ids(value); }},
    Key{"drivers", kNet | kAccelerator | kAuxiliary | kConfigList,
        [](Value& value, Selector& to) {
          to.drivers = value.each_that(is_driver_name, "a driver's name such as \"mlx5_core\"");
        }},
    Key{"pciAddresses", kNet | kAccelerator,
        [](Value& value, Selector& to) { to.pci_addresses = value.addresses(); }},
    Key{"acpiIndexes", kNet,
        [](Value& value, Selector& to) {
          to.acpi_indexes = value.each_that(is_acpi_index, "a number such as \"101\"");
        }},
    Key{"auxTypes", kAuxiliary,
        [](Value& value, Selector& to) {
          to.aux_types =
              value.each_that([](std::string_view text) { return text == "sf"; }, "\"sf\"");
        }},
    Key{"pfNames", kNet | kAuxiliary,
        [](Value& value, Selector& to) {
          to.pf_names = value.pfs(is_interface_name,
                                  "a PF's name of at most 15 characters, with or without VFs: "
                                  "ens1f0#0-3,7");
        }},
    Key{"rootDevices", kNet | kAuxiliary,
        [](Value& value, Selector& to) {
          to.root_devices =
              value.pfs([](std::string_view text) { return PciAddress::parse(text).has_value(); },
                        "a PF's PCI address, with or without VFs: 0000:3b:00.0#0-3,7");
        }},
    Key{"ifNames", kPools | kConfigList,
        [](Value& value, Selector& to) { to.if_names = read_if_names(value); }},
    Key{"linkTypes", kNet | kAuxiliary | kConfigList,
        [](Value& value, Selector& to) {
          to.link_types = value.each_in_lower_case(
              [](std::string_view text) { return text == "ether" || text == "infiniband"; },
              "\"ether\" or \"infiniband\"");
        }},
    Key{"ddpProfiles", kNet,
        [](Value& value, Selector& to) {
          to.ddp_profiles =
              value.each_that(is_plain_text, "a profile's name such as \"GTPv1-C/U IPv4/IPv6\"");
        }},
    Key{"pKeys", kNet,
        [](Value& value, Selector& to) {
          to.p_keys =
              value.each_in_lower_case(is_p_key, "0x and four hex digits such as \"0x8001\"");
        }},
    Key{"isRdma", kNet | kAuxiliary, [](Value& value, Selector& to) { to.is_rdma = value.flag(); }},
    Key{"vdpaType", kNet, [](Value& value, Selector& to) { to.vdpa = value.vdpa_type(); }},
    Key{"needVhostNet", kNet | kAuxiliary,
        [](Value& value, Selector& to) { to.need_vhost_net = value.flag(); }},
};

Value::Context context(Grammar grammar, DeviceType type) {
  // sriov_totalvfs is a number of 16 bits (SR-IOV 1.1, 3.3.6); an SF's is one of 32.
  constexpr uint32_t kMaxVf = UINT16_MAX - 1;
  return {grammar == Grammar::pools, type == DeviceType::auxiliary ? UINT32_MAX : kMaxVf};
}

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

std::string selector_named(std::string_view key, Grammar grammar) {
  const unsigned here = grammar == Grammar::config_list     ? kConfigList
                        : grammar == Grammar::resource_list ? kNet | kAccelerator | kAuxiliary
                                                            : ~unsigned{kConfigList};
  for (const auto& one : kKeys) {
    if ((one.where & here) && equal_ignoring_case(one.name, key)) return one.name;
  }
  return "";
}

void read_if_names(Object& object, const char* key, Grammar grammar, Selector& selector,
                   Draft& draft) {
  Value value(object, key, context(grammar, DeviceType::net), selector, draft);
  selector.if_names = read_if_names(value);
}

Selector read_selector(const Json& json, const std::string& path, Grammar grammar, DeviceType type,
                       Draft& draft) {
  Selector selector;
  if (!json.is_object()) {
    draft.error(path, fmt::format("expected an object, got {}", go_json::quote(json)));
    return selector;
  }
  Object object(json, path, draft.errors);
  const unsigned here = place(grammar, type);
  for (const auto& key : kKeys) {
    if (key.where & here) {
      Value value(object, key.name, context(grammar, type), selector, draft);
      key.read(value, selector);
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
  if (type == DeviceType::auxiliary && selector.aux_types.empty() && selector.impossible.empty()) {
    object.error("auxTypes", "missing; expected [\"sf\"]");
  }
  report_unknown_keys(object, grammar, Level::selector, draft);
  return selector;
}

}  // namespace railhead::config
