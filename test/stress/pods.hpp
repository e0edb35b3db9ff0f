#pragma once
// The pods, and what a runtime does with them: CNI calls in random order, those of one pod one
// after the other, those of different pods beside each other.
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <shared_mutex>
#include <string>
#include <vector>

#include "test/stress/model.hpp"
#include "test/stress/run.hpp"

namespace railhead::stress {

struct Figures {
  std::atomic<unsigned> added{0};
  std::atomic<unsigned> refused{0};  // ADDs of devices that somebody had
  std::atomic<unsigned> deleted{0};
  std::atomic<unsigned> checked{0};
  std::atomic<unsigned> collected{0};   // attachments that GC gave back
  std::atomic<unsigned> reconciled{0};  // how often that ran
  std::atomic<unsigned> longest_ms{0};
};

class Pods {
 public:
  Pods(const Plan& plan, Findings& findings);

  // One random call for a random pod.
  void call(std::mt19937_64& random);
  // All attachments away, the workers' calls being over.
  void delete_all();

  [[nodiscard]] std::vector<Attachment> held() const;
  [[nodiscard]] const Figures& figures() const { return figures_; }

 private:
  struct Pod {
    std::string netns;
    std::string container;
    std::mutex busy;  // a runtime does one thing at a time with a pod
    std::vector<Attachment> held;
    std::vector<Attachment> past;  // the last ones that were given back
  };

  void add(Pod& pod, std::mt19937_64& random);
  void del(Pod& pod, size_t which);
  void del_again(Pod& pod, std::mt19937_64& random);
  void check(Pod& pod, std::mt19937_64& random);
  void collect_garbage(std::mt19937_64& random);
  void reconcile();
  Ended call_program(const std::string& verb, const Attachment& attachment, const Json& conf);
  void tell(const std::string& what, const Attachment& attachment, const Ended& ended);

  const Plan& plan_;
  Findings& findings_;
  Owners owners_;
  Figures figures_;
  std::shared_mutex collecting_;  // GC runs beside no other call, as the CNI specification says
  std::vector<std::unique_ptr<Pod>> pods_;
};

}  // namespace railhead::stress
