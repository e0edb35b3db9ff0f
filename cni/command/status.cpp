#include "cni/command/command.hpp"
#include "cnispec/cni_error.hpp"

namespace railhead::cni {

Result<std::string> status(const Call& call) {
  if (const auto ready = attach::Attachments(call.host, call.deadline, call.log).status(); !ready) {
    return cnispec::fail_cni(cnispec::code::kNotAvailable, ready.error().message);
  }
  if (auto ready = call.ipam.call(cnispec::Command::status, call.deadline); !ready) {
    return pass(ready);
  }
  return {};
}

}  // namespace railhead::cni
