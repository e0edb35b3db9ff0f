#include "device/default_route.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "host/files.hpp"

namespace railhead::device {
namespace {

constexpr uint32_t kRouteUp = 0x0001;  // RTF_UP, linux/route.h

// "eth0\t00000000\t0102A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0": Iface Destination Gateway Flags
// RefCnt Use Metric Mask …, numbers in hex.
std::optional<std::string_view> default_route_name(std::string_view line) {
  const auto fields = split(line, '\t');
  if (fields.size() < 8 || trim(fields[1]) != "00000000" || trim(fields[7]) != "00000000") {
    return std::nullopt;
  }
  if (!(parse_int<uint32_t>(trim(fields[3]), 16).value_or(0) & kRouteUp)) return std::nullopt;
  return trim(fields[0]);
}

}  // namespace

Result<std::set<uint32_t>> default_route_links(const std::string& proc_root,
                                               const std::vector<host::Link>& links) {
  const auto table = host::read_file(proc_root + "/net/route");
  if (is(table, ErrorCode::not_found)) return std::set<uint32_t>{};
  if (!table) return pass(table);
  std::set<uint32_t> found;
  for (auto line : split(*table, '\n')) {
    const auto name = default_route_name(line);
    if (!name) continue;
    for (const auto& link : links) {
      if (link.name == *name) found.insert(link.index);
    }
  }
  // A port's master may be a port itself: a bond in a bridge.
  for (bool grown = !found.empty(); grown;) {
    grown = false;
    for (const auto& link : links) {
      if (link.master && found.contains(*link.master)) grown |= found.insert(link.index).second;
    }
  }
  return found;
}

}  // namespace railhead::device
