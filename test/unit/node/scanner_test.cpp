// The scanner over a generated node; the test is the kernel that does not answer.
#include "plugin/node/scanner.hpp"

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>

#include <catch2/catch_test_macros.hpp>
#include <fcntl.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#include "test/support/fake_clock.hpp"
#include "test/support/must.hpp"
#include "test/support/scanning.hpp"

namespace railhead::test {
namespace {

using namespace std::chrono_literals;
using node::Scanner;
using node::Wanted;

const PciAddress kGpu = *PciAddress::parse("0000:61:00.0");

std::string pf_rdma(unsigned pf) { return fmt::format("mlx5_{}", pf * 3); }

// Two PFs with two VFs each.
class ScannedNode {
 public:
  ScannedNode() {
    add_mlx5_node(tree, 2, 2);
    for (unsigned i = 0; i < 6; ++i) {
      const auto name = fmt::format("mlx5_{}", i);
      kernel.still.rdma.all.push_back({i, name, Guid{i}, "roce"});
      kernel.still.rdma.ports[name] = {{1, 4, 5, std::nullopt}};
    }
  }
  ~ScannedNode() { kernel.release(); }

  void start() {
    scanner.emplace(*loop, clock, kernel.adapters(), kernel.still.host.roots, log,
                    [this] { ++changes; });
    scanner->look({});
  }
  // Turns the loop until all that is asked has been answered, or as far as it gets.
  void settle() {
    REQUIRE(run_loop_until(*loop, [&] { return scanner->pending() == 0; }));
  }
  void settle_but(const std::string& hanging) {
    REQUIRE(run_loop_until(*loop,
                           [&] { return kernel.waits_for(hanging) && scanner->pending() == 1; }));
  }
  // All is read once; then PF 0 is asked again, and does not answer.
  void start_with_one_that_hangs() {
    start();
    settle();
    kernel.hang(pf_rdma(0));
    scanner->look(Wanted::everything());
    settle_but(pf_rdma(0));
  }
  void pass(std::chrono::nanoseconds time) {
    clock.advance(time);
    loop->turn();
  }
  // As when a PF is taken off the bus, with its VFs, and put back.
  void remove(unsigned pf) {
    for (const auto& one : {mlx5_pf(pf), mlx5_vf(pf, 0), mlx5_vf(pf, 1)}) {
      std::filesystem::rename(entry(one), parked(one));
    }
  }
  void bring_back(unsigned pf) {
    for (const auto& one : {mlx5_pf(pf), mlx5_vf(pf, 0), mlx5_vf(pf, 1)}) {
      std::filesystem::rename(parked(one), entry(one));
    }
  }
  // What its driver tells of a GPU.
  [[nodiscard]] std::string gpu_information() const {
    const auto path =
        kernel.still.host.roots.proc + "/driver/nvidia/gpus/" + kGpu.to_string() + "/information";
    std::filesystem::create_directories(path.substr(0, path.rfind('/')));
    return path;
  }
  const device::PciFunction& at(const PciAddress& address) {
    const auto* function = scanner->latest()->inventory->find(address);
    if (!function) FAIL(address.to_string() << " is not in the inventory");
    return *function;
  }

  TemporaryFolder folder;
  SysfsTree tree{folder.path() + "/sys"};
  HangingKernel kernel{folder.path()};
  FakeClock clock;
  Logger log{-1, LogLevel::error};
  std::unique_ptr<Loop> loop = must(Loop::open(clock));
  std::optional<Scanner> scanner;
  int changes = 0;

 private:
  [[nodiscard]] std::string entry(const PciAddress& address) const {
    return folder.path() + "/sys/bus/pci/devices/" + address.to_string();
  }
  // The links of the folder are relative to it.
  [[nodiscard]] std::string parked(const PciAddress& address) const {
    const auto at = folder.path() + "/sys/bus/parked/devices/";
    std::filesystem::create_directories(at);
    return at + address.to_string();
  }
};

// For as long as it lives no thread can be made: none has room for such a stack.
class NoThreads {
 public:
  NoThreads() {
    pthread_getattr_default_np(&before_);
    pthread_attr_t huge;
    pthread_attr_init(&huge);
    pthread_attr_setstacksize(&huge, size_t{1} << 47);
    REQUIRE(pthread_setattr_default_np(&huge) == 0);
    pthread_attr_destroy(&huge);
  }
  ~NoThreads() {
    pthread_setattr_default_np(&before_);
    pthread_attr_destroy(&before_);
  }
  NoThreads(const NoThreads&) = delete;
  NoThreads& operator=(const NoThreads&) = delete;

