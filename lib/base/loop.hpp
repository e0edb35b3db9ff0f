#pragma once
// One thread's event loop: files that become ready, timers, and work that other threads hand over.
// Whoever waits for several things does it here, so that nobody waits for one of them alone.
#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <type_traits>
#include <utility>
#include <vector>

#include <sys/epoll.h>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/unique_fd.hpp"

namespace railhead {

// Hands work from any thread to the loop's. It outlives the loop: what comes after the loop's end
// is dropped, so that a thread that nobody waits for may still say what it has to.
class Poster {
 public:
  void post(std::function<void()> work) const;

 private:
  friend class Loop;
  struct Inbox {
    UniqueFd fd;
    std::mutex mutex;
    bool open = true;
    std::vector<std::function<void()>> work;
  };
  explicit Poster(std::shared_ptr<Inbox> inbox) : inbox_(std::move(inbox)) {}
  std::shared_ptr<Inbox> inbox_;
};

// All but post(), poster(), ask() and stop() belong to the loop's thread. Callbacks may add and
// drop watches and timers, their own too.
class Loop {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // `clock` outlives it, and tells when timers are due. Errors: no descriptors left.
  [[nodiscard]] static Result<std::unique_ptr<Loop>> open(const Clock& clock);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // A file whose readiness is heard of for as long as this lives; the loop and the file outlive it.
  class Watch {
   public:
    Watch() = default;  // of nothing
    Watch(Watch&& other) noexcept { *this = std::move(other); }
    Watch& operator=(Watch&& other) noexcept;
    ~Watch() { drop(); }
    void drop();
    [[nodiscard]] bool is_of_a_file() const { return loop_ != nullptr; }

   private:
    friend class Loop;
    Watch(Loop& loop, int fd, uint64_t id) : loop_(&loop), fd_(fd), id_(id) {}
    Loop* loop_ = nullptr;
    int fd_ = -1;
    uint64_t id_ = 0;
  };
  // `events`: EPOLLIN, EPOLLOUT. Called for as long as the file is ready (level-triggered); errors
  // and hang-ups of the file count as ready.
  [[nodiscard]] Result<Watch> watch(int fd, std::function<void()> ready, uint32_t events = EPOLLIN);

  // Calls `expired` once for each time it was set. The loop outlives it.
  class Timer {
   public:
    Timer(Loop& loop, std::function<void()> expired);
    ~Timer();
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;

    void on_expiry(std::function<void()> expired) { expired_ = std::move(expired); }
    void set(TimePoint due) { due_ = due; }
    void set_if_sooner(TimePoint due) { due_ = due_ ? std::min(*due_, due) : due; }
    void cancel() { due_.reset(); }
    [[nodiscard]] const std::optional<TimePoint>& due() const { return due_; }

   private:
    friend class Loop;
    Loop& loop_;
    std::function<void()> expired_;
    std::optional<TimePoint> due_;
  };

  // Runs `work` at the next turn. From any thread.
  void post(std::function<void()> work) const { poster().post(std::move(work)); }
  [[nodiscard]] Poster poster() const { return Poster(inbox_); }
  // What `work` gives, run at the next turn; nothing where the loop has not come to it within
  // `limit` (it may then still run later, and must not refer to what is gone by then). From any
  // thread but the loop's.
  template <class Work>
  [[nodiscard]] std::optional<std::invoke_result_t<Work>> ask(std::chrono::milliseconds limit,
                                                              Work work) const {
    using Answer = std::invoke_result_t<Work>;
    const auto promise = std::make_shared<std::promise<Answer>>();
    auto answer = promise->get_future();
    post([promise, work = std::move(work)] { promise->set_value(work()); });
    if (answer.wait_for(limit) != std::future_status::ready) return std::nullopt;
    return answer.get();
  }
  // Whether the loop takes its turn within `limit`. From any thread but the loop's.
  [[nodiscard]] bool takes_turns(std::chrono::milliseconds limit) const {
    return ask(limit, [] { return true; }).has_value();
  }

  void run();         // until stop()
  void stop() const;  // From any thread.
  // What is ready or due now, without waiting; for whoever polls fd() himself until due().
  void turn();
  [[nodiscard]] int fd() const { return epoll_.get(); }
  [[nodiscard]] std::optional<TimePoint> due() const;

 private:
  Loop(const Clock& clock, UniqueFd epoll, std::shared_ptr<Poster::Inbox> inbox)
      : clock_(clock), epoll_(std::move(epoll)), inbox_(std::move(inbox)) {}
  void run_posted();
  void run_timers();

  const Clock& clock_;
  UniqueFd epoll_;
  std::shared_ptr<Poster::Inbox> inbox_;
  std::map<uint64_t, std::shared_ptr<std::function<void()>>> watches_;  // by Watch::id_
  uint64_t last_id_ = 0;
  std::set<Timer*> timers_;
  mutable bool stopping_ = false;  // of the loop's thread
};

}  // namespace railhead
