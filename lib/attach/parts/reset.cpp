#include "attach/parts/reset.hpp"

#include <algorithm>

#include "attach/parts/link.hpp"
#include "attach/parts/rdma.hpp"
#include "base/text.hpp"

namespace railhead::attach::reset {
namespace {

// A driver that talks to its firmware gives up by itself before that.
constexpr std::chrono::seconds kWriteLimit{15};

Result<host::Directory> folder_of(const host::Host& host, const device::DeviceId& device) {
  return host::Directory::open(fmt::format("{}/bus/pci/devices/{}", host.roots.sysfs, device.name));
}

// Kernels before 5.15 do not say by which method: of a VF there is no other.
bool has_function_level_reset(const host::Host& host, const device::DeviceId& device) {
  const auto folder = folder_of(host, device);
  if (!folder) return false;
  const auto methods = folder->read("reset_method");
  if (is(methods, ErrorCode::not_found)) {
    const auto names = folder->list(".");
    return names && std::ranges::find(*names, "reset") != names->end();
  }
  if (!methods) return false;
  const auto words = split(*methods, ' ');
  return std::ranges::any_of(words, [](auto word) { return word == "flr" || word == "af_flr"; });
}

// PCI's core lets no driver probe a VF whose PF says so, unless one is named for it.
bool may_be_bound_again(const host::Host& host, const device::DeviceId& device) {
  const auto folder = folder_of(host, device);
  if (!folder) return false;
  const auto probes = folder->read("physfn/sriov_drivers_autoprobe");
  const auto named = folder->read("driver_override");
  return !probes || *probes != "0" || (named && !named->empty() && *named != "(null)");
}

Result<void> note(Subject& subject, Reset reset) {
  subject.record.reset = reset;
  return subject.work.store.update(subject.record);
}

std::chrono::milliseconds limit(const Subject& subject) {
  return subject.work.deadline.left(kWriteLimit);
}

Result<void> rebind(Subject& subject, const Function& function) {
  auto& functions = subject.host().functions;
  const auto address = *subject.record.device.pci();
  const auto& driver = function.driver.empty() ? subject.record.driver.name : function.driver;
  if (!function.driver.empty()) {
    // An operator may have changed that since the ADD.
    if (auto good = check_rebind(subject, "its reset"); !good) return good;
    if (auto done = functions.unbind(address, driver, limit(subject)); !done) return done;
  }
  if (has_function_level_reset(subject.host(), subject.record.device)) {
    auto done = functions.reset(address, limit(subject));
    // What hangs is not touched again; for all else the driver's own start is reset enough.
    if (is(done, ErrorCode::timeout) || is(done, ErrorCode::busy)) return done;
    if (!done) {
      subject.work.log.warning("no function level reset, its driver's alone",
                               {{"device", subject.name()}, {"error", done.error().message}});
    }
  }
  return functions.bind(address, driver, limit(subject));
}

Result<void> arrive_anew(Subject& subject) {
  auto come = link::arrive_anew(subject);
  return come ? rdma::arrive_anew(subject) : come;
}

Result<void> rebind_alone(Subject& subject) {
  const auto function = read_function(subject.host(), subject.record.device);
  if (!function) return pass(function);
  auto& functions = subject.host().functions;
  const auto address = *subject.record.device.pci();
  const auto& driver = subject.record.driver.name;
  if (auto done = functions.unbind(address, driver, limit(subject)); !done) return done;
  if (auto done = functions.bind(address, driver, limit(subject)); !done) return done;
  if (auto come = arrive_anew(subject); !come) return come;
  // While it counts as begun, which these ask.
  if (auto named = rdma::restore_names(subject); !named) return named;
  const auto now = rdma_of(subject.host(), subject.record.device);
  if (!now) return pass(now);
  return rdma::compare_nodes(subject, *now, "after its driver was bound again");
}

Result<void> reset_alone(Subject& subject, const Function& function) {
  // Bound to a driver of the kernel's since: that one has begun anew with it.
  if (!function.driver.empty() && !device::is_userspace_driver(function.driver)) return {};
  if (!has_function_level_reset(subject.host(), subject.record.device)) {
    if (function.driver.empty()) return {};  // the next driver begins anew
    return fail(ErrorCode::unsupported, "it has no function level reset");
  }
  return subject.host().functions.reset(*subject.record.device.pci(), limit(subject));
}

Result<void> make_anew(Subject& subject) {
  // The driver of now, or none after a reset that was cut off.
  auto function = read_function(subject.host(), subject.record.device);
  if (!function) return pass(function);
  if (auto noted = note(subject, Reset::begun); !noted) return noted;
  if (!subject.record.link) {
    if (auto done = reset_alone(subject, *function); !done) return done;
    return note(subject, Reset::done);
  }
  if (auto done = rebind(subject, *function); !done) return done;
  if (auto come = arrive_anew(subject); !come) return come;
  return note(subject, Reset::done);
}

}  // namespace

Result<void> check_ability(const Subject& subject, const Function& function) {
  const auto& record = subject.record;
  if (record.reset == Reset::none) return {};
  if (is_of_userspace(record.kind) && !has_function_level_reset(subject.host(), record.device)) {
    return fail(ErrorCode::unsupported,
                "reset: true: {} {} is bound to {} and has no function level reset "
                "(/sys/bus/pci/devices/{}/reset_method)",
                noun(record.kind), subject.name(), function.driver, subject.name());
  }
  if (is_of_userspace(record.kind) || function.driver.empty()) return {};
  return check_rebind(subject, "reset: true");
}

Result<void> check_rebind(const Subject& subject, std::string_view why) {
  if (may_be_bound_again(subject.host(), subject.record.device)) return {};
  return fail(ErrorCode::unsupported,
              "{}: {} {} could not be bound to {} again: sriov_drivers_autoprobe of its PF is 0, "
              "and no driver_override names it",
              why, noun(subject.record.kind), subject.name(), subject.record.driver.name);
}

Result<void> ask(Subject& subject) {
  const auto& reset = subject.record.reset;
  return reset == Reset::asked || reset == Reset::begun ? Result<void>()
                                                        : note(subject, Reset::asked);
}

Result<void> renew(Subject& subject) {
  const auto& work = subject.work;
  auto lock = lock_rdma(work);
  if (!lock) return pass(lock);
  if (auto noted = note(subject, Reset::begun); !noted) return noted;
  if (auto done = rebind_alone(subject); !done) {
    return pass(
        done, fmt::format("binding VF {} to {} again", subject.name(), subject.record.driver.name));
  }
  return note(subject, Reset::asked);
}

Result<void> run(Subject& subject) {
  const auto& record = subject.record;
  if (record.reset == Reset::none || record.reset == Reset::done) return {};
  const auto& work = subject.work;
  auto lock = lock_rdma(work);
  if (!lock) return pass(lock);
  auto done = make_anew(subject);
  if (!done) return pass(done, fmt::format("resetting {} {}", noun(record.kind), subject.name()));
  work.log.info("reset", {{"device", subject.name()}, {"driver", record.driver.name}});
  return {};
}

}  // namespace railhead::attach::reset
