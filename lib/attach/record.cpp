#include "attach/record.hpp"

#include <limits>

#include <nlohmann/json.hpp>

namespace railhead::attach {

using Json = nlohmann::ordered_json;
using host::VfAttributes;

namespace {

// Raised when a field's meaning changes; a program reads its own schema and the next one.
constexpr uint32_t kSchema = 1;

template <class T, class Convert>
void put(Json& json, const char* key, const std::optional<T>& value, Convert convert) {
  if (value) json[key] = convert(*value);
}

Json vf_json(const VfAttributes& vf) {
  const auto as_is = [](const auto& value) { return value; };
  const auto text = [](const auto& value) { return value.to_string(); };
  Json json = Json::object();
  put(json, "mac", vf.mac, text);
  put(json, "vlan", vf.vlan, [](const host::VfVlan& v) {
    return Json{{"id", v.id}, {"qos", v.qos}, {"protocol", v.protocol}};
  });
  put(json, "rate", vf.rate, [](const host::VfRate& r) {
    return Json{{"minTxMbps", r.min_tx}, {"maxTxMbps", r.max_tx}};
  });
  put(json, "spoofchk", vf.spoofchk, as_is);
  put(json, "trust", vf.trust, as_is);
  put(json, "linkState", vf.link_state, [](auto s) { return static_cast<uint32_t>(s); });
  put(json, "nodeGuid", vf.node_guid, text);
  put(json, "portGuid", vf.port_guid, text);
  return json;
}

// One value of a record with the way to it, which errors name: "before.vf.vlan.id". The readers
// below throw; record_from_json() is where that ends.
class Field {
 public:
  Field(const Json& json, std::string path) : json_(json), path_(std::move(path)) {}

  [[nodiscard]] bool has(const char* key) const { return json_.is_object() && json_.contains(key); }
  [[nodiscard]] Field operator[](const std::string& key) const {
    auto path = path_.empty() ? key : path_ + "." + key;
    if (!json_.is_object()) refuse("an object");
    if (!json_.contains(key)) throw std::runtime_error(path + " is missing");
    return {json_.at(key), std::move(path)};
  }
  // A whole number from 0 to `most`.
  template <class T>
  [[nodiscard]] T number(T most = std::numeric_limits<T>::max()) const {
    if (!json_.is_number_unsigned() || json_.get<uint64_t>() > most) {
      refuse(fmt::format("a whole number from 0 to {}", most));
    }
    return json_.get<T>();
  }
  [[nodiscard]] bool flag() const {
    if (!json_.is_boolean()) refuse("true or false");
    return json_.get<bool>();
  }
  [[nodiscard]] std::string text() const {
    if (!json_.is_string()) refuse("a string");
    return json_.get<std::string>();
  }
  template <class T>
  [[nodiscard]] T parsed(std::string_view expected) const {
    return known(T::parse(text()), expected);
  }
  template <class T>
  [[nodiscard]] T known(std::optional<T> value, std::string_view expected) const {
    if (!value) refuse(expected);
    return *value;
  }
  [[nodiscard]] std::vector<Field> items() const {
    if (!json_.is_array()) refuse("a list");
    std::vector<Field> all;
    for (const auto& item : json_) all.emplace_back(item, fmt::format("{}[{}]", path_, all.size()));
    return all;
  }
  [[nodiscard]] std::vector<std::pair<std::string, Field>> members() const {
    if (!json_.is_object()) refuse("an object");
    std::vector<std::pair<std::string, Field>> all;
    for (const auto& item : json_.items()) all.emplace_back(item.key(), (*this)[item.key()]);
    return all;
  }

 private:
  [[noreturn]] void refuse(std::string_view expected) const {
    throw std::runtime_error(fmt::format("{} is {}: expected {}", path_,
                                         json_.dump(-1, ' ', false, Json::error_handler_t::replace),
                                         expected));
  }

