#pragma once
// test/support/left_behind_contract.hpp on this machine's kernel.
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <sys/mount.h>

#include "test/support/bpf_program.hpp"
#include "test/support/child.hpp"
#include "test/support/left_behind_contract.hpp"
#include "test/support/linux_host.hpp"
#include "test/support/private_netns.hpp"
#include "test/support/temporary_folder.hpp"

namespace railhead::test {

// The link of that name, in the namespace that the test program is in.
class KernelLeftBehind : public LeftBehindFixture {
 public:
  explicit KernelLeftBehind(std::string name) : name_(std::move(name)) {
    for (const char* kind : {"vlan", "macvlan", "ipvlan"}) {
      const auto add =
          fmt::format("ip link add link {} name probe0 type {}{}", name_, kind, options_of(kind));
      if (std::system((add + " 2>/dev/null && ip link del probe0").c_str()) == 0) {
        kinds_.emplace_back(kind);
      }
    }
  }
  ~KernelLeftBehind() noexcept(false) override = default;

  host::NetNamespaces& netns() override { return *linux_.netns; }
  host::Links& links() override { return *linux_.links; }
  uint32_t link() override { return must(links().by_name(name_)).index; }

  std::string add_netns(const std::string& name) override {
    must(host::write_file_atomically(path_of(name), "", 0600));
    must_run("unshare --net=" + path_of(name) + " true");
    spaces_[name];
    return path_of(name);
  }
  void unlink_netns(const std::string& name) override {
    const auto id = must(netns().open(path_of(name))).id();
    spaces_[name] = std::make_unique<Child>(
        std::vector<std::string>{"/usr/bin/nsenter", "--net=" + path_of(name), "sleep", "1000"},
        std::vector<std::string>{"PATH=/usr/bin:/bin"});
    const auto own = fmt::format("/proc/{}/ns/net", spaces_[name]->pid());
    REQUIRE(wait_until(linux_.clock, kLimit, kStep, [&] {
      auto entered = netns().open(own);
      return entered && entered->id() == id;
    }));
    REQUIRE(::umount2(path_of(name).c_str(), MNT_DETACH) == 0);
    must(host::remove_file(path_of(name)));
  }
  void end_netns(const std::string& name) override { spaces_.erase(name); }

  std::vector<std::string> kinds() override { return kinds_; }
  void add_stacked(const host::Netns& where, uint32_t lower, const std::string& kind,
                   const std::string& name) override {
    must(where.run([&]() -> Result<void> {
      const auto below = must(must(netlink::LinuxLinks::open())->by_index(lower)).name;
      must_run(fmt::format("ip link add link {} name {} type {}{}", below, name, kind,
                           options_of(kind)));
      return {};
    }));
  }
  Result<void> attach_program(const host::Netns& where, uint32_t index,
                              const FakeProgram& program) override {
    auto done = where.run([&]() -> Result<void> {
      auto attached = attach_bpf_program(index, program);
      if (!attached) return pass(attached);
      programs_.push_back(std::move(*attached));
      return {};
    });
    // What a kernel without tcx, or a driver without XDP, says.
    if (!done && (done.error().os_errno == EINVAL || done.error().os_errno == EOPNOTSUPP)) {
      return fail(ErrorCode::unsupported, "{}", done.error().message);
    }
    return done;
  }

 protected:
  static constexpr std::chrono::seconds kLimit{60};
  static constexpr std::chrono::milliseconds kStep{10};
  // Its namespaces end: the processes in them, and their paths where these are still there.
  void end_all() {
    for (const auto& [name, process] : spaces_) {
      if (!process) REQUIRE(::umount2(path_of(name).c_str(), MNT_DETACH) == 0);
    }
    spaces_.clear();
    programs_.clear();
  }

  LinuxHost linux_;

 private:
  static std::string options_of(const std::string& kind) { return kind == "vlan" ? " id 5" : ""; }

  std::string path_of(const std::string& name) const { return folder_.path() + '/' + name; }

  std::string name_;
  std::vector<std::string> kinds_;
  TemporaryFolder folder_;
  std::map<std::string, std::unique_ptr<Child>> spaces_;  // with the process that keeps one
  std::vector<AttachedProgram> programs_;
};

}  // namespace railhead::test
