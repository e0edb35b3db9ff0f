#include "test/support/kubelet/plugin_channel.hpp"

#include <array>

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

namespace railhead::test {

std::shared_ptr<grpc::Channel> plugin_channel(const std::string& socket, KubeletVersion version) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetString(GRPC_ARG_DEFAULT_AUTHORITY,
                      version == KubeletVersion::v1_20 ? socket : "localhost");
  return grpc::CreateCustomChannel("unix:" + socket, grpc::InsecureChannelCredentials(), arguments);
}

std::string go_text(const grpc::Status& status) {
  static constexpr std::array kNames = {
      "OK",       "Canceled",       "Unknown",          "InvalidArgument",   "DeadlineExceeded",
      "NotFound", "AlreadyExists",  "PermissionDenied", "ResourceExhausted", "FailedPrecondition",
      "Aborted",  "OutOfRange",     "Unimplemented",    "Internal",          "Unavailable",
      "DataLoss", "Unauthenticated"};
  const auto code = static_cast<size_t>(status.error_code());
  return fmt::format("rpc error: code = {} desc = {}",
                     code < kNames.size() ? kNames[code] : "Unknown", status.error_message());
}

}  // namespace railhead::test
