#include "attach/parts/driver.hpp"

namespace railhead::attach::driver {

Result<Function> inspect(Subject& subject) {
  auto function = read_function(subject.host(), subject.record.device);
  if (is(function, ErrorCode::not_found)) {
    auto error = function.error();
    error.code = ErrorCode::invalid_argument;
    error.reason = reason::kNotLocated;
    error.message +=
        " (was it removed, or were the VFs made anew? Delete the pod, so that it is "
        "given another device)";
    return Failure(std::move(error));
  }
  if (!function) return pass(function);
  subject.record.driver = {function->driver, function->inode};
  return function;
}

Result<std::optional<Function>> find(Subject& subject) {
  const auto& record = subject.record;
  auto function = read_function(subject.host(), record.device);
  const bool gone = is(function, ErrorCode::not_found);
  if (!function && !gone) return pass(function);
  const bool anew = !gone && record.driver.inode != 0 && function->inode != 0 &&
                    function->inode != record.driver.inode;
  const bool other = !gone && record.vf && !function->pf;
  if (!gone && !anew && !other) return std::optional<Function>(std::move(*function));
  subject.work.log.warning(gone ? "the device no longer exists, nothing to give back"
                                : "the device was made anew since, nothing to give back",
                           {{"device", subject.name()}});
  return std::optional<Function>();
}

}  // namespace railhead::attach::driver
