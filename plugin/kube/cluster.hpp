#pragma once
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "plugin/kube/claim_status.hpp"
#include "plugin/kube/mirror.hpp"
#include "plugin/kube/objects.hpp"
#include "plugin/kube/writer.hpp"

namespace railhead::kube {

// What is known of an object that was asked for. missing: the API server says that there is none.
enum class Known { yes, missing, unknown };
template <class Object>
struct Found {
  Known known = Known::unknown;
  Object object = {};
  std::string reason = {};  // while it is unknown
};

// What this node needs to know of its cluster, kept up by watches: its pods, its
// ResourceSlices, and all NetworkAttachmentDefinitions. All calls are made on the loop's thread.
class Cluster {
 public:
  struct Options {
    std::string node;    // its name in the API
    bool claims = true;  // ResourceSlices are followed
    // Of a question for what is not known yet; then it is unknown.
    std::chrono::milliseconds get{2'000};
    size_t gets = 8;                                                 // at a time; the others wait
    Mirror<Nad>::Limits nads{size_t{32} << 20U, size_t{64} << 10U};  // bytes
    Mirror<Pod>::Limits pods{size_t{4} << 20U, size_t{64} << 10U};
    Mirror<Slice>::Limits slices{size_t{8} << 20U, size_t{1} << 20U};
    Writer::Options writing;
  };

  // All outlives it.
  Cluster(Options options, Loop& loop, const Clock& clock, Client& client, Logger& log);
  void start();
  void stop();

  // `then` is called at once with what is known; else the API server is asked for it. What was
  // known before the server went away is still known.
  using WithPod = std::function<void(const Found<Pod>&)>;
  using WithNad = std::function<void(const Found<Nad>&)>;
  // A pod of another UID is missing; uid "": whichever has the name.
  void pod(const Name& name, const std::string& uid, const WithPod& then);
  void nad(const Name& name, const WithNad& then);

  // What the devices of this node that drivers give by claims are for, each time it changes; not
  // called where the API has no such objects.
  using WithClaimed = std::function<void(const std::vector<ClaimedDevice>&)>;
  void on_claimed(WithClaimed then) { claimed_ = std::move(then); }

  // The UID in the API of the pod that the container runtime calls so; nothing for a pod of a file
  // of the node that kubelet has not told the API of yet.
  [[nodiscard]] std::optional<std::string> uid_of(const Name& name,
                                                  const std::string& runtime_uid) const;
  // Writes a pod's annotation network-status until it is written; in place of what is not written
  // yet. `uid`: in the API; "": of whichever pod has the name. `done` as Writer's.
  void write_status(const Name& pod, const std::string& uid, const std::string& text,
                    Writer::Done done);
  // What write_status() was asked for a pod is not needed any more; nobody is told.
  void drop_status(const Name& pod, const std::string& uid);
  // Writes what the pod's interfaces are to its claims whose devices they stand on, as well as that
  // can be had; nothing for a pod without claims.
  void write_claims(const Name& pod, const std::string& uid,
                    const std::vector<AttachedDevice>& attached);
  // Writes a condition of this node until it is written; in place of what is not written yet.
  void write_condition(const Condition& condition);
  // An Event of a pod, as well as that can be had: it is given up after a few attempts. One that is
  // told already, of the same reason and message, is not told again.
  struct Event {
    bool is_warning = false;
    std::string reason;
    std::string message;
  };
  void tell(const Name& pod, const std::string& uid, const Event& event);

  // What it does not hear of now, or cannot write, a line each.
  [[nodiscard]] std::vector<std::string> troubles() const;

 private:
  using Then = std::function<void(const Result<Reply>&)>;
  struct Get {
    std::string path;
    std::vector<Then> thens;
    Client::Pending call;
  };

  void get(const std::string& path, Then then);
  void start_gets();
  [[nodiscard]] std::vector<ClaimedDevice> claimed_devices() const;
  void tell_claimed() const { claimed_(claimed_devices()); }

  const Options options_;
  const Clock& clock_;
  Client& client_;
  Mirror<Pod> pods_;
  Mirror<Nad> nads_;
  Mirror<Slice> slices_;
  Reflector pod_reflector_;
  Reflector nad_reflector_;
  Reflector slice_reflector_;
  WithClaimed claimed_ = [](const auto&) {};
  std::deque<std::shared_ptr<Get>> gets_;  // those under way first
  Writer writer_;
  bool may_patch_ = true;       // pods/status, as far as it is known
  std::set<std::string> told_;  // the keys of events
  // Since when conditions are what they were written as last, by type.
  std::map<std::string, std::pair<bool, std::string>> conditions_;
};

}  // namespace railhead::kube