  const Json& json_;
  std::string path_;
};

VfAttributes vf_from(const Field& field) {
  VfAttributes vf;
  if (field.has("mac")) vf.mac = field["mac"].parsed<HwAddress>("a hardware address");
  if (field.has("vlan")) {
    const auto vlan = field["vlan"];
    // 4095 is no VLAN of a configuration, but the kernel takes it (VLAN_VID_MASK), and what stood
    // on a VF must be read back.
    vf.vlan = {vlan["id"].number<uint32_t>(4095), vlan["qos"].number<uint32_t>(7),
               vlan["protocol"].number<uint16_t>()};
  }
  if (field.has("rate")) {
    vf.rate = {field["rate"]["minTxMbps"].number<uint32_t>(),
               field["rate"]["maxTxMbps"].number<uint32_t>()};
  }
  if (field.has("spoofchk")) vf.spoofchk = field["spoofchk"].flag();
  if (field.has("trust")) vf.trust = field["trust"].flag();
  if (field.has("linkState")) {
    vf.link_state = static_cast<host::VfLinkState>(
        field["linkState"].number(static_cast<uint32_t>(host::VfLinkState::disable)));
  }
  if (field.has("nodeGuid")) vf.node_guid = field["nodeGuid"].parsed<Guid>("a GUID");
  if (field.has("portGuid")) vf.port_guid = field["portGuid"].parsed<Guid>("a GUID");
  return vf;
}

Json link_json(const LinkState& link) {
  return Json{{"name", link.name},
              {"altNames", link.alt_names},
              {"address", link.address.to_string()},
              {"mtu", link.mtu},
              {"up", link.up},
              {"sysctls", link.sysctls}};
}

LinkState link_from(const Field& field) {
  LinkState link{field["name"].text(),
                 {},
                 field["address"].parsed<HwAddress>("a hardware address"),
                 field["mtu"].number<uint32_t>(),
                 field["up"].flag(),
                 {}};
  for (const auto& name : field["altNames"].items()) link.alt_names.push_back(name.text());
  for (const auto& [key, value] : field["sysctls"].members()) link.sysctls[key] = value.text();
  return link;
}

Json rdma_json(const RdmaState& rdma) {
  Json json = Json::object();
  for (const auto& [name, devices] : rdma) {
    json[name] = Json::array();
    for (const auto& device : devices) {
      json[name].push_back(
          {{"kind", to_string(device.kind)}, {"name", device.name}, {"dev", device.dev}});
    }
  }
  return json;
}

RdmaState rdma_from(const Field& field) {
  RdmaState rdma;
  for (const auto& [name, devices] : field.members()) {
    auto& list = rdma[name];
    for (const auto& device : devices.items()) {
      const auto kind = device["kind"];
      list.push_back({kind.known(device::parse_char_kind(kind.text()), "uverbs, umad or issm"),
                      device["name"].text(), device["dev"].text()});
    }
  }
  return rdma;
}

Record record_from(const Field& field) {
  const auto schema = field["schema"].number<uint32_t>();
  if (schema < 1 || schema > kSchema + 1) {
    throw std::runtime_error(fmt::format("schema {}, expected 1 to {}", schema, kSchema + 1));
  }
  Record record;
  record.key = {field["network"].text(), field["containerId"].text(), field["ifname"].text()};
  record.pod = field["pod"].text();
  const auto netns = field["netns"];
  record.netns_path = netns["path"].text();
  record.netns = {netns["device"].number<uint64_t>(), netns["inode"].number<uint64_t>()};
  const auto device = field["device"];
  record.device = device["pci"].parsed<PciAddress>("a PCI address");
  record.pf = device["pf"].parsed<PciAddress>("a PCI address");
  record.vf_index = device["vf"].number<uint32_t>();
  const auto before = field["before"];
  if (before.has("link")) record.link = link_from(before["link"]);
  record.vf = vf_from(before["vf"]);
  record.rdma = rdma_from(before["rdma"]);
  const auto asked = field["asked"];
  record.settings.vf = vf_from(asked["vf"]);
  if (asked.has("mtu")) record.settings.mtu = asked["mtu"].number<uint32_t>();
  record.moves_rdma = asked["rdma"].flag();
  return record;
}

}  // namespace

std::string describe(const AttachmentKey& key, std::string_view pod) {
  return fmt::format("{} of container {}{} on network \"{}\"", key.ifname, key.container_id,
                     pod.empty() ? "" : fmt::format(" (pod {})", pod), key.network);
}

std::string to_json(const Record& record) {
  Json before{{"vf", vf_json(record.vf)}, {"rdma", rdma_json(record.rdma)}};
  if (record.link) before["link"] = link_json(*record.link);
  Json asked{{"vf", vf_json(record.settings.vf)}, {"rdma", record.moves_rdma}};
  if (record.settings.mtu) asked["mtu"] = *record.settings.mtu;
  const Json json{
      {"schema", kSchema},
      {"network", record.key.network},
      {"containerId", record.key.container_id},
      {"ifname", record.key.ifname},
      {"pod", record.pod},
      {"netns",
       {{"path", record.netns_path},
        {"device", record.netns.device},
        {"inode", record.netns.inode}}},
      {"device",
       {{"pci", record.device.to_string()},
        {"pf", record.pf.to_string()},
        {"vf", record.vf_index}}},
      {"before", before},
      {"asked", asked},
  };
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<Record> record_from_json(std::string_view text) {
  try {
    const Json json = Json::parse(text);
    return record_from(Field(json, ""));
  } catch (const std::exception& error) {  // nlohmann's and our own, all std::exception
    return fail(ErrorCode::decode, "{}", error.what());
  }
}

}  // namespace railhead::attach
