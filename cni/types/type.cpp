#include "cni/types/type.hpp"

#include "cni/types/host_device.hpp"
#include "cni/types/ib_sriov.hpp"
#include "cni/types/railhead.hpp"
#include "cni/types/rdma.hpp"
#include "cni/types/sriov.hpp"

namespace railhead::cni {
namespace {

constexpr Type kRailhead{.name = "railhead",
                         .read = read_railhead,
                         .refusal = railhead_refusal,
                         .second_default = attach::SecondDefault::refuse};
constexpr Type kSriov{.name = "sriov", .read = read_sriov, .refusal = sriov_refusal};
constexpr Type kIbSriov{.name = "ib-sriov",
                        .read = read_ib_sriov,
                        .refusal = ib_sriov_refusal,
                        .predecessor = attach::Predecessor::ib_sriov_cni};
constexpr Type kRdma{.name = "rdma",
                     .read = read_rdma_type,
                     .refusal = rdma_refusal,
                     .is_chained = true,
                     .predecessor = attach::Predecessor::rdma_cni};
constexpr Type kHostDevice{.name = "host-device",
                           .read = read_host_device,
                           .refusal = host_device_refusal,
                           .predecessor = attach::Predecessor::host_device};
// AMD's network-operator.
constexpr Type kAmdHostDevice{.name = "amd-host-device",
                              .read = read_host_device,
                              .refusal = host_device_refusal,
                              .keeps_host_use = true,
                              .predecessor = attach::Predecessor::host_device};

}  // namespace

bool is_own_type(std::string_view name) { return type_of(name).name == name; }

const Type& type_of(std::string_view name) {
  for (const auto* type : {&kSriov, &kIbSriov, &kRdma, &kHostDevice, &kAmdHostDevice}) {
    if (type->name == name) return *type;
  }
  return kRailhead;
}

}  // namespace railhead::cni
