#pragma once
#include <string>

#include "test/support/kubelet/device_manager.hpp"

namespace railhead::test {

// The text of kubelet_internal_checkpoint.
std::string checkpoint_of(const FakeKubeletState& state);

}  // namespace railhead::test
