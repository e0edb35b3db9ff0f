#pragma once
// What a device was like before its holder came, where nobody attached it: a pod that was given the
// device and no network, or another CNI plugin. An attachment's own record takes its place.
#include <optional>

#include "attach/record.hpp"
#include "attach/store.hpp"
#include "attach/subject.hpp"

namespace railhead::attach {

// One file per device: baseline/<device>.json below Store's root.
struct Baseline {
  Record state;  // vf, link and driver: what stood there; it is nobody's attachment
  // The holder has gone, and left the device otherwise than it was.
  bool owed = false;
  friend bool operator==(const Baseline&, const Baseline&) = default;
};

// A VF has got a holder, or has lost its last one, as far as the caller knows: in the first case
// what stands there is kept, if the device was free until then; in the second it is compared with
// what is kept. Nothing happens while an ADD or DEL is at work, or an attachment has the device: it
// keeps its own record. Errors: what kept it from looking.
[[nodiscard]] Result<void> note_held(const Work& work, const device::DeviceId& device);
[[nodiscard]] Result<void> note_free(const Work& work, const device::DeviceId& device);

// Of an ADD, which holds the device's lock and found nobody that holds the device: gives it back
// what it is owed. Errors: busy, what of it must not be given to the next.
[[nodiscard]] Result<void> repair_to_baseline(const Work& work, const device::DeviceId& device);

}  // namespace railhead::attach
