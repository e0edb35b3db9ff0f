// stress: calls a CNI program for many pods that want the same devices, from many threads, and
// looks at the node after each round with other eyes than the program's.
//
//   stress --program PATH --cni-path DIRS --plan FILE [--state DIR] [--workers N] [--rounds N]
//          [--calls N] [--seed N]
//
// A round is --calls of each worker: ADD, CHECK, DEL, a DEL that comes late, GC, `reconcile`. FILE
// is JSON:
//   {"conf": {…}, "netns": ["pod0", …], "leases": "/var/lib/cni/networks/NAME",
//    "devices": [{"name": "pf0v0", "is": {"parentdev": "0000:23:10.0"}, "conf": {"deviceID": …},
//                 "rdma": "mlx5_0", "pf": "pf0", "vf": 0}, …]}
// `"held_codes": [11]`: what ADD may say of a device that another pod has. `conf` of a device is
// laid over that of all; `is` says how `ip -j -d link` shows the device, in whatever namespace and
// under whatever name: a veth by {"address": …}. `leases`, `held_codes`, `rdma`, `pf` and `vf` may
// be missing.
//
// Prints what it finds; its exit code is 1 when it found something.
#include <exception>
#include <iostream>
#include <thread>

#include "test/stress/observer.hpp"
#include "test/stress/plan.hpp"
#include "test/stress/pods.hpp"

namespace railhead::stress {
namespace {

void print(Findings& findings, const std::string& when) {
  for (const auto& text : findings.take()) std::cout << when << ": " << text << '\n';
  std::cout.flush();
}

void run_round(const Plan& plan, Pods& pods, Findings& findings, unsigned round) {
  std::vector<std::thread> workers;
  for (unsigned worker = 0; worker < plan.workers; ++worker) {
    workers.emplace_back([&, worker] {
      std::seed_seq seed{plan.seed, uint64_t{round}, uint64_t{worker}};
      std::mt19937_64 random(seed);
      try {
        for (unsigned i = 0; i < plan.calls; ++i) pods.call(random);
      } catch (const std::exception& error) {
        findings.add(error.what());
      }
    });
  }
  for (auto& worker : workers) worker.join();
}

int stress(const Plan& plan) {
  Findings findings;
  const Observer observer(plan);
  Pods pods(plan, findings);
  for (unsigned round = 1; round <= plan.rounds; ++round) {
    run_round(plan, pods, findings, round);
    observer.judge(pods.held(), findings);
    print(findings, "round " + std::to_string(round));
  }
  pods.delete_all();
  observer.judge({}, findings);
  print(findings, "at the end");
  const auto& figures = pods.figures();
  std::cout << plan.rounds << " rounds of " << plan.workers << " workers, seed " << plan.seed
            << ": " << figures.added << " ADDs, " << figures.refused << " refused, "
            << figures.deleted << " DELs, " << figures.checked << " CHECKs, " << figures.collected
            << " given back by GC, " << figures.reconciled << " times reconcile, the longest call "
            << figures.longest_ms << " ms, " << findings.count() << " findings\n";
  return findings.count() == 0 ? 0 : 1;
}

}  // namespace
}  // namespace railhead::stress

int main(int argc, char** argv) {
  try {
    return railhead::stress::stress(
        railhead::stress::read_plan(std::vector<std::string>(argv + 1, argv + argc)));
  } catch (const std::exception& error) {
    std::cerr << "stress: " << error.what() << '\n';
    return 2;
  }
}
