#include "cni/command/command.hpp"

namespace railhead::cni {

using cnispec::Outcome;

Outcome<std::string> status(const Call& call) {
  if (const auto ready = attach::Attachments(call.host, call.deadline, call.log).status(); !ready) {
    return cnispec::refuse(cnispec::code::kNotAvailable, ready.error().message);
  }
  if (auto ready = call.ipam.call(cnispec::Command::status, call.deadline); !ready) {
    return cnispec::refuse(ready.error());
  }
  return {};
}

}  // namespace railhead::cni
