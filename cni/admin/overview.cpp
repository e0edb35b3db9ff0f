// What `state` prints.
#include <algorithm>

#include <nlohmann/json.hpp>

#include "attach/attachments.hpp"
#include "cni/admin/admin.hpp"
#include "cni/meta/pods.hpp"

namespace railhead::cni {

using attach::Overview;
using Json = nlohmann::ordered_json;

namespace {

using Row = std::vector<std::string>;

void append(std::string& text, const std::vector<Row>& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const auto& row : rows) {
    for (size_t i = 0; i + 1 < row.size(); ++i) text += fmt::format("{:{}}  ", row[i], widths[i]);
    text += row.back() + "\n";
  }
}

Json standing_json(const attach::Standing& standing) {
  const auto& record = standing.record;
  Json json{{"device", record.device.name},       {"kind", to_string(record.kind)},
            {"state", to_string(standing.state)}, {"pod", record.pod},
            {"network", record.key.network},      {"container", record.key.container_id},
            {"ifname", record.key.ifname},        {"netns", record.netns_path}};
  if (record.link) json["hostName"] = record.link->before.name;
  if (record.rdma) {
    json["rdma"] = Json::array();
    for (const auto& device : record.rdma->before) json["rdma"].push_back(device.name);
    json["rdmaMoved"] = record.rdma->moves;
  }
  if (!standing.why.empty()) json["reason"] = standing.why;
  return json;
}

Json pod_json(const PodStanding& standing) {
  const auto& [record, progress, state, is_told] = standing;
  Json json{
      {"pod", record.pod()},        {"uid", record.pod_uid}, {"container", record.container_id},
      {"netns", record.netns_path}, {"state", state},        {"networks", Json::array()}};
  for (const auto& network : record.networks) {
    Json one{{"name", network.nad.empty() ? network.name : network.nad},
             {"ifname", network.ifname}};
    if (!network.device.empty()) one["device"] = network.device;
    json["networks"].push_back(std::move(one));
  }
  if (!progress.reason.empty()) json["reason"] = progress.reason;
  if (!is_told) json["networkStatus"] = "pending";
  return json;
}

std::string_view state_of(const PodRecord& record, const PodProgress& progress,
                          const std::string& boot) {
  if (record.boot_id != boot) return "stale";
  if (progress.is_attached) return "attached";
  return progress.reason.empty() ? "in work" : "pending";
}

// One row per network.
void append_pods(std::string& text, const PodsOverview& overview) {
  if (!overview.pods.empty()) {
    std::vector<Row> rows{{"POD", "STATE", "INTERFACE", "NETWORK", "DEVICE", "CONTAINER"}};
    for (const auto& [record, progress, state, is_told] : overview.pods) {
      for (const auto& network : record.networks) {
        rows.push_back({record.pod_name.empty() ? "-" : record.pod(), std::string(state),
                        network.ifname, network.nad.empty() ? network.name : network.nad,
                        network.device.empty() ? "-" : network.device, record.container_id});
      }
    }
    append(text += "\n", rows);
  }
  for (const auto& [record, progress, state, is_told] : overview.pods) {
    if (!progress.reason.empty()) {
      text += fmt::format("container {}: {}\n", record.container_id, progress.reason);
    }
    if (!is_told) {
      text +=
          fmt::format("container {}: its network-status is not written yet\n", record.container_id);
    }
  }
  for (const auto& error : overview.unreadable) text += error.message + "\n";
}

}  // namespace

Result<PodsOverview> look_at_pods(const host::Host& host) {
  const Pods pods(host.roots);
  auto listing = pods.list();
  if (!listing) return pass(listing);
  PodsOverview overview;
  overview.unreadable = std::move(listing->unreadable);
  const auto boot = attach::boot_id(host);
  for (auto& record : listing->records) {
    auto progress = pods.progress(record);
    const auto state = state_of(record, progress, boot);
    const bool is_told = !pods.has_news(record.container_id);
    overview.pods.push_back({std::move(record), std::move(progress), state, is_told});
  }
  return overview;
}

std::string overview_text(const Overview& overview, const PodsOverview& pods) {
  std::string text;
  if (overview.records.empty() && overview.unreadable.empty()) text = "no device is on record\n";
  if (!overview.records.empty()) {
    std::vector<Row> rows{{"DEVICE", "STATE", "POD", "INTERFACE", "NETWORK", "CONTAINER"}};
    for (const auto& [record, state, why] : overview.records) {
      rows.push_back({record.device.name, std::string(to_string(state)),
                      record.pod.empty() ? "-" : record.pod, record.key.ifname, record.key.network,
                      record.key.container_id});
    }
    append(text, rows);
  }
  for (const auto& [record, state, why] : overview.records) {
    if (!why.empty()) text += fmt::format("{}: {}\n", record.device.name, why);
  }
  for (const auto& error : overview.unreadable) text += error.message + "\n";
  for (const auto& [device, debts] : overview.debts) {
    for (const auto& debt : debts) text += fmt::format("{}: owed: {}\n", device, to_string(debt));
  }
  for (const auto& key : overview.addresses) {
    text += fmt::format("{}: the address of {} of container {} is freed by its next ADD or GC\n",
                        key.network, key.ifname, key.container_id);
  }
  append_pods(text, pods);
  return text;
}

std::string overview_json(const Overview& overview, const PodsOverview& pods) {
  Json json{{"schema", 1}, {"devices", Json::array()}};
  for (const auto& standing : overview.records) json["devices"].push_back(standing_json(standing));
  json["pods"] = Json::array();
  for (const auto& standing : pods.pods) json["pods"].push_back(pod_json(standing));
  json["unreadable"] = Json::array();
  for (const auto& error : pods.unreadable) json["unreadable"].push_back(error.message);
  for (const auto& error : overview.unreadable) json["unreadable"].push_back(error.message);
  json["debts"] = Json::object();
  for (const auto& [device, debts] : overview.debts) {
    for (const auto& debt : debts) {
      json["debts"][device].push_back(
          {{"what", debt.what}, {"wanted", debt.wanted}, {"found", debt.found}});
    }
  }
  json["addresses"] = Json::array();
  for (const auto& key : overview.addresses) {
    json["addresses"].push_back(
        {{"network", key.network}, {"container", key.container_id}, {"ifname", key.ifname}});
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace railhead::cni
