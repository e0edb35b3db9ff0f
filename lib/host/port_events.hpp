#pragma once
// PORT: what one RDMA device says of its ports (ibv_get_async_event(3)).
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace railhead::host {

// Holds the device open; may be opened, read and closed on different threads, one after the other.
class PortEvents {
 public:
  // Closes the device, of which its driver may make a long story.
  virtual ~PortEvents() = default;
  [[nodiscard]] virtual int fd() const = 0;  // readable: read() has something
  // A phrase per event since the last call, without waiting. `gone`: the device goes, and must be
  // closed before it can: an open device keeps its driver from being unbound.
  struct Batch {
    std::vector<std::string> causes;
    bool gone = false;
  };
  [[nodiscard]] virtual Batch read() = 0;
};

// Opens an RDMA device of the host by name, which its driver may make a long story of. Null where
// nothing can be heard of it: without its node in /dev/infiniband or its provider's library.
using OpenPortEvents = std::function<std::unique_ptr<PortEvents>(const std::string& device)>;

}  // namespace railhead::host
