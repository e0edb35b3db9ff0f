#include "cni/types/multi_nic.hpp"

#include <nlohmann/json.hpp>

#include "cni/conf.hpp"
#include "device/rail_map.hpp"

namespace railhead::cni {
namespace {

using go_json::Object;

constexpr size_t kMostNeighbours = 1024;

Result<uint32_t> read_number(Object& config, std::string_view key, uint32_t limit) {
  const auto number = config.integer(key).value_or(0);
  if (number >= 0 && number < limit) return static_cast<uint32_t>(number);
  return refuse("{} {}: expected a number from 0 to {}", key, number, limit - 1);
}

Result<std::vector<attach::OwnTable::Neighbour>> read_neighbours(Object& config) {
  std::vector<attach::OwnTable::Neighbour> all;
  auto items = config.objects("neighbours");
  if (!items) return all;
  if (items->size() > kMostNeighbours) {
    return refuse("neighbours: {} of them: expected at most {}", items->size(), kMostNeighbours);
  }
  for (auto& item : *items) {
    const auto ip = item.string("ip").value_or("");
    const auto mac = item.string("mac").value_or("");
    const auto address = host::IpPrefix::parse(ip);
    const auto hardware = HwAddress::parse(mac);
    if (!address || ip.find('/') != std::string::npos) {
      return refuse("{} {}: expected an IP address", item.path_of("ip"), ip);
    }
    const bool is_one = hardware && !hardware->is_zero() && hardware->size() != 8 &&
                        (hardware->size() != 6 || (hardware->bytes()[0] & 1) == 0);
    if (!is_one) return refuse("{} {}: expected one NIC's MAC address", item.path_of("mac"), mac);
    all.push_back({*address, *hardware});
  }
  return all;
}

// Keys that would have no effect are a mistake.
Result<void> refuse_without_table(Object& config) {
  for (const auto* key : {"arp", "rpFilter", "neighbours", "mainTable", "railIndex"}) {
    if (config.value(key)) {
      return refuse("{}: is for networks with multiNic: true, and this one has it off", key);
    }
  }
  return {};
}

}  // namespace

Result<MultiNic> read_multi_nic(const nlohmann::ordered_json& json) {
  std::vector<Error> errors;
  Object config(json, "", errors);
  const bool has_rail = config.value("rail") != nullptr;
  const bool is_on = config.boolean("multiNic").value_or(has_rail);
  const auto rail = read_number(config, "rail", device::kMaxRails);
  const auto further = read_number(config, "railIndex", attach::kTablesOfRail);
  const auto neighbours = read_neighbours(config);
  const auto arp = config.boolean("arp");
  const auto rp_filter = config.boolean("rpFilter");
  const auto main_table = config.boolean("mainTable");
  const auto announces = config.boolean("gratuitous");
  if (!errors.empty()) return refuse("{}", errors.front().message);
  if (!rail) return pass(rail);
  if (!further) return pass(further);
  if (!neighbours) return pass(neighbours);
  MultiNic read;
  read.announces = announces.value_or(true);
  if (!is_on) {
    if (has_rail) return read;  // by the meta plugin, whatever the network says
    if (auto good = refuse_without_table(config); !good) return pass(good);
    return read;
  }
  if (!has_rail) {
    return refuse("multiNic: expected the number of the interface's rail in the key rail");
  }
  read.own_table =
      attach::OwnTable{.table = attach::kFirstTable + attach::kTablesOfRail * *rail + *further,
                       .arp = arp.value_or(true),
                       .loose_rp_filter = rp_filter.value_or(true),
                       .in_main_table = main_table.value_or(false),
                       .neighbours = *neighbours};
  return read;
}

}  // namespace railhead::cni
