#include "test/stress/observer.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <stdexcept>
#include <thread>

#include <fcntl.h>
#include <sched.h>

#include "base/unique_fd.hpp"
#include "test/stress/run.hpp"

namespace railhead::stress {
namespace {

namespace fs = std::filesystem;

// On a thread of its own: a namespace is a thread's.
template <class Work>
void in_netns(const std::string& name, const Work& work) {
  std::exception_ptr thrown;
  std::thread([&] {
    try {
      if (!name.empty()) {
        const UniqueFd netns(open(("/run/netns/" + name).c_str(), O_RDONLY | O_CLOEXEC));
        if (!netns || setns(netns.get(), CLONE_NEWNET) != 0) {
          throw std::runtime_error("cannot enter the namespace " + name);
        }
      }
      work();
    } catch (...) {
      thrown = std::current_exception();
    }
  }).join();
  if (thrown) std::rethrow_exception(thrown);
}

Json json_of(const std::vector<std::string>& command) {
  const auto text = output_of(command);
  return text.empty() ? Json::array() : Json::parse(text);
}

bool matches(const Json& link, const Json& is) {
  return std::all_of(is.items().begin(), is.items().end(), [&](const auto& item) {
    return link.contains(item.key()) && link[item.key()] == item.value();
  });
}

// What the kernel gives anew at each move, or changes by itself with the carrier, is left out.
Json lasting(Json link) {
  for (const auto* key : {"ifindex", "link_index", "operstate", "qdisc", "txqlen", "permaddr",
                          "addr_info", "stats64", "num_tx_queues", "num_rx_queues"}) {
    link.erase(key);
  }
  Json flags = Json::array();
  for (const auto& flag : link.value("flags", Json::array())) {
    if (flag != "LOWER_UP" && flag != "NO-CARRIER") flags.push_back(flag);
  }
  link["flags"] = flags;
  return link;
}

std::string places_text(const std::vector<std::string>& places) {
  std::string out;
  for (const auto& place : places) {
    out += (out.empty() ? "" : ", ") + (place.empty() ? std::string("the host") : place);
  }
  return out.empty() ? "nowhere" : out;
}

// The files of a folder; names that begin with a dot are not yet, or no longer, what they stand
// for.
std::set<std::string> files_in(const std::string& folder) {
  std::set<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename();
    if (name.front() != '.') names.insert(name);
  }
  return names;
}

// "10.1.0.7/24" of each address that is not the link's own, as `ip -j addr` shows a link
std::set<std::string> global_addresses(const Json& link) {
  std::set<std::string> out;
  for (const auto& address : link.value("addr_info", Json::array())) {
    if (address.value("scope", "") != "global") continue;
    out.insert(address.value("local", "") + "/" + std::to_string(address.value("prefixlen", 0)));
  }
  return out;
}

// The same of ADD's result.
std::set<std::string> addresses_of(const Json& result) {
  std::set<std::string> out;
  for (const auto& ip : result.value("ips", Json::array())) out.insert(ip.at("address"));
  return out;
}

}  // namespace

