#include "verbs/port_events.hpp"

#include <algorithm>
#include <cerrno>
#include <iterator>

#include <fcntl.h>
#include <infiniband/verbs.h>
#include <sys/epoll.h>

namespace railhead::verbs {
namespace {

bool add_to_epoll(int epoll, int fd) {
  epoll_event readable{};
  readable.events = EPOLLIN;
  return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &readable) == 0;
}

struct FreeList {
  void operator()(ibv_device** list) const { ibv_free_device_list(list); }
};

}  // namespace

void PortEvents::Close::operator()(ibv_context* context) const { ibv_close_device(context); }

Result<std::unique_ptr<host::Events>> PortEvents::add_to(std::unique_ptr<host::Events> others) {
  UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll || !add_to_epoll(epoll.get(), others->fd())) return fail_errno(errno, "epoll");
  return std::unique_ptr<host::Events>(new PortEvents(std::move(others), std::move(epoll)));
}

host::EventBatch PortEvents::read() {
  auto batch = others_->read();
  std::erase_if(devices_,
                [&](const auto& entry) { return !drain(entry.first, *entry.second, batch); });
  return batch;
}

bool PortEvents::drain(const std::string& device, ibv_context& context, host::EventBatch& batch) {
  ibv_async_event event{};
  while (ibv_get_async_event(&context, &event) == 0) {
    ibv_ack_async_event(&event);
    batch.rdma = true;
    batch.causes.push_back(
        fmt::format("rdma port of {}: {}", device, ibv_event_type_str(event.event_type)));
    if (event.event_type == IBV_EVENT_DEVICE_FATAL) return false;
  }
  if (errno == EAGAIN || errno == EINTR) return true;
  batch.rdma = true;
  batch.causes.push_back(fmt::format("rdma port of {}: errno {}", device, errno));
  return false;
}

std::vector<std::string> PortEvents::follow_ports(const std::vector<std::string>& devices) {
  std::erase_if(devices_, [&](const auto& entry) {
    return std::ranges::find(devices, entry.first) == devices.end();
  });
  std::vector<std::string> unheard;
  std::ranges::copy_if(devices, std::back_inserter(unheard),
                       [&](const auto& device) { return !devices_.contains(device); });
  if (unheard.empty()) return unheard;
  const std::unique_ptr<ibv_device*, FreeList> present(ibv_get_device_list(nullptr));
  if (!present) return unheard;
  std::erase_if(unheard, [&](const auto& device) {
    auto context = open(device, present.get());
    return context && devices_.emplace(device, std::move(context)).second;
  });
  return unheard;
}

PortEvents::Context PortEvents::open(const std::string& device, ibv_device** present) const {
  while (*present && device != ibv_get_device_name(*present)) ++present;
  if (!*present) return nullptr;
  Context context(ibv_open_device(*present));
  if (!context) return nullptr;
  const int flags = fcntl(context->async_fd, F_GETFL);
  const bool ready = flags >= 0 && fcntl(context->async_fd, F_SETFL, flags | O_NONBLOCK) == 0 &&
                     add_to_epoll(epoll_.get(), context->async_fd);
  return ready ? std::move(context) : nullptr;
}

}  // namespace railhead::verbs
