#include "attach/record.hpp"

#include <nlohmann/json.hpp>

namespace railhead::attach {

using Json = nlohmann::ordered_json;
using host::VfAttributes;

namespace {

// Raised when a field's meaning changes; a program reads its own schema and the next one.
constexpr int kSchema = 1;

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

// The parsers below throw on a wrong type; record_from_json() is where that ends.
template <class T>
T parsed(const Json& json, const char* key) {
  auto value = T::parse(json.at(key).get<std::string>());
  if (!value) throw std::runtime_error(fmt::format("bad value of {}", key));
  return *value;
}

VfAttributes vf_from(const Json& json) {
  VfAttributes vf;
  if (json.contains("mac")) vf.mac = parsed<HwAddress>(json, "mac");
  if (json.contains("vlan")) {
    const Json& vlan = json["vlan"];
    vf.vlan = {vlan.at("id"), vlan.at("qos"), vlan.at("protocol")};
  }
  if (json.contains("rate")) {
    vf.rate = {json["rate"].at("minTxMbps"), json["rate"].at("maxTxMbps")};
  }
  if (json.contains("spoofchk")) vf.spoofchk = json["spoofchk"].get<bool>();
  if (json.contains("trust")) vf.trust = json["trust"].get<bool>();
  if (json.contains("linkState")) {
    vf.link_state = static_cast<host::VfLinkState>(json["linkState"].get<uint32_t>());
  }
  if (json.contains("nodeGuid")) vf.node_guid = parsed<Guid>(json, "nodeGuid");
  if (json.contains("portGuid")) vf.port_guid = parsed<Guid>(json, "portGuid");
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

LinkState link_from(const Json& json) {
  return LinkState{json.at("name"),
                   json.at("altNames").get<std::vector<std::string>>(),
                   parsed<HwAddress>(json, "address"),
                   json.at("mtu"),
                   json.at("up"),
                   json.at("sysctls").get<std::map<std::string, std::string>>()};
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

device::CharKind kind_from(std::string_view text) {
  auto kind = device::parse_char_kind(text);
  if (!kind) throw std::runtime_error(fmt::format("unknown kind of character device \"{}\"", text));
  return *kind;
}

RdmaState rdma_from(const Json& json) {
  RdmaState rdma;
  for (const auto& [name, devices] : json.items()) {
    auto& list = rdma[name];
    for (const auto& device : devices) {
      list.push_back(
          {kind_from(device.at("kind").get<std::string>()), device.at("name"), device.at("dev")});
    }
  }
  return rdma;
}

Record record_from(const Json& json) {
  const int schema = json.at("schema");
  if (schema < 1 || schema > kSchema + 1) {
    throw std::runtime_error(fmt::format("schema {}, expected 1 to {}", schema, kSchema + 1));
  }
  Record record;
  record.key = {json.at("network"), json.at("containerId"), json.at("ifname")};
  record.pod = json.at("pod");
  const Json& netns = json.at("netns");
  record.netns_path = netns.at("path");
  record.netns = {netns.at("device"), netns.at("inode")};
  const Json& device = json.at("device");
  record.device = parsed<PciAddress>(device, "pci");
  record.pf = parsed<PciAddress>(device, "pf");
  record.vf_index = device.at("vf");
  const Json& before = json.at("before");
  if (before.contains("link")) record.link = link_from(before["link"]);
  record.vf = vf_from(before.at("vf"));
  record.rdma = rdma_from(before.at("rdma"));
  const Json& asked = json.at("asked");
  record.settings.vf = vf_from(asked.at("vf"));
  if (asked.contains("mtu")) record.settings.mtu = asked["mtu"].get<uint32_t>();
  record.moves_rdma = asked.at("rdma");
  record.attached = json.at("attached");
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
      {"attached", record.attached},
  };
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
