#include "verbs/port_events.hpp"

#include <cerrno>

#include <fcntl.h>
#include <fmt/format.h>
#include <infiniband/verbs.h>

namespace railhead::verbs {
namespace {

struct Close {
  void operator()(ibv_context* context) const { ibv_close_device(context); }
};
using Context = std::unique_ptr<ibv_context, Close>;

struct FreeList {
  void operator()(ibv_device** list) const { ibv_free_device_list(list); }
};

class VerbsPortEvents final : public host::PortEvents {
 public:
  VerbsPortEvents(std::string device, Context context)
      : device_(std::move(device)), context_(std::move(context)) {}

  [[nodiscard]] int fd() const override { return context_->async_fd; }

  [[nodiscard]] Batch read() override {
    Batch batch;
    ibv_async_event event{};
    while (ibv_get_async_event(context_.get(), &event) == 0) {
      ibv_ack_async_event(&event);
      batch.causes.push_back(
          fmt::format("rdma port of {}: {}", device_, ibv_event_type_str(event.event_type)));
      batch.gone |= event.event_type == IBV_EVENT_DEVICE_FATAL;
    }
    if (errno == EAGAIN || errno == EINTR) return batch;
    batch.causes.push_back(fmt::format("rdma port of {}: errno {}", device_, errno));
    batch.gone = true;
    return batch;
  }

 private:
  const std::string device_;
  Context context_;
};

}  // namespace

std::unique_ptr<host::PortEvents> open_port_events(const std::string& device) {
  const std::unique_ptr<ibv_device*, FreeList> all(ibv_get_device_list(nullptr));
  if (!all) return nullptr;
  auto** present = all.get();
  while (*present && device != ibv_get_device_name(*present)) ++present;
  if (!*present) return nullptr;
  Context context(ibv_open_device(*present));
  if (!context) return nullptr;
  const int flags = fcntl(context->async_fd, F_GETFL);
  if (flags < 0 || fcntl(context->async_fd, F_SETFL, flags | O_NONBLOCK) != 0) return nullptr;
  return std::make_unique<VerbsPortEvents>(device, std::move(context));
}

}  // namespace railhead::verbs
