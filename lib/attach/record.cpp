#include "attach/record.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include <nlohmann/json.hpp>

namespace railhead::attach {

using Json = nlohmann::ordered_json;
using host::VfAttributes;

namespace {

// Raised when a field's meaning changes; a program reads its own schema and the next one.
constexpr uint32_t kSchema = 2;

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

// Of none (WireGuard), of four bytes (GRE), or more.
HwAddress address_from(const Field& field) {
  return field.known(HwAddress::from_string(field.text()), "a hardware address");
}

VfAttributes vf_from(const Field& field) {
  VfAttributes vf;
  if (field.has("mac")) vf.mac = address_from(field["mac"]);
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

constexpr std::array kKinds = {KindName::eth_vf,    KindName::user_vf, KindName::whole_nic,
                               KindName::rdma_only, KindName::ib_vf,   KindName::ib_user_vf};
constexpr std::string_view kKindWords = "eth_vf, user_vf, whole_nic or rdma_only";

std::optional<KindName> parse_kind(std::string_view text) {
  for (auto kind : kKinds) {
    if (text == to_string(kind)) return kind;
  }
  return std::nullopt;
}

Json route_json(const host::Route& route) {
  const auto as_is = [](const auto& value) { return value; };
  Json json{{"to", route.destination.to_string()}};
  put(json, "via", route.gateway, [](const auto& gateway) { return gateway.address_string(); });
  put(json, "metric", route.metric, as_is);
  put(json, "table", route.table, as_is);
  put(json, "scope", route.scope, as_is);
  put(json, "mtu", route.mtu, as_is);
  put(json, "advmss", route.advmss, as_is);
  put(json, "source", route.source, [](const auto& source) { return source.address_string(); });
  put(json, "protocol", route.protocol, as_is);
  return json;
}

template <class T>
std::optional<T> number_at(const Field& field, const char* key) {
  if (!field.has(key)) return std::nullopt;
  return field[key].number<T>();
}

host::Route route_from(const Field& field) {
  host::Route route;
  route.destination = field["to"].parsed<host::IpPrefix>("an address with its prefix length");
  if (field.has("via")) route.gateway = field["via"].parsed<host::IpPrefix>("an address");
  route.metric = number_at<uint32_t>(field, "metric");
  route.table = number_at<uint32_t>(field, "table");
  route.scope = number_at<uint8_t>(field, "scope");
  route.mtu = number_at<uint32_t>(field, "mtu");
  route.advmss = number_at<uint32_t>(field, "advmss");
  if (field.has("source")) route.source = field["source"].parsed<host::IpPrefix>("an address");
  route.protocol = number_at<uint8_t>(field, "protocol");
  return route;
}

Json link_json(const LinkState& link) {
  Json json{{"name", link.name},
            {"altNames", link.alt_names},
            {"address", link.address.to_string()},
            {"mtu", link.mtu},
            {"up", link.up},
            {"sysctls", link.sysctls}};
  if (!link.alias.empty()) json["alias"] = link.alias;
  if (link.promisc) json["promisc"] = true;
  if (link.allmulti) json["allmulti"] = true;
  if (link.modes) json["modes"] = *link.modes;
  if (link.broadcast) json["broadcast"] = link.broadcast->to_string();
  if (link.link_mode) json["linkMode"] = *link.link_mode;
  if (!link.parent.empty()) json["parent"] = link.parent;
  if (!link.kind.empty()) json["kind"] = link.kind;
  for (const auto& address : link.addresses) json["addresses"].push_back(address.to_string());
  for (const auto& route : link.routes) json["routes"].push_back(route_json(route));
  return json;
}

LinkState link_from(const Field& field) {
  LinkState link;
  link.name = field["name"].text();
  link.address = address_from(field["address"]);
  link.mtu = field["mtu"].number<uint32_t>();
  link.up = field["up"].flag();
  for (const auto& name : field["altNames"].items()) link.alt_names.push_back(name.text());
  for (const auto& [key, value] : field["sysctls"].members()) link.sysctls[key] = value.text();
  if (field.has("alias")) link.alias = field["alias"].text();
  link.promisc = field.has("promisc") && field["promisc"].flag();
  link.allmulti = field.has("allmulti") && field["allmulti"].flag();
  link.modes = number_at<uint32_t>(field, "modes");
  if (field.has("broadcast")) link.broadcast = address_from(field["broadcast"]);
  link.link_mode = number_at<uint8_t>(field, "linkMode");
  if (field.has("parent")) link.parent = field["parent"].text();
  if (field.has("kind")) link.kind = field["kind"].text();
  if (field.has("addresses")) {
    for (const auto& address : field["addresses"].items()) {
      link.addresses.push_back(address.parsed<host::IpPrefix>("an address with its prefix length"));
    }
  }
  if (field.has("routes")) {
    for (const auto& route : field["routes"].items()) link.routes.push_back(route_from(route));
  }
  return link;
}

Json nodes_json(const std::vector<device::CharDevice>& nodes) {
  Json json = Json::array();
  for (const auto& node : nodes) {
    json.push_back({{"kind", to_string(node.kind)}, {"name", node.name}, {"dev", node.dev}});
  }
  return json;
}

std::vector<device::CharDevice> nodes_from(const Field& field) {
  std::vector<device::CharDevice> nodes;
  for (const auto& node : field.items()) {
    const auto kind = node["kind"];
    nodes.push_back({kind.known(device::parse_char_kind(kind.text()), "uverbs, umad or issm"),
                     node["name"].text(), node["dev"].text()});
  }
  return nodes;
}

Json vf_part_json(const VfPart& vf) {
  return Json{{"pf", vf.pf.to_string()},
              {"index", vf.index},
              {"before", vf_json(vf.before)},
              {"asked", vf_json(vf.asked)}};
}

VfPart vf_part_from(const Field& field) {
  return {field["pf"].parsed<PciAddress>("a PCI address"), field["index"].number<uint32_t>(),
          vf_from(field["before"]), vf_from(field["asked"])};
}

Json link_part_json(const LinkPart& link) {
  Json asked = Json::object();
  put(asked, "address", link.asked_address, [](const auto& a) { return a.to_string(); });
  put(asked, "mtu", link.asked_mtu, [](auto mtu) { return mtu; });
  Json json{{"before", link_json(link.before)}, {"asked", std::move(asked)}};
  if (link.pod_index != 0) json["podIndex"] = link.pod_index;
  return json;
}

LinkPart link_part_from(const Field& field) {
  LinkPart link{link_from(field["before"]), {}, {}};
  const auto asked = field["asked"];
  if (asked.has("address")) {
    link.asked_address = address_from(asked["address"]);
  }
  link.asked_mtu = number_at<uint32_t>(asked, "mtu");
  link.pod_index = number_at<uint32_t>(field, "podIndex").value_or(0);
  return link;
}

Json rdma_part_json(const RdmaPart& rdma) {
  Json before = Json::array();
  for (const auto& device : rdma.before) {
    before.push_back({{"name", device.name},
                      {"nodeGuid", device.node_guid.to_string()},
                      {"nodes", nodes_json(device.nodes)}});
  }
  return Json{{"before", std::move(before)}, {"moves", rdma.moves}};
}

RdmaPart rdma_part_from(const Field& field) {
  RdmaPart rdma;
  for (const auto& device : field["before"].items()) {
    rdma.before.push_back({device["name"].text(), device["nodeGuid"].parsed<Guid>("a GUID"),
                           nodes_from(device["nodes"])});
  }
  rdma.moves = field["moves"].flag();
  return rdma;
}

Json key_json(const AttachmentKey& key) {
  return Json{{"network", key.network}, {"containerId", key.container_id}, {"ifname", key.ifname}};
}

AttachmentKey key_from(const Field& field) {
  return {field["network"].text(), field["containerId"].text(), field["ifname"].text()};
}

Json undo_json(const Undo& undo) {
  return Json{
      {"firstMs", undo.first.count()}, {"reason", undo.reason}, {"quarantined", undo.quarantined}};
}

Undo undo_from(const Field& field) {
  constexpr uint64_t kMost = INT64_MAX / 1'000'000;  // as nanoseconds
  return {std::chrono::milliseconds(field["firstMs"].number<uint64_t>(kMost)),
          field["reason"].text(), field["quarantined"].flag()};
}

constexpr std::array kResets = {Reset::asked, Reset::begun, Reset::done};

std::string_view to_string(Reset reset) {
  if (reset == Reset::asked) return "asked";
  return reset == Reset::begun ? "begun" : "done";
}

std::optional<Reset> parse_reset(std::string_view text) {
  for (auto reset : kResets) {
    if (text == to_string(reset)) return reset;
  }
  return std::nullopt;
}

// What both schemas have.
Record common_from(const Field& field) {
  Record record;
  record.key = key_from(field);
  record.pod = field["pod"].text();
  const auto netns = field["netns"];
  record.netns_path = netns["path"].text();
  record.netns = {netns["device"].number<uint64_t>(), netns["inode"].number<uint64_t>()};
  return record;
}

// Schema 1 knew VFs only.
Record first_schema_from(const Field& field) {
  Record record = common_from(field);
  record.phase = Phase::attached;
  const auto device = field["device"];
  record.device = device["pci"].parsed<PciAddress>("a PCI address");
  const auto before = field["before"];
  const auto asked = field["asked"];
  record.vf = VfPart{device["pf"].parsed<PciAddress>("a PCI address"),
                     device["vf"].number<uint32_t>(), vf_from(before["vf"]), vf_from(asked["vf"])};
  record.kind = KindName::user_vf;
  if (before.has("link")) {
    record.kind = KindName::eth_vf;
    record.link = LinkPart{link_from(before["link"]), record.vf->asked.mac,
                           number_at<uint32_t>(asked, "mtu")};
    record.link->before.parent = record.device.name;
  }
  record.rdma = RdmaPart{{}, asked["rdma"].flag()};
  for (const auto& [name, nodes] : before["rdma"].members()) {
    record.rdma->before.push_back({name, Guid{}, nodes_from(nodes)});
  }
  return record;
}

constexpr std::array kKnown = {"schema", "network", "containerId", "ifname", "group", "pod",
                               "bootId", "phase",   "netns",       "device", "kind",  "vf",
                               "link",   "rdma",    "driver",      "reset",  "undo",  "table"};

std::string unknown_of(const Json& json) {
  Json unknown = Json::object();
  for (const auto& item : json.items()) {
    const auto same = [&](const char* key) { return item.key() == key; };
    if (std::none_of(kKnown.begin(), kKnown.end(), same)) unknown[item.key()] = item.value();
  }
  return unknown.empty() ? "" : unknown.dump();
}

Record record_from(const Json& json) {
  const Field field(json, "");
  const auto schema = field["schema"].number<uint32_t>();
  if (schema < kSchema - 1 || schema > kSchema + 1) {
    throw std::runtime_error(
        fmt::format("schema {}, expected {} to {}", schema, kSchema - 1, kSchema + 1));
  }
  if (schema == 1) return first_schema_from(field);
  Record record = common_from(field);
  if (field.has("group")) record.group = key_from(field["group"]);
  record.boot_id = field["bootId"].text();
  record.phase = field["phase"].text() == "adding" ? Phase::adding : Phase::attached;
  const auto device = field["device"];
  record.device =
      device.known(device::DeviceId::from_parts(device["kind"].text(), device["name"].text()),
                   "a device of kind pci, auxiliary or net");
  const auto kind = field["kind"];
  record.kind = kind.known(parse_kind(kind.text()), kKindWords);
  const bool has_netdev = !is_of_userspace(record.kind) && record.kind != KindName::rdma_only;
  if (is_vf(record.kind) || field.has("vf")) record.vf = vf_part_from(field["vf"]);
  if (has_netdev || field.has("link")) record.link = link_part_from(field["link"]);
  if (field.has("rdma")) record.rdma = rdma_part_from(field["rdma"]);
  const auto driver = field["driver"];
  record.driver = {driver["name"].text(), driver["inode"].number<uint64_t>()};
  if (field.has("reset")) {
    const auto reset = field["reset"];
    record.reset = reset.known(parse_reset(reset.text()), "asked, begun or done");
  }
  record.table = number_at<uint32_t>(field, "table");
  if (field.has("undo")) record.undo = undo_from(field["undo"]);
  record.unknown = unknown_of(json);
  return record;
}

}  // namespace

std::string describe(const AttachmentKey& key, std::string_view pod) {
  return fmt::format("{} of container {}{} on network \"{}\"", key.ifname, key.container_id,
                     pod.empty() ? "" : fmt::format(" (pod {})", pod), key.network);
}

std::string describe(const Record& record) { return describe(record.key, record.pod); }

std::string_view to_string(KindName kind) {
  switch (kind) {
    case KindName::eth_vf:
      return "eth_vf";
    case KindName::user_vf:
      return "user_vf";
    case KindName::whole_nic:
      return "whole_nic";
    case KindName::rdma_only:
      return "rdma_only";
    case KindName::ib_vf:
      return "ib_vf";
    case KindName::ib_user_vf:
      return "ib_user_vf";
  }
  return "";
}

std::string to_text(const host::Route& route) { return route_json(route).dump(); }

std::optional<host::Route> route_from_text(const std::string& text) {
  try {
    const Json json = Json::parse(text);
    return route_from(Field(json, "route"));
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

std::string to_json(const AttachmentKey& key) {
  return key_json(key).dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::optional<AttachmentKey> key_from_json(const std::string& text) {
  try {
    const Json json = Json::parse(text);
    return key_from(Field(json, ""));
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

std::string to_json(const Record& record) {
  Json json{{"schema", kSchema}};
  json.update(key_json(record.key));
  put(json, "group", record.group, key_json);
  json["pod"] = record.pod;
  json["bootId"] = record.boot_id;
  json["phase"] = record.phase == Phase::adding ? "adding" : "attached";
  json["netns"] = Json{
      {"path", record.netns_path}, {"device", record.netns.device}, {"inode", record.netns.inode}};
  json["device"] =
      Json{{"kind", device::to_string(record.device.kind)}, {"name", record.device.name}};
  json["kind"] = to_string(record.kind);
  put(json, "vf", record.vf, vf_part_json);
  put(json, "link", record.link, link_part_json);
  put(json, "rdma", record.rdma, rdma_part_json);
  json["driver"] = Json{{"name", record.driver.name}, {"inode", record.driver.inode}};
  if (record.reset != Reset::none) json["reset"] = to_string(record.reset);
  if (record.table) json["table"] = *record.table;
  put(json, "undo", record.undo, undo_json);
  if (!record.unknown.empty()) json.update(Json::parse(record.unknown));
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<Record> record_from_json(std::string_view text) {
  try {
    return record_from(Json::parse(text));
  } catch (const std::exception& error) {  // nlohmann's and our own, all std::exception
    return fail(ErrorCode::decode, "{}", error.what());
  }
}

}  // namespace railhead::attach
