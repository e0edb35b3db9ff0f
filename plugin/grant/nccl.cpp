#include "plugin/grant/nccl.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace railhead::grant {
namespace {

// Of GPUs that are equally far from several devices, each device gets its share.
std::string gpu_nic_pairs(const Nccl& nccl, const std::vector<GivenHcas>& given) {
  std::vector<std::string> pairs;
  std::vector<size_t> gpus_of(given.size(), 0);
  for (size_t gpu = 0; gpu < nccl.gpus.size(); ++gpu) {
    size_t best = 0;
    for (size_t i = 1; i < given.size(); ++i) {
      const auto rank = [&](size_t one) {
        return std::pair(nccl.to_gpus.at(given[one].id).at(gpu), gpus_of[one]);
      };
      if (rank(i) < rank(best)) best = i;
    }
    ++gpus_of[best];
    pairs.push_back(fmt::format("{}={}", nccl.gpus[gpu].to_string(), given[best].id));
  }
  return join(pairs, ",");
}

// "_RDMA_RAIL0", legal in a shell.
std::string suffix_of(const ResourceName& resource) {
  std::string suffix = '_' + resource.full_name();
  std::transform(suffix.begin(), suffix.end(), suffix.begin(), [](char c) {
    if (c >= 'a' && c <= 'z') return static_cast<char>(c - 'a' + 'A');
    const bool legal = (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    return legal ? c : '_';
  });
  return suffix;
}

}  // namespace

std::map<std::string, std::string> nccl_variables(const Nccl& nccl, const ResourceName& resource,
                                                  const std::vector<GivenHcas>& given) {
  std::vector<std::string> ports;
  for (const auto& one : given) {
    for (const auto& [name, numbers] : one.ports) {
      for (const auto number : numbers) ports.push_back(fmt::format("{}:{}", name, number));
    }
  }
  if (ports.empty()) return {};
  const auto suffix = nccl.names_carry_resource ? suffix_of(resource) : "";
  const auto list = join(ports, ",");
  std::map<std::string, std::string> variables;
  // '=': these names exactly; without it mlx5_1 would mean mlx5_10 too.
  variables["NCCL_IB_HCA" + suffix] = '=' + list;
  variables["UCX_NET_DEVICES" + suffix] = list;
  variables["NVSHMEM_HCA_LIST" + suffix] = list;
  if (!nccl.gpus.empty()) variables["RAILHEAD_GPU_NIC_PAIRS" + suffix] = gpu_nic_pairs(nccl, given);
  return variables;
}

}  // namespace railhead::grant
