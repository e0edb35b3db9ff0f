#include "attach/store.hpp"

#include <algorithm>
#include <cerrno>
#include <map>

#include <unistd.h>

#include "base/text.hpp"

namespace railhead::attach {
namespace {

constexpr std::string_view kToRecords = "../attachments/";  // from the claims

// NAME_MAX (linux/limits.h) without what stands around a name: ".json", and "." and ".new" of a
// temporary file.
constexpr size_t kNameMax = 255 - std::string_view("..json.new").size();

}  // namespace

std::string record_name(const AttachmentKey& key) {
  std::string name = fmt::format("{}@{}@{}", key.container_id, key.ifname, key.network);
  if (name.size() > kNameMax) {  // the key inside the record decides
    name = fmt::format("{}~{:016x}", name.substr(0, kNameMax - 17), hash_of(name));
  }
  return name + ".json";
}

std::optional<AttachmentKey> key_of_record_name(std::string_view name) {
  constexpr std::string_view kEnding = ".json";
  const auto first = name.find('@');
  const auto last = name.rfind('@');
  if (!name.ends_with(kEnding) || first == last || name.find('~') != std::string_view::npos) {
    return std::nullopt;
  }
  name.remove_suffix(kEnding.size());
  return AttachmentKey{std::string(name.substr(last + 1)), std::string(name.substr(0, first)),
                       std::string(name.substr(first + 1, last - first - 1))};
}

std::string Store::record_path(const std::string& name) const {
  return fmt::format("{}/attachments/{}", root_, name);
}
std::string Store::claim_path(const device::DeviceId& device) const {
  return fmt::format("{}/devices/{}", root_, device.file_name());
}
std::string Store::device_lock(const device::DeviceId& device) const {
  return fmt::format("{}/locks/{}.lock", root_, device.file_name());
}
std::string Store::rdma_lock() const { return root_ + "/locks/rdma.lock"; }
std::string Store::guid_lock() const { return root_ + "/locks/guids.lock"; }
std::string Store::debts(const device::DeviceId& device) const {
  return fmt::format("{}/debts/{}.json", root_, device.file_name());
}
std::string Store::baseline(const device::DeviceId& device) const {
  return fmt::format("{}/baseline/{}.json", root_, device.file_name());
}
namespace {

// By way of a hidden file of the same name: what a killed writer leaves of that is written over by
// the next, and nobody reads it.
Result<void> replace(const std::string& folder, const std::string& name, std::string_view text) {
  return host::replace_file(fmt::format("{}/{}", folder, name),
                            fmt::format("{}/.{}.new", folder, name), text, 0600);
}

}  // namespace

Result<void> Store::write_debts(const device::DeviceId& device, std::string_view text) const {
  return replace(root_ + "/debts", device.file_name() + ".json", text);
}
Result<void> Store::write_baseline(const device::DeviceId& device, std::string_view text) const {
  return replace(root_ + "/baseline", device.file_name() + ".json", text);
}
Result<std::vector<device::DeviceId>> Store::devices_in(const std::string& name_of_folder) const {
  std::vector<device::DeviceId> all;
  auto folder = host::Directory::open(fmt::format("{}/{}", root_, name_of_folder));
  if (is(folder, ErrorCode::not_found)) return all;
  if (!folder) return pass(folder);
  auto names = folder->list(".");
  if (!names) return pass(names);
  constexpr std::string_view kEnding = ".json";
  for (const std::string_view name : *names) {
    if (!name.ends_with(kEnding)) continue;
    const auto device = device::DeviceId::from_file_name(name.substr(0, name.size() - 5));
    if (device) all.push_back(*device);
  }
  std::sort(all.begin(), all.end());
  return all;
}
Result<std::vector<device::DeviceId>> Store::debtors() const { return devices_in("debts"); }
Result<std::vector<device::DeviceId>> Store::baselines() const { return devices_in("baseline"); }
std::string Store::temporary_path(const Record& record) const {
  return record_path(fmt::format(".{}.new", record.device.file_name()));
}

Result<void> Store::prepare() const {
  for (const char* folder :
       {"", "/attachments", "/devices", "/debts", "/baseline", "/addresses", "/locks"}) {
    if (auto made = host::make_private_folder(root_ + folder); !made) return made;
  }
  return {};
}

Result<void> Store::probe() const {
  const auto folder = root_ + "/attachments";
  if (access(folder.c_str(), W_OK | X_OK) == 0) return {};
  return fail_errno(errno, "write to {}", folder);
}

Result<void> Store::save(const Record& record) const {
  return host::create_file(record_path(record_name(record.key)), temporary_path(record),
                           to_json(record), 0600);
}

Result<void> Store::update(const Record& record) const {
  const auto path = record_path(record_name(record.key));
  return host::replace_file(path, temporary_path(record), to_json(record), 0600);
}

Result<std::optional<Record>> Store::load_file(const std::string& path) const {
  auto text = host::read_private_file(path);
  if (is(text, ErrorCode::not_found)) return std::nullopt;
  if (!text && !is(text, ErrorCode::invalid_argument)) return pass(text);
  auto record =
      text ? record_from_json(*text) : fail(ErrorCode::decode, "{}", text.error().message);
  if (!record) {
    return pass(record, fmt::format("the record {} cannot be read; once no pod has its device, "
                                    "`railhead release {} --force` gives it back as it was",
                                    path, claimant_of(path)));
  }
  return *record;
}

Result<std::optional<Record>> Store::load(const AttachmentKey& key) const {
  auto record = load_file(record_path(record_name(key)));
  if (record && *record && (*record)->key != key) {
    return fail(ErrorCode::decode, "the record {} is that of {}", record_path(record_name(key)),
                describe((*record)->key, (*record)->pod));
  }
  return record;
}

Result<void> Store::remove(const Record& record) const {
  auto holder = owner(record.device);
  // A claim that could not be read may be this record's: without it nothing would lead to it.
  if (!holder && !is(holder, ErrorCode::decode)) return pass(holder);
  if (holder && *holder && (*holder)->key == record.key) {
    if (auto gone = host::remove_file(claim_path(record.device)); !gone) return gone;
  }
  return host::remove_file(record_path(record_name(record.key)));
}

Result<std::vector<AttachmentKey>> Store::keys_of(const AttachmentKey& key) const {
  auto folder = host::Directory::open(this->folder());
  if (is(folder, ErrorCode::not_found)) return std::vector<AttachmentKey>{};
  if (!folder) return pass(folder);
  auto names = folder->list(".");
  if (!names) return pass(names);
  const auto own = record_name(key);
  std::map<device::DeviceId, AttachmentKey> found;
  for (const auto& name : *names) {
    const bool is_of_container = name == own || name.starts_with(key.container_id + '@');
    if (!name.ends_with(".json") || !is_of_container) continue;
    auto record = load_file(record_path(name));
    if (!record && name == own) return pass(record);
    if (!record || !*record) continue;
    if ((*record)->key == key || (*record)->group == key) {
      found.emplace((*record)->device, (*record)->key);
    } else if (name == own) {
      return fail(ErrorCode::decode, "the record {} is that of {}", record_path(name),
                  describe(**record));
    }
  }
  std::vector<AttachmentKey> keys;
  for (auto& [device, one] : found) keys.push_back(std::move(one));
  return keys;
}

Result<Store::Listing> Store::list() const {
  auto folder = host::Directory::open(root_ + "/attachments");
  if (is(folder, ErrorCode::not_found)) return Listing{};
  if (!folder) return pass(folder);
  auto names = folder->list(".");
  if (!names) return pass(names);
  Listing listing;
  for (const auto& name : *names) {
    if (!name.ends_with(".json")) continue;  // a temporary file
    auto record = load_file(record_path(name));
    if (!record) {
      listing.unreadable.push_back(record.error());
    } else if (*record) {
      listing.records.push_back(std::move(**record));
    }
  }
  return listing;
}

Result<void> Store::claim(const Record& record) const {
  const std::string target = std::string(kToRecords) + record_name(record.key);
  const std::string path = claim_path(record.device);
  if (symlink(target.c_str(), path.c_str()) == 0) return {};
  return fail_errno(errno, "claim {}", path);
}

Result<std::string> Store::claimed_by(const device::DeviceId& device) const {
  const auto path = claim_path(device);
  auto folder = host::Directory::open(root_ + "/devices");
  if (is(folder, ErrorCode::not_found)) return "";
  if (!folder) return pass(folder);
  auto target = folder->link(device.file_name());
  if (is(target, ErrorCode::not_found)) return "";
  if (!target && !is(target, ErrorCode::invalid_argument)) return pass(target, path);
  // Only as claim() makes it: nothing else of the file system is opened by it.
  const std::string_view name = target ? std::string_view(*target) : "";
  const auto record = name.substr(std::min(name.size(), kToRecords.size()));
  if (!name.starts_with(kToRecords) || record.empty() || record.find('/') != std::string::npos) {
    return fail(ErrorCode::decode, "the claim {} names no record", path);
  }
  return record_path(std::string(record));
}

std::string Store::claimant_of(const std::string& path) const {
  const auto folder = host::Directory::open(root_ + "/devices");
  const auto names = folder ? folder->list(".") : pass(folder);
  for (const auto& name : names.value_or(std::vector<std::string>{})) {
    const auto device = device::DeviceId::from_file_name(name);
    const auto record = device ? claimed_by(*device) : Result<std::string>("");
    if (record && *record == path) return device->name;
  }
  return "DEVICE";
}

Result<std::optional<Record>> Store::owner(const device::DeviceId& device) const {
  auto path = claimed_by(device);
  if (!path) return pass(path);
  if (path->empty()) return std::nullopt;
  auto owner = load_file(*path);
  if (!owner) return pass(owner, "claim " + claim_path(device));
  return owner;
}

Result<void> Store::discard(const device::DeviceId& device) const {
  const auto record = claimed_by(device);
  if (!record && !is(record, ErrorCode::decode)) return pass(record);
  if (record && !record->empty()) {
    if (const auto key = key_of_record_name(record->substr(record->rfind('/') + 1))) {
      if (auto noted = owe_addresses(*key); !noted) return noted;
    }
    if (auto gone = host::remove_file(*record); !gone) return gone;
  }
  return host::remove_file(claim_path(device));
}

std::string Store::addresses_path(const AttachmentKey& key) const {
  return fmt::format("{}/addresses/{}", root_, record_name(key));
}

Result<void> Store::owe_addresses(const AttachmentKey& key) const {
  return replace(root_ + "/addresses", record_name(key), to_json(key));
}

Result<std::vector<AttachmentKey>> Store::owed_addresses(const std::string& network) const {
  std::vector<AttachmentKey> keys;
  auto folder = host::Directory::open(root_ + "/addresses");
  if (is(folder, ErrorCode::not_found)) return keys;
  if (!folder) return pass(folder);
  auto names = folder->list(".");
  if (!names) return pass(names);
  const auto ending = fmt::format("@{}.json", network);
  for (const auto& name : *names) {
    // The name says which network's it is, unless it was cut (record_name()).
    if (!network.empty() && !name.ends_with(ending) && name.find('~') == std::string::npos) {
      continue;
    }
    const auto text = host::read_private_file(fmt::format("{}/addresses/{}", root_, name));
    auto key = text ? key_from_json(*text) : std::nullopt;
    if (key && (network.empty() || key->network == network)) keys.push_back(std::move(*key));
  }
  return keys;
}

Result<void> Store::addresses_are_free(const AttachmentKey& key) const {
  return host::remove_file(addresses_path(key));
}

Result<void> Store::remove_empty_claim(const device::DeviceId& device) const {
  return host::remove_file(claim_path(device));
}

}  // namespace railhead::attach
