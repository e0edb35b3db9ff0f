#pragma once
// What a VF was like before its holder came, beside the records of attachments: a pod may have been
// given the device and no network, or another CNI plugin may have attached it, or an attachment's
// record may have been lost.
#include <optional>

#include "attach/record.hpp"
#include "attach/store.hpp"
#include "attach/subject.hpp"

namespace railhead::attach {

// One file per device: baseline/<device>.json below Store's root.
struct Baseline {
  Record state;  // vf, link and driver: what stood there; it is nobody's attachment
  // It is to be given back before the next pod gets the device, unless an attachment's undo says
  // that nothing is left: the holder went and left the device otherwise, or has it attached.
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
// what it is owed. Whether there was a baseline that says so. Errors: busy, what of it must not be
// given to the next.
[[nodiscard]] Result<bool> repair_to_baseline(const Work& work, const device::DeviceId& device);

// An attachment has claimed its device, and its record says what stood there.
[[nodiscard]] Result<void> keep_baseline(const Work& work, const Record& record);
// It is undone. What the agent took before an attachment that was taken over stays, for
// note_free(): it may know more.
[[nodiscard]] Result<void> drop_kept_baseline(const Work& work, const Record& record);

}  // namespace railhead::attach
