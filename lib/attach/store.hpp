#pragma once
// The records of this boot, in files below Roots::run:
//   attachments/<container>@<ifname>@<network>.json   one record
//   devices/<device> -> ../attachments/….json         who holds a device: made by symlink(2), so
//                                                     only one of several can make it
//   debts/<device>.json                               what an undo could not give back (debt.hpp)
//   baseline/<device>.json                            what a VF was like before (baseline.hpp)
//   addresses/<container>@<ifname>@<network>.json     the key of an attachment that is undone,
//   whose
//                                                     addresses IPAM still has for taken
//   locks/<device>.lock, locks/rdma.lock              see host::FileLocks
// <device> is DeviceId::file_name(), "0000:3b:00.2".
#include <optional>
#include <string>
#include <vector>

#include "attach/record.hpp"

namespace railhead::attach {

// The file name of a key. Container ids and network names have no '@' (the CNI specification), so
// two keys never share one; a very long network name is cut and given a hash, and load() compares
// the key inside.
std::string record_name(const AttachmentKey& key);
// The key again; nothing where the name was cut, or is of no key.
std::optional<AttachmentKey> key_of_record_name(std::string_view name);

class Store {
 public:
  explicit Store(std::string run_root) : root_(std::move(run_root)) {}

  // Makes the folders, 0700.
  [[nodiscard]] Result<void> prepare() const;
  // Whether records could be written; leaves nothing behind, whenever it is killed.
  [[nodiscard]] Result<void> probe() const;

  // Writes a new record, whole or not at all; already_exists when the key has one. The caller holds
  // the device's lock: the temporary file is named after the device, so that nobody else uses it
  // and what a killed writer left is written over by the device's next record.
  [[nodiscard]] Result<void> save(const Record& record) const;
  // Writes a record anew that is there, whole or not at all. The caller holds the device's lock.
  [[nodiscard]] Result<void> update(const Record& record) const;
  // Nothing when there is none. decode: it cannot be read; the message names the file.
  [[nodiscard]] Result<std::optional<Record>> load(const AttachmentKey& key) const;
  // Writes one of the device's other files, whole or not at all; the caller holds the device's
  // lock.
  [[nodiscard]] Result<void> write_debts(const device::DeviceId& device,
                                         std::string_view text) const;
  [[nodiscard]] Result<void> write_baseline(const device::DeviceId& device,
                                            std::string_view text) const;
  // Removes the claim of its device, if it is this record's, then the record.
  [[nodiscard]] Result<void> remove(const Record& record) const;
  // The key of the record of `key`, where there is one, and those of its container that it asked
  // for (Record::group), in DeviceId's order. decode: its own cannot be read.
  [[nodiscard]] Result<std::vector<AttachmentKey>> keys_of(const AttachmentKey& key) const;
  // Every record that can be read; `unreadable` files are left where they stand and returned.
  struct Listing {
    std::vector<Record> records;
    std::vector<Error> unreadable;
  };
  [[nodiscard]] Result<Listing> list() const;

  // already_exists when another attachment holds the device.
  [[nodiscard]] Result<void> claim(const Record& record) const;
  // The record of the attachment that holds the device; nothing when it is free. Reads only.
  [[nodiscard]] Result<std::optional<Record>> owner(const device::DeviceId& device) const;
  // Removes a claim and the record it names, whatever stands in that, and owes the addresses of the
  // attachment that its name tells. The caller holds the device's lock.
  [[nodiscard]] Result<void> discard(const device::DeviceId& device) const;
  // Makes place for claim() where a claim's record is gone: such a claim holds nothing. The caller
  // holds the device's lock, and owner() has just said that nobody holds the device.
  [[nodiscard]] Result<void> remove_empty_claim(const device::DeviceId& device) const;

  // The addresses of an attachment that was undone by nobody who could ask IPAM for it: the DEL or
  // GC of its network gives them back, or the next ADD.
  [[nodiscard]] Result<void> owe_addresses(const AttachmentKey& key) const;
  // Of that network; of all where none is named.
  [[nodiscard]] Result<std::vector<AttachmentKey>> owed_addresses(const std::string& network) const;
  [[nodiscard]] Result<void> addresses_are_free(const AttachmentKey& key) const;

  [[nodiscard]] std::string folder() const { return root_ + "/attachments"; }  // of the records
  [[nodiscard]] std::string device_lock(const device::DeviceId& device) const;
  [[nodiscard]] std::string rdma_lock() const;
  // While a GUID of a pool is chosen, until it is on record.
  [[nodiscard]] std::string guid_lock() const;
  [[nodiscard]] std::string debts(const device::DeviceId& device) const;     // the file's path
  [[nodiscard]] std::string baseline(const device::DeviceId& device) const;  // the file's path
  // The devices that have a baseline.
  [[nodiscard]] Result<std::vector<device::DeviceId>> baselines() const;
  // The devices that have debts.
  [[nodiscard]] Result<std::vector<device::DeviceId>> debtors() const;

 private:
  [[nodiscard]] Result<std::vector<device::DeviceId>> devices_in(
      const std::string& name_of_folder) const;
  [[nodiscard]] std::string record_path(const std::string& name) const;
  [[nodiscard]] std::string claim_path(const device::DeviceId& device) const;
  [[nodiscard]] std::string addresses_path(const AttachmentKey& key) const;
  [[nodiscard]] std::string temporary_path(const Record& record) const;
  // The record's file that a claim names; "": there is no claim.
  [[nodiscard]] Result<std::string> claimed_by(const device::DeviceId& device) const;
  // The name of the device whose claim names that file; "DEVICE" where none does.
  [[nodiscard]] std::string claimant_of(const std::string& path) const;
  [[nodiscard]] Result<std::optional<Record>> load_file(const std::string& path) const;

  std::string root_;
};

}  // namespace railhead::attach
