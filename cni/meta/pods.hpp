#pragma once
// The files of cni/meta/pod_record.hpp, and
//
//   <run root>/left/<container>.json   empty: its DEL succeeded, and was not whole
//   <cluster root>/news/<container>.json  what the agent has to tell the cluster (ipc/pod_news.hpp)
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cni/meta/pod_record.hpp"
#include "host/host.hpp"
#include "ipc/pod_news.hpp"

namespace railhead::cni {

class Pods {
 public:
  explicit Pods(const host::Roots& roots)
      : records_(roots.state + "/pods"),
        progress_(roots.run + "/pods"),
        left_(roots.run + "/left"),
        news_(ipc::news_folder_in(roots.of_cluster())),
        unreadable_(roots.state + "/unreadable") {}

  // Makes the folders, 0700.
  [[nodiscard]] Result<void> prepare() const;
  // Whether records could be written.
  [[nodiscard]] Result<void> probe() const;

  // Writes a new record, on the disk when this is done; already_exists where the container has one.
  [[nodiscard]] Result<void> save(const PodRecord& record) const;
  // Nothing where there is none. decode: it cannot be read; the message names the file.
  [[nodiscard]] Result<std::optional<PodRecord>> load(std::string_view container_id) const;
  [[nodiscard]] Result<void> save(const PodRecord& record, const PodProgress& progress) const;
  // An empty one where this boot has none, or none that can be read: every call is made again then.
  [[nodiscard]] PodProgress progress(const PodRecord& record) const;
  // Hands over to the agent what is to be told of the pod; in place of what it was not told yet. A
  // network-status that no API server takes is left out, and told of.
  [[nodiscard]] Result<void> tell(const PodRecord& record, const ipc::PodNews& news) const;
  // Whether the agent has not told it yet.
  [[nodiscard]] bool has_news(std::string_view container_id) const;
  // All files; missing ones are no error.
  [[nodiscard]] Result<void> remove(const PodRecord& record) const;
  // Notes that no DEL of this container may come any more, so that others' take it up; remove()
  // forgets that, too.
  [[nodiscard]] Result<void> leave(const PodRecord& record) const;
  // The files of their records, sorted.
  [[nodiscard]] Result<std::vector<std::string>> left() const;
  // Those of these that are too many: more than 256, or with more than 64 MiB. A plugin that never
  // gives back would fill the disk, by who can make pods of its network: so the oldest of the
  // namespace that has most.
  [[nodiscard]] Result<std::vector<PodRecord>> left_too_many() const;
  // What stands of one without a record.
  [[nodiscard]] Result<void> forget_left(const std::string& file) const;
  // Nothing where it is gone meanwhile.
  [[nodiscard]] Result<std::optional<PodRecord>> load_file(const std::string& file) const;
  // The file of the lock that whoever undoes a container's networks holds; it goes with the record.
  [[nodiscard]] std::string lock_of(std::string_view container_id) const;
  // Puts a record that cannot be read into another folder, where nobody takes it for one.
  [[nodiscard]] Result<void> set_aside(std::string_view container_id) const;

  struct Listing {
    std::vector<PodRecord> records;
    std::vector<Error> unreadable;
  };
  [[nodiscard]] Result<Listing> list() const;

 private:
  std::string records_;
  std::string progress_;
  std::string left_;
  std::string news_;
  std::string unreadable_;
};

}  // namespace railhead::cni
