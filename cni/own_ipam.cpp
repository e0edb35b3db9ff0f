#include "cni/own_ipam.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "attach/attachments.hpp"
#include "cni/conf.hpp"
#include "cnispec/net_conf.hpp"
#include "ipam/host_local.hpp"
#include "ipam/resolv_conf.hpp"
#include "ipam/static.hpp"

namespace railhead::cni {

using cnispec::Command;
using cnispec::PluginResult;
using go_json::Object;
using Json = nlohmann::ordered_json;

namespace {

constexpr std::string_view kHostLocal = "host-local";
constexpr std::string_view kStatic = "static";

// A value of CNI_ARGS.
std::string arg_of(const cnispec::Environment& environment, std::string_view key) {
  std::string found;
  for (auto& [name, value] : cnispec::arg_pairs(cnispec::value_of(environment, "CNI_ARGS"))) {
    if (name == key) found = std::move(value);
  }
  return found;
}

ipam::Holder holder_of(const cnispec::Environment& environment) {
  return {std::string(cnispec::value_of(environment, "CNI_CONTAINERID")),
          std::string(cnispec::value_of(environment, "CNI_IFNAME"))};
}

ipam::Owner owner_of(const OwnIpam& own) {
  const auto pod = arg_of(own.environment, "K8S_POD_NAME");
  return {attach::boot_id(own.host),
          pod.empty() ? "" : arg_of(own.environment, "K8S_POD_NAMESPACE") + "/" + pod};
}

Result<ipam::HostLocal> store_of(const OwnIpam& own) {
  auto dirs = read_ipam_dirs(own.config);
  if (!dirs) return pass(dirs);
  return ipam::HostLocal::of(own.config,
                             {.usual = own.host.roots.cni_cache,
                              .admin = std::move(*dirs),
                              .own = own.host.roots.state + "/ipam/host-local"},
                             own.host.locks);
}

// As upstream's plugin answers: what it knows nothing of, the routes for one, goes through as it is
// written, and is read where every plugin's answer is.
Result<PluginResult> result_of(const std::vector<ipam::Given>& given, const Json& ipam, Json dns) {
  std::vector<Error> errors;
  Object object(ipam, "ipam", errors);
  Json result = {{"cniVersion", "1.0.0"}, {"ips", Json::array()}};
  for (const auto& one : given) {
    Json ip = {{"address",
                fmt::format("{}/{}", go_text(ipam::Address::of(one.address)), one.address.length)}};
    if (one.gateway) ip["gateway"] = go_text(*one.gateway);
    result["ips"].push_back(std::move(ip));
  }
  if (const auto* routes = object.value("routes")) result["routes"] = *routes;
  if (!dns.is_null()) result["dns"] = std::move(dns);
  return cnispec::read_result(result);
}

Result<PluginResult> add_host_local(const OwnIpam& own, const Deadline& deadline) {
  const auto conf = ipam::read_host_local(own.config, arg_of(own.environment, "IP"));
  if (!conf) return pass(conf);
  const auto store = store_of(own);
  if (!store) return pass(store);
  Json dns;
  if (!conf->resolv_conf.empty()) {
    const auto read = ipam::read_resolv_conf(conf->resolv_conf);
    if (!read) return pass(read);
    dns = {{"nameservers", read->nameservers},
           {"domain", read->domain},
           {"search", read->search},
           {"options", read->options}};
  }
  const auto ipam = ipam::ipam_of(own.config);
  if (!ipam) return pass(ipam);
  // What cannot be read of the answer is known before an address is taken.
  if (auto good = result_of({}, *ipam, dns); !good) return good;
  const auto given = store->add(*conf, holder_of(own.environment), owner_of(own), deadline);
  if (!given) return pass(given);
  return result_of(*given, *ipam, std::move(dns));
}

Result<std::vector<ipam::Given>> read_static(const OwnIpam& own) {
  return ipam::read_static(own.config,
                           {arg_of(own.environment, "IP"), arg_of(own.environment, "GATEWAY")});
}

Result<PluginResult> add_static(const OwnIpam& own) {
  const auto given = read_static(own);
  if (!given) return pass(given);
  std::vector<Error> errors;
  Object whole(own.config, "", errors);
  const auto* ipam = whole.value("ipam");
  Object object(*ipam, "ipam", errors);
  const auto* dns = object.value("dns");
  return result_of(*given, *ipam, dns ? *dns : Json());
}

Result<> check_static(const OwnIpam& own) {
  const auto given = read_static(own);
  if (!given) return pass(given);
  const auto before = cnispec::read_prev_result(own.config);
  if (!before) return pass(before);
  if (!*before) return refuse("Required prevResult missing");
  for (const auto& one : *given) {
    const auto is_there = std::ranges::any_of((*before)->ips, [&](const cnispec::Ip& ip) {
      return host::IpPrefix::parse(ip.address) == one.address &&
             (!one.gateway || ipam::parse_go(ip.gateway) == one.gateway);
    });
    if (!is_there) {
      return fail(ErrorCode::not_found, "static: Failed to find address {} in prevResult",
                  one.address.to_string());
    }
  }
  return {};
}

Result<> collect(const OwnIpam& own, const ipam::HostLocal& store, const Deadline& deadline) {
  const auto listed = cnispec::read_valid_attachments(own.config);
  if (!listed) return pass(listed);
  std::vector<ipam::Holder> valid;
  for (const auto& one : *listed) valid.push_back({one.container_id, one.ifname});
  return store.gc(valid, deadline);
}

Result<> call_host_local(const OwnIpam& own, Command command, const Deadline& deadline) {
  const auto store = store_of(own);
  if (command == Command::del && is(store, ErrorCode::invalid_argument)) return {};
  if (!store) return pass(store);
  switch (command) {
    case Command::del:
      return store->del(holder_of(own.environment), deadline);
    case Command::check:
      return store->check(holder_of(own.environment), deadline);
    case Command::gc:
      return collect(own, *store, deadline);
    case Command::status:
    case Command::add:
    case Command::version:
      break;
  }
  return {};
}

}  // namespace

bool is_own_ipam(std::string_view type) { return type == kHostLocal || type == kStatic; }

Result<PluginResult> OwnIpam::add(const Deadline& deadline) const {
  return type == kHostLocal ? add_host_local(*this, deadline) : add_static(*this);
}

Result<> OwnIpam::call(Command command, const Deadline& deadline) const {
  if (type == kHostLocal) return call_host_local(*this, command, deadline);
  if (command == Command::check) return check_static(*this);
  return {};
}

}  // namespace railhead::cni
