// Runs in the VM: the release CNI binary attaching 1 and N VFs, against the bare kernel moves of
// the same VFs, which are down as the binary finds them: one RTM_NEWLINK that moves and names, one
// look for the new ifindex, one link-up. Pairs are interleaved, so that what disturbs one disturbs
// the other. Prints one JSON object.
//
//   bench-attach [--ib] RAILHEAD PAIRS BDF...
//
// --ib: InfiniBand VFs in exclusive RDMA mode, one at a time. Their floor begins with the move of
// the RDMA device, by which the kernel makes the netdev anew.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.hpp"
#include "host/files.hpp"
#include "linux/netns.hpp"
#include "netlink/linux_links.hpp"
#include "netlink/linux_rdma.hpp"

using namespace railhead;

namespace {

template <class T>
T must(Result<T> result) {
  if (!result) {
    fmt::print(stderr, "bench-attach: {}\n", result.error().message);
    std::exit(1);
  }
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

double milliseconds(std::chrono::steady_clock::time_point since) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - since)
      .count();
}

struct Series {
  std::vector<double> values;
  [[nodiscard]] double mean() const {
    double sum = 0;
    for (double value : values) sum += value;
    return sum / static_cast<double>(values.size());
  }
  [[nodiscard]] double deviation() const {
    double sum = 0;
    for (double value : values) sum += (value - mean()) * (value - mean());
    return std::sqrt(sum / static_cast<double>(values.size()));
  }
};

class Bench {
 public:
  Bench(bool is_ib, std::string binary, std::vector<std::string> vfs)
      : layer_(is_ib ? host::LinkLayer::infiniband : host::LinkLayer::ethernet),
        binary_(std::move(binary)),
        vfs_(std::move(vfs)),
        netns_(
            must(linux::LinuxNetns::open({netlink::LinuxLinks::open, netlink::LinuxRdma::open}))),
        links_(must(netlink::LinuxLinks::open())),
        pod_(must(netns_->open("/run/netns/bench"))),
        pod_links_(must(netns_->links(pod_))),
        home_(must(netns_->current())),
        rdma_(must(netlink::LinuxRdma::open())),
        pod_rdma_(must(netns_->rdma(pod_))) {
    for (const auto& vf : vfs_) names_.push_back(must(links_->by_parent(vf, layer_)).name);
    for (size_t i = 0; i < vfs_.size(); ++i) {
      input_.push_back(fmt::format("/run/bench-conf-{}.json", i));
      std::ofstream(input_.back()) << fmt::format(
          R"({{"cniVersion":"1.0.0","name":"bench","type":"railhead","deviceID":"{}"}})", vfs_[i]);
    }
  }

  double floor(size_t count) {
    return layer_ == host::LinkLayer::infiniband ? ib_floor() : ethernet_floor(count);
  }

  double attach(size_t count) {
    const auto start = std::chrono::steady_clock::now();
    for (size_t i = 0; i < count; ++i) cni("ADD", i);
    const double time = milliseconds(start);
    for (size_t i = 0; i < count; ++i) cni("DEL", i);
    return time;
  }

 private:
  double ethernet_floor(size_t count) {
    std::vector<uint32_t> indexes;
    for (size_t i = 0; i < count; ++i) indexes.push_back(must(links_->by_name(names_[i])).index);
    double time = 0;
    for (size_t i = 0; i < count; ++i) {
      auto start = std::chrono::steady_clock::now();
      must(links_->change(indexes[i], {.netns_fd = pod_.fd(), .name = ifname(i)}));
      time += milliseconds(start);
      const auto moved = must(pod_links_->by_name(ifname(i)));  // not part of the kernel's move
      start = std::chrono::steady_clock::now();
      must(pod_links_->change(moved.index, {.up = true}));
      time += milliseconds(start);
    }
    for (size_t i = 0; i < count; ++i) {
      const auto link = must(pod_links_->by_name(ifname(i)));
      must(pod_links_->change(link.index, {.up = false}));
      must(pod_links_->change(link.index, {.netns_fd = home_.fd(), .name = names_[i]}));
    }
    return time;
  }

