#pragma once
// The verb "owner": who holds a device. Values, and their JSON texts.
//
//   {"schema":1,"verb":"owner","device":"0000:3b:00.2","podNamespace":"ml","podName":"trainer-0"}
//   {"schema":1,"state":"held","podNamespace":"ml","podName":"other-0","container":"main",
//    "resource":"rdma/vf","source":"podresources"}
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace railhead::ipc {

constexpr std::string_view kOwner = "owner";

struct OwnerQuestion {
  std::string device;  // PCI address in full, "0000:3b:00.2", or a sub-function's name
  // For whom it is asked; "": not said. Where several pods hold a share of the device and this is
  // one of them, the answer names this one.
  std::string pod_namespace = {};
  std::string pod_name = {};
  friend bool operator==(const OwnerQuestion&, const OwnerQuestion&) = default;
};

// unknown: nobody can tell (yet); it never means free.
enum class OwnerState { held, free, unknown };
[[nodiscard]] std::string_view to_string(OwnerState state);

// Of a device that is held, as much as is known; "" where it is not.
struct OwnerAnswer {
  OwnerState state = OwnerState::unknown;
  std::string pod_namespace = {};
  std::string pod_name = {};
  std::string pod_uid = {};  // where kubelet's file is all that tells of it: it has no names
  std::string container = {};
  std::string resource = {};  // "rdma/vf"
  // "podresources": kubelet lists it. "checkpoint": kubelet's file has it, and kubelet has not said
  // yet. "grant": it was just given to a container, and nobody knows of which pod. "attachment": a
  // record of the CNI program has it.
  std::string source = {};

  // "ns/name", "pod <uid>" or "a pod".
  [[nodiscard]] std::string who() const;
  friend bool operator==(const OwnerAnswer&, const OwnerAnswer&) = default;
};

// Whether the answer says that the device is another pod's than this one, which then must not have
// it. Not so while no pod is named, as of a grant, which may be this very pod's; nor by the word of
// an attachment's record: whoever attaches reads these himself, and can tell whether their owner
// lives.
[[nodiscard]] bool is_of_another(const OwnerAnswer& answer, std::string_view pod_namespace,
                                 std::string_view pod_name);

[[nodiscard]] std::string encode(const OwnerQuestion& question);
[[nodiscard]] std::string encode(const OwnerAnswer& answer);

// Errors: decode, unavailable (the text is an encoded error).
[[nodiscard]] Result<OwnerAnswer> decode_owner_answer(std::string_view text);

}  // namespace railhead::ipc
