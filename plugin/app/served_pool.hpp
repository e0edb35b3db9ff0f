#pragma once
#include "base/log.hpp"
#include "plugin/kubelet/pool_service.hpp"
#include "plugin/pool/allocate.hpp"

namespace railhead::app {

// A pool as kubelet sees it.
class ServedPool final : public kubelet::PoolService {
 public:
  ServedPool(pool::Pool pool, pool::Places places, Logger& log);

  [[nodiscard]] std::string resource_name() const override;
  [[nodiscard]] std::vector<kubelet::Device> devices() const override;
  [[nodiscard]] Result<kubelet::ContainerAllocation> allocate(
      const std::vector<std::string>& device_ids) override;

 private:
  const pool::Pool pool_;
  const pool::Places places_;
  Logger& log_;
};

}  // namespace railhead::app
