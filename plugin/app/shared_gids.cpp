#include "plugin/app/shared_gids.hpp"

#include <optional>

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
    if (auto gid = gid_of_ip(ip)) all.push_back({std::move(*gid), one.ifname});
  }
  return all;
}

std::optional<Json> find_gid(const host::Directory& function, const Sought& sought) {
  const auto devices = function.list("infiniband");
  std::optional<Json> found;
  for (const auto& device : devices ? *devices : std::vector<std::string>{}) {
    const auto ports = function.list(fmt::format("infiniband/{}/ports", device));
    for (const auto& name : ports ? *ports : std::vector<std::string>{}) {
      const auto port = parse_int<uint32_t>(name);
      const auto gids = port ? device::read_gids(function, device, *port)
                             : Result<std::vector<device::Gid>>(std::vector<device::Gid>{});
      if (!gids) continue;
      for (const auto& gid : *gids) {
        if (gid.gid != sought.gid) continue;
        if (!sought.netdev.empty() && gid.netdev != sought.netdev) continue;
        if (found && gid.type != kRoceV2) continue;
        found =
            Json{{"device", device}, {"port", *port}, {"gid-index", gid.index}, {"gid", gid.gid}};
        if (gid.type == kRoceV2) return found;
      }
    }
  }
  return found;
}

}  // namespace

StatusWithGids with_gids(const ipc::PodNews& pod, const std::string& sysfs) {
  StatusWithGids status{pod.network_status};
  if (pod.shared.empty()) return status;
  auto json = go_json::parse(pod.network_status);
  if (!json || !json->is_array()) return status;
  for (const auto& one : pod.shared) {
    if (!is_netdev_name(one.parent)) continue;
    const auto function =
        host::Directory::open(fmt::format("{}/class/net/{}/device", sysfs, one.parent));
    if (!function || !function->list("infiniband")) continue;
    for (const auto& sought : sought_of(one)) {
      const auto gid = find_gid(*function, sought);
      if (!gid) {
        status.is_whole = false;
        continue;
      }
      for (auto& entry : *json) {
        if (entry.is_object() && entry.value("interface", Json()) == one.ifname) {
          entry["rdma"] = *gid;
        }
      }
      break;
    }
  }
  status.text = json->dump(4, ' ', false, Json::error_handler_t::replace);
  return status;
}

}  // namespace railhead::app
