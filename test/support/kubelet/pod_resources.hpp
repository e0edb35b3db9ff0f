#pragma once
#include "proto/podresources.grpc.pb.h"
#include "test/support/kubelet/device_manager.hpp"

namespace railhead::test {

// podresources v1 over what the device manager has given.
class PodResourcesService final : public v1::PodResourcesLister::Service {
 public:
  PodResourcesService(const DeviceManager& devices, KubeletVersion version)
      : devices_(devices), version_(version) {}

  grpc::Status List(grpc::ServerContext*, const v1::ListPodResourcesRequest*,
                    v1::ListPodResourcesResponse* response) override;
  grpc::Status Get(grpc::ServerContext*, const v1::GetPodResourcesRequest* request,
                   v1::GetPodResourcesResponse* response) override;
  grpc::Status GetAllocatableResources(grpc::ServerContext*, const v1::AllocatableResourcesRequest*,
                                       v1::AllocatableResourcesResponse* response) override;

 private:
  const DeviceManager& devices_;
  const KubeletVersion version_;
};

}  // namespace railhead::test
