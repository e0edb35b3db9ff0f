#pragma once
#include "test/vm/watchers/dump_node/text.hpp"

namespace dump_node {

// Links with their VFs and sysctls, and addresses, of the namespace that this process is in;
// `where` is its name.
void add_links_and_addresses(const std::string& where, Lines& lines);

}  // namespace dump_node
