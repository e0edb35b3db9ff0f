#include "plugin/app/service.hpp"

#include <csignal>
#include <cstdlib>
#include <future>
#include <thread>

#include <sys/resource.h>
#include <unistd.h>

#include "plugin/app/agent.hpp"
#include "plugin/app/commands.hpp"
#include "plugin/app/instance_lock.hpp"
#include "plugin/app/signals.hpp"
#include "plugin/app/status_pages.hpp"
#include "plugin/http/server.hpp"
#include "plugin/metrics/memlock.hpp"

namespace railhead::app {
namespace {

// Of a pod's end; what does not stop in time is left to the kernel.
constexpr std::chrono::milliseconds kStopLimit{800};
constexpr std::chrono::seconds kListenRetry{10};
constexpr std::chrono::seconds kLockCheck{30};
constexpr rlim_t kFewDescriptors = 128;  // gRPC ends the program where it gets none

// A runtime's soft limit is of the time of select(2).
Result<void> raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return fail_errno(errno, "RLIMIT_NOFILE");
  if (limit.rlim_max < kFewDescriptors) {
    return fail(ErrorCode::unavailable,
                "this process may open {} files; it needs {} (RLIMIT_NOFILE, ulimit -n)",
                limit.rlim_max, kFewDescriptors);
  }
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) return fail_errno(errno, "RLIMIT_NOFILE");
  return {};
}

// A container gets the runtime's limit, and this one's is what the node's pods get.
void warn_of_memlock(Logger& log) {
  const auto limit = metrics::memlock_limit();
  if (!limit) return;
  log.warning("pods may lock little memory only: RDMA will fail in them, see docs/memlock.md",
              {{"memlock_limit_bytes", *limit}});
}

// For who finds the lock taken. In a container a process id tells nothing.
std::string who_holds(const Options& options) {
  std::array<char, 256> host{};
  if (gethostname(host.data(), host.size() - 1) != 0) host[0] = '\0';
  if (options.pod_name.empty()) return fmt::format("pid {} of {}", getpid(), host.data());
  return fmt::format("pod {} (pid {} of {})", options.pod_name, getpid(), host.data());
}

class Service {
 public:
  Service(const Options& options, const host::Host& host, Loop& loop, host::Events& events,
          node::Adapters adapters, Signals signals, InstanceLock lock, Logger& log)
      : options_(options),
        loop_(loop),
        clock_(host.clock),
        log_(log),
        metrics_(RAILHEAD_VERSION),
        signals_(std::move(signals)),
        lock_(std::move(lock)),
        agent_(options, host, loop, events, std::move(adapters), metrics_, log),
        pages_(
            {.all_counters = options.all_counters}, host, agent_, loop, metrics_,
            [this] {
              return StatusPages::Around{lock_.holder(), troubles()};
            },
            log),
        lock_waiter_(loop.poster()),
        listen_(loop, [this] { listen(); }),
        lock_check_(loop, [this] { check_lock(); }) {}

  // Until a signal or a failure ends it.
  Result<void> run() {
    answer_probes();
    auto watch = loop_.watch(signals_.fd(), [this] { signalled(); });
    if (!watch) return pass(watch);
    if (auto started = agent_.start(); !started) return started;
    if (auto locked = await_lock(); !locked) return locked;
    loop_.run();
    return std::move(result_);
  }

  // By explicit steps: other threads may keep this process from ending, or from closing its files.
  void stop() {
    // Also where the process lives on, the next agent gets the addresses.
    for (auto* server : {pages_server_.get(), probe_server_.get()}) {
      if (server) server->stop_listening();
    }
    auto stopped = std::make_shared<std::promise<void>>();
    const auto done = stopped->get_future();
    std::thread([this, stopped] {
      agent_.stop();
      stopped->set_value();
    }).detach();
    if (done.wait_for(kStopLimit) != std::future_status::ready) {
      log_.warning("something hangs; the kernel will end it when it can");
    }
    lock_.release();
  }

 private:
  // They come before the lock, and their thread reads no hardware.
  void answer_probes() {
    const auto socket = probe_socket_of(options_);
    auto made = host::make_directories(socket.substr(0, socket.rfind('/')), 0700);
    if (made) {
      auto server = http::Server::start(
          http::UnixAddress{socket}, [this](std::string_view path) { return pages_.probe(path); },
          log_);
      if (server) {
        probe_server_ = std::move(*server);
        return;
      }
      made = pass(server);
    }
    log_.warning("no probes are answered, and no status", {{"error", made.error().message}});
  }

