#include "plugin/app/shared_gids.hpp"

#include <map>
#include <optional>
#include <vector>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/go_json.hpp"
#include "base/hw_address.hpp"
#include "base/text.hpp"
#include "device/gids.hpp"

namespace railhead::app {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kIpoibSize = 20;  // flags and QPN, and from its fourth byte on the port's GID
constexpr std::string_view kRoceV2 = "RoCE v2";
// An interface has one or two, and a node some NICs; who writes a NAD may say any number.
constexpr size_t kMostAddresses = 16;
constexpr size_t kMostParents = 16;

std::string gid_text(std::span<const uint8_t> bytes) {
  std::string text;
  for (size_t i = 0; i + 1 < bytes.size(); i += 2) {
    text += fmt::format("{}{:02x}{:02x}", i == 0 ? "" : ":", bytes[i], bytes[i + 1]);
  }
  return text;
}

// Of "10.1.2.3/24": "0000:0000:0000:0000:0000:ffff:0a01:0203"; nothing where it is no address.
std::optional<std::string> gid_of_ip(std::string_view prefix) {
  const std::string address(prefix.substr(0, prefix.find('/')));
  in6_addr v6{};
  if (inet_pton(AF_INET6, address.c_str(), &v6) == 1) return gid_text(v6.s6_addr);
  if (inet_pton(AF_INET6, ("::ffff:" + address).c_str(), &v6) != 1) return std::nullopt;
  return gid_text(v6.s6_addr);
}

// It comes from a NetworkAttachmentDefinition and is looked for in a folder.
bool is_netdev_name(std::string_view name) {
  return !name.empty() && name.find('/') == std::string_view::npos && name != "." && name != "..";
}

struct Sought {
  std::string gid;
  std::string netdev;  // "": a port of InfiniBand names none
};

std::vector<Sought> sought_of(const ipc::SharedInterface& one) {
  const auto address = HwAddress::parse(one.mac);
  if (address && address->size() == kIpoibSize) {
    return {{gid_text(address->bytes().subspan(4)), ""}};
  }
  std::vector<Sought> all;
  for (const auto& ip : one.ips) {
    if (all.size() == kMostAddresses) break;
    if (auto gid = gid_of_ip(ip)) all.push_back({std::move(*gid), one.ifname});
  }
  return all;
}

// All of a NIC's RDMA devices.
struct Entry {
  std::string device;
  uint32_t port = 0;
  device::Gid gid;
};
using Table = std::vector<Entry>;

Table read_table(const host::Directory& function) {
  Table all;
  const auto devices = function.list("infiniband");
  for (const auto& device : devices ? *devices : std::vector<std::string>{}) {
    const auto ports = function.list(fmt::format("infiniband/{}/ports", device));
    for (const auto& name : ports ? *ports : std::vector<std::string>{}) {
      const auto port = parse_int<uint32_t>(name);
      if (!port) continue;
      auto gids = device::read_gids(function, device, *port);
      if (!gids) continue;
      for (auto& gid : *gids) all.push_back({device, *port, std::move(gid)});
    }
  }
  return all;
}

// RoCE v2's, else the other one. Where two are of the same kind, as of two pods with one address,
// nothing says which is meant.
std::optional<Json> find_gid(const Table& table, const Sought& sought) {
  const Entry* found = nullptr;
  bool is_unique = true;
  for (const auto& entry : table) {
    if (entry.gid.gid != sought.gid) continue;
    if (!sought.netdev.empty() && entry.gid.netdev != sought.netdev) continue;
    const bool is_v2 = entry.gid.type == kRoceV2;
    const bool was_v2 = found && found->gid.type == kRoceV2;
    if (found && is_v2 == was_v2) is_unique = false;
    if (found && (was_v2 || !is_v2)) continue;
    found = &entry;
    is_unique = true;
  }
  if (!found || !is_unique) return std::nullopt;
  return Json{{"device", found->device},
              {"port", found->port},
              {"gid-index", found->gid.index},
              {"gid", found->gid.gid}};
}

std::optional<Json> find_first_gid(const Table& table, const std::vector<Sought>& all) {
  for (const auto& sought : all) {
    if (auto gid = find_gid(table, sought)) return gid;
  }
  return std::nullopt;
}

}  // namespace

StatusWithGids with_gids(const ipc::PodNews& pod, const std::string& sysfs) {
  StatusWithGids status{pod.network_status};
  if (pod.shared.empty()) return status;
  auto json = go_json::parse(pod.network_status);
  if (!json || !json->is_array()) return status;
  std::map<std::string, Table> tables;  // by netdev: each is read once
  for (const auto& one : pod.shared) {
    if (!is_netdev_name(one.parent)) continue;
    auto table = tables.find(one.parent);
    if (table == tables.end()) {
      if (tables.size() == kMostParents) continue;
      const auto function =
          host::Directory::open(fmt::format("{}/class/net/{}/device", sysfs, one.parent));
      table = tables.emplace(one.parent, function ? read_table(*function) : Table{}).first;
    }
    const auto sought = sought_of(one);
    if (table->second.empty() || sought.empty()) continue;
    const auto gid = find_first_gid(table->second, sought);
    if (!gid) status.is_whole = false;
    for (auto& entry : *json) {
      if (gid && entry.is_object() && entry.value("interface", Json()) == one.ifname) {
        entry["rdma"] = *gid;
      }
    }
  }
  status.text = json->dump(4, ' ', false, Json::error_handler_t::replace);
  return status;
}

}  // namespace railhead::app
