#pragma once
// What a stress run works with, from its command line and the file of --plan.
#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace railhead::stress {

using Json = nlohmann::json;

// A device that pods want.
struct Device {
  std::string name;  // for messages
  // How a link is known for it, wherever it is and whatever its name: members of `ip -j -d link`,
  // {"parentdev": "0000:23:10.0"}.
  Json is;
  Json conf;         // the CNI configuration that asks for it
  std::string rdma;  // the RDMA device that goes with it in exclusive mode; may be empty
  std::string pf;    // where its settings are told: `vf` of this link; empty for what is no VF
  int vf = 0;
};

struct Plan {
  std::string program;
  std::string cni_path;
  std::vector<Device> devices;
  std::vector<std::string> netns;  // names below /run/netns: one pod each
  std::string state = "/run/railhead";
  std::string leases;  // the folder of host-local's leases; may be empty
  // What an ADD of a device that another pod has may say: try again later (11), or, of a netdev
  // that is asked for by its name in the host, that it is not there.
  std::vector<int> held_codes = {11};
  unsigned workers = 4;
  unsigned rounds = 10;
  unsigned calls = 2;  // of each worker in a round
  uint64_t seed = 1;
};

// Throws std::invalid_argument that says what is wrong, or nlohmann's exceptions.
Plan read_plan(const std::vector<std::string>& arguments);

}  // namespace railhead::stress