  // Looks are not part of the kernel's work.
  double ib_floor() {
    const auto folder = must(host::Directory::open("/sys/bus/pci/devices/" + vfs_[0]));
    const auto device = must(folder.list("infiniband")).at(0);
    auto start = std::chrono::steady_clock::now();
    must(rdma_->move(device, pod_.fd()));
    double time = milliseconds(start);
    auto link = must(links_->by_parent(vfs_[0], layer_));
    start = std::chrono::steady_clock::now();
    must(links_->change(link.index, {.netns_fd = pod_.fd(), .name = ifname(0)}));
    time += milliseconds(start);
    link = must(pod_links_->by_name(ifname(0)));
    start = std::chrono::steady_clock::now();
    must(pod_links_->change(link.index, {.up = true}));
    time += milliseconds(start);
    must(pod_links_->change(link.index, {.up = false}));
    must(pod_rdma_->move(device, home_.fd()));
    link = must(links_->by_parent(vfs_[0], layer_));
    if (link.name != names_[0]) must(links_->change(link.index, {.name = names_[0]}));
    return time;
  }

  static std::string ifname(size_t i) { return fmt::format("net{}", i + 1); }

  void cni(const char* verb, size_t i) {
    std::vector<std::string> environment = {fmt::format("CNI_COMMAND={}", verb),
                                            "CNI_CONTAINERID=bench", "CNI_NETNS=/run/netns/bench",
                                            "CNI_IFNAME=" + ifname(i), "CNI_PATH=/usr/lib/cni"};
    std::vector<char*> env;
    for (auto& entry : environment) env.push_back(entry.data());
    env.push_back(nullptr);
    char* argv[] = {binary_.data(), nullptr};
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, input_[i].c_str(), 0, 0);
    posix_spawn_file_actions_addopen(&files, 1, "/run/bench-output", 01101, 0600);
    pid_t pid = 0;
    if (posix_spawn(&pid, binary_.c_str(), &files, nullptr, argv, env.data()) != 0) std::exit(1);
    posix_spawn_file_actions_destroy(&files);
    int status = 0;
    waitpid(pid, &status, 0);
    if (status != 0) {
      std::system("cat /run/bench-output >&2");
      std::exit(1);
    }
  }

  const host::LinkLayer layer_;
  std::string binary_;
  std::vector<std::string> vfs_;
  std::vector<std::string> names_;
  std::vector<std::string> input_;
  std::unique_ptr<host::NetNamespaces> netns_;
  std::unique_ptr<host::Links> links_;
  host::Netns pod_;
  std::unique_ptr<host::Links> pod_links_;
  host::Netns home_;
  std::unique_ptr<host::RdmaDevices> rdma_;
  std::unique_ptr<host::RdmaDevices> pod_rdma_;
};

}  // namespace

int main(int argc, char** argv) {
  const bool is_ib = argc > 1 && std::string_view(argv[1]) == "--ib";
  if (is_ib) {
    --argc;
    ++argv;
  }
  if (argc < 4) {
    fmt::print(stderr, "usage: bench-attach [--ib] RAILHEAD PAIRS BDF...\n");
    return 2;
  }
  const auto pairs = parse_int<unsigned>(argv[2]).value_or(20);
  Bench bench(is_ib, argv[1], std::vector<std::string>(argv + 3, argv + argc));
  const auto all = static_cast<size_t>(argc - 3);
  fmt::print("{{");
  for (const size_t count : is_ib ? std::vector<size_t>{1} : std::vector<size_t>{1, all}) {
    Series floor, attach;
    bench.floor(count);  // the first use of a VF after boot is unlike all others
    bench.attach(count);
    for (unsigned pair = 0; pair < pairs; ++pair) {
      floor.values.push_back(bench.floor(count));
      attach.values.push_back(bench.attach(count));
    }
    fmt::print(
        "{}\"attach_{}{}\":{{\"pairs\":{},\"floor_ms\":{:.2f},\"floor_sd\":{:.2f},"
        "\"attach_ms\":{:.2f},\"attach_sd\":{:.2f},\"ratio\":{:.3f}}}",
        count == 1 ? "" : ",", is_ib ? "ib_" : "", count, pairs, floor.mean(), floor.deviation(),
        attach.mean(), attach.deviation(), attach.mean() / floor.mean());
  }
  fmt::print("}}\n");
  return 0;
}
