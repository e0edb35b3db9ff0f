#pragma once
#include <string>
#include <vector>

namespace railhead::grant {

// What a container was given with its devices, as far as somebody remembers.
struct Given {
  std::vector<std::string> host_paths;  // of its device nodes
  std::vector<std::string> devices;     // Wanted::id of each; empty: those that its offers name
  // The container runtime takes the nodes from the devices' CDI spec, at each start.
  bool by_cdi = false;
  friend bool operator==(const Given&, const Given&) = default;
};

}  // namespace railhead::grant
