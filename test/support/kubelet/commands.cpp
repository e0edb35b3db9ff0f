#include "test/support/kubelet/commands.hpp"

#include <sstream>

#include <nlohmann/json.hpp>

#include "base/text.hpp"

namespace railhead::test {
namespace {

using json = nlohmann::ordered_json;

json error(const std::string& message) { return {{"error", message}}; }

template <class Map>
json object_of(const Map& map) {
  const std::map<std::string, std::string> sorted(map.begin(), map.end());
  return json(sorted);
}

json json_of(const FakeAllocation& allocation) {
  const auto& response = allocation.response;
  json ids = json::array();
  json devices = json::array();
  json mounts = json::array();
  json cdi_devices = json::array();
  for (const auto& device : allocation.devices) ids.push_back(device.id);
  for (const auto& device : response.devices()) {
    devices.push_back({{"host_path", device.host_path()},
                       {"container_path", device.container_path()},
                       {"permissions", device.permissions()}});
  }
  for (const auto& mount : response.mounts()) {
    mounts.push_back({{"host_path", mount.host_path()},
                      {"container_path", mount.container_path()},
                      {"read_only", mount.read_only()}});
  }
  for (const auto& device : response.cdi_devices()) cdi_devices.push_back(device.name());
  json answer;
  answer["ids"] = std::move(ids);
  answer["envs"] = object_of(response.envs());
  answer["devices"] = std::move(devices);
  answer["mounts"] = std::move(mounts);
  answer["annotations"] = object_of(response.annotations());
  answer["cdi_devices"] = std::move(cdi_devices);
  return answer;
}

json resources(const FakeKubelet& kubelet) {
  json answer = json::object();
  const auto state = kubelet.state();
  for (const auto& [name, resource] : state.resources) {
    auto& devices = answer[name] = json::array();
    for (const auto& [id, device] : resource.devices) {
      devices.push_back(
          {{"id", id}, {"healthy", device.healthy}, {"numa", json(device.numa_nodes)}});
    }
  }
  return answer;
}

json wait(const FakeKubelet& kubelet, std::istream& words) {
  std::string resource;
  size_t count = 0;
  if (!(words >> resource >> count)) return error("usage: wait RESOURCE N [SECONDS]");
  int seconds = 10;
  words >> seconds;
  if (kubelet.wait_for_healthy(resource, count, std::chrono::seconds(seconds))) {
    return {{"healthy", count}};
  }
  const auto state = kubelet.state();
  const auto found = state.resources.find(resource);
  if (found == state.resources.end() || found->second.lists == 0) {
    return error(fmt::format("{} is not listed after {} s", resource, seconds));
  }
  return error(fmt::format("{} has {} healthy devices after {} s, not {}", resource,
                           found->second.healthy(), seconds, count));
}

json allocate(FakeKubelet& kubelet, std::istream& words) {
  std::string pod, container, resource, wanted;
  if (!(words >> pod >> container >> resource >> wanted)) {
    return error("usage: allocate POD CONTAINER RESOURCE N|ID,ID");
  }
  Result<FakeAllocation> allocation;
  if (const auto count = parse_int<size_t>(wanted)) {
    allocation = kubelet.allocate(pod, container, resource, *count);
  } else {
    const auto ids = split(wanted, ',');
    allocation = kubelet.allocate(pod, container, resource, {ids.begin(), ids.end()});
  }
  return allocation ? json_of(*allocation) : error(allocation.error().message);
}

json start(FakeKubelet& kubelet, std::istream& words) {
  std::string pod, container;
  if (!(words >> pod >> container)) return error("usage: start POD CONTAINER");
  const auto started = kubelet.start_container(pod, container);
  if (!started) return error(started.error().message);
  json answer = json::object();
  for (const auto& allocation : *started) answer[allocation.resource] = json_of(allocation);
  return {{"started", std::move(answer)}};
}

json admit(FakeKubelet& kubelet, std::istream& words) {
  std::string pod;
  if (!(words >> pod)) return error("usage: admit POD");
  const auto admitted = kubelet.admit_again(pod);
  if (!admitted) return error(admitted.error().message);
  return {{"admitted", pod}};
}

json lists(const FakeKubelet& kubelet, std::istream& words) {
  std::string resource;
  if (!(words >> resource)) return error("usage: lists RESOURCE");
  const auto state = kubelet.state();
  const auto found = state.resources.find(resource);
  if (found == state.resources.end()) return error("unknown resource " + resource);
  return {{"lists", found->second.lists}, {"registrations", found->second.registrations}};
}

json remove(FakeKubelet& kubelet, std::istream& words) {
  std::string pod;
  if (!(words >> pod)) return error("usage: remove POD");
  kubelet.remove_pod(pod);
  return {{"removed", pod}};
}

json run(FakeKubelet& kubelet, std::istream& words) {
  std::string command;
  words >> command;
  if (command == "wait") return wait(kubelet, words);
  if (command == "resources") return resources(kubelet);
  if (command == "lists") return lists(kubelet, words);
  if (command == "allocate") return allocate(kubelet, words);
  if (command == "start") return start(kubelet, words);
  if (command == "admit") return admit(kubelet, words);
  if (command == "remove") return remove(kubelet, words);
  if (command == "restart") {
    kubelet.restart();
    return {{"restarted", true}};
  }
  return error(fmt::format("unknown command '{}'", command));
}

}  // namespace

std::string run_command(FakeKubelet& kubelet, const std::string& line) {
  std::istringstream words(line);
  return run(kubelet, words).dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace railhead::test
