#include "cni/types/vf_keys.hpp"

#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/go_json.hpp"
#include "base/text.hpp"
#include "cni/conf.hpp"

namespace railhead::cni {

using go_json::Object;
using Json = nlohmann::ordered_json;

namespace {

constexpr int64_t kMaxVlan = 4094;
constexpr int64_t kMaxQos = 7;
constexpr int64_t kMinMtu = 68;  // RFC 791: what every IPv4 link must carry
constexpr int64_t kMaxMtu = INT32_MAX;
constexpr uint16_t kEthP8021Q = 0x8100;   // ETH_P_8021Q, linux/if_ether.h
constexpr uint16_t kEthP8021AD = 0x88a8;  // ETH_P_8021AD

// Keys that other parts read, or that runtimes and other programs put there.
constexpr std::string_view kOtherVfKeys[] = {
    "cniVersion", "name",         "type",        "ipam",       "dns",         "capabilities",
    "prevResult", "args",         "logLevel",    "logFile",    "pciBusID",    "disableCheck",
    "Master",     "VFID",         "OrigVfState", "disableGC",  "cniVersions", "plugins",
    "ipMasq",     "resourceName", "addTimeout",  "delTimeout", "ownership",   "ipamDirs"};

Result<device::DeviceId> read_device(Object& config, Object* runtime, bool takes_sub_function) {
  auto id = config.string("deviceID").value_or("");
  if (id.empty() && runtime) id = runtime->string("deviceID").value_or("");
  if (id.empty()) id = config.string("pciBusID").value_or("");
  if (id.empty()) {
    return refuse(
        "VF pci addr is required (deviceID: Multus fills it in where the "
        "NetworkAttachmentDefinition has the annotation k8s.v1.cni.cncf.io/resourceName)");
  }
  auto device = device::DeviceId::parse(id);
  if (device && (device->pci() || takes_sub_function)) return std::move(*device);
  return refuse(
      "failed to get VF information: {}",
      go_quoted(fmt::format("deviceID {} is not a PCI address like 0000:3b:00.2{}", id,
                            takes_sub_function ? " or a sub-function like mlx5_core.sf.4" : "")));
}

Result<std::optional<host::VfVlan>> read_vlan(Object& config) {
  const auto id = config.integer("vlan");
  const auto qos = config.integer("vlanQoS");
  const auto protocol = config.string("vlanProto");
  if (!id) {
    if (qos) return refuse("vlan id must be configured to set vlan QoS to a non-nil value");
    if (protocol) return refuse("vlan id must be configured to set vlan proto to a non-nil value");
    return std::nullopt;
  }
  if (*id < 0 || *id > kMaxVlan) {
    return refuse("vlan id {} invalid: value must be in the range 0-4094", *id);
  }
  if (qos && (*qos < 0 || *qos > kMaxQos)) {
    return refuse("vlan QoS PCP {} invalid: value must be in the range 0-7", *qos);
  }
  if (qos.value_or(0) != 0 && *id == 0) {
    return refuse("non-zero vlan id must be configured to set vlan QoS to a non-zero value");
  }
  host::VfVlan vlan{static_cast<uint32_t>(*id), static_cast<uint32_t>(qos.value_or(0)), kEthP8021Q};
  if (protocol) {
    const auto lower = to_lower(*protocol);
    if (lower != "802.1q" && lower != "802.1ad") {
      return refuse("vlan Proto {} invalid: value must be '802.1Q' or '802.1ad'", lower);
    }
    if (lower == "802.1ad") {
      if (*id == 0) {
        return refuse("non-zero vlan id must be configured to set vlan proto 802.1ad");
      }
      vlan.protocol = kEthP8021AD;
    }
  }
  return vlan;
}

Result<std::optional<HwAddress>> read_mac(Object& config, Object* runtime,
                                          const cnispec::CniArgs& args) {
  std::string text;
  if (runtime) text = runtime->string("mac").value_or("");
  const auto own = config.string("mac").value_or("");
  if (text.empty()) text = args.mac;
  if (text.empty()) text = own;
  if (text.empty()) return std::nullopt;
  const auto mac = HwAddress::parse(text);
  const auto why = !mac || mac->size() != 6                   ? "invalid MAC address"
                   : mac->is_zero() || mac->bytes()[0] & 0x01 ? "not the address of one interface"
                                                              : "";
  if (*why == '\0') return mac;
  return refuse("failed to parse MAC address {}: address {}: {}", text, text, why);
}

Result<std::optional<host::VfRate>> read_rate(Object& config) {
  const auto min = config.integer("min_tx_rate");
  const auto max = config.integer("max_tx_rate");
  if (!min && !max) return std::nullopt;
  for (const auto& [key, rate] : {std::pair{"min_tx_rate", min}, std::pair{"max_tx_rate", max}}) {
    if (rate && (*rate < 0 || *rate > UINT32_MAX)) {
      return refuse("{} {} invalid: value must be a number of Mbit/s", key, *rate);
    }
  }
  return host::VfRate{static_cast<uint32_t>(min.value_or(0)),
                      static_cast<uint32_t>(max.value_or(0))};
}

// 0 is what Go's int holds when the key is missing.
Result<std::optional<uint32_t>> read_mtu(Object& config) {
  const auto mtu = config.integer("mtu").value_or(0);
  if (mtu == 0) return std::nullopt;
  if (mtu < kMinMtu || mtu > kMaxMtu) {
    return refuse("mtu {} invalid: value must be at least {}", mtu, kMinMtu);
  }
  return static_cast<uint32_t>(mtu);
}

Result<attach::RdmaUse> read_rdma(Object& config, attach::RdmaUse without) {
  const auto word = config.string("rdma").value_or("");
  if (word.empty()) return without;
  if (word == "auto") return attach::RdmaUse::automatic;
  if (word == "require") return attach::RdmaUse::require;
  if (word == "off") return attach::RdmaUse::off;
  return refuse("invalid rdma value: {}: value must be 'auto', 'require' or 'off'", word);
}

// To sriov-cni every word but "on" is off, "ON" too: a check that somebody asked for would be
// switched off.
Result<std::optional<bool>> read_switch(Object& config, std::string_view key) {
  const auto text = config.string(key).value_or("");
  const auto word = to_lower(text);
  if (word.empty()) return std::nullopt;
  if (word == "on" || word == "off") return word == "on";
  return refuse("invalid {} value: {}: value must be 'on' or 'off'", key, text);
}

}  // namespace

Result<std::optional<host::VfLinkState>> read_link_state(Object& config) {
  const auto text = config.string("link_state").value_or("");
  if (text.empty()) return std::nullopt;
  for (auto state :
       {host::VfLinkState::automatic, host::VfLinkState::enable, host::VfLinkState::disable}) {
    if (text == to_string(state)) return state;
  }
  return refuse("invalid link_state value: {}", text);
}

Result<std::optional<Guid>> read_guid(Object& config, Object* runtime) {
  auto args = config.object("args");
  auto cni = args ? args->object("cni") : std::nullopt;
  auto text = runtime ? runtime->string("infinibandGUID").value_or("") : "";
  const auto of_args = cni ? cni->string("guid").value_or("") : "";
  if (text.empty()) text = of_args;
  if (text.empty()) return std::nullopt;
  constexpr size_t kPairs = 23;  // "02:00:00:00:00:00:00:01", and not sysfs' form
  const auto guid = text.size() == kPairs ? Guid::parse(text) : std::nullopt;
  if (!guid || guid->value == 0) return refuse("invalid guid {}", text);
  return guid;
}

Result<std::optional<GuidRange>> read_guid_pool(Object& config) {
  const auto text = config.string("guidPool").value_or("");
  if (text.empty()) return std::nullopt;
  if (const auto range = GuidRange::parse(text)) return range;
  return refuse(
      "invalid guidPool {}: expected the first and the last GUID of a range, like "
      "02:00:00:00:00:00:01:00-02:00:00:00:00:00:01:ff",
      text);
}

std::vector<std::string> unknown_vf_keys(Object& config) {
  for (auto key : kOtherVfKeys) config.value(key);
  return told_keys(config);
}

Result<Asked> read_vf_keys(const Source& source, const VfKeys& of_type) {
  std::vector<Error> errors;
  Object object(source.config, "", errors);
  auto runtime = object.object("runtimeConfig");
  Object* const runtime_config = runtime ? &*runtime : nullptr;

  const auto device = read_device(object, runtime_config, of_type.takes_sub_function);
  const auto vlan = read_vlan(object);
  const auto mac = read_mac(object, runtime_config, source.args);
  const auto rate = read_rate(object);
  const auto link_state = read_link_state(object);
  const auto mtu = read_mtu(object);
  const auto spoofchk = read_switch(object, "spoofchk");
  const auto trust = read_switch(object, "trust");
  const auto rdma = read_rdma(object, of_type.default_rdma);
  const auto guid = of_type.knows_guid ? read_guid(object, runtime_config) : std::nullopt;
  const auto guid_pool =
      of_type.knows_guid ? read_guid_pool(object) : Result<std::optional<GuidRange>>();
  const auto reset = of_type.knows_reset ? object.boolean("reset") : std::nullopt;

  // A key of a wrong type reads as missing: say so before saying that something is missing.
  if (!errors.empty()) return refuse("failed to load netconf: {}", errors.front().message);
  if (!device) return pass(device);
  if (!vlan) return pass(vlan);
  if (!link_state) return pass(link_state);
  if (!mac) return pass(mac);
  if (!rate) return pass(rate);
  if (!mtu) return pass(mtu);
  if (!spoofchk) return pass(spoofchk);
  if (!trust) return pass(trust);
  if (!rdma) return pass(rdma);
  if (!guid) return pass(guid);
  if (!guid_pool) return pass(guid_pool);
  Asked asked;
  asked.rdma = *rdma;
  asked.reset = reset.value_or(false);
  asked.device = *device;
  asked.settings.vf.vlan = *vlan;
  asked.settings.vf.mac = *mac;
  asked.settings.vf.rate = *rate;
  asked.settings.vf.link_state = *link_state;
  asked.settings.vf.spoofchk = *spoofchk;
  asked.settings.vf.trust = *trust;
  asked.settings.mtu = *mtu;
  asked.settings.vf.node_guid = asked.settings.vf.port_guid = *guid;
  asked.settings.guid_pool = *guid_pool;
  for (const auto key : of_type.more_keys) object.value(key);
  asked.unknown_keys = unknown_vf_keys(object);
  return asked;
}

}  // namespace railhead::cni
