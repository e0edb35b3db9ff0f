#include "plugin/config/yaml.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "plugin/topology/tree.hpp"

// hostBridges:
//   - numaNode: 0
//     devices: [0000:10:00.0]                               # directly at the host bridge
//     switches:
//       - devices: [0000:18:00.0, 0000:19:00.0]             # below one switch
//         switches: [{devices: [0000:1a:00.0]}]
namespace railhead::topology {
namespace {

using Json = nlohmann::ordered_json;

class YamlReader {
 public:
  Result<File> read(const Json& root) {
    if (auto known = expect_keys(root, {"hostBridges"}, "the file"); !known) return pass(known);
    const auto bridges = list(root, "hostBridges", "the file");
    if (!bridges) return pass(bridges);
    for (size_t i = 0; i < (*bridges)->size(); ++i) {
      const auto where = fmt::format("hostBridges[{}]", i);
      if (auto read = read_bridge((**bridges)[i], where, i); !read) return pass(read);
    }
    return tree_.take();
  }

 private:
  // What has no keys is an error; a key that nobody reads is only a warning.
  Result<void> expect_keys(const Json& value, std::initializer_list<std::string_view> keys,
                           const std::string& where) {
    if (!value.is_object()) return fail(ErrorCode::decode, "{}: expected keys and values", where);
    for (const auto& [key, unused] : value.items()) {
      if (std::find(keys.begin(), keys.end(), key) == keys.end()) {
        tree_.warn(fmt::format("{}: the key {} is not known", where, go_quoted(key)));
      }
    }
    return {};
  }

  // The list at a key; an empty one when there is none.
  static Result<const Json*> list(const Json& value, const char* key, const std::string& where) {
    static const Json kEmpty = Json::array();
    const auto at = value.find(key);
    if (at == value.end() || at->is_null()) return &kEmpty;
    if (!at->is_array()) return fail(ErrorCode::decode, "{}.{}: expected a list", where, key);
    return &*at;
  }

  Result<void> read_bridge(const Json& bridge, const std::string& where, size_t number) {
    if (auto known = expect_keys(bridge, {"numaNode", "devices", "switches"}, where); !known) {
      return known;
    }
    std::optional<int> numa_node;
    if (const auto at = bridge.find("numaNode"); at != bridge.end() && !at->is_null()) {
      if (at->is_string()) numa_node = parse_int<int>(at->get_ref<const std::string&>());
      if (!numa_node || *numa_node < 0) {
        return fail(ErrorCode::decode, "{}.numaNode: expected a number from 0", where);
      }
    }
    tree_.enter_bridge(fmt::format("bridge{}", number), numa_node);
    return read_children(bridge, where);
  }

  Result<void> read_children(const Json& parent, const std::string& where) {
    const auto devices = list(parent, "devices", where);
    if (!devices) return pass(devices);
    for (size_t i = 0; i < (*devices)->size(); ++i) {
      const auto& device = (**devices)[i];
      const auto at = fmt::format("{}.devices[{}]", where, i);
      if (!device.is_string()) return fail(ErrorCode::decode, "{}: expected a PCI address", at);
      if (auto added = tree_.add(device.get_ref<const std::string&>()); !added) {
        return pass(added, at);
      }
    }
    const auto switches = list(parent, "switches", where);
    if (!switches) return pass(switches);
    for (size_t i = 0; i < (*switches)->size(); ++i) {
      const auto& child = (**switches)[i];
      const auto at = fmt::format("{}.switches[{}]", where, i);
      if (auto known = expect_keys(child, {"devices", "switches"}, at); !known) return known;
      if (auto entered = tree_.enter_switch(at); !entered) return entered;
      if (auto read = read_children(child, at); !read) return read;
      tree_.leave_switch();
    }
    return {};
  }

  Tree tree_;
};

}  // namespace

Result<File> parse_yaml(std::string_view text) {
  const auto root = config::parse_yaml(text);
  if (!root) return pass(root);
  return YamlReader().read(*root);
}

}  // namespace railhead::topology