  Result<void> await_lock() {
    auto taken = lock_.take();
    if (taken) return take_over();
    if (!is(taken, ErrorCode::busy)) {
      return pass(taken, "cannot tell whether another agent serves this node");
    }
    log_.info("standby until the agent before this one ends", {{"other", taken.error().message}});
    return lock_waiter_.start([this, lock = lock_]() -> node::Worker::Finish {
      auto got = lock.wait();
      return [this, got] {
        const auto serving = got ? take_over() : got;
        if (serving) return;
        result_ = serving;
        loop_.stop();
      };
    });
  }

  // Whoever removes the run folder lets a second agent in. Started anew this one is a standby.
  void check_lock() {
    result_ = lock_.stands();
    if (!result_) return loop_.stop();
    lock_check_.set(clock_.now() + kLockCheck);
  }

  Result<void> take_over() {
    if (auto stands = lock_.stands(); !stands) return stands;
    lock_check_.set(clock_.now() + kLockCheck);
    lock_.sign(who_holds(options_));
    log_.info("serving this node", {{"pod", options_.pod_name}});
    warn_of_memlock(log_);
    // What it cannot keep there is of use to the next start only, and told when it is written.
    (void)host::make_private_folder(options_.state_dir);
    if (auto serving = agent_.serve(); !serving) return serving;
    listen();
    return {};
  }

  // Kubelet is served without it too.
  void listen() {
    if (!options_.listen) return;
    auto server = http::Server::start(
        *options_.listen, [this](std::string_view path) { return pages_.answer(path); }, log_);
    if (server) {
      pages_server_ = std::move(*server);
      not_listening_.clear();
      return;
    }
    log_.error("cannot listen", {{"error", server.error().message}});
    not_listening_ = server.error().message;
    listen_.set(clock_.now() + kListenRetry);
  }

  [[nodiscard]] std::vector<std::string> troubles() const {
    if (pages_server_) {
      const auto address = pages_server_->address();
      if (!address) return {"metrics: " + address.error().message};
    }
    if (!not_listening_.empty()) return {"metrics: " + not_listening_};
    return {};
  }

  void signalled() {
    while (const auto signal = signals_.read()) {
      if (*signal == SIGHUP) {
        agent_.reload();
        continue;
      }
      log_.info("ending", {{"signal", *signal}});
      loop_.stop();
    }
  }

  const Options& options_;
  Loop& loop_;
  const Clock& clock_;
  Logger& log_;
  metrics::Metrics metrics_;
  Signals signals_;
  InstanceLock lock_;
  Agent agent_;
  StatusPages pages_;
  node::Worker lock_waiter_;
  std::unique_ptr<http::Server> probe_server_;
  std::unique_ptr<http::Server> pages_server_;
  std::string not_listening_;  // why there is no pages_server_
  Loop::Timer listen_;
  Loop::Timer lock_check_;
  Result<void> result_;
};

Result<void> run_service(const Options& options, const host::Host& host, const Machine& machine,
                         Logger& log) {
  if (auto raised = raise_descriptor_limit(); !raised) return raised;
  auto signals = Signals::open();
  if (!signals) return pass(signals, "cannot hear signals");
  auto loop = Loop::open(host.clock);
  if (!loop) return pass(loop);
  auto events = machine.events();
  if (!events) return pass(events, "cannot hear the kernel's events");
  auto lock = InstanceLock::open(host.roots.run);
  if (!lock) return pass(lock, "cannot tell whether another agent serves this node");
  // None of these is ever destroyed: what hangs, and who just asks, may refer to it.
  auto& lasting_loop = *loop->release();
  auto& lasting_events = *events->release();
  auto* service = new Service(options, host, lasting_loop, lasting_events, machine.adapters,
                              std::move(*signals), std::move(*lock), log);
  auto ended = service->run();
  service->stop();
  return ended;
}

}  // namespace

int serve(const Options& options, const host::Host& host, const Machine& machine, Logger& log) {
  if (!options.log_dir.empty()) {
    log.warning("--log-dir is not used: logs go to the standard error", {{"dir", options.log_dir}});
  }
  const auto ended = run_service(options, host, machine, log);
  if (!ended) log.error("cannot serve", {{"error", ended.error().message}});
  // No destructor waits for what may hang.
  std::_Exit(ended ? kDone : is(ended, ErrorCode::invalid_argument) ? kConfigRefused : kFailed);
}

}  // namespace railhead::app
