#pragma once
// A node with one PF of two VFs and a pod, and the CNI program run on it as a runtime would. IPAM
// plugins are real programs: shell scripts in a folder that stands for /opt/cni/bin.
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "cni/app.hpp"
#include "test/support/fake_host.hpp"

namespace railhead::test {

// An IPAM plugin's answer to ADD.
inline constexpr const char* kOneAddress = R"(echo '{"cniVersion":"1.0.0",
    "ips":[{"address":"10.1.2.3/24","gateway":"10.1.2.1"}],"routes":[{"dst":"0.0.0.0/0"}]}')";

class Node {
 public:
  Node();

  // Writes the IPAM plugin "test-ipam": `script` is what it does, by $CNI_COMMAND; each call is
  // noted.
  void write_ipam(const std::string& on_add, const std::string& on_others = "");
  // The calls so far, "ADD c1".
  [[nodiscard]] std::vector<std::string> ipam_calls() const;
  // What it got on standard input at its last call.
  [[nodiscard]] nlohmann::json ipam_input() const;

  // `conf` below is the whole configuration; tests change it.
  [[nodiscard]] cni::Answer run(const std::string& verb,
                                const std::vector<std::pair<std::string, std::string>>& env = {});
  [[nodiscard]] std::string log() const;
  // Files in the folder of records: none when nothing is attached.
  [[nodiscard]] std::vector<std::string> records();

  // The interface "net1", in whichever namespace it is, with its addresses and routes.
  [[nodiscard]] FakeLink& net1();

  FakeHost fake;
  std::string pod = fake.add_netns("pod0");
  nlohmann::ordered_json conf;
  cnispec::Environment environment;

 private:
  [[nodiscard]] std::string path(const std::string& name) const;
};

// The error a runtime would read.
struct ReadError {
  uint32_t code = 0;
  std::string message;
  std::string details;
  friend bool operator==(const ReadError&, const ReadError&) = default;
};
ReadError error_of(const cni::Answer& answer);

}  // namespace railhead::test
