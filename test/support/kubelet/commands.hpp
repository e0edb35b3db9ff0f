#pragma once
#include <string>

#include "test/support/kubelet/fake_kubelet.hpp"

namespace railhead::test {

// Runs one command of the fake-kubelet program (main.cpp lists them); the answer is one line of
// JSON without its newline.
std::string run_command(FakeKubelet& kubelet, const std::string& line);

}  // namespace railhead::test
