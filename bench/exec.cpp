#include "bench/exec.hpp"

#include <chrono>
#include <fstream>
#include <stdexcept>

#include "test/support/child.hpp"
#include "test/support/temporary_folder.hpp"

namespace railhead::bench {
namespace {

double run_ms(const std::string& program, const std::vector<std::string>& environment,
              const std::string& input) {
  const auto start = std::chrono::steady_clock::now();
  const int exit_code = test::Child({program}, environment, input).wait();
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
  if (exit_code != 0) throw std::runtime_error(program + " failed");
  return took.count();
}

}  // namespace

std::vector<Figure> measure_exec(const std::string& programs, unsigned rounds) {
  const test::TemporaryFolder folder;
  const std::string conf = folder.path() + "/conf";
  std::ofstream(conf) << R"({"cniVersion":"1.0.0"})";
  Figure hello{"static_hello_ms", "ms", {}, std::nullopt, std::nullopt, false};
  Figure version{"cni_version_ms", "ms", {}, 0.25, std::nullopt};
  for (unsigned i = 0; i < rounds; ++i) {
    hello.samples.push_back(run_ms(programs + "/bench_hello", {}, conf));
    version.samples.push_back(run_ms(programs + "/railhead", {"CNI_COMMAND=VERSION"}, conf));
  }
  version.floor = hello.median();
  return {version, hello};
}

}  // namespace railhead::bench
