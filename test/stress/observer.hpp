#pragma once
// Looks at the node with iproute2 and the file system, and judges it by what the pods should have.
#include <string>
#include <vector>

#include "test/stress/model.hpp"

namespace railhead::stress {

class Observer {
 public:
  // Looks once: what stands there now is what each device has to be while nobody has it.
  explicit Observer(const Plan& plan);

  // While no call runs. Throws when the node cannot be looked at.
  void judge(const std::vector<Attachment>& held, Findings& findings) const;

 private:
  struct Place {
    std::string netns;  // "" is the host's
    Json link;
  };
  struct Look {
    std::vector<std::vector<Place>> links;                 // by device: where it is
    std::vector<Json> settings;                            // by device: what its PF says of it
    std::vector<std::string> strangers;                    // links in pods that are no device's
    std::map<std::string, std::vector<std::string>> rdma;  // by name: where it is
  };
  [[nodiscard]] Look look() const;
  void look_in(const std::string& netns, Look& look) const;
  void judge_device(size_t device, const Attachment* owner, const Look& now,
                    Findings& findings) const;
  void judge_files(const std::vector<Attachment>& held, Findings& findings) const;
  void judge_processes(Findings& findings) const;

  const Plan& plan_;
  bool exclusive_ = false;  // RDMA devices are in one namespace
  Look before_;
};

}  // namespace railhead::stress
