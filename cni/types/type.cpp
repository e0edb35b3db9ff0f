#include "cni/types/type.hpp"

#include "cni/types/host_device.hpp"
#include "cni/types/railhead.hpp"
#include "cni/types/rdma.hpp"
#include "cni/types/sriov.hpp"

namespace railhead::cni {
namespace {

constexpr Type kRailhead{"railhead", read_railhead, railhead_refusal, false,
                         attach::SecondDefault::refuse};
constexpr Type kSriov{"sriov", read_sriov, sriov_refusal};
constexpr Type kRdma{"rdma", read_rdma_type, rdma_refusal, true};
constexpr Type kHostDevice{"host-device", read_host_device, host_device_refusal};

}  // namespace

const Type& type_of(std::string_view name) {
  for (const auto* type : {&kSriov, &kRdma, &kHostDevice}) {
    if (type->name == name) return *type;
  }
  return kRailhead;
}

}  // namespace railhead::cni
