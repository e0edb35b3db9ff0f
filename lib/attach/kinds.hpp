#pragma once
// The kinds of devices, each as data: which of its parts' steps an ADD takes, and which an undo, in
// their order. The undo's order is not the reverse of the other's (docs/architecture.md).
#include <span>

#include "attach/function.hpp"
#include "attach/subject.hpp"

namespace railhead::attach {

// An ADD goes through the phases with all its devices, each phase over all of them.
enum class AddPhase {
  leave,      // the netdev out of the host, into the pod
  configure,  // what the PF keeps
  rdma,       // under the node's RDMA lock
  follow,     // the netdev that came anew with the RDMA device's move
  read_back,
};
inline constexpr std::array kAddPhases = {AddPhase::leave, AddPhase::configure, AddPhase::rdma,
                                          AddPhase::follow, AddPhase::read_back};

struct AddStep {
  AddPhase phase;
  Result<void> (*run)(Subject&);
};

struct UndoStep {
  Result<void> (*run)(Subject&);
  // Where it fails nothing that follows can be done; else an undo goes on with the others.
  bool needed = false;
};

// What the PF keeps of a VF, by how it is read.
struct VfSteps {
  Result<void> (*inspect)(Subject&, const Function&);
  Result<void> (*look)(Subject&);
  Result<std::string> (*difference_left)(Subject&);
  Result<std::string> (*difference_to_asked)(Subject&);
};

struct Kind {
  std::span<const AddStep> add;
  std::span<const UndoStep> undo;
  const VfSteps* vf = nullptr;  // null: it is no VF
};

[[nodiscard]] const Kind& kind_of(KindName name);
// What is left of a device's kind where a userspace driver has it, so that there is no netdev.
[[nodiscard]] KindName without_netdev(KindName kind);
[[nodiscard]] KindName with_netdev(KindName kind);

}  // namespace railhead::attach
