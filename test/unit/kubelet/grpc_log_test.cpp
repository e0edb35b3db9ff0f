#include "plugin/kubelet/grpc_log.hpp"

#include <catch2/catch_test_macros.hpp>
#include <fcntl.h>
#include <grpc/support/log.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "base/text.hpp"
#include "base/unique_fd.hpp"

namespace railhead::test {

TEST_CASE("what gRPC says of itself is a line of the log, in its format") {
  int ends[2];
  REQUIRE(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
  const UniqueFd reader(ends[0]);
  const UniqueFd writer(ends[1]);
  kubelet::log_grpc_through(Logger(writer.get(), LogLevel::info, Logger::Format::json));
  gpr_set_log_verbosity(GPR_LOG_SEVERITY_INFO);  // as GRPC_VERBOSITY asks for it
  gpr_log(GPR_ERROR, "cannot reach \"%s\"\n", "kubelet.sock");
  gpr_log_message("/build/src/core/lib/iomgr/tcp.cc", 7, GPR_LOG_SEVERITY_DEBUG, "too much");
  gpr_log_message("/build/src/core/lib/iomgr/tcp.cc", 8, GPR_LOG_SEVERITY_INFO, "known");
  gpr_set_log_verbosity(GPR_LOG_SEVERITY_ERROR);
  kubelet::log_grpc_through(Logger(STDERR_FILENO, LogLevel::error));

  char buffer[4096];
  const ssize_t size = read(reader.get(), buffer, sizeof(buffer));
  REQUIRE(size > 0);
  const auto lines = split(trim({buffer, static_cast<size_t>(size)}), '\n');
  REQUIRE(lines.size() == 2);
  const auto error = nlohmann::json::parse(lines[0]);
  CHECK(error["level"] == "error");
  CHECK(error["msg"] == "gRPC: cannot reach \"kubelet.sock\"");
  CHECK(error["source"].get<std::string>().starts_with("grpc_log_test.cpp:"));
  const auto info = nlohmann::json::parse(lines[1]);
  CHECK(info["level"] == "info");
  CHECK(info["source"] == "tcp.cc:8");
}

}  // namespace railhead::test
