#include "test/stress/pods.hpp"

#include <algorithm>

namespace railhead::stress {
namespace {

constexpr size_t kInterfaces = 4;  // a pod has at most

size_t any(size_t count, std::mt19937_64& random) {
  return std::uniform_int_distribution<size_t>(0, count - 1)(random);
}

bool one_in(unsigned count, std::mt19937_64& random) { return any(count, random) == 0; }

Json parsed(const std::string& text) { return Json::parse(text, nullptr, false); }

}  // namespace

Pods::Pods(const Plan& plan, Findings& findings)
    : plan_(plan), findings_(findings), owners_(plan.devices.size()) {
  for (const auto& netns : plan_.netns) {
    pods_.push_back(std::make_unique<Pod>());
    pods_.back()->netns = netns;
    pods_.back()->container = "c-" + netns;
  }
}

Ended Pods::call_program(const std::string& verb, const Attachment& attachment, const Json& conf) {
  std::vector<std::string> environment = {"CNI_COMMAND=" + verb, "CNI_PATH=" + plan_.cni_path,
                                          "PATH=/usr/sbin:/usr/bin:/sbin:/bin"};
  if (verb != "GC") {
    environment.push_back("CNI_CONTAINERID=" + attachment.container);
    environment.push_back("CNI_NETNS=/run/netns/" + attachment.netns);
    environment.push_back("CNI_IFNAME=" + attachment.ifname);
  }
  auto ended = run({{plan_.program}, environment, conf.dump()});
  const auto took = static_cast<unsigned>(ended.took.count());
  for (auto longest = figures_.longest_ms.load();
       took > longest && !figures_.longest_ms.compare_exchange_weak(longest, took);) {
  }
  if (!ended.in_time) tell(verb + " is not over in time", attachment, ended);
  return ended;
}

void Pods::tell(const std::string& what, const Attachment& attachment, const Ended& ended) {
  const auto answer = parsed(ended.output);
  const auto text = answer.is_object()
                        ? answer.value("msg", ended.output) + ", " + answer.value("details", "")
                        : ended.output + ended.error;
  findings_.add(what + ": " + plan_.devices[attachment.device].name + ", " + attachment.ifname +
                " of " + attachment.netns + ": exit code " + std::to_string(ended.code) + ", " +
                text);
}

void Pods::add(Pod& pod, std::mt19937_64& random) {
  Attachment wanted{any(plan_.devices.size(), random), pod.netns, pod.container, {}, {}};
  for (size_t i = 1; wanted.ifname.empty() && i <= kInterfaces; ++i) {
    const auto name = "net" + std::to_string(i);
    const bool used = std::any_of(pod.held.begin(), pod.held.end(),
                                  [&](const auto& one) { return one.ifname == name; });
    if (!used) wanted.ifname = name;
  }
  if (wanted.ifname.empty()) return;
  const auto& conf = plan_.devices[wanted.device].conf;
  const auto open = owners_.begin(wanted.device, false);
  const auto ended = call_program("ADD", wanted, conf);
  if (ended.code == 0) {
    if (const auto other = owners_.taken(open, pod.netns)) {
      tell("ADD gave a device that " + *other + " has", wanted, ended);
    }
    owners_.end(open);
    wanted.result = parsed(ended.output);
    if (!wanted.result.is_object()) tell("ADD printed no result", wanted, ended);
    pod.held.push_back(std::move(wanted));
    ++figures_.added;
    return;
  }
  ++figures_.refused;
  const auto answer = parsed(ended.output);
  const int code = answer.is_object() ? answer.value("code", 0) : 0;
  if (!owners_.end(open)) {
    tell("ADD of a free device failed", wanted, ended);
  } else if (std::ranges::find(plan_.held_codes, code) == plan_.held_codes.end()) {
    tell("ADD of a held device gave the code " + std::to_string(code), wanted, ended);
  }
  // Some runtimes call DEL after a failed ADD, some do not.
  if (one_in(2, random)) {
    const auto again = call_program("DEL", wanted, conf);
    if (again.code != 0) tell("DEL after a failed ADD failed", wanted, again);
  }
}

void Pods::del(Pod& pod, size_t which) {
  auto attachment = pod.held.at(which);
  pod.held.erase(pod.held.begin() + static_cast<ptrdiff_t>(which));
  const auto open = owners_.begin(attachment.device, true);
  auto conf = plan_.devices[attachment.device].conf;
  conf["prevResult"] = attachment.result;
  const auto ended = call_program("DEL", attachment, conf);
  owners_.end(open);
  if (ended.code != 0) tell("DEL failed", attachment, ended);
  ++figures_.deleted;
  pod.past.push_back(std::move(attachment));
  if (pod.past.size() > 8) pod.past.erase(pod.past.begin());
}

// A DEL that comes late, of an interface that the pod no longer has, while another pod may have its
// device: nothing happens.
void Pods::del_again(Pod& pod, std::mt19937_64& random) {
  if (pod.past.empty()) return;
  const auto& attachment = pod.past[any(pod.past.size(), random)];
  for (const auto& one : pod.held) {
    if (one.ifname == attachment.ifname) return;
  }
  const auto ended = call_program("DEL", attachment, plan_.devices[attachment.device].conf);
  if (ended.code != 0) tell("a second DEL failed", attachment, ended);
}

void Pods::check(Pod& pod, std::mt19937_64& random) {
  const auto& attachment = pod.held[any(pod.held.size(), random)];
  auto conf = plan_.devices[attachment.device].conf;
  conf["prevResult"] = attachment.result;
  const auto ended = call_program("CHECK", attachment, conf);
  if (ended.code != 0) tell("CHECK failed", attachment, ended);
  ++figures_.checked;
}

// With some attachments that the runtime has lost: they are given back. None with addresses: the
// IPAM plugins of before CNI 1.1 have no GC.
void Pods::collect_garbage(std::mt19937_64& random) {
  Json valid = Json::array();
  for (const auto& pod : pods_) {
    for (size_t i = 0; i < pod->held.size();) {
      const auto& one = pod->held[i];
      if (!plan_.devices[one.device].conf.contains("ipam") && one_in(4, random)) {
        owners_.end(owners_.begin(one.device, true));
        pod->past.push_back(one);
        pod->held.erase(pod->held.begin() + static_cast<ptrdiff_t>(i));
        ++figures_.collected;
        continue;
      }
      valid.push_back({{"containerID", one.container}, {"ifname", one.ifname}});
      ++i;
    }
  }
  auto conf = plan_.devices[0].conf;
  conf["cniVersion"] = "1.1.0";  // the first that has GC
  conf.erase("ipam");
  conf["cni.dev/valid-attachments"] = valid;
  conf["cni.dev/attachments"] = valid;
  const auto ended = call_program("GC", {}, conf);
  if (ended.code != 0) tell("GC failed", {}, ended);
}

// What a node's reconciler does at any time, beside all other calls: there is nothing for it to do,
// and it takes nothing from a pod.
void Pods::reconcile() {
  const auto ended = run({{plan_.program, "reconcile"}, {}, {}});
  const bool is_other_at_it = ended.error.find("another railhead reconcile") != std::string::npos;
  if (ended.code != 0 && !is_other_at_it) tell("reconcile failed", {}, ended);
  if (!ended.in_time) tell("reconcile is not over in time", {}, ended);
  ++figures_.reconciled;
}

void Pods::call(std::mt19937_64& random) {
  if (one_in(40, random)) return reconcile();
  if (one_in(30, random)) {
    const std::unique_lock alone(collecting_);
    collect_garbage(random);
    return;
  }
  const std::shared_lock beside_others(collecting_);
  auto& pod = *pods_[any(pods_.size(), random)];
  const std::unique_lock one_at_a_time(pod.busy);
  const auto choice = any(10, random);
  if (choice == 0) {
    del_again(pod, random);
  } else if (pod.held.empty() || choice < 5) {
    add(pod, random);
  } else if (choice < 7) {
    check(pod, random);
  } else {
    del(pod, any(pod.held.size(), random));
  }
}

void Pods::delete_all() {
  for (const auto& pod : pods_) {
    while (!pod->held.empty()) del(*pod, pod->held.size() - 1);
  }
}

std::vector<Attachment> Pods::held() const {
  std::vector<Attachment> all;
  for (const auto& pod : pods_) all.insert(all.end(), pod->held.begin(), pod->held.end());
  return all;
}

}  // namespace railhead::stress
