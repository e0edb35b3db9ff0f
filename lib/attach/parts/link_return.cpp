// Out of the pod and into the host again.
#include <algorithm>

#include "attach/parts/link_common.hpp"

namespace railhead::attach::link {

using host::Link;
using host::LinkChange;

namespace {

// The same among the links of the pod: one dump tells what stands on it, too.
const Link* find_in_pod(const Subject& subject) {
  for (const auto& link : subject.beside) {
    if (stands_for(link, subject.record)) return &link;
  }
  return nullptr;
}

// A namespace is taken down by a kernel worker after its last user went; under load that takes
// a while.
constexpr std::chrono::seconds kReturnLimit{10};
constexpr std::chrono::milliseconds kReturnPoll{20};

}  // namespace

Result<void> silence(Subject& subject) {
  subject.link.reset();
  subject.link_in_pod = false;
  subject.beside.clear();
  if (!subject.record.link || !subject.pod) return {};
  auto links = subject.pod->links(subject.host().netns);
  if (!links) return pass(links);
  auto all = (*links)->list();
  if (!all) return pass(all);
  subject.beside = std::move(*all);
  const auto* link = find_in_pod(subject);
  if (!link) return {};
  subject.link = *link;
  subject.link_in_pod = true;
  if (!link->is_up()) return {};
  return (*links)->change(link->index, {.up = false});
}

namespace {

// First those on top; `depth` bounds what a pod can make of this.
Result<void> remove_uppers(const Deadline& deadline, host::Links& links,
                           const std::vector<Link>& all, uint32_t index, unsigned depth = 0) {
  constexpr unsigned kMaxDepth = 16;  // the kernel nests no more than 8 (MAX_NEST_DEV)
  if (depth > kMaxDepth) return {};
  for (const auto& link : all) {
    if (link.lower() != index || link.index == index) continue;
    if (auto done = remove_uppers(deadline, links, all, link.index, depth + 1); !done) return done;
    if (deadline.left().count() == 0) {
      return fail(ErrorCode::timeout, "the pod made more links on it than can be removed in time");
    }
    auto done = links.remove(link.index);
    if (!done && !is(done, ErrorCode::not_found)) {
      return pass(done, fmt::format("removing {}, which the pod made on it", link.name));
    }
  }
  return {};
}

}  // namespace

Result<void> clean(Subject& subject) {
  if (!subject.link_in_pod) return {};
  auto links = subject.pod->links(subject.host().netns);
  if (!links) return pass(links);
  if (auto done =
          remove_uppers(subject.work.deadline, **links, subject.beside, subject.link->index);
      !done)
    return done;
  // IPv6's settings are made anew in the host, by these flags as they are on arrival. That it could
  // not be is seen there.
  const auto& modes = subject.record.link->before.modes;
  if (modes && subject.link->modes() != *modes) {
    (void)(*links)->change(subject.link->index, {.modes = modes});
  }
  return remove_new_alt_names(**links, subject);
}

Result<void> leave_pod(Subject& subject) {
  if (!subject.link_in_pod) return {};
  auto links = subject.pod->links(subject.host().netns);
  if (!links) return pass(links);
  auto here = subject.host().netns.current();
  if (!here) return pass(here);
  const auto& own = subject.record.link->before.name;
  LinkChange moved;
  moved.netns_fd = here->fd();
  const bool free = is(subject.host().links.by_name(own), ErrorCode::not_found);
  const auto wanted = free ? own : temporary_name(subject.record.device);
  if (subject.link->name != wanted) moved.name = wanted;
  auto done = (*links)->change(subject.link->index, moved);
  if (done || find_in_host(subject)) return {};
  return pass(done, fmt::format("moving {} back to the host", subject.link->name));
}

Result<void> arrive(Subject& subject) {
  if (!subject.record.link) return {};
  Result<Link> link = find_in_host(subject);
  // In no namespace: a reset that was cut off, which is made again.
  if (is(link, ErrorCode::not_found) && subject.record.reset == Reset::begun) return {};
  if (!link && !subject.link_in_pod) {
    // Our own handle on a namespace that has ended would keep it, and what is in it, for ever.
    subject.pod.reset();
    const auto back = [&] {
      link = find_in_host(subject);
      return !is(link, ErrorCode::not_found);
    };
    const auto limit = subject.work.deadline.left(kReturnLimit);
    if (!wait_until(subject.host().clock, limit, kReturnPoll, back)) {
      return fail(ErrorCode::timeout,
                  "{} {} has not come back to the host's namespace within {} s; a process may "
                  "still hold the pod's namespace {}",
                  noun(subject.record.kind), subject.name(),
                  std::chrono::duration_cast<std::chrono::seconds>(limit).count(),
                  subject.record.netns_path);
    }
  }
  if (!link) return pass(link);
  subject.link = std::move(*link);
  subject.link_in_pod = false;
  return {};
}

namespace {

// One that is not `former`, an ifindex: that may only be about to go.
Result<void> await_netdev(Subject& subject, uint32_t former) {
  const auto limit = subject.work.deadline.left(kReturnLimit);
  auto link = find_in_host(subject);
  const auto made = [&] {
    link = find_in_host(subject);
    return link ? link->index != former : !is(link, ErrorCode::not_found);
  };
  if (!wait_until(subject.host().clock, limit, kReturnPoll, made)) {
    return fail(ErrorCode::timeout, "its driver {} has made no netdev for it within {} s",
                subject.record.driver.name,
                std::chrono::duration_cast<std::chrono::seconds>(limit).count());
  }
  if (!link) return pass(link);
  subject.link = std::move(*link);
  subject.link_in_pod = false;
  return {};
}

}  // namespace

Result<void> find_anew(Subject& subject) {
  if (!subject.record.moves_rdma()) return {};
  return await_netdev(subject, subject.link ? subject.link->index : 0);
}

Result<void> arrive_anew(Subject& subject) { return await_netdev(subject, 0); }

}  // namespace railhead::attach::link
