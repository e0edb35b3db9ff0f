#include "ipam/rail_leases.hpp"

#include <algorithm>
#include <cerrno>

#include <nlohmann/json.hpp>

#include "base/hash.hpp"
#include "base/text.hpp"
#include "host/files.hpp"

namespace railhead::ipam {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kSchema = 1;
constexpr std::string_view kSuffix = ".json";
constexpr std::string_view kBody = ",\"body\":";
constexpr std::string_view kTemporary = ".new";  // under the lock: one writer

std::string sum_of(std::string_view body) { return fmt::format("{:016x}", fnv1a(body)); }

// Neither has a '@' or '/' by the CNI specification; what does is no name of ours.
bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 100 && text.front() != '.' &&
         std::ranges::all_of(text, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '.' || c == '-';
         });
}

template <class T>
std::optional<T> at(const Json& json, const char* key) {
  const auto found = json.find(key);
  if (found == json.end()) return std::nullopt;
  if constexpr (std::is_same_v<T, std::string>) {
    return found->is_string() ? std::optional<T>(found->template get<T>()) : std::nullopt;
  } else {
    const bool fits = found->is_number_unsigned() && found->template get<uint64_t>() <= UINT32_MAX;
    return fits ? std::optional<T>(found->template get<T>()) : std::nullopt;
  }
}

std::optional<RailLease> lease_of(const Json& json) {
  if (!json.is_object()) return std::nullopt;
  const auto ifname = at<std::string>(json, "ifname");
  const auto rail = at<uint32_t>(json, "rail");
  const auto further = at<uint32_t>(json, "further");
  const auto addresses = json.find("addresses");
  if (!ifname || !rail || !further || addresses == json.end() || !addresses->is_array()) {
    return std::nullopt;
  }
  RailLease lease{*ifname, *rail, *further, {}};
  for (const auto& item : *addresses) {
    const auto address =
        item.is_string() ? Address::parse(item.get<std::string>()) : std::optional<Address>();
    if (!address) return std::nullopt;
    lease.addresses.push_back(*address);
  }
  return lease;
}

}  // namespace

// As encode_leases() wrote it. The body is read once, with its checksum as the text it is: every
// ADD reads all pods' files.
Result<PodLeases> decode_leases(std::string_view text) {
  const auto wrong = [](std::string_view why) { return fail(ErrorCode::decode, "{}", why); };
  const auto seam = text.find(kBody);
  const auto end = text.rfind('}');
  if (seam == std::string_view::npos || end < seam + kBody.size()) {
    return wrong("expected a JSON object with a body");
  }
  const auto head = Json::parse(fmt::format("{}}}", text.substr(0, seam)), nullptr, false);
  if (!head.is_object()) return wrong("expected a JSON object");
  const auto schema = at<uint32_t>(head, "schema");
  if (!schema || *schema > kSchema + 1) return wrong("schema: this program reads schema 1");
  const auto body_text = text.substr(seam + kBody.size(), end - seam - kBody.size());
  if (at<std::string>(head, "checksum") != sum_of(body_text)) {
    return wrong("the checksum does not fit: the file was cut, or changed");
  }
  const auto body = Json::parse(body_text, nullptr, false);
  if (!body.is_object()) return wrong("body: expected an object");
  const auto network = at<std::string>(body, "network");
  const auto container = at<std::string>(body, "container");
  const auto leases = body.find("leases");
  if (!network || !container || leases == body.end() || !leases->is_array()) {
    return wrong("network, container and leases: expected names and a list");
  }
  PodLeases pod{*network,
                *container,
                at<std::string>(body, "pod").value_or(""),
                at<std::string>(body, "bootId").value_or(""),
                at<uint32_t>(body, "node"),
                {}};
  for (const auto& item : *leases) {
    auto lease = lease_of(item);
    if (!lease) return wrong("leases: expected ifname, rail, further and addresses");
    pod.leases.push_back(std::move(*lease));
  }
  return pod;
}

std::string encode_leases(const PodLeases& pod) {
  Json leases = Json::array();
  for (const auto& lease : pod.leases) {
    Json addresses = Json::array();
    for (const auto& address : lease.addresses) addresses.push_back(address.to_string());
    leases.push_back({{"ifname", lease.ifname},
                      {"rail", lease.rail},
                      {"further", lease.further},
                      {"addresses", std::move(addresses)}});
  }
  Json body = {{"network", pod.network},
               {"container", pod.container_id},
               {"pod", pod.pod},
               {"bootId", pod.boot_id}};
  if (pod.node) body["node"] = *pod.node;
  body["leases"] = std::move(leases);
  const auto text = body.dump(-1, ' ', false, Json::error_handler_t::replace);
  return fmt::format("{{\"schema\":{},\"checksum\":\"{}\"{}{}}}\n", kSchema, sum_of(text), kBody,
                     text);
}

