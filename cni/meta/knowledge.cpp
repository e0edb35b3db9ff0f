#include "cni/meta/knowledge.hpp"

#include <algorithm>

#include <fmt/ranges.h>

#include "attach/function.hpp"
#include "cni/conf.hpp"
#include "device/host_use.hpp"
#include "device/rail_map.hpp"
#include "ipc/client.hpp"
#include "ipc/socket.hpp"
#include "kubelet/checkpoint.hpp"

namespace railhead::cni {

using device::DeviceId;

namespace {
constexpr std::chrono::seconds kAgentLimit{3};  // it may have to ask kubelet
// Of what another program writes into them: ib-kubernetes looks every 5 s. Kubelet comes again.
constexpr std::chrono::seconds kAnnotationsLimit{15};
constexpr std::chrono::milliseconds kAnnotationsPause{500};

// By itself, or as a share ("0000:3b:00.2::3").
bool has_device(const std::set<std::string>& ids, const std::string& device) {
  return std::ranges::any_of(
      ids, [&](const std::string& id) { return id == device || id.starts_with(device + "::"); });
}

}  // namespace

Knowledge::Knowledge(host::Host& host, const MetaConf& conf, const cnispec::Request& request,
                     const Deadline& deadline)
    : host_(host), conf_(conf), deadline_(deadline) {
  // A runtime's words for other plugins stand beside those that are known here.
  const auto pod = cnispec::read_args(request.args + ";IgnoreUnknown=true");
  if (pod) pod_ = *pod;
}

Result<PodDevices> Knowledge::ask() {
  const auto who =
      fmt::format("the devices of pod {}/{} are not known", pod_.pod_namespace, pod_.pod_name);
  auto answer = ipc::ask_resolve(ipc::socket_in(host_.roots.run),
                                 {pod_.pod_namespace, pod_.pod_name, pod_.pod_uid},
                                 deadline_.left(kAgentLimit));
  if (answer && answer->state == ipc::ResolveState::known) {
    far_pairs_ = std::move(answer->far);
    return std::move(answer->containers);
  }
  if (answer) {
    return fail(ErrorCode::unavailable, "{}: the agent has not heard of them from kubelet yet",
                who);
  }
  if (!is(answer, ErrorCode::not_found)) {
    return fail(ErrorCode::unavailable, "{}: the agent cannot say: {}", who,
                answer.error().message);
  }
  const auto saved = kubelet::read_checkpoint(conf_.checkpoint);
  if (!saved) {
    return fail(ErrorCode::unavailable, "{}: no agent serves this node, and kubelet's file: {}",
                who, saved.error().message);
  }
  if (pod_.pod_uid.empty()) {
    return fail(ErrorCode::unavailable,
                "{}: no agent serves this node, and CNI_ARGS have no K8S_POD_UID, by which {} has "
                "them",
                who, conf_.checkpoint);
  }
  return kubelet::devices_of(*saved, pod_.pod_uid);
}

Result<PodDevices> Knowledge::devices() {
  if (!devices_) devices_ = ask();
  return *devices_;
}

std::vector<ipc::FarPair> Knowledge::far_pairs() {
  (void)devices();
  return far_pairs_;
}

Result<Nad> Knowledge::nad(const std::string& namespace_, const std::string& name) {
  auto own = read_nad(conf_.nad_dir, namespace_, name);
  if (!is(own, ErrorCode::not_found)) return own;
  const auto answer =
      ipc::ask_nad(ipc::socket_in(host_.roots.of_cluster()),
                   {namespace_, name, {pod_.pod_namespace, pod_.pod_name, pod_.pod_uid}},
                   deadline_.left(kAgentLimit));
  // No agent, or one that follows no API server: the files are all there is. Where one has a place
  // of its own, it is only away.
  if (is(answer, ErrorCode::not_found) && host_.roots.cluster.empty()) return own;
  if (is(answer, ErrorCode::unavailable)) {
    own.error().message += fmt::format("; {}", answer.error().message);
    return own;
  }
  if (!answer) {
    return fail(ErrorCode::unavailable,
                "network-attachment-definition {}/{} is not known: the agent cannot say: {}",
                namespace_, name, answer.error().message);
  }
  if (answer->state == ipc::ClusterState::known) return Nad{answer->config, answer->resource};
  if (answer->state == ipc::ClusterState::missing) {
    return fail(ErrorCode::not_found,
                "cannot find a network-attachment-definition ({}) in namespace ({}): the API "
                "server has none, nor has {}",
                name, namespace_, conf_.nad_dir);
  }
  return fail(ErrorCode::unavailable,
              "network-attachment-definition {}/{} is not known: the agent cannot say: {}",
              namespace_, name, answer->reason);
}

Result<Annotations> Knowledge::ask_annotations() const {
  const auto answer =
      ipc::ask_pod(ipc::socket_in(host_.roots.of_cluster()),
                   {pod_.pod_namespace, pod_.pod_name, pod_.pod_uid}, deadline_.left(kAgentLimit));
  if (!answer) return fail(ErrorCode::unavailable, "the agent: {}", answer.error().message);
  if (answer->state == ipc::ClusterState::known) return answer->annotations;
  if (answer->state == ipc::ClusterState::unknown) {
    return fail(ErrorCode::unavailable, "the agent: {}", answer->reason);
  }
  return fail(ErrorCode::unavailable, "the API server has no such pod");
}

Result<Annotations> Knowledge::annotations() {
  auto all = ask_annotations();
  if (all) return all;
  return fail(ErrorCode::unavailable,
              "what pod {}/{} asks for is not known: the runtime gave no annotations, and {}. The "
              "node's configuration must have \"capabilities\": {{\"{}\": true}}, and the runtime "
              "give them, as containerd 1.6 and newer do; or the agent follow the API server "
              "(--cluster)",
              pod_.pod_namespace, pod_.pod_name, all.error().message, kPodAnnotations);
}

Result<void> Knowledge::await_annotations(
    const std::function<bool(const Annotations&)>& is_content) {
  std::string reason = "they have not changed in time";
  const auto ask = [&] {
    const auto all = ask_annotations();
    if (!all) reason = all.error().message;
    return all && is_content(*all);
  };
  if (wait_until(host_.clock, deadline_.left(kAnnotationsLimit), kAnnotationsPause, ask)) return {};
  return fail(ErrorCode::unavailable, "the annotations of pod {}/{}: {}", pod_.pod_namespace,
              pod_.pod_name, reason);
}

// What the node's configuration says of it.
Result<void> Knowledge::is_permitted(const DeviceId& device) {
  const auto& listed = conf_.unallocated_devices;
  const auto is_listed = [&](const std::string& name) {
    return listed && std::ranges::find(*listed, name) != listed->end();
  };
  if (is_listed(device.name)) return {};
  if (attach::is_bare_netdev(device)) {
    return refuse(
        "{} is no device of a bus: such a netdev may be another pod's end, or the node's own; no "
        "pod gets it unless the node's allowUnallocatedDevices names it",
        device.name);
  }
  if (!listed) return {};
  const auto function = attach::read_function(host_, device);
  if (function && std::ranges::any_of(function->netdevs, is_listed)) return {};
  return refuse(
      "{} is none of this pod's devices, and not in the node's allowUnallocatedDevices "
      "({}): ask for it by a resource",
      device.name, fmt::join(*listed, ", "));
}

// Whether kubelet may give it to somebody, or has.
Result<void> Knowledge::is_free(const DeviceId& device) {
  const auto owner =
      ipc::ask_owner(ipc::socket_in(host_.roots.run),
                     {device.name, pod_.pod_namespace, pod_.pod_name}, deadline_.left(kAgentLimit));
  if (owner && owner->state == ipc::OwnerState::held &&
      ipc::is_of_another(*owner, pod_.pod_namespace, pod_.pod_name)) {
    return fail(ErrorCode::busy, "{} was given to {} as {}; it is attached to no other pod",
                device.name, owner->who(), owner->resource);
  }
  if (owner && (owner->state == ipc::OwnerState::unknown ||
                (owner->state == ipc::OwnerState::held && owner->pod_name.empty()))) {
    return fail(ErrorCode::unavailable, "whose {} is, the agent cannot say yet", device.name);
  }
  const auto saved = kubelet::read_checkpoint(conf_.checkpoint);
  if (!saved) {
    // No kubelet gives devices here, unless an agent knows one.
    if (is(saved, ErrorCode::not_found) && is(owner, ErrorCode::not_found)) return {};
    return fail(ErrorCode::unavailable,
                "whether {} is another pod's is not known: {} (the node's key kubeletCheckpoint)",
                device.name, saved.error().message);
  }
  const auto parts = attach::parts_of(host_, device);
  if (!parts) return pass(parts);
  for (const auto& one : *saved) {
    for (const auto& part : *parts) {
      if (!has_device(one.ids, part.name)) continue;
      return fail(ErrorCode::busy,
                  "{} is the PF of {}, which was given to pod {} as {}: it is given to "
                  "no pod",
                  device.name, part.name, one.pod_uid, one.resource);
    }
    if (one.pod_uid == pod_.pod_uid || !has_device(one.ids, device.name)) continue;
    if (owner && owner->state == ipc::OwnerState::free) continue;  // that pod is gone
    return fail(ErrorCode::busy,
                "{} was given to pod {} (container {}) as {}; it is attached to no "
                "other pod",
                device.name, one.pod_uid, one.container, one.resource);
  }
  const auto registered = kubelet::read_registered(conf_.checkpoint);
  if (!registered) return pass(registered);
  for (const auto& [resource, ids] : *registered) {
    if (!has_device(ids, device.name)) continue;
    return refuse(
        "{} is one of the devices that the node offers as {}: a pod gets it by asking "
        "for that resource, and the NetworkAttachmentDefinition by its annotation "
        "k8s.v1.cni.cncf.io/resourceName",
        device.name, resource);
  }
  return {};
}

// Whether the host does without it.
Result<void> Knowledge::is_unused(const DeviceId& device) {
  const auto links = host_.links.list();
  if (!links) return pass(links);
  const auto use = device::read_host_use(host_.links, *links);
  if (!use) return pass(use);
  for (const auto& link : *links) {
    if (attach::device_of(host_, link) != device) continue;
    if (use->default_route.contains(link.index)) {
      return refuse("{} ({}) has the node's default route: it is given to no pod", device.name,
                    link.name);
    }
    if (link.master) {
      return refuse("{} ({}) is a port of a bridge, bond or VRF of the node: it is given to no pod",
                    device.name, link.name);
    }
  }
  return {};
}

Result<device::RailPlace> Knowledge::rail_of(const std::string& name) {
  const auto device = DeviceId::parse(name);
  if (!device) return fail(ErrorCode::invalid_argument, "{}: no device that has a rail", name);
  if (!rails_) rails_ = device::read_rail_map(host_.roots.state);
  if (!*rails_) return pass(*rails_);
  const auto port = device::port_of_device(host_.roots.sysfs, *device);
  if (!port) return pass(port, "its rail");
  const auto place = device::place_of(**rails_, *port);
  if (place) return *place;
  return fail(ErrorCode::unavailable,
              "the rail of {} (port {}) is not known: no railhead-agent with a resource of it has "
              "numbered this node's ports yet, or its railMap does not name it "
              "({}/rail_map.json)",
              name, port->to_string(), host_.roots.state);
}

Result<void> Knowledge::may_have(const DeviceId& device) {
  if (conf_.is_ownership_off) {
    const auto permitted = is_permitted(device);
    return permitted ? is_unused(device) : permitted;
  }
  auto given = devices();
  if (!given && !pod_.pod_name.empty()) return pass(given);
  if (given && DeviceQueue(*given).has(device.name)) return {};
  for (const auto check : {&Knowledge::is_permitted, &Knowledge::is_free, &Knowledge::is_unused}) {
    if (auto good = (this->*check)(device); !good) return good;
  }
  return {};
}

Result<void> Knowledge::may_have(const std::string& name) {
  const auto device = DeviceId::parse(name);
  if (device) return may_have(*device);
  return refuse(
      "deviceID {}: expected a PCI address like 0000:3b:00.2, or an auxiliary device like "
      "mlx5_core.sf.4",
      name);
}

}  // namespace railhead::cni
