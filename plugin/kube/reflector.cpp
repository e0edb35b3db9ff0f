#include "plugin/kube/reflector.hpp"

#include <algorithm>
#include <memory>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "plugin/kube/items.hpp"
#include "plugin/kube/objects.hpp"

namespace railhead::kube {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::chrono::seconds kListLimit{120};
constexpr std::chrono::seconds kLongestWait{60};  // however long a server asks to stay away
constexpr std::chrono::minutes kMissingPause{5};
constexpr std::chrono::seconds kShortWatch{1};  // one that ends sooner counts as failed

}  // namespace

Reflector::Reflector(Options options, Loop& loop, const Clock& clock, Client& client, Sink& sink,
                     Logger& log)
    : options_(std::move(options)),
      clock_(clock),
      client_(client),
      sink_(sink),
      log_(log),
      again_(loop, [this] { (this->*next_)(); }) {}

void Reflector::stop() {
  again_.cancel();
  call_.reset();
}

std::string Reflector::query(const std::string& more) const {
  return fmt::format("{}?{}{}{}", options_.path, options_.selector,
                     options_.selector.empty() ? "" : "&", more);
}

double Reflector::spread() { return std::uniform_real_distribution(1.0, 2.0)(random_); }

// The first one from the server's cache, which costs it little.
void Reflector::list() {
  sink_.begin_list();
  auto splitter =
      std::make_shared<ListSplitter>([this](std::string_view item) { sink_.put(parsed(item)); });
  const auto data = [this, splitter](std::string_view part) {
    const auto fed = splitter->feed(part);
    if (!fed) broken_ = fed.error().message;
    return fed.has_value();
  };
  broken_.clear();
  call_ = client_.stream(
      {.path = query(is_expired_ ? "" : "resourceVersion=0"), .limit = kListLimit}, data,
      [this, splitter](const Result<Reply>& reply) { listed(reply, splitter->rest()); });
}

void Reflector::listed(const Result<Reply>& reply, const std::string& rest) {
  next_ = &Reflector::list;
  if (!reply) return fail_with(broken_.empty() ? reply.error().message : broken_, {});
  if (reply->status == 404 && options_.may_be_missing) {
    trouble_.clear();
    call_.reset();
    return again_.set(clock_.now() + std::chrono::duration_cast<std::chrono::milliseconds>(
                                         kMissingPause * spread()));
  }
  if (!reply->is_good()) {
    return fail_with(refusal_of(reply->status, reply->body), reply->retry_after);
  }
  version_ = resource_version(parsed(rest));
  if (version_.empty()) return fail_with("the list has no resourceVersion", {});
  is_expired_ = false;
  sink_.end_list();
  is_synced_ = true;
  recovered();
  watch();
}

void Reflector::watch() {
  broken_.clear();
  watch_began_ = clock_.now();
  const auto seconds = static_cast<int>(static_cast<double>(options_.watch.count()) * spread());
  auto splitter = std::make_shared<LineSplitter>([this](std::string_view line) { heard(line); });
  const auto data = [this, splitter](std::string_view part) {
    if (part.empty()) recovered();
    if (const auto fed = splitter->feed(part); !fed) broken_ = fed.error().message;
    return broken_.empty();
  };
  call_ =
      client_.stream({.path = query(fmt::format(
                          "watch=1&allowWatchBookmarks=true&resourceVersion={}&timeoutSeconds={}",
                          version_, seconds)),
                      .limit = std::chrono::seconds(seconds + 30)},
                     data, [this](const Result<Reply>& reply) { ended(reply); });
}

void Reflector::heard(std::string_view line) {
  if (!broken_.empty()) return;
  const auto json = parsed(line);
  const auto type = json.is_object() ? json.find("type") : json.end();
  const auto object = json.is_object() ? json.find("object") : json.end();
  if (type == json.end() || !type->is_string() || object == json.end()) {
    broken_ = "the watch sent what is no event";
    return;
  }
  if (*type == "ERROR") {
    const auto code = object->is_object() ? object->find("code") : object->end();
    is_expired_ = code != object->end() && *code == 410;
    broken_ = refusal_of(is_expired_ ? 410 : 500,
                         object->dump(-1, ' ', false, Json::error_handler_t::replace));
    return;
  }
  const auto version = resource_version(*object);
  if (!version.empty()) version_ = version;
  if (*type == "ADDED" || *type == "MODIFIED") sink_.changed(*object);
  if (*type == "DELETED") sink_.removed(*object);
}

void Reflector::ended(const Result<Reply>& reply) {
  const bool was_short = clock_.now() - watch_began_ < kShortWatch;
  if (!was_short) failures_ = 0;
  if (is_expired_ || (reply && reply->status == 410)) {
    is_expired_ = true;
    log_.info("the API server no longer knows where a watch was, listing anew",
              {{"what", options_.what}});
    // Not all agents of a cluster at once, and ever less often where the next one is forgotten,
    // too.
    next_ = &Reflector::list;
    again_.set(clock_.now() + next_pause());
    return;
  }
  // A watch that was refused may be so for what it goes on from.
  const bool is_refused =
      reply && reply->status >= 400 && reply->status < 500 && reply->status != 429;
  next_ = is_refused ? &Reflector::list : &Reflector::watch;
  if (!broken_.empty()) return fail_with(broken_, {});
  if (reply && reply->is_good() && !was_short) {
    recovered();
    return watch();
  }
  if (!reply && !was_short && reply.error().code == ErrorCode::timeout) return watch();
  if (!reply) return fail_with(reply.error().message, {});
  if (reply->is_good()) return fail_with("the API server ends each watch at once", {});
  fail_with(refusal_of(reply->status, reply->body), reply->retry_after);
}

std::chrono::milliseconds Reflector::next_pause() {
  const auto doubled = options_.first_pause * (1U << std::min(failures_++, 10U));
  return std::chrono::duration_cast<std::chrono::milliseconds>(
      std::min(doubled, options_.longest_pause) * spread() / 2);
}

void Reflector::fail_with(const std::string& why, std::optional<std::chrono::seconds> wait) {
  call_.reset();
  auto pause = next_pause();
  if (wait) pause = std::max<std::chrono::milliseconds>(pause, std::min(*wait, kLongestWait));
  if (trouble_ != why) {
    log_.warning("the API server cannot be followed", {{"what", options_.what}, {"error", why}});
  }
  trouble_ = why;
  again_.set(clock_.now() + pause);
}

void Reflector::recovered() {
  if (!trouble_.empty()) log_.info("following the API server", {{"what", options_.what}});
  trouble_.clear();
}

}  // namespace railhead::kube
