#pragma once
// The one that looks at the node's hardware.
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "base/loop.hpp"
#include "device/scan.hpp"
#include "host/host.hpp"
#include "host/port_events.hpp"
#include "plugin/node/snapshot.hpp"
#include "plugin/node/worker.hpp"

namespace railhead::node {

// How to talk to the kernel: each worker opens what it needs for itself, on its own thread.
struct Adapters {
  std::function<Result<std::unique_ptr<host::Links>>()> links;
  std::function<Result<std::unique_ptr<host::RdmaDevices>>()> rdma;
  std::function<Result<std::unique_ptr<host::Devlink>>()> devlink;
  host::OpenPortEvents port_events;
};

// What is to be read anew.
struct Wanted {
  bool links = false;              // one dump, and the ports that are asked for
  bool rdma = false;               // one dump, and these ports
  bool bus = false;                // which functions there are; new ones are read
  bool all_functions = false;      // all there is to know of each
  std::set<PciAddress> functions;  // of these, and of those of their PFs
  bool ports = false;              // of the RDMA devices that are asked for
  static Wanted everything() { return {true, true, true, true, {}, true}; }
};

// Reads the node on workers, one for the links, one for the RDMA devices, one for the PCI bus and
// one for each PF with its VFs, and publishes what they found as snapshots. What was not asked for
// anew is taken from before. A worker that has not come back within kDeadline is waited for no
// longer: what it reads does not answer, and is read again when it does come back. All on the
// loop's thread.
class Scanner {
 public:
  using TimePoint = Loop::TimePoint;
  static constexpr std::chrono::seconds kDeadline{2};
  // What is there already is published once a reading takes so long. The first time, when what is
  // missing will be taken for absent, once nothing more has come for so long.
  static constexpr std::chrono::milliseconds kPatience{250};
  static constexpr std::chrono::seconds kRetry{10};  // after something could not be read

  // `changed` is called when latest() differs from before. Everything outlives the scanner, and
  // `adapters` whatever a worker that does not come back holds.
  Scanner(Loop& loop, const Clock& clock, Adapters adapters, host::Roots roots, Logger& log,
          std::function<void()> changed);
  ~Scanner();
  Scanner(const Scanner&) = delete;
  Scanner& operator=(const Scanner&) = delete;

  // What is read of functions, and whose ports are asked; all is read anew where that changes it.
  void configure(device::ScanOptions options);
  // The first time everything is read.
  void look(const Wanted& wanted);
  // The PFs' RDMA devices, by name, whose ports are heard of from now on, and no others: a word of
  // them makes the ports be read. Those that cannot be heard of are in unheard() after a while.
  void follow(std::set<std::string> rdma_devices);
  [[nodiscard]] std::set<std::string> unheard() const;

  // Null until bus and some of the functions were read for the first time, and links too or given
  // up: then nothing answers.
  [[nodiscard]] std::shared_ptr<const Snapshot> latest() const { return latest_; }
  // How many readings were asked for and are neither done nor given up.
  [[nodiscard]] size_t pending() const;
  // What keeps it from knowing more, a line each; empty when all is well.
  [[nodiscard]] std::vector<std::string> troubles() const;

 private:
  // What one worker reads, and how that stands.
  struct Reading {
    Reading(Poster poster, std::string name_) : worker(std::move(poster)), name(std::move(name_)) {}
    [[nodiscard]] bool pending() const { return !silent && (wanted || worker.busy()); }
    Worker worker;
    std::string name;  // for people: "the network links"
    bool wanted = true;
    TimePoint started;  // the latest
    Snapshot::WallTime started_at;
    bool silent = false;      // started, and past its deadline
    std::string failure;      // of the latest that came back
    bool incomplete = false;  // that one has warnings: some of it could not be read
  };
  template <class Facts>
  struct Source : Reading {
    using Reading::Reading;
    std::shared_ptr<const Facts> facts;
  };
  struct Group : Reading {
    Group(const Poster& poster, std::string name)
        : Reading(poster, std::move(name)), closer(poster) {}
    device::FunctionGroup members;
    [[nodiscard]] bool idle() const { return !worker.busy() && !closer.busy() && to_close.empty(); }
    bool functions_wanted = true;
    bool gone = false;         // from the bus; what its threads are at work on keeps it here
    uint64_t incarnation = 0;  // of its place on the bus: what is read of another one is of no use
    std::shared_ptr<const device::GroupFacts> facts;
    TimePoint facts_from;
    device::PortsByDevice ports;
    Worker closer;  // of port events
    std::vector<std::shared_ptr<host::PortEvents>> to_close;
  };
  struct Followed {
    PciAddress head;                           // of its group
    std::unique_ptr<host::PortEvents> events;  // null: cannot be heard of
    Loop::Watch watch;
  };
  struct GroupResult;
  struct GroupJob;
  // Empty as long as nothing was read.
  template <class Facts>
  static std::shared_ptr<const Facts> known(const Source<Facts>& source) {
    return source.facts ? source.facts : std::make_shared<const Facts>();
  }

  template <class Facts>
  void read(Source<Facts>& source, std::function<Result<Facts>()> job);
  void read_links();
  void read_rdma();
  void read_bus();
  void read_group(Group& group);
  void begin(Reading& reading, Worker::Job job);
  void ended(Reading& reading);
  void close_opened(Group& group, GroupResult result);
  void took(Group& group, GroupResult result);
  void took_bus();
  void retire(Group& group);
  void proceed();
  void retry();
  void give_up_late();
  void publish();
  void publish_in_time();
  [[nodiscard]] std::vector<std::string> to_open(const Group& group) const;
  void heard(const std::string& device);
  void stop_following(const std::string& device);
  void close_soon(Group& group, std::shared_ptr<host::PortEvents> events);
  void close_some(Group& group);
  [[nodiscard]] Group* group_of(const PciAddress& function);
  [[nodiscard]] std::vector<const Reading*> readings() const;
  [[nodiscard]] std::vector<Reading*> readings();

  Loop& loop_;
  const Clock& clock_;
  const std::shared_ptr<const Adapters> adapters_;
  const host::Roots roots_;
  Logger& log_;
  const std::function<void()> changed_;
  std::shared_ptr<const device::ScanOptions> options_;

  Source<device::LinkFacts> links_;
  Source<device::RdmaFacts> rdma_;
  Source<device::BusFacts> bus_;
  std::map<PciAddress, std::unique_ptr<Group>> groups_;  // by head, gone ones too

  std::set<std::string> to_follow_;
  std::map<std::string, Followed> followed_;

  bool begun_ = false;
  std::shared_ptr<const Snapshot> latest_;
  Loop::Timer deadline_;
  Loop::Timer patience_;
  Loop::Timer retry_;
};

}  // namespace railhead::node
