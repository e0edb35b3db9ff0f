#include "attach/foreign_cache.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/go_json.hpp"

namespace railhead::attach {

using go_json::Object;

namespace {

constexpr int64_t kMaxVlan = 4095;
constexpr int64_t kMaxQos = 7;
constexpr uint16_t kEthP8021Q = 0x8100;   // ETH_P_8021Q, linux/if_ether.h
constexpr uint16_t kEthP8021AD = 0x88a8;  // ETH_P_8021AD
constexpr int64_t kMinMtu = 68;           // RFC 791

std::optional<int64_t> number(Object& object, std::string_view key, int64_t most) {
  const auto value = object.integer(key);
  if (value && *value >= 0 && *value <= most) return value;
  if (value) object.error(key, fmt::format("expected 0 to {}, got {}", most, *value));
  return std::nullopt;
}

// As Go writes a HardwareAddr; "" where it had none.
std::optional<HwAddress> mac(Object& object, std::string_view key) {
  const auto text = object.string(key).value_or("");
  if (text.empty()) return std::nullopt;
  auto address = HwAddress::parse(text);
  if (address && address->size() == 6) return address;
  object.error(key, "expected a MAC address");
  return std::nullopt;
}

std::optional<host::VfVlan> vlan(Object& state) {
  const auto id = number(state, "Vlan", kMaxVlan);
  const auto qos = number(state, "VlanQoS", kMaxQos).value_or(0);
  const auto protocol = number(state, "VlanProto", UINT16_MAX).value_or(0);
  if (!id) return std::nullopt;
  if (protocol != 0 && protocol != kEthP8021Q && protocol != kEthP8021AD) {
    state.error("VlanProto", fmt::format("expected {} or {}", kEthP8021Q, kEthP8021AD));
  }
  return host::VfVlan{static_cast<uint32_t>(*id), static_cast<uint32_t>(qos),
                      protocol == 0 ? kEthP8021Q : static_cast<uint16_t>(protocol)};
}

host::VfAttributes attributes(Object& state) {
  host::VfAttributes before;
  before.mac = mac(state, "AdminMAC");
  before.vlan = vlan(state);
  const auto min = number(state, "MinTxRate", UINT32_MAX);
  const auto max = number(state, "MaxTxRate", UINT32_MAX);
  if (min && max) {
    before.rate = host::VfRate{static_cast<uint32_t>(*min), static_cast<uint32_t>(*max)};
  }
  before.spoofchk = state.boolean("SpoofChk");
  before.trust = state.boolean("Trust");
  constexpr auto kLast = static_cast<int64_t>(host::VfLinkState::disable);
  if (const auto link_state = number(state, "LinkState", kLast)) {
    before.link_state = static_cast<host::VfLinkState>(*link_state);
  }
  return before;
}

void read_netdev(Object& state, SriovCache& cache) {
  cache.host_name = state.string("HostIFName").value_or("");
  if (cache.host_name.empty()) return;
  if (!is_netdev_name(cache.host_name)) state.error("HostIFName", "expected an interface's name");
  cache.address = mac(state, "EffectiveMAC");
  if (!cache.address) state.error("EffectiveMAC", "expected a MAC address");
  const auto mtu = number(state, "MTU", INT32_MAX);
  if (mtu && *mtu >= kMinMtu) cache.mtu = static_cast<uint32_t>(*mtu);
}

// As the CNI specification has them; it becomes part of files' names.
bool is_network_name(std::string_view name) {
  return name.size() <= UINT8_MAX && std::all_of(name.begin(), name.end(), [](const char c) {
           return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                  c == '_' || c == '.' || c == '-';
         });
}

void read_network_and_device(Object& object, SriovCache& cache) {
  cache.network = object.string("name").value_or("");
  if (!is_network_name(cache.network)) object.error("name", "expected a network's name");
  const auto id = object.string("deviceID").value_or("");
  if (const auto pci = PciAddress::parse(id)) {
    cache.device = *pci;
  } else {
    object.error("deviceID", "expected a PCI address");
  }
}

// "": it had none, or gave none.
std::optional<Guid> guid(Object& object, std::string_view key) {
  const auto text = object.string(key).value_or("");
  if (text.empty()) return std::nullopt;
  if (const auto guid = Guid::parse(text)) return guid;
  object.error(key, "expected a GUID");
  return std::nullopt;
}

RdmaCache read_rdma_device(Object& object) {
  RdmaCache cache;
  if (auto device = device::DeviceId::parse(object.string("deviceID").value_or(""))) {
    cache.device = std::move(*device);
  } else {
    object.error("deviceID", "expected a PCI address or an auxiliary device");
  }
  cache.host_name = object.string("sandboxRdmaDevName").value_or("");
  constexpr size_t kMost = 63;  // IB_DEVICE_NAME_MAX without its NUL
  if (cache.host_name.empty() || cache.host_name.size() > kMost ||
      cache.host_name.find('/') != std::string::npos) {
    object.error("sandboxRdmaDevName", "expected an RDMA device's name");
  }
  return cache;
}

Result<nlohmann::ordered_json> parse_cache(std::string_view text) {
  auto json = go_json::parse(text);
  if (json && !json->is_object()) return fail(ErrorCode::decode, "expected an object");
  return json;
}

template <class Cache>
Result<Cache> finish(Cache cache, std::vector<Error>& errors) {
  if (errors.empty()) return cache;
  auto error = std::move(errors.front());
  error.code = ErrorCode::decode;
  return Failure(std::move(error));
}

}  // namespace

bool is_netdev_name(std::string_view name) {
  constexpr size_t kMost = 15;  // IFNAMSIZ without its NUL
  return !name.empty() && name.size() <= kMost && name != "." && name != ".." &&
         std::all_of(name.begin(), name.end(), [](const unsigned char c) {
           return c > ' ' && c != '/' && c != ':' && c != 0x7f;
         });
}

Result<SriovCache> read_sriov_cache(std::string_view text) {
  const auto json = parse_cache(text);
  if (!json) return pass(json);
  std::vector<Error> errors;
  Object object(*json, "", errors);
  SriovCache cache;
  read_network_and_device(object, cache);
  if (auto state = object.object("OrigVfState")) {
    cache.before = attributes(*state);
    read_netdev(*state, cache);
  } else {
    object.error("OrigVfState", "expected an object");
  }
  return finish(std::move(cache), errors);
}

Result<SriovCache> read_ib_sriov_cache(std::string_view text) {
  const auto json = parse_cache(text);
  if (!json) return pass(json);
  std::vector<Error> errors;
  Object object(*json, "", errors);
  SriovCache cache;
  cache.layer = host::LinkLayer::infiniband;
  read_network_and_device(object, cache);
  cache.host_name = object.string("HostIFNames").value_or("");
  if (!cache.host_name.empty() && !is_netdev_name(cache.host_name)) {
    object.error("HostIFNames", "expected an interface's name");
  }
  if (object.string("link_state").value_or("") != "") {
    cache.before.link_state = host::VfLinkState::automatic;
  }
  const auto former = guid(object, "HostIFGUID");
  // What follows only adds to it: what cannot be read there is as if it were missing.
  std::vector<Error> soft;
  Object more(*json, "", soft);
  auto args = more.object("args");
  auto cni = args ? args->object("cni") : std::nullopt;
  auto runtime = more.object("runtimeConfig");
  auto given = runtime ? guid(*runtime, "infinibandGUID") : std::nullopt;
  if (!given && cni) given = guid(*cni, "guid");
  cache.asked.port_guid = cache.asked.node_guid = given;
  // Of a userspace driver's VF it keeps none: any but the given one.
  cache.before.port_guid = former || !given ? former : Guid{};
  cache.before.node_guid = cache.before.port_guid;
  const auto errors_before = soft.size();
  auto rdma = more.object("RdmaNetState");
  if (rdma && rdma->string("sandboxRdmaDevName").value_or("") != "") {
    auto device = read_rdma_device(*rdma);
    if (soft.size() == errors_before) cache.rdma = std::move(device);
  }
  return finish(std::move(cache), errors);
}

Result<RdmaCache> read_rdma_cache(std::string_view text) {
  const auto json = parse_cache(text);
  if (!json) return pass(json);
  std::vector<Error> errors;
  Object object(*json, "", errors);
  auto cache = read_rdma_device(object);
  return finish(std::move(cache), errors);
}

}  // namespace railhead::attach
