#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/unique_fd.hpp"
#include "host/events.hpp"

struct ibv_context;
struct ibv_device;

namespace railhead::verbs {

// Adds RDMA port events (ibv_get_async_event) to another source of events. It needs the device's
// node in /dev/infiniband and its provider's library; a device without these cannot be followed.
// A device that is held open must not keep its driver from going: it is closed at the kernel's
// word (IBV_EVENT_DEVICE_FATAL), which comes first when it is unbound or changes its namespace.
class PortEvents final : public host::Events {
 public:
  [[nodiscard]] static Result<std::unique_ptr<host::Events>> add_to(
      std::unique_ptr<host::Events> others);

  [[nodiscard]] int fd() const override { return epoll_.get(); }
  [[nodiscard]] host::EventBatch read() override;
  [[nodiscard]] std::vector<std::string> follow_ports(
      const std::vector<std::string>& devices) override;

 private:
  struct Close {
    void operator()(ibv_context* context) const;
  };
  using Context = std::unique_ptr<ibv_context, Close>;

  PortEvents(std::unique_ptr<host::Events> others, UniqueFd epoll)
      : others_(std::move(others)), epoll_(std::move(epoll)) {}
  // `present` ends with a null. Null: it is not among them, or cannot be followed.
  [[nodiscard]] Context open(const std::string& device, ibv_device** present) const;
  // False: the device has gone, and a cause says so.
  [[nodiscard]] static bool drain(const std::string& device, ibv_context& context,
                                  host::EventBatch& batch);

  std::unique_ptr<host::Events> others_;
  UniqueFd epoll_;
  std::map<std::string, Context> devices_;  // by name
};

}  // namespace railhead::verbs
