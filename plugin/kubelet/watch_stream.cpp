#include "plugin/kubelet/watch_stream.hpp"

#include "plugin/kubelet/guarded.hpp"
#include "plugin/kubelet/messages.hpp"
#include "plugin/kubelet/status.hpp"

namespace railhead::kubelet {

WatchStream::WatchStream(grpc::CallbackServerContext& context, PoolService& pool, Logger& logger,
                         std::function<void(WatchStream*)> closed)
    : context_(context), pool_(pool), logger_(logger), closed_(std::move(closed)) {}

void WatchStream::begin() { send_if_changed(); }

void WatchStream::update() {
  {
    const std::lock_guard lock(mutex_);
    changed_ = true;
  }
  send_if_changed();
}

// The pool is asked without the lock: it may be waiting for a lock of its own.
void WatchStream::send_if_changed() {
  {
    const std::lock_guard lock(mutex_);
    if (sending_ || end_ || !changed_) return;
    sending_ = true;
    changed_ = false;
  }
  started_ = std::chrono::steady_clock::now();
  auto devices = guarded(pool_, "list the devices of", [this] {
    return Result<v1beta1::ListAndWatchResponse>(message_of(pool_.devices()));
  });
  const std::lock_guard lock(mutex_);
  if (!devices) {
    logger_.error("cannot list devices", {{"error", devices.error().message}});
    if (!end_) end_ = status_of(devices.error());
  }
  if (end_) {
    sending_ = false;
    Finish(*end_);
    return;
  }
  response_ = std::move(*devices);
  StartWrite(&response_);
}

void WatchStream::OnWriteDone(bool ok) {
  if (ok) pool_.devices_sent(std::chrono::steady_clock::now() - started_);
  {
    const std::lock_guard lock(mutex_);
    sending_ = false;
    if (!ok && !end_) end_ = grpc::Status::CANCELLED;
    if (end_) {
      Finish(*end_);
      return;
    }
  }
  send_if_changed();
}

void WatchStream::finish(const grpc::Status& status) {
  const std::lock_guard lock(mutex_);
  if (end_) return;
  end_ = status;
  if (sending_) {
    context_.TryCancel();  // a peer that does not read would hold the message back for ever
  } else {
    Finish(*end_);
  }
}

void WatchStream::OnCancel() { finish(grpc::Status::CANCELLED); }

void WatchStream::OnDone() {
  closed_(this);
  delete this;
}

}  // namespace railhead::kubelet
