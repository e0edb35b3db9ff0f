#pragma once
// A host's root with the folders of CNI, and `railhead install` run on it as from a container that
// sees it under --host-root.
#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>

#include "cni/install/installation.hpp"
#include "host/files.hpp"
#include "test/support/fake_clock.hpp"
#include "test/support/must.hpp"
#include "test/support/temporary_folder.hpp"

namespace railhead::test {

inline constexpr const char* kFlannel = R"({"cniVersion":"0.3.1","name":"cbr0","plugins":[
    {"type":"flannel"},{"type":"portmap","capabilities":{"portMappings":true}}]})";

// A small file that is a version of this program by its content.
inline std::string program_of_version(const std::string& version) {
  return "\x7f"
         "ELF Railhead CNI " +
         version + ": gives SR-IOV VFs with their RDMA devices to pods\n";
}

class Site {
 public:
  Site() {
    for (const auto* folder : {"/opt/cni/bin", "/etc/cni/net.d"}) {
      must(host::make_directories(root() + folder, 0755));
    }
    write_outside("program", program_of_version("2"));
  }

  [[nodiscard]] const std::string& root() const { return root_.path(); }
  [[nodiscard]] std::string outside(const std::string& name) const {
    return outside_.path() + "/" + name;
  }
  // Paths below are the host's.
  void write(const std::string& path, const std::string& text, unsigned mode = 0644) const {
    must(host::make_directories(std::filesystem::path(root() + path).parent_path(), 0755));
    must(host::write_file_atomically(root() + path, text, mode));
  }
  void write_outside(const std::string& name, const std::string& text) const {
    must(host::write_file_atomically(outside(name), text, 0755));
  }
  [[nodiscard]] std::string read(const std::string& path) const {
    return host::read_file(root() + path).value_or("(none)");
  }
  void remove(const std::string& path) const { std::filesystem::remove_all(root() + path); }
  [[nodiscard]] struct stat status(const std::string& path) const {
    struct stat status {};
    (void)::lstat((root() + path).c_str(), &status);
    return status;
  }
  [[nodiscard]] bool has_lock(const std::string& folder) const {
    return status(folder + "/.railhead.lock").st_mode != 0;
  }
  // "NAME MODE CONTENT" of all in a folder but the installer's lock, sorted; of a link
  // "NAME -> TARGET".
  [[nodiscard]] std::vector<std::string> list(const std::string& folder) const {
    std::vector<std::string> lines;
    for (const auto& entry : std::filesystem::directory_iterator(root() + folder)) {
      const auto name = entry.path().filename().string();
      if (name == ".railhead.lock") continue;
      lines.push_back(entry.is_symlink()
                          ? name + " -> " + std::filesystem::read_symlink(entry.path()).string()
                          : fmt::format("{} {:o} {}", name,
                                        status(folder + "/" + name).st_mode & 07777,
                                        read(folder + "/" + name)));
    }
    std::sort(lines.begin(), lines.end());
    return lines;
  }

  [[nodiscard]] cni::InstallCommand command(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {"install", "--host-root", root()});
    const auto read = cni::read_install(arguments);
    if (!read.command) FAIL(read.answer.value_or(cni::Answer{}).error_output);
    return *read.command;
  }
  cni::Answer install(const std::vector<std::string>& arguments = {}) {
    return cni::run_install(command(arguments), tools);
  }
  // What was told; from then on anew.
  [[nodiscard]] std::string told() const {
    const auto text = host::read_file(outside("log")).value_or("");
    std::filesystem::resize_file(outside("log"), 0);
    return text;
  }

 private:
  TemporaryFolder root_;
  TemporaryFolder outside_;
  UniqueFd log_file_{
      ::open(outside("log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)};

 public:
  FakeClock clock;
  Logger log{log_file_.get(), LogLevel::info};
  cni::InstallTools tools{outside("program"), clock, log};
};

}  // namespace railhead::test