Observer::Observer(const Plan& plan) : plan_(plan) {
  const auto system = run({{"rdma", "system", "show"}, {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, {}});
  exclusive_ = system.output.find("exclusive") != std::string::npos;
  before_ = look();
  for (size_t device = 0; device < plan_.devices.size(); ++device) {
    if (before_.links[device].size() != 1 || !before_.links[device][0].netns.empty()) {
      throw std::runtime_error(plan_.devices[device].name + " is not in the host at the start");
    }
  }
}

void Observer::look_in(const std::string& netns, Look& look) const {
  // `ip addr` has the addresses, `ip link` the VFs.
  auto links = json_of({"ip", "-j", "-d", netns.empty() ? "link" : "addr", "show"});
  if (netns.empty()) {
    std::map<std::string, std::set<std::string>> addresses;
    for (const auto& link : json_of({"ip", "-j", "addr", "show"})) {
      addresses[link.value("ifname", "")] = global_addresses(link);
    }
    for (auto& link : links) link["addresses"] = addresses[link.value("ifname", "")];
  }
  for (const auto& link : links) {
    bool known = netns.empty() || link.value("ifname", "") == "lo";
    for (size_t device = 0; device < plan_.devices.size(); ++device) {
      if (!matches(link, plan_.devices[device].is)) continue;
      look.links[device].push_back({netns, link});
      known = true;
    }
    if (!known) look.strangers.push_back(link.value("ifname", "?") + " in " + netns);
    if (!netns.empty()) continue;
    for (size_t device = 0; device < plan_.devices.size(); ++device) {
      const auto& one = plan_.devices[device];
      if (one.pf.empty() || link.value("ifname", "") != one.pf) continue;
      for (const auto& vf : link.value("vfinfo_list", Json::array())) {
        if (vf.value("vf", -1) == one.vf) look.settings[device] = vf;
      }
    }
  }
  if (!exclusive_) return;
  for (const auto& device : json_of({"rdma", "-j", "dev", "show"})) {
    look.rdma[device.value("ifname", "")].push_back(netns);
  }
}

Observer::Look Observer::look() const {
  Look look;
  look.links.resize(plan_.devices.size());
  look.settings.resize(plan_.devices.size());
  in_netns("", [&] { look_in("", look); });
  for (const auto& netns : plan_.netns) in_netns(netns, [&] { look_in(netns, look); });
  return look;
}

void Observer::judge_device(size_t device, const Attachment* owner, const Look& now,
                            Findings& findings) const {
  const auto& wanted = plan_.devices[device];
  const auto where = owner ? owner->netns : std::string();
  std::vector<std::string> places;
  for (const auto& place : now.links[device]) places.push_back(place.netns);
  if (places != std::vector{where}) {
    findings.add(wanted.name + " is to be in " + places_text({where}) + ", and is in " +
                 places_text(places));
    return;
  }
  if (exclusive_ && !wanted.rdma.empty()) {
    const auto found = now.rdma.find(wanted.rdma);
    const auto rdma = found == now.rdma.end() ? std::vector<std::string>{} : found->second;
    if (rdma != std::vector{where}) {
      findings.add(wanted.rdma + " is to be in " + places_text({where}) + ", and is in " +
                   places_text(rdma));
    }
  }
  const auto& link = now.links[device][0].link;
  if (!owner) {
    const auto then = lasting(before_.links[device][0].link);
    if (const auto is = lasting(link); is != then) {
      findings.add(wanted.name + " is free and not as before: " + Json::diff(then, is).dump());
    }
    if (now.settings[device] != before_.settings[device]) {
      findings.add(wanted.name + " is free, and its PF's settings are not as before: " +
                   Json::diff(before_.settings[device], now.settings[device]).dump());
    }
    return;
  }
  if (link.value("ifname", "") != owner->ifname) {
    findings.add(wanted.name + " is " + link.value("ifname", "") + " in " + where + ", not " +
                 owner->ifname);
  }
  const auto flags = link.value("flags", Json::array());
  if (std::find(flags.begin(), flags.end(), "UP") == flags.end()) {
    findings.add(wanted.name + " is not up in " + where);
  }
  const auto addresses = global_addresses(link);
  if (addresses != addresses_of(owner->result)) {
    findings.add(wanted.name + " in " + where + " has the addresses " + Json(addresses).dump() +
                 ", ADD said " + Json(addresses_of(owner->result)).dump());
  }
}

void Observer::judge_files(const std::vector<Attachment>& held, Findings& findings) const {
  for (const auto* folder : {"attachments", "devices"}) {
    const auto files = files_in(plan_.state + "/" + folder);
    if (files.size() != held.size()) {
      findings.add(std::to_string(held.size()) + " attachments, and in " + folder + ": " +
                   Json(files).dump());
    }
  }
  if (plan_.leases.empty()) return;
  std::set<std::string> given;
  for (const auto& attachment : held) {
    for (const auto& address : addresses_of(attachment.result)) {
      if (!given.insert(address.substr(0, address.find('/'))).second) {
        findings.add(address + " was given twice");
      }
    }
  }
  auto leased = files_in(plan_.leases);
  for (auto name = leased.begin(); name != leased.end();) {
    const bool is_address = name->find_first_not_of("0123456789abcdef.:") == std::string::npos;
    name = is_address ? std::next(name) : leased.erase(name);
  }
  if (leased != given) {
    findings.add("leased are " + Json(leased).dump() + ", given were " + Json(given).dump());
  }
}

// Processes of the program that outlive their call, and locks that somebody still has.
void Observer::judge_processes(Findings& findings) const {
  std::error_code error;
  const auto program = fs::canonical(plan_.program, error);
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    const std::string pid = entry.path().filename();
    if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
    if (fs::read_symlink(entry.path() / "exe", error) == program) {
      findings.add("a process of the program is left: " + pid);
    }
    for (const auto& file : fs::directory_iterator(entry.path() / "fd", error)) {
      const auto target = fs::read_symlink(file.path(), error).string();
      if (target.starts_with(plan_.state + "/locks/")) {
        findings.add("the process " + pid + " has " + target + " open");
      }
    }
  }
}

void Observer::judge(const std::vector<Attachment>& held, Findings& findings) const {
  const auto now = look();
  for (size_t device = 0; device < plan_.devices.size(); ++device) {
    const Attachment* owner = nullptr;
    for (const auto& attachment : held) {
      if (attachment.device != device) continue;
      if (owner) findings.add(plan_.devices[device].name + " has two owners");
      owner = &attachment;
    }
    judge_device(device, owner, now, findings);
  }
  for (const auto& stranger : now.strangers) findings.add("a link that nobody made: " + stranger);
  judge_files(held, findings);
  judge_processes(findings);
}

}  // namespace railhead::stress