namespace {

// What is no regular file, or far too large, cannot be read either: decode, as of a cut one.
Result<PodLeases> read_leases(const std::string& path) {
  const auto text = host::read_own_file(path);
  if (is(text, ErrorCode::not_found)) return pass(text);
  const bool can_never =
      is(text, ErrorCode::invalid_argument) ||
      (!text && (text.error().os_errno == EFBIG || text.error().os_errno == ELOOP));
  if (!text && !can_never) return pass(text, path);
  auto pod = text ? decode_leases(*text)
                  : Result<PodLeases>(fail(ErrorCode::decode, "{}", text.error().message));
  if (pod) return pod;
  return fail(ErrorCode::decode,
              "{}: {}; it may hold any address, so that none is given: remove it once its pod is "
              "gone",
              path, pod.error().message);
}

}  // namespace

Result<RailLeases> RailLeases::open(const host::Host& host, const Deadline& deadline) {
  auto folder = host.roots.state + "/ipam";
  if (auto made = host::make_directories(folder, 0700); !made) return pass(made);
  auto lock = host.locks.lock(folder + "/.lock", deadline.left());
  if (!lock) return pass(lock, "the node's leases");
  const auto boot = host::read_file(host.roots.proc + "/sys/kernel/random/boot_id");
  return RailLeases(std::move(folder), boot ? std::string(trim(*boot)) : "", std::move(*lock));
}

bool RailLeases::is_of_another_boot(const PodLeases& pod) const {
  return !pod.boot_id.empty() && !boot_id_.empty() && pod.boot_id != boot_id_;
}

Result<std::string> RailLeases::path_of(const std::string& network,
                                        const std::string& container_id) const {
  for (const auto& name : {network, container_id}) {
    if (is_name(name)) continue;
    return fail(ErrorCode::invalid_argument,
                "\"{}\": expected letters, digits, '_', '.' and '-', at most 100", name);
  }
  return fmt::format("{}/{}@{}{}", folder_, container_id, network, kSuffix);
}

Result<std::vector<PodLeases>> RailLeases::all() const {
  const auto folder = host::Directory::open(folder_);
  if (!folder) return pass(folder);
  const auto names = folder->list(".");
  if (!names) return pass(names, folder_);
  std::vector<PodLeases> pods;
  for (const auto& name : *names) {
    if (name.starts_with('.') || !name.ends_with(kSuffix)) continue;
    const auto path = folder_ + "/" + name;
    auto pod = read_leases(path);
    if (!pod) return pass(pod);
    if (is_of_another_boot(*pod)) {
      if (auto removed = host::remove_file(path); !removed) return pass(removed);
      continue;
    }
    pods.push_back(std::move(*pod));
  }
  return pods;
}

Result<PodLeases> RailLeases::of(const std::string& network,
                                 const std::string& container_id) const {
  const auto path = path_of(network, container_id);
  if (!path) return pass(path);
  auto pod = read_leases(*path);
  if (is(pod, ErrorCode::not_found)) return PodLeases{network, container_id, "", "", {}, {}};
  return pod;
}

Result<void> RailLeases::put(const PodLeases& pod) const {
  const auto path = path_of(pod.network, pod.container_id);
  if (!path) return pass(path);
  auto of_this_boot = pod;
  of_this_boot.boot_id = boot_id_;
  return host::replace_durable_file(*path, fmt::format("{}/{}", folder_, kTemporary),
                                    encode_leases(of_this_boot), 0600);
}

Result<void> RailLeases::put_fewer(const PodLeases& pod) const {
  const auto path = path_of(pod.network, pod.container_id);
  if (!path) return pass(path);
  if (!pod.leases.empty()) {
    return host::replace_file(*path, fmt::format("{}/{}", folder_, kTemporary), encode_leases(pod),
                              0600);
  }
  return drop(pod.network, pod.container_id);
}

Result<void> RailLeases::drop(const std::string& network, const std::string& container_id) const {
  const auto path = path_of(network, container_id);
  if (!path) return pass(path);
  if (auto removed = host::remove_file(*path); !removed) return removed;
  return host::sync_folder(folder_);
}

}  // namespace railhead::ipam
