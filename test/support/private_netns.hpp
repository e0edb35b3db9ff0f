#pragma once
// A network namespace of the test program's own, so that tests may make and break links.
#include <string>

#include <catch2/catch_test_macros.hpp>

namespace railhead::test {

// Puts the calling thread (and so the whole test program, when called from its main thread) into a
// new network namespace, once per program: a second call does nothing. Skips the test where that
// is not permitted.
void enter_private_netns();

// Runs a command and fails the test when it fails; "ip link add va type veth peer name vb".
void must_run(const std::string& command);

}  // namespace railhead::test
