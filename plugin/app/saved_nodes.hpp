#pragma once
#include <optional>
#include <string>
#include <vector>

#include "plugin/grant/given.hpp"
#include "plugin/kubelet/saved_answer.hpp"

namespace railhead::app {

// The ids of the devices that a container was given, by PCIDEVICE_<RESOURCE>; none when it has no
// such variable.
[[nodiscard]] std::vector<std::string> devices_named(const kubelet::SavedAnswer& given);

// What containers were given, as kubelet's checkpoint tells it, else the records that Allocate left
// in this boot. Reads the files when it is asked.
class SavedNodes {
 public:
  // `kubelet_dir`: the folder of device-plugins/; `run_root`: see device/allocation.hpp.
  SavedNodes(std::string kubelet_dir, std::string run_root)
      : kubelet_dir_(std::move(kubelet_dir)), run_root_(std::move(run_root)) {}

  // To the container that has these offers of the resource ("rdma/vf"), as kubelet names them to
  // PreStartContainer: all of the container's. Nothing when it is not known. From any thread.
  [[nodiscard]] std::optional<grant::Given> given(const std::string& resource,
                                                  const std::vector<std::string>& ids) const;

 private:
  [[nodiscard]] std::optional<grant::Given> in_checkpoint(
      const std::string& resource, const std::vector<std::string>& ids) const;
  [[nodiscard]] std::optional<std::vector<std::string>> in_records(
      const std::string& resource, const std::vector<std::string>& ids) const;

  const std::string kubelet_dir_;
  const std::string run_root_;
};

}  // namespace railhead::app
