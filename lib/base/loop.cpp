#include "base/loop.hpp"

#include <algorithm>
#include <array>
#include <cerrno>

#include <sys/eventfd.h>

namespace railhead {
namespace {

constexpr uint64_t kInbox = 0;  // among the ids of watches

Result<void> add(int epoll, int fd, uint64_t id, uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = id;
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) return fail_errno(errno, "epoll_ctl");
  return {};
}

}  // namespace

void Poster::post(std::function<void()> work) const {
  const std::lock_guard lock(inbox_->mutex);
  if (!inbox_->open) return;
  inbox_->work.push_back(std::move(work));
  eventfd_write(inbox_->fd.get(), 1);
}

Result<std::unique_ptr<Loop>> Loop::open(const Clock& clock) {
  UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return fail_errno(errno, "epoll_create1");
  auto inbox = std::make_shared<Poster::Inbox>();
  inbox->fd = UniqueFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!inbox->fd) return fail_errno(errno, "eventfd");
  if (auto added = add(epoll.get(), inbox->fd.get(), kInbox, EPOLLIN); !added) return pass(added);
  return std::unique_ptr<Loop>(new Loop(clock, std::move(epoll), std::move(inbox)));
}

Loop::~Loop() {
  std::vector<std::function<void()>> dropped;  // which may own what posts from its destructor
  const std::lock_guard lock(inbox_->mutex);
  inbox_->open = false;
  dropped.swap(inbox_->work);
}

Loop::Watch& Loop::Watch::operator=(Watch&& other) noexcept {
  std::swap(loop_, other.loop_);
  std::swap(fd_, other.fd_);
  std::swap(id_, other.id_);
  return *this;
}

void Loop::Watch::drop() {
  if (!loop_) return;
  epoll_ctl(loop_->epoll_.get(), EPOLL_CTL_DEL, fd_, nullptr);
  loop_->watches_.erase(id_);
  loop_ = nullptr;
}

Result<Loop::Watch> Loop::watch(int fd, std::function<void()> ready, uint32_t events) {
  const uint64_t id = ++last_id_;
  if (auto added = add(epoll_.get(), fd, id, events); !added) return pass(added);
  watches_.emplace(id, std::make_shared<std::function<void()>>(std::move(ready)));
  return Watch(*this, fd, id);
}

Loop::Timer::Timer(Loop& loop, std::function<void()> expired)
    : loop_(loop), expired_(std::move(expired)) {
  loop_.timers_.insert(this);
}

Loop::Timer::~Timer() { loop_.timers_.erase(this); }

std::optional<Loop::TimePoint> Loop::due() const {
  std::optional<TimePoint> first;
  for (const auto* timer : timers_) {
    if (timer->due_ && (!first || *timer->due_ < *first)) first = timer->due_;
  }
  return first;
}

void Loop::run() {
  stopping_ = false;
  while (!stopping_) {
    // Only to wait: turn() asks again what is ready.
    epoll_event ready{};
    epoll_wait(epoll_.get(), &ready, 1, poll_timeout_ms(due(), clock_.now()));
    turn();
  }
}

void Loop::stop() const {
  post([this] { stopping_ = true; });
}

void Loop::turn() {
  std::array<epoll_event, 32> ready{};
  const int count = epoll_wait(epoll_.get(), ready.data(), static_cast<int>(ready.size()), 0);
  for (int i = 0; i < count; ++i) {
    const uint64_t id = ready[static_cast<size_t>(i)].data.u64;
    if (id == kInbox) {
      run_posted();
    } else if (const auto watch = watches_.find(id); watch != watches_.end()) {
      const auto call = watch->second;  // which may drop its own watch
      (*call)();
    }
  }
  run_timers();
}

// What a piece of work posts is run at the next turn, so that the others get theirs.
void Loop::run_posted() {
  eventfd_t count = 0;
  std::vector<std::function<void()>> work;
  {
    const std::lock_guard lock(inbox_->mutex);
    eventfd_read(inbox_->fd.get(), &count);
    work.swap(inbox_->work);
  }
  for (const auto& one : work) one();
}

void Loop::run_timers() {
  const auto now = clock_.now();
  std::vector<Timer*> due;
  std::ranges::copy_if(timers_, std::back_inserter(due),
                       [&](const Timer* timer) { return timer->due_ && *timer->due_ <= now; });
  std::ranges::sort(due, {}, [](const Timer* timer) { return *timer->due_; });
  for (auto* timer : due) {
    // One of those before it may have ended this one, or set it anew.
    if (!timers_.contains(timer) || !timer->due_ || *timer->due_ > now) continue;
    timer->due_.reset();
    const auto expired = timer->expired_;  // which may end the timer
    expired();
  }
}

}  // namespace railhead
