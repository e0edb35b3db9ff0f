#pragma once
#include <string>

#include "test/support/fake_host.hpp"

namespace railhead::test {

// All that stands in the host's namespace of a FakeHost, and what its programs keep on disk, as
// text: links with every setting, sysctls, VFs, RDMA devices, records and claims. Left out is what
// no program can give back: interface indexes and the numbers of character devices.
[[nodiscard]] std::string standing(FakeHost& fake);

}  // namespace railhead::test
