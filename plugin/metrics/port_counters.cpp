#include "plugin/metrics/port_counters.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace railhead::metrics {
namespace {

// bnxt_re and irdma mix what is in use now, and the most that ever was, with what they count.
bool is_counter(std::string_view name) {
  return name != "lifespan" && !name.starts_with("active_") && !name.starts_with("watermark_");
}

// A counter that cannot be read (EINVAL, EIO, "N/A (no PMA)") does not hide the others.
std::vector<Counter> read_counters(const host::Directory& port, const std::string& folder) {
  std::vector<Counter> counters;
  auto names = port.list(folder);
  if (!names) return counters;
  std::sort(names->begin(), names->end());
  for (auto& name : *names) {
    if (!is_counter(name)) continue;
    const auto text = port.read(folder + '/' + name);
    const auto value = text ? parse_int<uint64_t>(*text) : std::nullopt;
    if (value) counters.push_back({std::move(name), *value});
  }
  return counters;
}

// "4: ACTIVE"
std::optional<int> read_state(const host::Directory& port) {
  const auto text = port.read("state");
  if (!text) return std::nullopt;
  return parse_int<int>(std::string_view(*text).substr(0, text->find(':')));
}

}  // namespace

Result<std::vector<PortCounters>> read_port_counters(const host::Directory& rdma_device) {
  const auto names = rdma_device.list("ports");
  if (!names) return pass(names);
  std::vector<PortCounters> ports;
  for (const auto& name : *names) {
    const auto number = parse_int<uint32_t>(name);
    const auto port = rdma_device.sub("ports/" + name);
    if (!number || !port) continue;
    ports.push_back({*number, read_state(*port), read_counters(*port, "counters"),
                     read_counters(*port, "hw_counters")});
  }
  std::sort(ports.begin(), ports.end(),
            [](const auto& a, const auto& b) { return a.port < b.port; });
  return ports;
}

}  // namespace railhead::metrics