 private:
  pthread_attr_t before_{};
};

}  // namespace

TEST_CASE("The first snapshot has the whole node, and the ports of PFs only") {
  ScannedNode node;
  node.start();
  CHECK_FALSE(node.scanner->latest());
  node.settle();
  REQUIRE(node.scanner->latest());
  CHECK(node.scanner->latest()->inventory->functions().size() == 6);
  CHECK(node.at(mlx5_pf(0)).rdma.at(0).ports.size() == 1);
  CHECK(node.at(mlx5_vf(0, 1)).rdma.at(0).ports.empty());
  CHECK(node.kernel.asked_ports() == std::vector<std::string>{pf_rdma(0), pf_rdma(1)});
  CHECK(node.changes == 1);
}

TEST_CASE("The ports of VFs are asked where that is wanted") {
  ScannedNode node;
  node.start();
  node.settle();
  node.scanner->configure({.ports_of = {mlx5_vf(1, 0)}});
  node.settle();
  CHECK(node.at(mlx5_vf(1, 0)).rdma.at(0).ports.size() == 1);
  CHECK(node.at(mlx5_vf(1, 1)).rdma.at(0).ports.empty());
}

TEST_CASE("Of a link event nothing is read but links and ports") {
  ScannedNode node;
  node.start();
  node.settle();
  std::filesystem::remove_all(node.folder.path() + "/sys");
  node.kernel.still.rdma.ports[pf_rdma(0)][0].state = 1;
  node.scanner->look({.links = true});
  node.settle();
  CHECK(node.scanner->latest()->inventory->functions().size() == 6);
  CHECK(node.at(mlx5_pf(0)).rdma.at(0).ports.at(0).state == 1);
  CHECK(node.changes == 2);
}

TEST_CASE("A link that moves to a pod and back is the function's, though that is not read again") {
  ScannedNode node;
  host::Link link;
  link.index = 7;
  link.name = "p0v1";
  link.parent_device = mlx5_vf(0, 1).to_string();
  node.kernel.still.links.all = {link};
  node.start();
  node.settle();
  CHECK(node.at(mlx5_vf(0, 1)).netdevs.at(0).index == 7);
  node.kernel.still.links.all.clear();
  node.scanner->look({.links = true});
  node.settle();
  CHECK(node.at(mlx5_vf(0, 1)).netdevs.empty());
  node.kernel.still.links.all = {link};
  node.scanner->look({.links = true});
  node.settle();
  CHECK(node.at(mlx5_vf(0, 1)).netdevs.at(0).name == "p0v1");
}

TEST_CASE("Of functions that an event names, they and their PF's others are read again") {
  ScannedNode node;
  node.start();
  node.settle();
  for (const auto& vf : {mlx5_vf(0, 0), mlx5_vf(1, 0)}) {
    node.tree.write(node.tree.folder(vf.to_string()) + "/numa_node", "7");
  }
  node.scanner->look({.functions = {mlx5_vf(0, 1)}});
  node.settle();
  CHECK(node.at(mlx5_vf(0, 0)).numa_node == 7);
  CHECK(node.at(mlx5_vf(1, 0)).numa_node == 1);
}

TEST_CASE("Functions that come and go are seen when the bus is looked at, others are left alone") {
  ScannedNode node;
  node.start();
  node.settle();
  const auto devices = node.folder.path() + "/sys/bus/pci/devices/";
  std::filesystem::remove(devices + mlx5_vf(0, 1).to_string());
  node.tree.write(node.tree.folder(mlx5_vf(1, 0).to_string()) + "/numa_node", "7");
  node.tree.add({.address = "0000:99:00.0"});
  node.scanner->look({.bus = true});
  node.settle();
  const auto& inventory = *node.scanner->latest()->inventory;
  CHECK_FALSE(inventory.find(mlx5_vf(0, 1)));
  CHECK(inventory.find(*PciAddress::parse("0000:99:00.0")));
  CHECK(node.at(mlx5_vf(1, 0)).numa_node == 1);
}

TEST_CASE("A look that changes nothing is no change") {
  ScannedNode node;
  node.start();
  node.settle();
  node.scanner->look(Wanted::everything());
  node.settle();
  CHECK(node.changes == 1);
}

TEST_CASE("A PF that does not answer from the start delays the others by a moment only") {
  ScannedNode node;
  node.kernel.hang(pf_rdma(0));
  node.start();
  node.settle_but(pf_rdma(0));
  CHECK_FALSE(node.scanner->latest());
  node.pass(Scanner::kPatience);
  REQUIRE(node.scanner->latest());
  CHECK(node.at(mlx5_vf(1, 1)).rdma.size() == 1);
  CHECK_FALSE(node.scanner->latest()->inventory->find(mlx5_pf(0)));
  CHECK(node.scanner->latest()->on_bus.contains(mlx5_pf(0)));

  node.pass(Scanner::kDeadline);
  const auto& snapshot = *node.scanner->latest();
  CHECK(snapshot.inventory->find(mlx5_vf(1, 1)));
  CHECK_FALSE(snapshot.inventory->find(mlx5_pf(0)));
  CHECK(snapshot.on_bus.contains(mlx5_vf(0, 1)));
  CHECK(snapshot.silent.contains(mlx5_pf(0)));
  CHECK(snapshot.silent.contains(mlx5_vf(0, 1)));
  CHECK_FALSE(snapshot.silent.contains(mlx5_vf(1, 1)));
  CHECK(node.scanner->troubles().size() == 1);
}

TEST_CASE("Where nothing answers from the start, nothing is taken for all there is in a moment") {
  ScannedNode node;
  node.kernel.hang(pf_rdma(0));
  node.kernel.hang(pf_rdma(1));
  node.start();
  REQUIRE(run_loop_until(*node.loop, [&] { return node.kernel.waiting() == 2; }));
  node.pass(Scanner::kPatience);
  CHECK_FALSE(node.scanner->latest());
  node.pass(Scanner::kDeadline);
  REQUIRE(node.scanner->latest());
  CHECK(node.scanner->latest()->silent.size() == 6);
}

TEST_CASE("A PF that stops answering keeps what was known of it, and delays nobody") {
  ScannedNode node;
  node.start();
  node.settle();
  node.kernel.hang(pf_rdma(0));
  node.kernel.still.rdma.ports[pf_rdma(1)][0].state = 1;
  node.scanner->look(Wanted::everything());
  node.settle_but(pf_rdma(0));
  CHECK(node.changes == 1);
  node.pass(Scanner::kPatience);
  CHECK(node.at(mlx5_pf(1)).rdma.at(0).ports.at(0).state == 1);
  CHECK(node.scanner->latest()->silent.empty());
  node.pass(2s);
  CHECK(node.scanner->latest()->silent.contains(mlx5_vf(0, 0)));
  CHECK(node.at(mlx5_vf(0, 0)).numa_node == 0);

  // While it is silent others are read without waiting, and it is not asked a second time.
  node.kernel.still.rdma.ports[pf_rdma(1)][0].state = 4;
  node.scanner->look(Wanted::everything());
  node.settle();
  CHECK(node.at(mlx5_pf(1)).rdma.at(0).ports.at(0).state == 4);
  CHECK(node.kernel.waiting() == 1);
}

TEST_CASE("A PF that answers again is read again, and is well") {
  ScannedNode node;
  node.start_with_one_that_hangs();
  node.pass(3s);
  REQUIRE_FALSE(node.scanner->latest()->silent.empty());
  node.kernel.still.rdma.ports[pf_rdma(0)][0].state = 2;
  node.kernel.release();
  REQUIRE(run_loop_until(*node.loop, [&] { return node.scanner->latest()->silent.empty(); }));
  node.settle();
  CHECK(node.at(mlx5_pf(0)).rdma.at(0).ports.at(0).state == 2);
  CHECK(node.scanner->troubles().empty());
}

TEST_CASE("Links that cannot be read are tried again, and nothing is published before") {
  ScannedNode node;
  node.kernel.links_fail = true;
  node.start();
  node.settle();
  CHECK_FALSE(node.scanner->latest());
  REQUIRE(node.scanner->troubles().size() == 1);
  CHECK(node.scanner->troubles()[0].starts_with("the network links: "));
  node.kernel.links_fail = false;
  node.pass(Scanner::kRetry);
  node.settle();
  CHECK(node.scanner->latest());
}

TEST_CASE("Links that the kernel does not tell leave what there is, silent, until it does") {
  ScannedNode node;
  node.kernel.hang("links");
  node.start();
  CHECK_FALSE(node.scanner->latest());
  node.pass(Scanner::kDeadline);
  REQUIRE(run_loop_until(*node.loop, [&] { return node.scanner->latest() != nullptr; }));
  const auto& silent = node.scanner->latest()->silent;
  CHECK(silent.size() == node.scanner->latest()->on_bus.size());
  CHECK(silent.contains(mlx5_vf(0, 1)));
  CHECK(node.scanner->latest()->inventory->find(mlx5_vf(0, 1)));
  node.kernel.release();
  REQUIRE(run_loop_until(*node.loop, [&] { return node.scanner->latest()->silent.empty(); }));
}

TEST_CASE("A function that cannot be read is tried again") {
  ScannedNode node;
  const auto attribute = node.tree.folder(mlx5_vf(0, 1).to_string()) + "/numa_node";
  std::filesystem::remove(attribute);
  std::filesystem::create_directory(attribute);  // to read it is an error, EISDIR
  node.start();
  node.settle();
  CHECK_FALSE(node.scanner->latest()->inventory->find(mlx5_vf(0, 1)));
  std::filesystem::remove(attribute);
  std::ofstream(attribute) << "1\n";
  node.pass(Scanner::kRetry);
  node.settle();
  CHECK(node.at(mlx5_vf(0, 1)).numa_node == 1);
  CHECK_FALSE(node.loop->due());
}

TEST_CASE("What an event wants to be read is read though there was no thread for it at first") {
  ScannedNode node;
  node.start();
  node.settle();
  node.tree.write(node.tree.folder(mlx5_vf(0, 0).to_string()) + "/numa_node", "7");
  {
    const NoThreads none;
    node.scanner->look({.functions = {mlx5_vf(0, 0)}});
  }
  REQUIRE(node.scanner->troubles().size() == 1);
  CHECK(node.scanner->troubles()[0].find("cannot start a thread") != std::string::npos);
  node.pass(Scanner::kRetry);
  node.settle();
  CHECK(node.at(mlx5_vf(0, 0)).numa_node == 7);
  CHECK(node.scanner->troubles().empty());
}

TEST_CASE("The UUID of a GPU is in the snapshot, as soon as the driver knows it") {
  ScannedNode node;
  node.tree.add({.address = kGpu.to_string(), .pci_class = "030200", .vendor = "10de"});
  std::ofstream(node.gpu_information()) << "Model: \t H100\nGPU UUID: \t GPU-????????\n";
  node.start();
  node.settle();
  CHECK_FALSE(node.at(kGpu).gpu_uuid);
  std::ofstream(node.gpu_information()) << "Model: \t H100\nGPU UUID: \t GPU-8f9d\n";
  node.pass(Scanner::kRetry);
  node.settle();
  CHECK(node.at(kGpu).gpu_uuid == "GPU-8f9d");
}

TEST_CASE("A GPU whose driver hangs delays nobody, and keeps the UUID that is known") {
  ScannedNode node;
  node.tree.add({.address = kGpu.to_string(), .pci_class = "030200", .vendor = "10de"});
  const auto file = node.gpu_information();
  std::ofstream(file) << "GPU UUID: \t GPU-8f9d\n";
  node.start();
  node.settle();
  std::filesystem::remove(file);
  REQUIRE(mkfifo(file.c_str(), 0600) == 0);  // whose reader waits
  node.scanner->look(Wanted::everything());
  REQUIRE(run_loop_until(*node.loop, [&] { return node.scanner->pending() == 1; }));
  node.pass(Scanner::kDeadline);
  CHECK(node.scanner->latest()->silent.contains(kGpu));
  CHECK(node.at(kGpu).gpu_uuid == "GPU-8f9d");
  const UniqueFd writer(open(file.c_str(), O_WRONLY | O_CLOEXEC));
  std::filesystem::remove(file);
}

TEST_CASE("A PF that is taken off the bus while it hangs has no second reader when it is back") {
  ScannedNode node;
  node.start_with_one_that_hangs();
  node.pass(Scanner::kDeadline);
  for (int i = 0; i < 2; ++i) {
    node.remove(0);
    node.scanner->look({.bus = true});
    node.settle();
    CHECK_FALSE(node.scanner->latest()->inventory->find(mlx5_pf(0)));
    CHECK_FALSE(node.scanner->latest()->on_bus.contains(mlx5_pf(0)));
    CHECK(node.scanner->troubles().empty());
    node.bring_back(0);
    node.scanner->look({.bus = true});
    node.settle();
    CHECK(node.scanner->latest()->silent.contains(mlx5_pf(0)));
  }
  CHECK(node.kernel.waiting() == 1);
  node.kernel.release();
  REQUIRE(run_loop_until(*node.loop, [&] { return node.scanner->latest()->silent.empty(); }));
  node.settle();
  CHECK(node.at(mlx5_vf(0, 1)).rdma.size() == 1);
}

TEST_CASE("What a late reader of a PF that has gone opened is closed by another thread") {
  ScannedNode node;
  node.start();
  node.settle();
  node.kernel.hang(pf_rdma(0));
  node.scanner->follow({pf_rdma(0)});
  node.settle_but(pf_rdma(0));
  node.pass(Scanner::kDeadline);
  node.remove(0);
  node.scanner->look({.bus = true});
  node.settle();
  node.kernel.release();
  REQUIRE(run_loop_until(*node.loop, [&] { return !node.kernel.closed_by().empty(); }));
  CHECK(node.kernel.closed_by() != std::vector{std::this_thread::get_id()});
}

TEST_CASE("A device that cannot be closed for want of a thread is closed later") {
  ScannedNode node;
  node.start();
  node.settle();
  node.scanner->follow({pf_rdma(0)});
  node.settle();
  {
    const NoThreads none;
    node.scanner->follow({});
  }
  CHECK(node.kernel.open_devices() == 1);
  node.pass(Scanner::kRetry);
  CHECK(run_loop_until(*node.loop, [&] { return node.kernel.open_devices() == 0; }));
  CHECK(node.kernel.closed_by() != std::vector{std::this_thread::get_id()});
}

TEST_CASE("Ports that can be heard of are read at their word; the others are told") {
  ScannedNode node;
  node.kernel.deaf = {pf_rdma(1)};
  node.start();
  node.settle();
  node.scanner->follow({pf_rdma(0), pf_rdma(1)});
  node.settle();
  CHECK(node.scanner->unheard() == std::set{pf_rdma(1)});
  node.kernel.still.rdma.ports[pf_rdma(0)][0].state = 1;
  node.kernel.say(pf_rdma(0), "PORT_ERR");
  REQUIRE(run_loop_until(*node.loop, [&] { return node.changes == 2; }));
  CHECK(node.at(mlx5_pf(0)).rdma.at(0).ports.at(0).state == 1);
}

TEST_CASE("A device that goes is closed at once, though its PF is being read for ever") {
  ScannedNode node;
  node.start();
  node.settle();
  node.scanner->follow({pf_rdma(0)});
  node.settle();
  REQUIRE(node.kernel.open_devices() == 1);
  node.kernel.hang(pf_rdma(0));
  node.scanner->look(Wanted::everything());
  node.settle_but(pf_rdma(0));
  node.kernel.say_gone(pf_rdma(0));
  CHECK(run_loop_until(*node.loop, [&] { return node.kernel.open_devices() == 0; }));
}

TEST_CASE("A scanner ends while a reading hangs") {
  ScannedNode node;
  node.kernel.hang(pf_rdma(0));
  node.start();
  node.settle_but(pf_rdma(0));
  node.scanner.reset();
  CHECK(node.kernel.waiting() == 1);
}

}  // namespace railhead::test
