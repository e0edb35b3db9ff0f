#include "bench/ipam.hpp"

#include <stdexcept>

#include <nlohmann/json.hpp>

#include "ipam/rails.hpp"
#include "linux/file_locks.hpp"
#include "test/support/still_host.hpp"
#include "test/support/temporary_folder.hpp"

namespace railhead::bench {
namespace {

constexpr uint32_t kRails = 8;
constexpr const char* kConf = R"({"type": "rails", "rails": 8, "v4": {"subnet": "10.0.0.0/13",
    "railPrefix": 16, "nodePrefix": 24, "gateway": 1}})";

template <class T>
T ipam_must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

class LeasingNode {
 public:
  explicit LeasingNode(const std::string& root)
      : still_(root), conf_(ipam_must(ipam::read_rails_conf(parsed()))) {
    host_.roots.state = root + "/state";
    for (uint32_t rail = 0; rail < kRails; ++rail) {
      wanted_.push_back({"rail" + std::to_string(rail), rail, 0});
    }
  }

  // What an ADD does between its devices and its addresses' way onto them.
  double add(const std::string& container) {
    const auto begin = std::chrono::steady_clock::now();
    ipam_must(ipam::allocate(open(), conf_, 1, {"rails", container, "ml/" + container}, wanted_));
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin)
        .count();
  }
  void del(const std::string& container) {
    for (const auto& one : wanted_)
      ipam_must(ipam::release(open(), "rails", container, one.ifname));
  }

 private:
  static nlohmann::ordered_json parsed() { return nlohmann::ordered_json::parse(kConf); }
  ipam::RailLeases open() {
    return ipam_must(ipam::RailLeases::open(host_, {still_.clock, std::chrono::seconds(5), {}}));
  }

  test::StillHost still_;
  linux::LinuxFileLocks locks_{still_.clock};
  host::Host host_{still_.links, still_.rdma,      still_.devlink,
                   still_.netns, still_.functions, still_.processes,
                   locks_,       still_.clock,     still_.host.roots};
  ipam::RailsConf conf_;
  std::vector<ipam::Wanted> wanted_;
};

}  // namespace

std::vector<Figure> measure_ipam(unsigned rounds, unsigned pods) {
  constexpr double kGoal = 0.1;  // ms
  std::vector<Figure> figures;
  const auto beside = pods == 0 ? "" : "_" + std::to_string(pods) + "_pods";
  Figure each{"ipam_rails" + beside + "_ms", "ms", {}, kGoal, std::nullopt};
  Figure commit{"ipam_commit" + beside + "_ms", "ms", {}, std::nullopt, std::nullopt};
  for (auto* figure : {&each, &commit}) {
    const bool is_disk = figure == &commit;
    const test::TemporaryFolder folder(is_disk ? "/var/tmp" : "/dev/shm");
    LeasingNode node(folder.path());
    for (unsigned i = 0; i < pods; ++i) node.add("other" + std::to_string(i));
    for (unsigned i = 0; i <= rounds; ++i) {
      const auto time = node.add("pod");
      node.del("pod");
      if (i != 0) figure->samples.push_back(is_disk ? time : time / kRails);
    }
    figures.push_back(std::move(*figure));
  }
  return figures;
}

}  // namespace railhead::bench
