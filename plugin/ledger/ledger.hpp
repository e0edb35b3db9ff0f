#pragma once
// The one that is asked who holds a device. Kubelet's list is asked for without waiting, and kept.
#include <chrono>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "base/loop.hpp"
#include "plugin/ledger/holdings.hpp"

namespace railhead::ledger {

// What it learns from. Called on the loop's thread; none of them waits.
struct Sources {
  // Asks kubelet, and hands the answer over on whatever thread.
  std::function<void(std::function<void(Result<std::vector<Listed>>)> answer)> list;
  std::function<Result<std::vector<Saved>>()> saved;  // not_found: there is no such file
  std::function<Result<std::vector<device::Allocation>>()> allocations;
  // What tells the kubelet that is there from one that comes after it; nothing when none is.
  std::function<std::optional<std::string>()> kubelet;
};

// What is granted, from before kubelet has the answer. An Allocate decides by what its pool shows,
// and who shows pools decides by what was granted: neither may do so while the other does. From any
// thread.
class Grants {
 public:
  // Runs `decide`, which looks at what is shown and waits for nothing; what it grants is noted
  // before anybody else decides. Errors: its own, unavailable (a device was granted as something
  // else, and that has not been shown yet). It ends with complete() or take_back(), and its
  // ledger hears of it then.
  [[nodiscard]] Result<Granted> grant(const std::function<Result<Granted>()>& decide);
  // The same grant, with the nodes that it came out with.
  void complete(const Granted& granted);
  // Nothing was given after all.
  void take_back(const Granted& granted);

  // Runs `show` if nothing was granted since count() gave `count`; whether it did.
  [[nodiscard]] bool show_if_none_since(uint64_t count, const std::function<void()>& show);
  [[nodiscard]] uint64_t count() const;

 private:
  friend class Ledger;
  using TimePoint = std::chrono::steady_clock::time_point;
  struct Entry {
    Granted granted;
    TimePoint when;
  };
  // With those marked that are newer than `listed`.
  [[nodiscard]] std::vector<Granted> all(TimePoint listed) const;
  void forget_until(TimePoint when);
  [[nodiscard]] std::optional<TimePoint> oldest() const;
  // With mutex_:
  [[nodiscard]] Result<void> refuse_what_is_granted(const Granted& granted) const;
  void put(const Granted& granted);
  void take_out(const Granted& granted);

  std::function<TimePoint()> now_ = [] { return std::chrono::steady_clock::now(); };
  std::function<void()> noted_ = [] {};
  std::function<void()> refused_ = [] {};
  mutable std::mutex mutex_;
  uint64_t count_ = 0;
  std::vector<Entry> entries_;  // no id of a resource is in two of them
};

// All but grants() and fresh() on the loop's thread.
class Ledger {
 public:
  struct Options {
    // An answer of kubelet's is complete once kubelet has listed all pods for so long, as far as
    // can be told, and does without a grant once that is so old.
    std::chrono::milliseconds settle{10'000};
    // While somebody waits for a holder to end (watch()).
    std::chrono::milliseconds poll{5'000};
    // While devices are held: what their holders leave behind is looked at soon after they end.
    std::chrono::milliseconds idle_poll{30'000};
    std::chrono::milliseconds retry{5'000};  // after kubelet gave no answer
    std::chrono::milliseconds pause{500};    // between two questions that nobody waits for
    std::string own_pod;  // this program's, without its namespace; "": none that is known
  };

  // What kubelet lists, and then has saved.
  struct Now {
    std::vector<Listed> listed;
    std::optional<std::vector<Saved>> saved;  // nothing: the file is not there, or cannot be read
    bool whole = false;                       // all pods are listed, as far as can be told
  };

  // `changed` is called when holdings() differs from before. Everything outlives the ledger but the
  // answers, which may come when they like.
  Ledger(Loop& loop, const Clock& clock, Sources sources, Logger& log, Options options,
         std::function<void()> changed);

  [[nodiscard]] std::shared_ptr<const Holdings> holdings() const { return holdings_; }
  // As it is told now, of each device that has some.
  [[nodiscard]] std::map<std::string, std::string> troubles() const;
  // What Allocate recorded of devices, in this boot.
  [[nodiscard]] const std::vector<device::Allocation>& allocations() const {
    return facts_.allocations;
  }
  // Why kubelet's list is not known; "" when it is.
  [[nodiscard]] const std::string& unknown_because() const { return unknown_because_; }

  // Something there is new: kubelet's file was written, kubelet came, a pod may have ended.
  void look();
  // As look(), unless kubelet has answered within the poll's time.
  void look_if_old();
  // Asks kubelet anew. `then` is called with its answer, or with nothing when it has failed to give
  // one, and holdings() says by then what it said; not once this has gone.
  using Then = std::function<void(const std::optional<Now>& now)>;
  void confirm(Then then);
  // As look(). Another program has granted until now: what kubelet was asked before may lack that.
  void doubt();
  void set_attached(std::vector<Attached> attached);
  void set_pools(std::map<std::string, std::vector<std::string>> pools);
  // Whether somebody waits for a holder to end: kubelet tells nobody.
  void watch(bool for_ends);

  [[nodiscard]] Grants& grants() { return grants_; }
  // With what was granted until now; it is not waited for otherwise.
  void count_grants() { merge(); }

  // The same from any thread but the loop's; nothing also when kubelet or the loop does not answer
  // in time.
  [[nodiscard]] std::optional<Now> fresh(std::chrono::milliseconds limit);

 private:
  using TimePoint = Loop::TimePoint;
  // For kubelet's answer to one question.
  struct Waiters {
    std::vector<std::shared_ptr<std::promise<Now>>> threads;
    std::vector<Then> on_loop;
    [[nodiscard]] bool empty() const { return threads.empty() && on_loop.empty(); }
  };

  void ask();
  void answered(TimePoint asked, const Waiters& waiters, Result<std::vector<Listed>> answer);
  // Whether all pods are listed, as far as can be told.
  [[nodiscard]] bool take(TimePoint asked, std::vector<Listed> listed);
  void forget_given();
  [[nodiscard]] bool lists_own_pod(const std::vector<Listed>& listed) const;
  void tell_unknown(const std::string& because);
  void read_saved();
  void read_allocations();
  // `told`: of this source, the last time.
  void unread(const Error& error, std::string& told);
  void merge();

  Loop& loop_;
  const Clock& clock_;
  const Sources sources_;
  Logger& log_;
  const Options options_;
  const std::function<void()> changed_;
  Grants grants_;
  Facts facts_;
  std::shared_ptr<const Holdings> holdings_ = std::make_shared<const Holdings>();
  std::optional<std::string> kubelet_;    // that answered last
  std::optional<TimePoint> whole_since_;  // all answers since may have been of all pods
  std::string unknown_because_ = "kubelet has not been asked yet";
  TimePoint trusted_from_{};  // kubelet's answers to what it is asked since
  TimePoint listed_{};        // kubelet was asked what it listed last
  std::string unread_saved_;  // why it could not be read, as it was told
  std::string unread_allocations_;
  bool asking_ = false;
  bool ask_again_ = false;
  bool watching_ = false;
  Waiters waiters_;  // for the next question
  Loop::Timer next_;
  Loop::Timer again_;  // what could not be read is
  // Tells answers that this has gone; looked at on the loop's thread only.
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace railhead::ledger
