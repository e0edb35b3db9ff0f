#pragma once
// A node on which host-local's addresses are given by this program and by upstream's.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include <nlohmann/json.hpp>
#include <sys/stat.h>

#include "ipam/host_local.hpp"
#include "linux/file_locks.hpp"
#include "linux/processes.hpp"
#include "test/support/must.hpp"
#include "test/support/temporary_folder.hpp"

namespace railhead::ipam {

// Debian's host-local where ./dev has downloaded it (test/setup/plugins); "" elsewhere.
inline std::string upstream_program() {
  const auto value = [](const char* name) {
    const char* text = std::getenv(name);
    return std::string(text ? text : "");
  };
  auto cache = value("RAILHEAD_CACHE");
  if (cache.empty()) {
    const auto base = value("XDG_CACHE_HOME");
    cache = (base.empty() ? value("HOME") + "/.cache" : base) + "/railhead";
  }
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(cache + "/plugins", none)) {
    const auto program = entry.path() / "usr/lib/cni/host-local";
    if (std::filesystem::exists(program)) return program;
  }
  return "";
}

// A node with its folders, on which both programs can be called.
class LeaseNode {
 public:
  nlohmann::ordered_json config(const std::string& ipam, const std::string& more = "") const {
    auto all = nlohmann::ordered_json::parse(
        R"({"cniVersion":"1.0.0","name":"net","type":"x","ipam":)" + ipam + more + "}");
    all["ipam"]["type"] = "host-local";
    if (!all["ipam"].contains("dataDir")) all["ipam"]["dataDir"] = data_dir();
    return all;
  }

  Folders folders() const {
    return {.usual = path("cni"), .admin = {path("admin")}, .own = path("state/ipam/host-local")};
  }
  Deadline deadline(std::chrono::milliseconds budget = std::chrono::seconds(20)) const {
    return {clock_, budget, std::chrono::milliseconds(0)};
  }
  Result<HostLocal> store(const nlohmann::ordered_json& config) {
    return HostLocal::of(config, folders(), locks_);
  }

  Result<std::vector<Given>> add(const nlohmann::ordered_json& config, const Holder& holder,
                                 const std::string& asked = "") {
    const auto conf = read_host_local(config, asked);
    if (!conf) return pass(conf);
    const auto of_network = store(config);
    if (!of_network) return pass(of_network);
    return of_network->add(*conf, holder, {"boot-1", "ml/t0"}, deadline());
  }
  // "10.1.0.2/24 10.1.0.1" of each address, or the error's text.
  std::string added(const nlohmann::ordered_json& config, const Holder& holder,
                    const std::string& asked = "") {
    const auto given = add(config, holder, asked);
    if (!given) return given.error().message;
    std::string text;
    for (const auto& one : *given) {
      if (!text.empty()) text += ", ";
      text += go_text(Address::of(one.address)) + "/" + std::to_string(one.address.length);
      if (one.gateway) text += " " + go_text(*one.gateway);
    }
    return text;
  }
  void del(const nlohmann::ordered_json& config, const Holder& holder) {
    test::must(test::must(store(config)).del(holder, deadline()));
  }

  // The same two of upstream's program.
  std::string upstream_added(const nlohmann::ordered_json& config, const Holder& holder,
                             const std::string& asked = "") {
    const auto answer = nlohmann::ordered_json::parse(upstream("ADD", config, holder, asked));
    if (answer.contains("msg")) return answer["msg"].get<std::string>();
    std::string text;
    for (const auto& one : answer["ips"]) {
      if (!text.empty()) text += ", ";
      text += one["address"].get<std::string>();
      if (one.contains("gateway")) text += " " + one["gateway"].get<std::string>();
    }
    return text;
  }
  std::string upstream(const std::string& verb, const nlohmann::ordered_json& config,
                       const Holder& holder, const std::string& asked = "") {
    linux::LinuxProcesses processes(clock_);
    const auto result = test::must(processes.run(
        {.program = upstream_program(),
         .environment = {"CNI_COMMAND=" + verb, "CNI_CONTAINERID=" + holder.container_id,
                         "CNI_IFNAME=" + holder.ifname, "CNI_NETNS=/x", "CNI_PATH=/x",
                         "CNI_ARGS=" + (asked.empty() ? "" : "IP=" + asked)},
         .input = config.dump()}));
    return result.output;
  }

  std::string path(const std::string& below) const { return folder_.path() + "/" + below; }
  std::string data_dir() const { return path("cni/networks"); }
  std::set<std::string> files() const {
    std::set<std::string> names;
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator(data_dir() + "/net", none)) {
      names.insert(entry.path().filename());
    }
    return names;
  }
  // Names, modes and bytes of the network's folder, the lock among them.
  std::string image() const {
    std::string all;
    for (const auto& name : files()) {
      const auto file = data_dir() + "/net/" + name;
      struct stat status {};
      ::stat(file.c_str(), &status);
      std::ifstream stream(file, std::ios::binary);
      const std::string text{std::istreambuf_iterator<char>(stream), {}};
      all += name + " " + std::to_string(status.st_mode) + " " + text + "\n";
    }
    return all;
  }
  void put(const std::string& file, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(data_dir()) / "net");
    std::ofstream(data_dir() + "/net/" + file, std::ios::binary) << text;
  }

 private:
  test::TemporaryFolder folder_;
  mutable SystemClock clock_;
  linux::LinuxFileLocks locks_{clock_};
};

}  // namespace railhead::ipam
