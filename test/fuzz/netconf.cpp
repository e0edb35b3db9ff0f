// CNI_ARGS, a zero byte, then the network configuration: what a runtime hands to the CNI program.
#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <tuple>

#include <nlohmann/json.hpp>

#include "cni/conf.hpp"
#include "cni/ip_config.hpp"
#include "cni/types/type.hpp"
#include "cnispec/net_conf.hpp"
#include "cnispec/version.hpp"
#include "test/support/fake_host.hpp"

using namespace railhead;

namespace {

// What was read once must be read again from each version's own words.
void check_result(const cnispec::PluginResult& result) {
  for (auto version : cnispec::kSupportedVersions) {
    if (!cnispec::parse_result(cnispec::to_json(result, version))) std::abort();
  }
  std::ignore = cni::read_ip_config(result);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto end = std::min(input.find('\0'), input.size());
  const auto args = cnispec::read_args(input.substr(0, end));
  const auto config = cnispec::parse_config(input.substr(std::min(end + 1, input.size())));
  if (!config) return 0;
  std::ignore = cnispec::read_net_conf(*config);
  std::ignore = cnispec::read_valid_attachments(*config);
  std::ignore = cni::read_log_conf(*config);
  static test::FakeHost fake;
  for (const auto* type : {"sriov", "railhead", "rdma", "host-device"}) {
    const auto read_args = args.value_or(cnispec::CniArgs{});
    std::ignore = cni::type_of(type).read({*config, read_args, nullptr, fake.host});
  }
  if (const auto prev = cnispec::read_prev_result(*config); prev && *prev) check_result(**prev);
  if (const auto result = cnispec::read_result(*config)) check_result(*result);
  return 0;
}
