// fake-kubelet --dir DIR [--mode registry|legacy] [--version 1.36|1.20]: a kubelet stand-in as a
// program, for nodes without Kubernetes. DIR stands for /var/lib/kubelet. Commands come on stdin,
// one a line; each is answered by one line of JSON on stdout.
//   wait RESOURCE N [SECONDS]               until it is listed with just N healthy devices
//   resources                               {"RESOURCE": [{"id", "healthy", "numa"}...]}
//   lists RESOURCE                          how often it was listed and registered, ever
//   allocate POD CONTAINER RESOURCE N       what the plugin answered, and "ids"
//   allocate POD CONTAINER RESOURCE ID,ID   the same for these devices
//   start POD CONTAINER                     its first start or a further one: what it starts with
//   admit POD                               after a boot: whether it may run again, else it fails
//   remove POD                              the pod is gone, its devices are free again
//   restart                                 as systemctl restart kubelet
//   quit                                    so does the end of stdin
// What fails is answered with {"error": "..."}. A POD is "name" or "namespace/name".
#include <exception>
#include <iostream>

#include "test/support/kubelet/commands.hpp"

using namespace railhead::test;

int main(int argc, char** argv) try {
  FakeKubelet::Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    const std::string value = argv[i + 1];
    if (name == "--dir") options.dir = value;
    if (name == "--mode") options.plugin_watcher = value != "legacy";
    if (name == "--version" && value == "1.20") options.version = KubeletVersion::v1_20;
  }
  if (options.dir.empty()) {
    std::cerr << "usage: fake-kubelet --dir DIR [--mode registry|legacy] [--version 1.36|1.20]\n";
    return 2;
  }
  FakeKubelet kubelet(options);
  for (std::string line; std::getline(std::cin, line) && line != "quit";) {
    if (!line.empty()) std::cout << run_command(kubelet, line) << std::endl;
  }
  return 0;
} catch (const std::exception& failure) {
  std::cerr << "fake-kubelet: " << failure.what() << '\n';
  return 1;
}
