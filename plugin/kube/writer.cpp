#include "plugin/kube/writer.hpp"

#include <algorithm>
#include <utility>

#include "plugin/kube/objects.hpp"

namespace railhead::kube {
namespace {

using Seconds = std::chrono::duration<double>;

// What a server may say otherwise another time: it is overloaded, or somebody mends our rights.
bool may_be_mended(int status) {
  return status >= 500 || status == 401 || status == 403 || status == 408 || status == 429;
}

}  // namespace

Writer::Writer(Options options, Loop& loop, const Clock& clock, Client& client, Logger& log)
    : options_(options),
      clock_(clock),
      client_(client),
      log_(log),
      tokens_(options.burst),
      counted_(clock.now()),
      again_(loop, [this] { start(); }) {}

void Writer::stop() {
  again_.cancel();
  jobs_.clear();
}

// What replaces one that failed waits no less.
void Writer::put(const std::string& key, Request request, unsigned tries, Done done, Next next) {
  auto& job = jobs_[key];
  job.is_replaced = job.call != nullptr;
  job.request = std::move(request);
  job.tries = tries;
  job.done = std::move(done);
  job.next = std::move(next);
  if (job.failures == 0) job.due = clock_.now();
  again_.set_if_sooner(job.due);
}

void Writer::drop(const std::string& key) {
  const auto job = jobs_.find(key);
  if (job == jobs_.end()) return;
  if (job->second.call) {
    --under_way_;
    again_.set_if_sooner(clock_.now());
  }
  jobs_.erase(job);
}

std::string Writer::trouble() const {
  for (const auto& [key, job] : jobs_) {
    if (job.tries == 0 && !job.why.empty()) return job.why;
  }
  return "";
}

bool Writer::take_token() {
  const auto now = clock_.now();
  tokens_ =
      std::min(options_.burst, tokens_ + options_.per_second * Seconds(now - counted_).count());
  counted_ = now;
  if (tokens_ < 1) return false;
  tokens_ -= 1;
  return true;
}

// What has waited longest first; many Events of one pod keep no other pod's status waiting.
void Writer::start() {
  again_.cancel();
  const auto now = clock_.now();
  while (under_way_ < options_.at_once) {
    const auto rank = [](const Job& job) { return std::pair(job.tries != 0, job.due); };
    auto next = jobs_.end();
    for (auto job = jobs_.begin(); job != jobs_.end(); ++job) {
      if (job->second.call) continue;
      if (job->second.due > now) {
        again_.set_if_sooner(job->second.due);
      } else if (next == jobs_.end() || rank(job->second) < rank(next->second)) {
        next = job;
      }
    }
    if (next == jobs_.end()) return;
    if (!take_token()) {
      const Seconds wait((1 - tokens_) / options_.per_second);
      return again_.set(now + std::chrono::ceil<std::chrono::milliseconds>(wait));
    }
    ++under_way_;
    next->second.call = client_.send(
        next->second.request,
        [this, key = next->first](const Result<Reply>& reply) { answered(key, reply); });
  }
}

void Writer::answered(const std::string& key, const Result<Reply>& reply) {
  const auto found = jobs_.find(key);
  auto& job = found->second;
  --under_way_;
  job.call.reset();
  again_.set_if_sooner(clock_.now());
  const bool is_good = reply && reply->is_good();
  if (std::exchange(job.is_replaced, false)) return;
  auto next = reply && job.next ? job.next(job.request, *reply)
                                : Result<std::optional<Request>>(std::nullopt);
  if (!next) return finish(found, pass(next));
  const auto why = is_good ? ""
                   : reply ? refusal_of(reply->status, reply->body)
                           : reply.error().message;
  if (!*next) {
    if (is_good) return finish(found, {});
    if (reply && !may_be_mended(reply->status)) {
      const bool is_gone = reply->status == 404 || reply->status == 409;
      return finish(found,
                    fail(is_gone ? ErrorCode::not_found : ErrorCode::invalid_argument, "{}", why));
    }
  } else {
    job.request = std::move(**next);
  }
  job.due = clock_.now();
  if (is_good) return;
  if (told_ != why) log_.warning("the API server takes nothing", {{"error", why}});
  told_ = why;
  job.why = why;
  ++job.failures;
  if (job.tries != 0 && job.failures >= job.tries) {
    return finish(found, fail(ErrorCode::unavailable, "{}", why));
  }
  job.due += pause_after(job.failures, reply ? &*reply : nullptr);
}

// It doubles, is at least what the server asks for, and is not the same for all agents.
std::chrono::milliseconds Writer::pause_after(unsigned failures, const Reply* reply) {
  const auto doubled =
      std::min(options_.first_pause * (1U << std::min(failures - 1, 10U)), options_.longest_pause);
  const auto spread = std::uniform_real_distribution(0.5, 1.0)(random_);
  const auto pause = std::chrono::duration_cast<std::chrono::milliseconds>(doubled * spread);
  const auto asked = reply && reply->retry_after ? *reply->retry_after : std::chrono::seconds(0);
  return std::max<std::chrono::milliseconds>(
      pause, std::min<std::chrono::milliseconds>(asked, options_.longest_pause));
}

// Whoever hears of it may put more.
void Writer::finish(Jobs::iterator job, const Result<void>& result) {
  const auto done = std::move(job->second.done);
  jobs_.erase(job);
  if (done) done(result);
}

}  // namespace railhead::kube
